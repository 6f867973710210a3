//! Roles, members, environments and projects from the command line.

use gridgate::cli::Exit;
use gridgate::domain::token::PresentedToken;
use serde_json::json;

use super::Shell;
use crate::admin::{Admin, Server};

#[tokio::test]
async fn a_role_is_created_changed_and_deleted() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let create = "roles create shipper --kind ingest --permission telemetry.logs.write --permission customer.read";
    let table = shell.data(create).await;
    let row = "shipper  shipper  ingest  the installation  customer.read,telemetry.logs.write";
    assert_eq!(table, format!("ROLE     NAME     KIND    SCOPE             PERMISSIONS\n{row}\n"));
    let list = shell.json("roles list --output json").await;
    let slugs: Vec<_> = list.as_array().expect("rows").iter().map(|role| role["slug"].as_str()).collect();
    assert!(slugs.contains(&Some("shipper")) && slugs.contains(&Some("owner")), "{slugs:?}");
    let list = shell.data("roles list").await;
    let auditor = list.lines().find(|line| line.starts_with("auditor ")).expect("a role");
    assert!(auditor.contains("built in") && auditor.ends_with("api.key.view,audit.view,grid.view,membe…"), "{auditor}");

    let edited = shell.json("roles edit shipper --name Shipper --permission telemetry.logs.write --output json").await;
    assert_eq!((&edited["name"], &edited["permissions"]), (&json!("Shipper"), &json!(["telemetry.logs.write"])));
    let late = shell.run("roles edit shipper --name Late --if-version 1").await;
    assert_eq!((late.exit, late.out.as_str()), (Exit::Conflict, ""));
    assert!(late.err.contains("somebody was faster than version 1"), "{}", late.err);
    assert_eq!(shell.run("roles edit shipper").await.exit, Exit::Usage);
    assert_eq!(shell.run("roles edit owner --name Mine").await.exit, Exit::Conflict);

    assert_eq!(shell.run("roles delete shipper").await.exit, Exit::Usage);
    let deleted = shell.run("roles delete shipper --yes").await;
    assert_eq!((deleted.exit, deleted.err.as_str()), (Exit::Done, "the role shipper is deleted\n"));
    assert_eq!(shell.run("roles show shipper").await.exit, Exit::Missing);
}

/// Two projects may each have a role of the same name.
#[tokio::test]
async fn a_role_can_belong_to_a_project() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    for (project, permission) in [("shop", "till.open"), ("bank", "vault.open")] {
        shell.data(&format!("roles create clerk --kind admin --project {project} --permission {permission}")).await;
        let shown = shell.json(&format!("roles show clerk --project {project} --output json")).await;
        assert_eq!(shown["permissions"], json!([permission]));
    }
    shell.data("roles edit clerk --project bank --note x").await;
    assert_eq!(shell.json("roles show clerk --project shop --output json").await["note"], "");
}

#[tokio::test]
async fn a_member_is_invited_changed_and_removed() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let invited = shell.run("members invite --name Ada --role operator --project shop").await;
    let token = invited.out.trim_end().to_owned();
    let id = PresentedToken::parse(&token).expect("a token").id.to_string();
    assert_eq!(
        (invited.exit, invited.err),
        (Exit::Done, format!("invited {id} (\"Ada\", admin key of shop); its token is shown this once\n"))
    );
    let ada = Shell::of(&server, &Admin { id: id.clone(), token });
    let me = ada.data("me").await;
    assert!(me.lines().any(|line| line == "NAME            Ada"), "{me}");
    // An operator sees members and changes none.
    let list = ada.data("members list").await;
    assert!(list.contains(&id) && list.contains("operator"), "{list}");
    let denied = ada.run(&format!("members edit {id} --role owner")).await;
    assert_eq!(denied.exit, Exit::Denied, "{}", denied.err);
    assert!(denied.err.contains("`gridgate me` says what the admin key may do"), "{}", denied.err);

    let edited = shell.json(&format!("members edit {id} --role viewer --expires-in 30d --output json")).await;
    assert_eq!((&edited["role"], &edited["expires_at"]), (&json!("viewer"), &json!("2026-12-21T10:22:00.000000Z")));
    assert_eq!(shell.run(&format!("members remove {id}")).await.exit, Exit::Usage);
    let removed = Shell { answer: Some("y\n"), ..Shell::at(&server) }.run(&format!("members remove {id}")).await;
    assert_eq!(removed.exit, Exit::Done, "{}", removed.err);
    assert!(removed.err.contains("Their key is refused from now on. This cannot be undone."), "{}", removed.err);
    assert_eq!(ada.run("me").await.exit, Exit::Denied);
}

#[tokio::test]
async fn environments_and_projects_are_edited() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let table = shell.data("environments create qa --code qa --rotation-days 30").await;
    let head = "ENVIRONMENT  CODE  NAME  ROTATION  CREATED\n";
    assert_eq!(table, format!("{head}qa           qa    qa    30 days   2026-11-21T10:22:00Z\n"));
    let edited = shell.json("environments edit qa --no-rotation --name QA --output json").await;
    assert_eq!((&edited["rotation_days"], &edited["name"]), (&json!(null), &json!("QA")));
    assert!(shell.data("environments list").await.contains("qa           qa    QA"));

    let edited = shell.json("projects edit shop --max-active-keys 2 --name Shop --output json").await;
    assert_eq!((&edited["max_active_keys"], &edited["name"]), (&json!(2), &json!("Shop")));
    assert_eq!(shell.json("projects show shop --output json").await, edited);
    let edited = shell.json("projects edit shop --default-max-active-keys --output json").await;
    assert_eq!((&edited["max_active_keys"], &edited["name"]), (&json!(null), &json!("Shop")));
}
