//! A change of a role is a change of every key that has it, also for the exports that are under way.

use std::sync::Arc;

use gridgate::catalog::Roles as _;
use gridgate::domain::role::RoleEdit;
use http::{Method, Request};
use serde_json::json;

use super::bare::{Bare, answer};
use super::client::{Answer, Export, Form, Raw, exchange};
use super::told::told;
use super::{Gate, Issued};
use crate::admin::watched::Watched;
use crate::catalog::{by, slug};

/// A key whose role lets it export traces.
async fn with_role(gate: &Gate) -> Issued {
    let role = json!({"slug": "sender", "kind": "ingest", "permissions": ["telemetry.traces.write"]});
    call(gate, Method::POST, "/roles", &role.to_string()).await;
    let key =
        json!({"name": "sender", "project": "shop", "grid": "web", "environment": "production", "role": "sender"});
    gate.created(&key).await
}

/// Changes what the role holds.
async fn hold(gate: &Gate, permission: &str) {
    call(gate, Method::PATCH, "/roles/sender", &json!({"permissions": [permission]}).to_string()).await;
}

async fn call(gate: &Gate, method: Method, path: &str, body: &str) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/json")
        .header("if-match", "*");
    let answer = exchange(gate.admin, false, request, body.to_owned()).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

#[tokio::test]
async fn a_changed_role_holds_for_the_next_export_and_for_a_body_that_arrives() {
    let gate = Gate::start().await;
    let key = with_role(&gate).await;
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    let export = Export::traces(Form::Protobuf, &key.token);
    let (head, tail) = export.body.split_at(export.body.len() / 2);
    let mut arriving = Raw::connect(gate.http).await;
    let lines = format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len());
    arriving.head(&export, &lines).await;
    assert_eq!(arriving.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    arriving.write(head).await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes >= head.len() as u64).await;

    hold(&gate, "telemetry.logs.write").await;
    arriving.write(tail).await;
    let (status, _) = arriving.read_answer().await;
    assert!(status.starts_with("HTTP/1.1 403 permission_denied ("), "{status}");
    for form in Form::ALL {
        let answer = Export::traces(form, &key.token).send(&gate).await;
        told("permission_denied").key(&key.id).detail("the key lacks telemetry.traces.write").check(&answer, form);
    }
    hold(&gate, "telemetry.traces.write").await;
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    let stored = gate.stop().await.lake()["shop/web/production/traces"].len();
    assert_eq!(stored, 2 * Form::ALL.len());
}

/// A look-up has the key with the old role when the change is committed and announced.
#[tokio::test]
async fn a_role_that_is_changed_while_a_key_is_looked_up() {
    let server = Gate::start().await;
    let key = with_role(&server).await;
    let watched = Arc::new(Watched::new(Arc::clone(&server.catalog), Arc::default()));
    let Bare { gate, committer: _committer } = Bare::over(&server, Arc::clone(&watched) as _).await;
    let gate = Arc::new(gate);
    let send = || {
        let (gate, export) = (Arc::clone(&gate), Export::traces(Form::Protobuf, &key.token));
        tokio::spawn(async move { Answer::of(answer(&gate, &export, &Arc::default()).await).await })
    };
    watched.hold().await;
    let before = send();
    watched.held().await;
    let logs =
        RoleEdit { permissions: Some("telemetry.logs.write".parse().expect("permissions")), ..RoleEdit::default() };
    let changed = watched.change_role(None, &slug("sender"), &logs, None, &by(9)).await;
    assert!(changed.expect("an answer").is_some());
    gate.keys.forget_all();
    let after = send();
    watched.lookups.add_permits(100);
    for answer in [before, after] {
        let answer = answer.await.expect("no panic");
        assert!(answer.text().contains(&format!("permission_denied ({})", key.id)), "{}", answer.text());
    }
    server.stop().await;
}
