//! Webhooks and their deliveries.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{Catalog, CatalogError, Entity, Paging};
use gridgate::domain::webhook::{
    Attempt, Delivery, DeliveryState, Disabled, EventId, EventKind, SECRET_OVERLAP, SigningSecret, Webhook,
    WebhookChange, WebhookEdit, WebhookId,
};
use gridgate::domain::{Changed, KeyId, OsRandom};

use super::{Fresh, at, by, on_both, slug, with_grids};

on_both!(
    a_webhook_is_read_as_it_was_written,
    a_change_is_for_one_version,
    lists_are_of_a_project_or_of_all,
    a_deleted_webhook_takes_its_deliveries_along,
    the_position_moves_together_with_what_is_written,
    what_is_due_is_given_out_in_turn_and_once,
    an_attempt_is_written_down,
    attempts_and_deletions_do_not_wait_for_each_other,
    a_change_keeps_the_failure_that_is_noted_meanwhile,
    deliveries_are_listed_newest_first_and_forgotten,
);

fn id(number: u8) -> WebhookId {
    format!("whk_{number:012}").parse().expect("an id")
}

fn webhook(number: u8, project: Option<&str>) -> Webhook {
    Webhook {
        id: id(number),
        project: project.map(slug),
        url: format!("https://example.com/{number}?ü"),
        note: "two\nlines".to_owned(),
        events: [EventKind::Revoked, EventKind::Created].into(),
        secret: SigningSecret { version: 1, pepper: 7 },
        previous: None,
        version: 1,
        created_at: at(5),
        created_by: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
        updated_at: at(5),
        disabled: None,
        failing_since: None,
    }
}

fn delivery(number: u8, next_at: i64) -> Delivery {
    Delivery {
        webhook: id(number),
        event: EventId::new(at(next_at * 1_000_000), &OsRandom).expect("an id"),
        kind: "key.created".to_owned(),
        payload: "{\"ü\": 1}".to_owned(),
        created_at: at(next_at),
        state: DeliveryState::Pending { next_at: at(next_at) },
        attempts: 0,
        last: None,
    }
}

async fn with_webhooks(fresh: &Fresh) -> Arc<dyn Catalog> {
    let catalog = with_grids(fresh).await;
    for (number, project) in [(1, Some("shop")), (2, Some("bank")), (3, None)] {
        catalog.create_webhook(&webhook(number, project), &by(5)).await.expect("a webhook");
    }
    catalog
}

const ALL: Paging = Paging { limit: 10, after: None };

async fn a_webhook_is_read_as_it_was_written(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let unknown = catalog.create_webhook(&webhook(4, Some("none")), &by(5)).await;
    assert!(matches!(unknown, Err(CatalogError::Missing(Entity::Project))));
    assert_eq!(catalog.webhook(&id(1)).await.expect("an answer"), Some(webhook(1, Some("shop"))));
    assert_eq!(catalog.webhook(&id(3)).await.expect("an answer"), Some(webhook(3, None)));
    assert_eq!(catalog.webhook(&id(9)).await.expect("an answer"), None);
    let changes = [
        WebhookChange::RotateSecret { pepper: 8 },
        WebhookChange::Stop(Disabled::Failing),
        WebhookChange::Edit(WebhookEdit {
            url: Some("https://example.org".to_owned()),
            note: Some(String::new()),
            events: Some([EventKind::Weak].into()),
            disabled: None,
        }),
    ];
    for change in &changes {
        let made = catalog.change_webhook(&id(3), change, None, &by(9)).await.expect("a change");
        let (expected, did) = made.expect("a webhook");
        assert_eq!(did, Changed::Yes);
        assert_eq!(catalog.webhook(&id(3)).await.expect("an answer"), Some(expected));
    }
    let last = catalog.webhook(&id(3)).await.expect("an answer").expect("a webhook");
    assert_eq!(last.previous, Some((SigningSecret { version: 1, pepper: 7 }, at(9).after(SECRET_OVERLAP))));
    assert_eq!((last.disabled, last.version, last.updated_at), (Some((at(9), Disabled::Failing)), 4, at(9)));
}

async fn a_change_is_for_one_version(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let note = |text: &str| WebhookChange::Edit(WebhookEdit { note: Some(text.to_owned()), ..WebhookEdit::default() });
    let (one, two) = (note("one"), note("two"));
    let (at_six, at_seven, webhook_id) = (by(6), by(7), id(1));
    let (first, second) = tokio::join!(
        catalog.change_webhook(&webhook_id, &one, Some(1), &at_six),
        catalog.change_webhook(&webhook_id, &two, Some(1), &at_seven),
    );
    let conflict =
        |result: &Result<_, CatalogError>| matches!(result, Err(CatalogError::VersionConflict { current: 2 }));
    assert!(conflict(&first) != conflict(&second), "both changes were made, or none");
    let deleted = catalog.delete_webhook(&id(1), Some(1), &by(8)).await;
    assert!(matches!(deleted, Err(CatalogError::VersionConflict { current: 2 })));
    let unchanged = catalog.change_webhook(&id(2), &note("two\nlines"), Some(1), &by(8)).await;
    assert_eq!(unchanged.expect("an answer").expect("a webhook").1, Changed::Already);
    assert!(catalog.change_webhook(&id(9), &one, None, &by(8)).await.expect("an answer").is_none());
}

