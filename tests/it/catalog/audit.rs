//! The audit log: what is in it, how it is read, and that tampering is found.

use std::sync::Arc;

use gridgate::catalog::{AuditEntry, AuditFilter, AuditHead, Broken, Catalog, CatalogError, EntryHash, Page, Paging};
use gridgate::domain::audit::{Action, Actor, TargetKind, Via};
use gridgate::domain::{Binding, Key, KeyChange, KeyId, Permissions};
use serde_json::json;

use super::{Fresh, at, by, key, on_both, project, slug, tenant, with_grids};

on_both!(
    a_change_and_its_entry_are_one,
    entries_are_filtered,
    pages_of_entries_miss_none,
    an_entry_is_neither_changed_nor_deleted,
    an_untouched_chain_is_intact,
    every_change_of_an_entry_is_found,
    entries_that_are_missing_moved_or_put_in_are_found,
    a_chain_that_was_made_anew_does_not_hold_a_noted_end,
    a_long_chain_is_verified_to_its_end,
    entries_of_racing_changes_are_one_chain,
);

async fn entries(catalog: &dyn Catalog, filter: &AuditFilter) -> Vec<AuditEntry> {
    let page = catalog.audit_entries(filter, &Paging { limit: 1000, after: None }).await.expect("entries");
    assert_eq!(page.next, None);
    page.items
}

/// What a verification finds: the number of good entries, and the first that is not.
async fn found(catalog: &dyn Catalog) -> (u64, Option<(u64, Broken)>) {
    let report = catalog.verify_audit(None).await.expect("a report");
    (report.entries, report.broken)
}

/// A catalog with five entries: two projects, a key of each, and one that was disabled.
async fn with_five(fresh: &Fresh) -> Arc<dyn Catalog> {
    let catalog = fresh.migrated().await;
    for text in ["shop", "bank"] {
        catalog.create_project(&project(text), &by(1)).await.expect("a project");
    }
    for (number, of) in [(1, "shop"), (2, "bank")] {
        let key = key(number, Binding::Project(slug(of)));
        catalog.create_key(&key, Action::KeyCreated, &by(2)).await.expect("a key");
    }
    let id = key(1, Binding::Installation).id;
    catalog.change_key(&id, &KeyChange::Disable, None, &by(3)).await.expect("a change");
    catalog
}

/// Takes the triggers away, as somebody would who tampers.
async fn unlock(fresh: &Fresh) {
    let drop = if fresh.is_sqlite() {
        "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete"
    } else {
        "DROP TRIGGER audit_no_change ON audit"
    };
    fresh.execute(drop).await;
}

async fn a_change_and_its_entry_are_one(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let before = entries(&*catalog, &AuditFilter::default()).await.len();
    let owner = Key { permissions: Permissions::owner(), ..key(1, Binding::Installation) };
    catalog.create_key(&owner, Action::KeyCreated, &by(5)).await.expect("a key");
    let actor = Actor {
        at: at(7),
        key: Some(owner.id),
        secret: None,
        name: "Zoë".to_owned(),
        needs: Permissions::default(),
        via: Via::Api,
        address: Some("2001:db8::1".parse().expect("an address")),
        user_agent: Some("curl/8".to_owned()),
        request_id: Some("0f".repeat(16)),
    };
    let checkout = key(2, tenant("shop", "web", "staging"));
    catalog.create_key(&checkout, Action::KeyImported, &actor).await.expect("a key");
    catalog.change_key(&checkout.id, &KeyChange::Disable, None, &actor).await.expect("a change");
    // What changes nothing, and what is refused, leaves nothing.
    catalog.change_key(&checkout.id, &KeyChange::Disable, None, &actor).await.expect("an answer");
    let taken = Key { name: checkout.name.clone(), ..key(3, tenant("shop", "web", "staging")) };
    assert!(matches!(catalog.create_key(&taken, Action::KeyCreated, &actor).await, Err(CatalogError::Exists(_))));
    catalog.change_key(&checkout.id, &KeyChange::Revoke, Some(7), &actor).await.expect_err("another version");

    let all = entries(&*catalog, &AuditFilter::default()).await;
    assert_eq!(all.len(), before + 3);
    let [disabled, imported, created] = &all[..3] else { panic!("{all:?}") };
    assert_eq!(
        (created.action.as_str(), created.via.as_str(), created.actor_name.as_str()),
        ("key.created", "system", "test")
    );
    assert_eq!((&created.actor, &created.project), (&None, &None));
    let expected = AuditEntry {
        seq: created.seq + 2,
        at: at(7),
        action: "key.disabled".to_owned(),
        actor: Some(owner.id.to_string()),
        actor_name: "Zoë".to_owned(),
        via: "api".to_owned(),
        address: Some("2001:db8::1".to_owned()),
        user_agent: Some("curl/8".to_owned()),
        request_id: Some("0f".repeat(16)),
        target_kind: "key".to_owned(),
        target: checkout.id.to_string(),
        project: Some("shop".to_owned()),
        before: Some(json!({"disabled_at": null})),
        after: Some(json!({"disabled_at": at(7).to_string()})),
        hash: disabled.hash,
    };
    assert_eq!(disabled, &expected);
    assert_eq!(imported.before, None);
    assert_eq!(imported.after.as_ref().expect("fields")["environment"], "staging");
    // Nothing of the digest, in any form.
    let digest = *checkout.secrets[0].digest.as_bytes();
    let hex = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert!(!format!("{all:?}").contains(&hex));
    let head = catalog.audit_head().await.expect("a head");
    assert_eq!(head, AuditHead { seq: disabled.seq, hash: disabled.hash });
}

