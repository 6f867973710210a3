//! Limits through the whole gate: what is over them is refused, on both transports, and nobody else is.

use std::time::Duration;

use gridgate::domain::Signal;
use http::Request;
use serde_json::{Value, json};

use super::client::{Export, Form, Raw, exchange};
use super::told::told;
use super::{Gate, Issued, new_key};

const SECOND: Duration = Duration::from_secs(1);

/// `PATCH` of a project, or of a tenant's limits, through the admin API.
async fn limit(gate: &Gate, path: &str, limits: Value) {
    let request = Request::patch(format!("/api/v1/projects/{path}"))
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/merge-patch+json")
        .header("if-match", "*");
    let answer = exchange(gate.admin, false, request, json!({"limits": limits}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

const TENANT: &str = "shop/grids/web/environments/production/limits";

/// A key of `shop/web/production` with limits of its own.
async fn limited(gate: &Gate, limits: Value) -> Issued {
    let mut new = new_key("limited");
    new["limits"] = limits;
    gate.created(&new).await
}

fn rate(unit: &str, amount: u64) -> Value {
    json!([{"unit": unit, "per": "second", "amount": amount}])
}

#[tokio::test]
async fn key_tenant_and_project_are_limited_on_both_transports() {
    for scope in ["key", "tenant", "project"] {
        let gate = Gate::start().await;
        let key = limited(&gate, if scope == "key" { rate("requests", 2) } else { json!([]) }).await;
        let (whose, others) = match scope {
            "key" => (key.id.clone(), gate.key("shop").await),
            "tenant" => {
                limit(&gate, TENANT, rate("requests", 2)).await;
                ("shop/web/production".to_owned(), gate.key_of("shop", "staging").await)
            }
            _ => {
                limit(&gate, "shop", rate("requests", 2)).await;
                ("shop".to_owned(), gate.key("bank").await)
            }
        };
        let refused =
            told("rate_limited").key(&key.id).detail(&format!("the limit of {scope} {whose} is 2 requests/second"));
        for form in Form::ALL {
            for _ in 0..2 {
                Export::traces(form, &key.token).send(&gate).await.assert_success(form);
            }
            for _ in 0..3 {
                refused.check(&Export::traces(form, &key.token).send(&gate).await, form);
                Export::traces(form, &others.token).send(&gate).await.assert_success(form);
            }
            gate.clock.advance(SECOND);
        }
        gate.stop().await;
    }
}

/// Changed limits hold for the next export, with what is used already.
#[tokio::test]
async fn a_changed_limit_holds_at_once() {
    let gate = Gate::start().await;
    let key = limited(&gate, rate("items", 2)).await;
    let export = Export::new(Form::Protobuf, Signal::Logs, "marker").key(&key.token);
    for _ in 0..2 {
        export.send(&gate).await.assert_success(Form::Protobuf);
    }
    assert_eq!(export.send(&gate).await.status, 429);
    gate.edit(&key, &json!({"limits": rate("items", 3)}).to_string()).await;
    export.send(&gate).await.assert_success(Form::Protobuf);
    assert_eq!(export.send(&gate).await.status, 429);
    gate.edit(&key, r#"{"limits": []}"#).await;
    export.send(&gate).await.assert_success(Form::Protobuf);
    gate.stop().await;
}

/// Who is in debt is told so without having sent one byte of the body.
#[tokio::test]
async fn debt_is_refused_before_the_body() {
    let gate = Gate::start().await;
    let key = limited(&gate, rate("bytes", 1)).await;
    let export = Export::traces(Form::Json, &key.token);
    export.send(&gate).await.assert_success(Form::Json);
    let mut client = Raw::connect(gate.http).await;
    client.head(&export, "content-length: 1000\r\n").await;
    let (head, _) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nretry-after: 5\r\n"), "{head}");
    gate.clock.advance(Duration::from_hours(1));
    export.send(&gate).await.assert_success(Form::Json);
    gate.stop().await;
}

#[tokio::test]
async fn a_quota_is_crossed_once_and_opens_on_the_next_day() {
    let gate = Gate::start().await;
    limit(&gate, TENANT, json!([{"unit": "items", "per": "day", "amount": 3, "signal": "traces"}])).await;
    let key = gate.key("shop").await;
    let refused = told("quota_exhausted")
        .key(&key.id)
        .detail("the limit of tenant shop/web/production is traces 3 items/day; it is used up until ");
    for _ in 0..2 {
        for form in Form::ALL {
            Export::traces(form, &key.token).send(&gate).await.assert_success(form);
        }
        for form in Form::ALL {
            refused.check(&Export::traces(form, &key.token).send(&gate).await, form);
            Export::new(form, Signal::Logs, "marker").key(&key.token).send(&gate).await.assert_success(form);
        }
        gate.clock.advance(Duration::from_hours(24));
    }
    // And a step back into a day that is used up does not open it.
    gate.clock.set_back(Duration::from_hours(24));
    refused.check(&Export::traces(Form::Json, &key.token).send(&gate).await, Form::Json);
    gate.stop().await;
}

/// What is only observed refuses nothing.
#[tokio::test]
async fn an_observed_limit_lets_everything_in() {
    let gate = Gate::start().await;
    let observed = json!([{"unit": "requests", "per": "second", "amount": 1, "mode": "observe"}]);
    let key = limited(&gate, observed).await;
    for form in Form::ALL.into_iter().cycle().take(9) {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// One tenant sends ten times what it may: every export of the others is accepted.
#[tokio::test]
async fn a_noisy_tenant_costs_the_others_nothing() {
    let gate = Gate::start().await;
    limit(&gate, TENANT, rate("requests", 20)).await;
    let (noisy, quiet) = (gate.key("shop").await, gate.key("bank").await);
    let send = async |key: &Issued, count: usize| {
        let mut accepted = 0;
        for number in 0..count {
            let form = Form::ALL[number % Form::ALL.len()];
            let answer = Export::traces(form, &key.token).send(&gate).await;
            let refused = answer.headers.contains_key("grpc-status") || answer.status != 200;
            accepted += usize::from(!refused);
        }
        accepted
    };
    let (a, b, c) = tokio::join!(send(&noisy, 100), send(&noisy, 100), send(&quiet, 40));
    // The clock stands still: exactly its burst.
    assert_eq!((a + b, c), (20, 40));
    let lake = gate.stop().await.lake();
    assert_eq!(lake["shop/web/production/traces"].len(), 20);
    assert_eq!(lake["bank/web/production/traces"].len(), 40);
}
