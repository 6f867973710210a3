//! Suspended projects: their exports are refused from the moment somebody says so, or their plan ends.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::Projects as _;
use gridgate::domain::plan::PlanEdit;
use gridgate::domain::project::ProjectChange;
use gridgate::domain::{Binding, Limits, Tenant, limit::Scope};
use http::{Method, Request};
use serde_json::{Value, json};

use super::bare::{Bare, answer};
use super::client::{Answer, Export, Form, Raw, exchange};
use super::told::told;
use super::{Gate, Issued, new_key};
use crate::admin::watched::Watched;
use crate::catalog::{by, slug};

async fn call(gate: &Gate, method: Method, path: &str, body: &Value) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/json");
    let answer = exchange(gate.admin, false, request, body.to_string()).await;
    assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
    serde_json::from_str(&answer.text()).expect("JSON")
}

async fn suspend(gate: &Gate) {
    call(gate, Method::POST, "/projects/shop/suspend", &json!({"reason": "unpaid"})).await;
}

async fn resume(gate: &Gate) {
    call(gate, Method::POST, "/projects/shop/resume", &json!({})).await;
}

/// The project's plan ends in a second.
async fn ending(gate: &Gate) {
    call(gate, Method::POST, "/plans", &json!({"slug": "trial"})).await;
    let ends = json!({"plan": "trial", "plan_ends_at": "2026-11-21T10:22:01Z"});
    call(gate, Method::PATCH, "/projects/shop", &ends).await;
}

async fn assert_accepted(gate: &Gate, key: &Issued) {
    for form in Form::ALL {
        Export::traces(form, &key.token).send(gate).await.assert_success(form);
    }
}

async fn assert_refused(gate: &Gate, key: &Issued, detail: &str) {
    for form in Form::ALL {
        let answer = Export::traces(form, &key.token).send(gate).await;
        told("project_suspended").key(&key.id).detail(detail).check(&answer, form);
    }
}

async fn whoami(gate: &Gate, key: &Issued) -> u16 {
    exchange(gate.http, false, Request::get("/v1/whoami").header("api-key", &key.token), "").await.status
}

