//! A key with a role, with an id that may be shown and a secret that may not. The page: pick a role, copy the secret before the dialog
//! closes, know the key by its id afterwards; edit name and role; revoke for good.

use gridgate::cli::Exit;
use gridgate::domain::Signal;
use serde_json::json;

use super::Product;
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;

#[tokio::test]
async fn a_key_with_a_role_is_edited_and_revoked_for_good() {
    let product = Product::start().await;
    product
        .run("roles create shipper --kind ingest --permission telemetry.logs.write --permission customer.read")
        .await;
    let key = product
        .key("keys create --name fluent --role shipper --project shop --grid web --environment production")
        .await;

    // The id is part of the token, and enough to find the key again; the secret is shown once.
    let bare = key.id.strip_prefix("key_").expect("an id");
    assert!(key.token.starts_with(&format!("ggi_prd_{bare}")));
    for line in
        [format!("keys show {}", key.id), format!("keys list -q {}", key.id), "keys list --role shipper".to_owned()]
    {
        let shown = product.run(&line).await;
        assert!(shown.out.contains(&key.id), "{line}: {}", shown.out);
        assert!(!shown.out.contains(&key.token[bare.len() + 9..]), "{line}: {}", shown.out);
    }

    let sends = async |signal| {
        let mut answers = Vec::new();
        for form in Form::ALL {
            answers.push((form, Export::new(form, signal, "fluent").key(&key.token).send(&product.gate).await));
        }
        answers
    };
    for (form, answer) in sends(Signal::Logs).await {
        answer.assert_success(form);
    }
    for (form, answer) in sends(Signal::Traces).await {
        told("permission_denied").key(&key.id).detail("the key lacks telemetry.traces.write").check(&answer, form);
    }

    // Another role, another name, a note where the key is used, and from where.
    product.run(&format!("keys edit {} --role ingest --name vector --note rack-7 --allow 127.0.0.0/8", key.id)).await;
    for (form, answer) in sends(Signal::Traces).await {
        answer.assert_success(form);
    }
    product.run(&format!("keys edit {} --allow 192.0.2.0/24", key.id)).await;
    for (form, answer) in sends(Signal::Logs).await {
        told("ip_not_allowed").key(&key.id).check(&answer, form);
    }
    product.run(&format!("keys edit {} --allow-any", key.id)).await;
    let shown = product.json(&format!("keys show {}", key.id)).await;
    assert_eq!(
        (&shown["role"], &shown["name"], &shown["note"]),
        (&json!("ingest"), &json!("vector"), &json!("rack-7"))
    );

    // Two people edit: who is second is told so, and nothing is lost.
    let version = shown["version"].as_u64().expect("a version");
    product.run(&format!("keys edit {} --note rack-8 --if-version {version}", key.id)).await;
    let late = product.shell.run(&format!("keys edit {} --name late --if-version {version}", key.id)).await;
    assert_eq!((late.exit, late.out.as_str()), (Exit::Conflict, ""), "{}", late.err);
    assert!(late.err.contains("(version_conflict)"), "{}", late.err);
    assert!(late.err.contains("the last change was key.edited by \"owner\" at 2026-11-21T10:22:00Z"), "{}", late.err);
    assert_eq!(product.json(&format!("keys show {}", key.id)).await["name"], "vector");

    // Revoking is asked about, with its consequences, and final.
    let person = |answer| crate::cli::Shell {
        answer: Some(answer),
        admin_key: product.shell.admin_key.clone(),
        url: product.shell.url.clone(),
    };
    let no = person("n\n").run(&format!("keys revoke {}", key.id)).await;
    assert_eq!(no.exit, Exit::Refused);
    assert!(no.err.contains("This cannot be undone."), "{}", no.err);
    // It is in use, which is a question of its own.
    let yes = person("y\ny\n").run(&format!("keys revoke {}", key.id)).await;
    assert_eq!(yes.exit, Exit::Done, "{}", yes.err);
    product.refuses(&key, "key_revoked").await;
    product.refused(&format!("keys enable {}", key.id), Exit::Conflict, "key_revoked").await;
    product.refused(&format!("keys edit {} --name again", key.id), Exit::Conflict, "key_revoked").await;
    assert_eq!(product.json("keys list --role ingest").await, json!([]));
    // Its name is free again, and its role: nobody has it.
    product.key("keys create --name vector --role ingest --project shop --grid web --environment production").await;
    product.run("roles delete shipper --yes").await;
}

/// The team is invited by role; nobody gives what they lack, and the last owner stays.
#[tokio::test]
async fn members_are_invited_by_role() {
    let product = Product::start().await;
    let shown = product.json("members invite --name Ada --role operator --project shop").await;
    let ada = crate::cli::Shell {
        url: product.shell.url.clone(),
        admin_key: Some(shown["token"].as_str().expect("a token").to_owned()),
        answer: None,
    };
    let create = "keys create --project shop --grid web --environment production --name";
    let made = ada.run(&format!("{create} hers --output json")).await;
    assert_eq!(made.exit, Exit::Done, "{}", made.err);
    let made: serde_json::Value = serde_json::from_str(&made.out).expect("JSON");
    let id = made["key"]["id"].as_str().expect("an id");

    // An operator deletes nothing, sees nothing of another project, and cannot raise herself.
    assert_eq!(ada.run(&format!("keys revoke {id} --yes")).await.exit, Exit::Denied);
    assert_eq!(ada.run("grids list --project bank").await.exit, Exit::Missing);
    assert_eq!(ada.run("members invite --name Eve --role owner --project shop").await.exit, Exit::Denied);
    let me = ada.run("me").await;
    assert!(me.out.contains("operator") && me.out.contains("Ada"), "{}", me.out);

    let member = shown["key"]["id"].as_str().expect("an id");
    product.run(&format!("members remove {member} --yes")).await;
    assert_eq!(ada.run("me").await.exit, Exit::Denied);
    let owner = product.json("me").await["id"].as_str().expect("an id").to_owned();
    product.refused(&format!("keys revoke {owner} --yes"), Exit::Conflict, "last_owner").await;
}