async fn entries_are_filtered(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    let of = |filter: AuditFilter| {
        let catalog = Arc::clone(&catalog);
        async move { entries(&*catalog, &filter).await.iter().map(|entry| entry.seq).collect::<Vec<_>>() }
    };
    let none = AuditFilter::default;
    let (first, second) = (key(1, Binding::Installation).id, key(2, Binding::Installation).id);
    assert_eq!(of(none()).await, [5, 4, 3, 2, 1]);
    assert_eq!(of(AuditFilter { project: Some(slug("shop")), ..none() }).await, [5, 3, 1]);
    assert_eq!(of(AuditFilter { action: Some(Action::KeyCreated), ..none() }).await, [4, 3]);
    let target = |kind, id: &str| Some((kind, id.to_owned()));
    assert_eq!(of(AuditFilter { target: target(TargetKind::Key, &first.to_string()), ..none() }).await, [5, 3]);
    assert_eq!(of(AuditFilter { target: target(TargetKind::Project, "bank"), ..none() }).await, [2]);
    assert_eq!(of(AuditFilter { target: target(TargetKind::Role, "bank"), ..none() }).await, [0_u64; 0]);
    assert_eq!(of(AuditFilter { since: Some(at(2)), ..none() }).await, [5, 4, 3]);
    assert_eq!(of(AuditFilter { until: Some(at(2)), ..none() }).await, [2, 1]);
    assert_eq!(of(AuditFilter { since: Some(at(2)), until: Some(at(3)), ..none() }).await, [4, 3]);
    let both = AuditFilter {
        project: Some(slug("bank")),
        target: target(TargetKind::Key, &second.to_string()),
        action: Some(Action::KeyCreated),
        since: Some(at(2)),
        until: Some(at(3)),
        ..none()
    };
    assert_eq!(of(both.clone()).await, [4]);
    assert_eq!(of(AuditFilter { project: Some(slug("shop")), ..both }).await, [0_u64; 0]);
    assert_eq!(of(AuditFilter { actor: Some(first), ..none() }).await, [0_u64; 0]);

    let owner = Key { permissions: Permissions::owner(), ..key(9, Binding::Installation) };
    catalog.create_key(&owner, Action::KeyCreated, &by(9)).await.expect("a key");
    let actor = Actor { key: Some(owner.id), via: Via::Api, ..by(10) };
    catalog.create_project(&project("third"), &actor).await.expect("a project");
    assert_eq!(of(AuditFilter { actor: Some(owner.id), ..none() }).await, [7]);
}