async fn lists_are_of_a_project_or_of_all(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let of = async |project: Option<&str>, paging: &Paging| {
        let page = catalog.webhooks(project.map(slug).as_ref(), paging).await.expect("a page");
        (page.items.iter().map(|webhook| webhook.id).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(of(Some("shop"), &ALL).await, (vec![id(1)], None));
    let (first, next) = of(None, &Paging { limit: 2, after: None }).await;
    assert_eq!(first, [id(1), id(2)]);
    assert_eq!(of(None, &Paging { limit: 2, after: next }).await, (vec![id(3)], None));
    let bad = Paging { limit: 2, after: Some("x".to_owned()) };
    assert!(matches!(catalog.webhooks(None, &bad).await, Err(CatalogError::Cursor)));
    catalog.change_webhook(&id(2), &WebhookChange::Stop(Disabled::Gone), None, &by(6)).await.expect("a change");
    let subscribers = catalog.subscribers().await.expect("subscribers");
    let ids: Vec<_> = subscribers.iter().map(|one| one.webhook.id).collect();
    assert_eq!(ids, [id(1), id(3)]);
    assert!(subscribers[0].since < subscribers[1].since, "each is told of what comes after it was made");
}

async fn a_deleted_webhook_takes_its_deliveries_along(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    for number in [1, 2] {
        catalog.add_delivery(&delivery(number, 10)).await.expect("a delivery");
    }
    assert!(catalog.delete_webhook(&id(1), None, &by(6)).await.expect("an answer"));
    assert!(!catalog.delete_webhook(&id(1), None, &by(6)).await.expect("an answer"));
    assert_eq!(fresh.count("webhook_deliveries").await, 1);
    // Whoever still had it in hand is told nothing.
    catalog.add_delivery(&delivery(1, 11)).await.expect("no fault");
    assert_eq!(fresh.count("webhook_deliveries").await, 1);
}

/// An attempt that failed, or one that succeeded.
fn attempt(failed: bool) -> Attempt {
    let error = failed.then(|| "the answer was 500".to_owned());
    Attempt { at: at(20), took: Duration::from_millis(1), status: Some(if failed { 500 } else { 204 }), error }
}

/// Both take the webhook and its deliveries; so does who forgets old ones.
async fn attempts_and_deletions_do_not_wait_for_each_other(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    for round in 0..ROUNDS {
        let changing = webhook(4, Some("shop"));
        catalog.create_webhook(&changing, &by(6)).await.expect("a webhook");
        let deliveries: Vec<_> = (10..20).map(|next| delivery(4, next)).collect();
        for one in &deliveries {
            catalog.add_delivery(one).await.expect("a delivery");
        }
        // Each attempt that differs from the one before it changes the webhook, too.
        let attempts = deliveries.iter().enumerate().map(|(number, one)| {
            let catalog = Arc::clone(&catalog);
            async move { catalog.attempted(one, &attempt(number % 2 == 0), DeliveryState::Failed).await }
        });
        let actor = by(7);
        let (noted, deleted, forgotten) = tokio::join!(
            futures_util::future::join_all(attempts),
            catalog.delete_webhook(&changing.id, None, &actor),
            catalog.forget_deliveries(at(30), 100),
        );
        noted.into_iter().collect::<Result<Vec<_>, _>>().unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(deleted.unwrap_or_else(|error| panic!("round {round}: {error}")));
        forgotten.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(fresh.count("webhook_deliveries").await, 0);
    }
}

/// How often what runs at the same time is tried: every order of their statements shall come up.
const ROUNDS: i64 = 60;

async fn a_change_keeps_the_failure_that_is_noted_meanwhile(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let one = delivery(1, 10);
    catalog.add_delivery(&one).await.expect("a delivery");
    for round in 0..ROUNDS {
        let failed = round % 2 == 0;
        let edit = WebhookEdit { note: Some(format!("note {round}")), ..WebhookEdit::default() };
        let (change, actor, attempt, webhook) = (WebhookChange::Edit(edit), by(7), attempt(failed), id(1));
        let (edited, noted) = tokio::join!(
            catalog.change_webhook(&webhook, &change, None, &actor),
            catalog.attempted(&one, &attempt, DeliveryState::Failed),
        );
        edited.expect("an answer").expect("the webhook");
        noted.expect("it is noted");
        let after = catalog.webhook(&webhook).await.expect("an answer").expect("the webhook");
        assert_eq!((after.note, after.failing_since), (format!("note {round}"), failed.then_some(at(20))));
    }
}

async fn the_position_moves_together_with_what_is_written(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let log = catalog.happened_after(0, 100).await.expect("the log");
    let seqs: Vec<_> = log.iter().map(|entry| entry.seq).collect();
    assert!(seqs.is_sorted() && seqs.len() >= 3, "{seqs:?}");
    let last = &log[log.len() - 1];
    assert_eq!((&*last.action, &*last.target, &last.project), ("webhook.created", &*id(3).to_string(), &None));
    assert_eq!(last.after["note"], "two\nlines");
    assert_eq!(catalog.happened_after(seqs[0], 1).await.expect("the log")[0], log[1]);

    assert_eq!(catalog.outbox_position().await.expect("a position"), 0);
    assert!(catalog.advance_outbox(0, 4, &[delivery(1, 10), delivery(2, 10)]).await.expect("an answer"));
    assert!(!catalog.advance_outbox(0, 4, &[delivery(1, 11)]).await.expect("an answer"), "two nodes wrote the same");
    assert_eq!(catalog.outbox_position().await.expect("a position"), 4);
    assert_eq!(catalog.pending_deliveries().await.expect("a number"), 2);
    // A statement that fails takes the position back.
    let twice = delivery(1, 12);
    catalog.advance_outbox(4, 5, &[twice.clone(), twice]).await.expect_err("one event twice");
    assert_eq!(catalog.outbox_position().await.expect("a position"), 4);
}

async fn what_is_due_is_given_out_in_turn_and_once(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let all: Vec<_> = (10..15).map(|next| delivery(1, next)).chain([delivery(2, 14), delivery(3, 14)]).collect();
    for one in all.iter().chain(&[delivery(3, 20)]) {
        catalog.add_delivery(one).await.expect("a delivery");
    }
    let due = catalog.due_deliveries(at(14), 2, 10).await.expect("deliveries");
    let mut webhooks: Vec<_> = due.iter().map(|one| one.webhook).collect();
    webhooks.sort();
    assert_eq!(webhooks, [id(1), id(1), id(2), id(3)], "one takes the room of others");
    assert_eq!(due[0], all[0]);
    assert_eq!(catalog.due_deliveries(at(14), 2, 3).await.expect("deliveries").len(), 3);
    catalog.change_webhook(&id(2), &WebhookChange::Stop(Disabled::Asked), None, &by(6)).await.expect("a change");
    let due = catalog.due_deliveries(at(14), 1, 10).await.expect("deliveries");
    assert_eq!(due.iter().map(|one| one.webhook).collect::<Vec<_>>(), [id(1), id(3)], "a disabled one is not told");

    let (first, second) =
        tokio::join!(catalog.claim_delivery(&due[0], at(30)), catalog.claim_delivery(&due[0], at(31)));
    assert!(first.expect("an answer") != second.expect("an answer"), "both have it, or none");
    let due = catalog.due_deliveries(at(29), 10, 10).await.expect("deliveries");
    assert!(!due.iter().any(|one| one.event == all[0].event), "what is claimed is given out");
    let lapsed = catalog.due_deliveries(at(31), 10, 10).await.expect("deliveries");
    assert_eq!(lapsed.iter().find(|one| one.event == all[0].event).map(|one| one.attempts), Some(1));
}

async fn an_attempt_is_written_down(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let one = delivery(1, 10);
    catalog.add_delivery(&one).await.expect("a delivery");
    let attempt = |when: i64, status: Option<u16>, error: Option<&str>| Attempt {
        at: at(when),
        took: Duration::from_micros(1234),
        status,
        error: error.map(str::to_owned),
    };
    let failing = async || catalog.webhook(&id(1)).await.expect("an answer").expect("a webhook").failing_since;
    let listed = async || catalog.deliveries(&id(1), &ALL).await.expect("a page").items[0].clone();
    for (last, state, since) in [
        (attempt(11, Some(500), Some("broken")), DeliveryState::Pending { next_at: at(20) }, Some(at(11))),
        (attempt(12, None, Some("silent")), DeliveryState::Failed, Some(at(11))),
        (attempt(13, Some(200), None), DeliveryState::Delivered, None),
    ] {
        catalog.attempted(&one, &last, state).await.expect("it is written");
        assert_eq!(failing().await, since);
        assert_eq!(listed().await, Delivery { state, last: Some(last), ..one.clone() });
    }
}

async fn deliveries_are_listed_newest_first_and_forgotten(fresh: Arc<Fresh>) {
    let catalog = with_webhooks(&fresh).await;
    let all: Vec<_> = (10..13).map(|next| delivery(1, next)).collect();
    for one in &all {
        catalog.add_delivery(one).await.expect("a delivery");
    }
    let first = catalog.deliveries(&id(1), &Paging { limit: 2, after: None }).await.expect("a page");
    assert_eq!(first.items, [all[2].clone(), all[1].clone()]);
    let second = catalog.deliveries(&id(1), &Paging { limit: 2, after: first.next }).await.expect("a page");
    assert_eq!((second.items, second.next), (vec![all[0].clone()], None));
    let bad = Paging { limit: 2, after: Some("evt_".to_owned()) };
    assert!(matches!(catalog.deliveries(&id(1), &bad).await, Err(CatalogError::Cursor)));
    assert_eq!(catalog.forget_deliveries(at(12), 1).await.expect("a number"), 1);
    assert_eq!(catalog.forget_deliveries(at(12), 10).await.expect("a number"), 1);
    assert_eq!(catalog.deliveries(&id(1), &ALL).await.expect("a page").items, [all[2].clone()]);
}
