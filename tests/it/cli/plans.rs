//! Plans, limits and suspensions on the command line.

use gridgate::cli::Exit;
use serde_json::{Value, json};

use super::Shell;
use crate::admin::Server;

async fn json_of(shell: &Shell, words: &[&str]) -> Value {
    let ended = shell.words(&[words, &["--output", "json"]].concat()).await;
    assert_eq!(ended.exit, Exit::Done, "{words:?}: {}", ended.err);
    serde_json::from_str(&ended.out).expect("JSON")
}

async fn table_of(shell: &Shell, words: &[&str]) -> String {
    let ended = shell.words(words).await;
    assert_eq!(ended.exit, Exit::Done, "{words:?}: {}", ended.err);
    ended.out
}

#[tokio::test]
async fn plans_from_their_making_to_their_end() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let rate = "traces 1000 items/second burst 5000 warn";
    let create =
        ["plans", "create", "trial", "--name", "Trial", "--tenant-limit", rate, "--tenant-limit", "50 requests/second"];
    let made =
        json_of(&shell, &[&create[..], &["--project-limit", "5000000 bytes/month", "--max-active-keys", "2"]].concat())
            .await;
    let burst = &made["limits"]["tenant"][1]["burst"];
    assert_eq!((burst, &made["max_active_keys"], &made["limits"]["key"]), (&json!(5000), &json!(2), &json!([])));
    let list = table_of(&shell, &["plans", "list"]).await;
    let row = "trial  Trial  5000000 bytes/month  50 requests/second, traces 1000 items/s…  -     at most 2";
    assert_eq!(list.lines().nth(1), Some(row), "{list}");
    let edited =
        json_of(&shell, &["plans", "edit", "trial", "--no-project-limits", "--key-limit", "7 items/day"]).await;
    assert_eq!((&edited["limits"]["project"], &edited["version"]), (&json!([]), &json!(2)));
    let late = shell.words(&["plans", "edit", "trial", "--name", "x", "--if-version", "1"]).await;
    assert_eq!(late.exit, Exit::Conflict, "{}", late.err);
    let card = table_of(&shell, &["plans", "show", "trial"]).await;
    assert!(card.contains("TENANT LIMITS   50 requests/second, traces 1000 items/second burst 5000 warn\n"), "{card}");
    assert!(card.contains("KEY LIMITS      7 items/day\n"), "{card}");

    let project =
        json_of(&shell, &["projects", "edit", "shop", "--plan", "trial", "--plan-ends-at", "2036-01-01T00:00:00Z"])
            .await;
    assert_eq!((&project["plan"], &project["plan_ends_at"]), (&json!("trial"), &json!("2036-01-01T00:00:00.000000Z")));
    let used = shell.words(&["plans", "delete", "trial", "--yes"]).await;
    assert_eq!(used.exit, Exit::Conflict, "{}", used.err);
    let endless = json_of(&shell, &["projects", "edit", "shop", "--no-plan-end", "--limit", "9 items/day"]).await;
    assert_eq!((&endless["plan_ends_at"], &endless["limits"][0]["amount"]), (&json!(null), &json!(9)));
    let bare = json_of(&shell, &["projects", "edit", "shop", "--no-plan", "--no-limits"]).await;
    assert_eq!((&bare["plan"], &bare["limits"]), (&json!(null), &json!([])));
    assert_eq!(shell.words(&["plans", "delete", "trial"]).await.exit, Exit::Usage);
    assert_eq!(shell.words(&["plans", "delete", "trial", "--yes"]).await.exit, Exit::Done);
    assert_eq!(table_of(&shell, &["plans", "list"]).await.lines().count(), 1);
}

#[tokio::test]
async fn limits_are_shown_set_and_cleared() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let words =
        ["keys", "create", "--name", "checkout", "--project", "shop", "--grid", "web", "--environment", "production"];
    let made =
        json_of(&shell, &[&words[..], &["--limit", "10 items/second", "--limit", "logs 5 items/day observe"]].concat())
            .await;
    let id = made["key"]["id"].as_str().expect("an id");
    assert_eq!(made["key"]["limits"].as_array().map(Vec::len), Some(2));
    table_of(&shell, &["limits", "set", "--tenant", "shop/web/production", "99 items/second burst 200"]).await;
    table_of(&shell, &["limits", "set", "--project", "shop", "5000 bytes/month"]).await;
    let shown = "\
SCOPE    LIMIT                      FROM  USED  LEFT  RESETS                       YESTERDAY
key      10 items/second            own   0     10    2026-11-21T10:22:00.000000Z  -
key      logs 5 items/day observe   own   0     5     2026-11-22T00:00:00.000000Z  -
tenant   99 items/second burst 200  own   0     200   2026-11-21T10:22:00.000000Z  -
project  5000 bytes/month           own   0     5000  2026-12-01T00:00:00.000000Z  -
";
    assert_eq!(table_of(&shell, &["limits", "show", "--key", id]).await, shown);
    let set = json_of(&shell, &["limits", "set", "--key", id, "7 requests/second"]).await;
    assert_eq!(set["limits"][0]["unit"], "requests");
    assert!(table_of(&shell, &["keys", "show", id]).await.contains("7 requests/second"));
    assert_eq!(json_of(&shell, &["limits", "clear", "--key", id]).await["limits"], json!([]));
    assert_eq!(json_of(&shell, &["limits", "clear", "--tenant", "shop/web/production"]).await["limits"], json!([]));
    assert_eq!(json_of(&shell, &["limits", "clear", "--project", "shop"]).await["effective"], json!([]));
    let edited = json_of(&shell, &["keys", "edit", id, "--limit", "3 items/day"]).await;
    assert_eq!(edited["limits"][0]["amount"], 3);
    assert_eq!(json_of(&shell, &["keys", "edit", id, "--no-limits"]).await["limits"], json!([]));
}

/// What is no limit is refused before anything is sent.
#[tokio::test]
async fn what_is_no_limit_is_a_slip_at_the_command_line() {
    use clap::Parser as _;
    use gridgate::cli::Cli;
    for (limit, told) in [
        ("0 items/second", "an amount is a whole number from 1 to"),
        ("-5 items/second", "an amount is a whole number from 1 to"),
        ("10 items/hour", "a limit is written as in"),
        ("10 requests/day", "counts items or bytes, not requests"),
    ] {
        let words = ["gridgate", "limits", "set", "--project", "shop", "--", limit];
        let refused = Cli::try_parse_from(words).expect_err(limit).to_string();
        assert!(refused.contains(told), "{refused}");
    }
    for of in [&["--tenant", "shop/web"][..], &["--tenant", "shop/web/No"], &["--key", "shop"], &[]] {
        assert!(Cli::try_parse_from([&["gridgate", "limits", "show"][..], of].concat()).is_err(), "{of:?}");
    }
}

#[tokio::test]
async fn projects_are_suspended_and_resumed() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let card = table_of(&shell, &["projects", "suspend", "shop", "--reason", "unpaid bill"]).await;
    assert!(card.contains("SUSPENDED    2026-11-21T10:22:00Z\nBECAUSE      unpaid bill\n"), "{card}");
    let list = table_of(&shell, &["projects", "list"]).await;
    assert!(list.contains("shop     shop  -     2026-11-21T10:22:00Z  -            2026"), "{list}");
    assert_eq!(json_of(&shell, &["projects", "resume", "shop"]).await["suspended"], json!(null));
    let unknown = shell.words(&["projects", "suspend", "none", "--reason", "a"]).await;
    assert_eq!(unknown.exit, Exit::Missing, "{}", unknown.err);
}