async fn pages_of_entries_miss_none(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    for limit in 1..=6 {
        let mut paging = Paging { limit, after: None };
        let mut found = Vec::new();
        loop {
            let Page { items, next } = catalog.audit_entries(&AuditFilter::default(), &paging).await.expect("a page");
            found.extend(items.iter().map(|entry| entry.seq));
            let Some(next) = next else { break };
            paging.after = Some(next);
        }
        assert_eq!(found, [5, 4, 3, 2, 1], "{limit}");
    }
    for bad in ["", "x", "1.5", "9223372036854775808"] {
        let paging = Paging { limit: 1, after: Some(bad.to_owned()) };
        let answer = catalog.audit_entries(&AuditFilter::default(), &paging).await;
        assert!(matches!(answer, Err(CatalogError::Cursor)), "{bad}");
    }
}

async fn an_entry_is_neither_changed_nor_deleted(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    for sql in ["UPDATE audit SET action = 'key.edited' WHERE seq = 2", "DELETE FROM audit WHERE seq = 5"] {
        let mut raw = fresh.raw().await;
        let error = sqlx::query(sql).execute(&mut raw).await.expect_err(sql);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    if !fresh.is_sqlite() {
        let mut raw = fresh.raw().await;
        let error = sqlx::query("TRUNCATE audit").execute(&mut raw).await.expect_err("append-only");
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    assert_eq!(found(&*catalog).await, (5, None));
}

async fn an_untouched_chain_is_intact(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    assert_eq!(found(&*catalog).await, (0, None));
    let start = AuditHead { seq: 0, hash: EntryHash::from_bytes([0; 32]) };
    assert_eq!(catalog.audit_head().await.expect("a head"), start);
    let mut heads = vec![start];
    for text in ["a", "b", "c"] {
        catalog.create_project(&project(text), &by(1)).await.expect("a project");
        heads.push(catalog.audit_head().await.expect("a head"));
    }
    for noted in heads {
        let report = catalog.verify_audit(Some(noted)).await.expect("a report");
        assert_eq!((report.entries, report.broken), (3, None));
        assert_eq!(noted.to_string().parse(), Ok(noted));
    }
}

async fn every_change_of_an_entry_is_found(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    unlock(&fresh).await;
    for set in [
        "at = at + 1",
        "action = 'key.edited'",
        "actor = 'key_000000000009'",
        "actor_name = 'somebody'",
        "via = 'command'",
        "address = '127.0.0.1'",
        "user_agent = ''",
        "request_id = 'x'",
        "target_kind = 'role'",
        "target = 'other'",
        "project = NULL",
        "before = '{}'",
        "after = '{}'",
        "after = NULL",
    ] {
        for column in [
            "at",
            "action",
            "actor",
            "actor_name",
            "via",
            "address",
            "user_agent",
            "request_id",
            "target_kind",
            "target",
            "project",
            "before",
            "after",
        ] {
            if !set.starts_with(&format!("{column} =")) {
                continue;
            }
            fresh.execute(&format!("CREATE TABLE kept AS SELECT {column} AS old FROM audit WHERE seq = 3")).await;
            fresh.execute(&format!("UPDATE audit SET {set} WHERE seq = 3")).await;
            assert_eq!(found(&*catalog).await, (2, Some((3, Broken::Changed))), "{set}");
            fresh
                .execute(&format!("UPDATE audit SET {column} = (SELECT old FROM kept) WHERE seq = 3; DROP TABLE kept"))
                .await;
            assert_eq!(found(&*catalog).await, (5, None), "{set}");
        }
    }
    // The hash itself: the entry no longer has it, or the next one no longer follows from it.
    let hash = if fresh.is_sqlite() { "zeroblob(32)" } else { "decode(repeat('00', 32), 'hex')" };
    fresh.execute(&format!("UPDATE audit SET hash = {hash} WHERE seq = 4")).await;
    assert_eq!(found(&*catalog).await, (3, Some((4, Broken::Changed))));
}

async fn entries_that_are_missing_moved_or_put_in_are_found(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    unlock(&fresh).await;
    fresh.execute("CREATE TABLE kept AS SELECT * FROM audit; CREATE TABLE kept_head AS SELECT * FROM audit_head").await;
    let copied = |from: i64, to: i64| {
        format!(
            "INSERT INTO audit
             SELECT {to}, at, action, actor, actor_name, via, address, user_agent, request_id, target_kind, target, project,
                 before, after, hash
             FROM kept WHERE seq = {from}"
        )
    };
    let missing = |seq| Some((seq, Broken::Missing));
    for (tampering, expected) in [
        ("DELETE FROM audit WHERE seq = 1".to_owned(), (0, missing(1))),
        ("DELETE FROM audit WHERE seq = 3".to_owned(), (2, missing(3))),
        ("DELETE FROM audit WHERE seq = 5".to_owned(), (4, missing(5))),
        ("DELETE FROM audit".to_owned(), (0, missing(1))),
        // Two in each other's places.
        (
            "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;
             UPDATE audit SET seq = 3 WHERE seq = 99"
                .to_owned(),
            (1, Some((2, Broken::Changed))),
        ),
        // One more at the end, at the beginning, and in the place of another.
        (copied(5, 6), (5, Some((6, Broken::Beyond)))),
        (copied(5, 8), (5, missing(6))),
        (copied(1, 0), (0, Some((0, Broken::Beyond)))),
        (copied(1, -3), (0, Some((0, Broken::Beyond)))),
        (format!("DELETE FROM audit WHERE seq = 4; {}", copied(3, 4)), (3, Some((4, Broken::Changed)))),
        // A chain that was cut, with its end.
        ("UPDATE audit_head SET seq = 4".to_owned(), (4, Some((5, Broken::Beyond)))),
        ("UPDATE audit_head SET seq = 6".to_owned(), (5, missing(6))),
        ("DELETE FROM audit WHERE seq = 5; UPDATE audit_head SET seq = 4".to_owned(), (4, Some((4, Broken::Head)))),
    ] {
        fresh.execute(&tampering).await;
        assert_eq!(found(&*catalog).await, expected, "{tampering}");
        fresh
            .execute(
                "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept;
                 DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head",
            )
            .await;
        assert_eq!(found(&*catalog).await, (5, None), "{tampering}");
    }
}

/// Who computes every hash anew makes a chain that fits. An end that was noted before does not fit into it.
async fn a_chain_that_was_made_anew_does_not_hold_a_noted_end(fresh: Arc<Fresh>) {
    let catalog = with_five(&fresh).await;
    let noted = catalog.audit_head().await.expect("a head");
    unlock(&fresh).await;
    // Cut at the fourth entry and continued by the catalog itself.
    fresh
        .execute(
            "DELETE FROM audit WHERE seq > 3;
             UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)",
        )
        .await;
    let broken = |report: gridgate::catalog::AuditReport| report.broken;
    assert_eq!(found(&*catalog).await, (3, None));
    let report = catalog.verify_audit(Some(noted)).await.expect("a report");
    assert_eq!((report.entries, broken(report)), (3, Some((4, Broken::Missing))));
    for text in ["x", "y", "z"] {
        catalog.create_project(&project(text), &by(9)).await.expect("a project");
    }
    assert_eq!(found(&*catalog).await, (6, None));
    let report = catalog.verify_audit(Some(noted)).await.expect("a report");
    assert_eq!(broken(report), Some((5, Broken::Unexpected)));
}

async fn a_long_chain_is_verified_to_its_end(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let owner = key(1, Binding::Installation);
    catalog.create_key(&owner, Action::KeyCreated, &by(0)).await.expect("a key");
    for number in 0..270 {
        let change = if number % 2 == 0 { KeyChange::Disable } else { KeyChange::Enable };
        catalog.change_key(&owner.id, &change, None, &by(number)).await.expect("a change");
    }
    assert_eq!(found(&*catalog).await, (271, None));
    unlock(&fresh).await;
    fresh.execute("UPDATE audit SET at = 0 WHERE seq = 260").await;
    assert_eq!(found(&*catalog).await, (259, Some((260, Broken::Changed))));
}

async fn entries_of_racing_changes_are_one_chain(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let before = catalog.audit_head().await.expect("a head").seq;
    let tasks: Vec<_> = (1..=24)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move {
                let key = key(number, tenant("shop", "web", "staging"));
                catalog.create_key(&key, Action::KeyCreated, &by(i64::from(number))).await
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("a key");
    }
    assert_eq!(found(&*catalog).await, (before + 24, None));
    let mut targets: Vec<KeyId> =
        entries(&*catalog, &AuditFilter { action: Some(Action::KeyCreated), ..AuditFilter::default() })
            .await
            .iter()
            .map(|entry| entry.target.parse().expect("an id"))
            .collect();
    targets.sort();
    targets.dedup();
    assert_eq!(targets.len(), 24);
}
