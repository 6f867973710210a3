//! A project that sends more than it may, and a team that asks why nothing arrives.

use std::time::Duration;

use gridgate::cli::Exit;
use gridgate::config::Span;

use super::{Key, Product, rows};
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;

const DAY: Duration = Duration::from_hours(24);
const SOON: Span = Span(Duration::from_millis(10));

/// A gate that shows at once what became of an export.
async fn product() -> Product {
    Product::with(|config| {
        config.usage.flush_interval = SOON;
        config.senders.flush_interval = SOON;
        config.refusals.flush_interval = SOON;
        config.requests.interval = SOON;
    })
    .await
}

#[tokio::test]
async fn a_quota_is_found_raised_and_over_the_next_day() {
    let product = product().await;
    product.words(&["plans", "create", "trial", "--project-limit", "6 items/day"]).await;
    product.run("projects edit shop --plan trial").await;
    let key = product.key("keys create --name checkout --project shop --grid web --environment production").await;
    let limits = product.words(&["limits", "set", "--key", &key.id, "traces 3 items/day"]).await.out;
    assert_eq!(product.run(&format!("limits show --key {}", key.id)).await.out, limits);
    for shown in ["key      traces 3 items/day  own", "project  6 items/day         plan"] {
        assert!(limits.contains(shown), "{limits}");
    }

    product.accepts(&key.token, "checkout").await;
    refuses(&product, &key, "key", &key.id, "traces 3 items/day").await;

    // Nothing arrives. What was turned away, why, who is it, and what is to be done?
    product
        .shows(
            "refusals --project shop",
            &["quota_exhausted", &key.id, "probably checkout", "the limit of key", "wait for the next period"],
        )
        .await;
    product
        .shows("requests --project shop --outcome refused", &["quota_exhausted", &key.id, "shop/web/production"])
        .await;
    product.shows("senders --project shop", &["checkout"]).await;
    product.shows("usage --project shop --by key,signal", &[&key.id, "traces", "quota_exhausted=3"]).await;
    let usage = product.json("usage --project shop --step day").await;
    let [day] = usage.as_array().expect("rows").as_slice() else { panic!("one day: {usage}") };
    let numbers = ["received", "accepted", "refused", "items"].map(|name| day[name].as_u64().expect("a number"));
    assert_eq!(numbers, [6, 3, 3, 3]);

    // The key gets more; then the project has used up what its plan gives.
    product.run(&format!("limits clear --key {}", key.id)).await;
    product.accepts(&key.token, "checkout").await;
    refuses(&product, &key, "project", "shop", "6 items/day").await;
    product.refused("plans delete trial --yes", Exit::Conflict, "plan_in_use").await;

    product.gate.clock.advance(DAY);
    product.accepts(&key.token, "checkout").await;
    let lake = product.lake().await;
    assert_eq!(lake["shop/web/production/traces"], [rows("checkout"), rows("checkout"), rows("checkout")].concat());
}

#[tokio::test]
async fn a_project_is_suspended_and_resumed() {
    let product = product().await;
    let key = product.key("keys create --name checkout --project shop --grid web --environment production").await;
    product.accepts(&key.token, "checkout").await;
    product.words(&["projects", "suspend", "shop", "--reason", "the bill of May"]).await;
    product.shows("projects show shop", &["the bill of May"]).await;
    product.refuses(&key, "project_suspended").await;
    product.shows("refusals --project shop", &["project_suspended", "probably checkout"]).await;
    product.shows("requests --project shop --reason project_suspended", &[&key.id]).await;
    product.shows("usage --project shop", &["project_suspended=3"]).await;

    product.run("projects resume shop").await;
    product.accepts(&key.token, "checkout").await;
    let lake = product.lake().await;
    assert_eq!(lake["shop/web/production/traces"], [rows("checkout"), rows("checkout")].concat());
}

/// A span over every transport, refused because of this.
/// The quota `limit` of `scope` is used up until the next day begins.
async fn refuses(product: &Product, key: &Key, scope: &str, id: &str, limit: &str) {
    for form in Form::ALL {
        let answer = Export::traces(form, &key.token).send(&product.gate).await;
        let refused = told("quota_exhausted").key(&key.id).over(scope, id, limit);
        refused.resets_at("2026-11-22T00:00:00.000000Z").check(&answer, form);
    }
}