#[tokio::test]
async fn a_suspended_project_is_refused_and_a_resumed_one_accepted() {
    let gate = Gate::start().await;
    let (key, other) = (gate.created(&new_key("one")).await, gate.key("bank").await);
    for _ in 0..2 {
        assert_accepted(&gate, &key).await;
        assert_eq!(whoami(&gate, &key).await, 200);
        suspend(&gate).await;
        assert_refused(&gate, &key, "shop is suspended").await;
        assert_eq!(whoami(&gate, &key).await, 403);
        // Nor does a clock that is set back open it.
        gate.clock.set_back(Duration::from_secs(1));
        assert_refused(&gate, &key, "shop is suspended").await;
        assert_accepted(&gate, &other).await;
        resume(&gate).await;
    }
    assert_accepted(&gate, &key).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_plan_ends_at_its_instant() {
    let gate = Gate::start().await;
    let key = gate.created(&new_key("one")).await;
    assert_accepted(&gate, &key).await;
    ending(&gate).await;
    gate.clock.advance(Duration::from_micros(999_999));
    assert_accepted(&gate, &key).await;
    gate.clock.advance(Duration::from_micros(1));
    assert_refused(&gate, &key, "the plan of shop ended at 2026-11-21T10:22:01.000000Z").await;
    assert_eq!(whoami(&gate, &key).await, 403);
    let later = json!({"plan_ends_at": "2036-11-21T10:22:01Z"});
    call(&gate, Method::PATCH, "/projects/shop", &later).await;
    assert_accepted(&gate, &key).await;
    gate.stop().await;
}

/// What holds when the last byte of a body has arrived is what counts.
#[tokio::test]
async fn a_project_suspended_while_the_body_arrives() {
    for by_its_plan in [false, true] {
        let gate = Gate::start().await;
        let key = gate.created(&new_key("one")).await;
        if by_its_plan {
            ending(&gate).await;
        }
        let export = Export::traces(Form::Protobuf, &key.token);
        let (head, tail) = export.body.split_at(export.body.len() / 2);
        let mut arriving = Raw::connect(gate.http).await;
        let lines = format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len());
        arriving.head(&export, &lines).await;
        assert_eq!(arriving.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        arriving.write(head).await;
        gate.until("gridgate_body_memory_bytes", |bytes| bytes >= head.len() as u64).await;
        if by_its_plan {
            gate.clock.advance(Duration::from_secs(1));
        } else {
            suspend(&gate).await;
        }
        arriving.write(tail).await;
        let (status, _) = arriving.read_answer().await;
        assert!(status.starts_with("HTTP/1.1 403 project_suspended ("), "{status}");
        assert!(gate.stop().await.lake().is_empty());
    }
}

/// A look-up has the project as it was when the change is committed and announced.
#[tokio::test]
async fn a_project_suspended_while_a_key_is_looked_up() {
    let server = Gate::start().await;
    let key = server.created(&new_key("one")).await;
    let watched = Arc::new(Watched::new(Arc::clone(&server.catalog), Arc::default()));
    let Bare { gate, committer: _committer } = Bare::over(&server, Arc::clone(&watched) as _).await;
    let gate = Arc::new(gate);
    let send = || {
        let (gate, export) = (Arc::clone(&gate), Export::traces(Form::Protobuf, &key.token));
        tokio::spawn(async move { Answer::of(answer(&gate, &export, &Arc::default()).await).await })
    };
    watched.hold_terms().await;
    let before = send();
    watched.held().await;
    let suspend = ProjectChange::Suspend("unpaid".to_owned());
    let changed = watched.change_project(&slug("shop"), &suspend, None, &by(9)).await;
    assert!(changed.expect("an answer").is_some());
    gate.keys.forget_all();
    let after = send();
    watched.lookups.add_permits(100);
    for answer in [before, after] {
        let answer = answer.await.expect("no panic");
        assert!(answer.text().contains(&format!("project_suspended ({})", key.id)), "{}", answer.text());
    }
    server.stop().await;
}

/// The key cache has the limits of all scopes with the key, and forgets them with every change.
#[tokio::test]
async fn cached_terms_follow_every_change() {
    let server = Gate::start().await;
    let key = server.created(&new_key("one")).await;
    let id = key.id.parse().expect("an id");
    let Bare { gate, committer: _committer } = Bare::over(&server, Arc::clone(&server.catalog)).await;
    let limits = |text: &str| text.parse::<Limits>().expect("limits");
    let terms = async |scope| gate.keys.get(&id).await.expect("an answer").expect("a key").terms.limits(scope).clone();
    for scope in Scope::ALL {
        assert_eq!(terms(scope).await, Limits::default());
    }
    call(&server, Method::POST, "/plans", &json!({"slug": "trial"})).await;
    call(&server, Method::PATCH, "/projects/shop", &json!({"plan": "trial"})).await;
    let own = ["1 items/day", "2 items/day", "3 items/day"].map(|text| Some(limits(text)));
    let edit = PlanEdit { limits: own, ..PlanEdit::default() };
    server.catalog.change_plan(&slug("trial"), &edit, None, &by(9)).await.expect("a change");
    // Until it is told, it does not ask.
    assert_eq!(terms(Scope::Key).await, Limits::default());
    gate.keys.forget_all();
    assert_eq!(terms(Scope::Key).await, limits("1 items/day"));
    assert_eq!(terms(Scope::Tenant).await, limits("2 items/day"));
    assert_eq!(terms(Scope::Project).await, limits("3 items/day"));
    let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
    let cached = gate.keys.get(&id).await.expect("an answer").expect("a key");
    assert_eq!(cached.key.binding, Binding::Tenant(tenant));
    server.stop().await;
}
