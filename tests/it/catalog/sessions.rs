//! Sessions of the console.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{AuditFilter, Catalog, CatalogError, Paging};
use gridgate::domain::audit::Action;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::session::{Session, TicketDigest};
use gridgate::domain::{Actor, Binding, Key, KeyChange, KeyId, Permissions, Timestamp};
use gridgate::upkeep::sweep::Sweeper;
use tokio_util::sync::CancellationToken;

use super::{Fresh, at, by, key, on_both, project, slug};

on_both!(
    a_session_is_kept_found_and_ended,
    a_session_is_seen_and_never_earlier,
    of_too_many_the_oldest_end,
    each_key_has_its_own,
    what_is_over_is_swept,
    the_sweeper_sweeps_by_itself,
    beginnings_and_ends_are_in_the_audit_log,
    a_session_goes_with_its_key,
    no_session_begins_for_a_key_that_is_gone,
);

const DIGEST: TicketDigest = [7; 32];

/// The session `number` of `key`, begun at that instant.
fn session(number: u8, key: &KeyId) -> Session {
    let begun = i64::from(number);
    Session {
        id: format!("ses_{number:012}").parse().expect("an id"),
        key: *key,
        secret_version: 3,
        created_at: at(begun),
        seen_at: at(begun),
        expires_at: at(begun + 1000),
        address: Some("2001:db8::7".parse().expect("an address")),
        user_agent: Some("Browser/1.0".to_owned()),
    }
}

/// A catalog with an admin key of the installation and one of a project.
async fn with_admins(fresh: &Fresh) -> (Arc<dyn Catalog>, KeyId, KeyId) {
    let catalog = fresh.migrated().await;
    catalog.create_project(&project("shop"), &by(0)).await.expect("a project");
    let admins = [key(1, Binding::Installation), key(2, Binding::Project(slug("shop")))];
    let admins = admins.map(|key| Key { permissions: Permissions::owner(), ..key });
    for admin in &admins {
        catalog.create_key(admin, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let [one, other] = admins;
    (catalog, one.id, other.id)
}

async fn ids(catalog: &Arc<dyn Catalog>, key: &KeyId) -> Vec<String> {
    let sessions = catalog.sessions_of(key).await.expect("sessions");
    sessions.iter().map(|one| one.id.to_string().trim_start_matches(['s', 'e', '_', '0']).to_owned()).collect()
}

async fn a_session_is_kept_found_and_ended(fresh: Arc<Fresh>) {
    let (catalog, one, _) = with_admins(&fresh).await;
    let whole = session(1, &one);
    let bare = Session { address: None, user_agent: None, ..session(2, &one) };
    catalog.open_session(&DIGEST, &whole, 5, &by(1)).await.expect("it is kept");
    catalog.open_session(&[8; 32], &bare, 5, &by(2)).await.expect("it is kept");
    assert_eq!(catalog.session(&DIGEST).await.expect("an answer"), Some(whole.clone()));
    assert_eq!(catalog.session(&[8; 32]).await.expect("an answer"), Some(bare.clone()));
    assert_eq!(catalog.session(&[9; 32]).await.expect("an answer"), None);
    assert_eq!(catalog.sessions_of(&one).await.expect("sessions"), [bare, whole.clone()]);
    assert!(catalog.end_session(&one, &whole.id, &by(3)).await.expect("an answer"));
    assert!(!catalog.end_session(&one, &whole.id, &by(3)).await.expect("an answer"), "it is gone already");
    assert_eq!(catalog.session(&DIGEST).await.expect("an answer"), None);
    assert_eq!(ids(&catalog, &one).await, ["2"]);
}

async fn a_session_is_seen_and_never_earlier(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    let begun = session(1, &one);
    catalog.open_session(&DIGEST, &begun, 5, &by(1)).await.expect("it is kept");
    for (seen, expected) in [(50, 50), (40, 50), (60, 60)] {
        catalog.session_seen(&one, &begun.id, at(seen)).await.expect("written");
        let found = catalog.session(&DIGEST).await.expect("an answer").expect("a session");
        assert_eq!(found, Session { seen_at: at(expected), ..begun.clone() });
    }
    catalog.session_seen(&other, &begun.id, at(99)).await.expect("an answer");
    assert_eq!(catalog.session(&DIGEST).await.expect("an answer").expect("a session").seen_at, at(60));
}

async fn of_too_many_the_oldest_end(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    catalog.open_session(&[100; 32], &session(9, &other), 1, &by(1)).await.expect("it is kept");
    for number in 1..=5 {
        catalog.open_session(&[number; 32], &session(number, &one), 3, &by(1)).await.expect("it is kept");
    }
    assert_eq!(ids(&catalog, &one).await, ["5", "4", "3"]);
    assert_eq!(ids(&catalog, &other).await, ["9"]);
}

async fn each_key_has_its_own(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    for (number, key) in [(1, &one), (2, &other), (3, &one)] {
        catalog.open_session(&[number; 32], &session(number, key), 5, &by(1)).await.expect("it is kept");
    }
    assert!(!catalog.end_session(&other, &session(1, &one).id, &by(2)).await.expect("an answer"));
    assert_eq!(catalog.end_sessions(&one, &by(3)).await.expect("a count"), 2);
    assert_eq!(catalog.end_sessions(&one, &by(3)).await.expect("a count"), 0);
    assert_eq!(ids(&catalog, &other).await, ["2"]);
}

async fn what_is_over_is_swept(fresh: Arc<Fresh>) {
    let (catalog, one, _) = with_admins(&fresh).await;
    let ends = Session { expires_at: at(200), seen_at: at(199), ..session(1, &one) };
    let unused = Session { seen_at: at(150), ..session(2, &one) };
    let used = Session { seen_at: at(151), ..session(3, &one) };
    for (number, session) in [(1, &ends), (2, &unused), (3, &used)] {
        catalog.open_session(&[number; 32], session, 5, &by(1)).await.expect("it is kept");
    }
    assert_eq!(catalog.sweep_sessions(at(199), at(149)).await.expect("a count"), 0);
    assert_eq!(catalog.sweep_sessions(at(200), at(149)).await.expect("a count"), 1);
    assert_eq!(catalog.sweep_sessions(at(200), at(150)).await.expect("a count"), 1);
    assert_eq!(ids(&catalog, &one).await, ["3"]);
}

async fn the_sweeper_sweeps_by_itself(fresh: Arc<Fresh>) {
    let (catalog, one, _) = with_admins(&fresh).await;
    let seconds = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
    for (number, seen) in [(1, 39), (2, 41)] {
        let session = Session { seen_at: seconds(seen), expires_at: seconds(999), ..session(number, &one) };
        catalog.open_session(&[number; 32], &session, 5, &by(1)).await.expect("it is kept");
    }
    let clock = Arc::new(ManualClock::new(seconds(100)));
    let sweeper = Sweeper { catalog: Arc::clone(&catalog), clock, session_idle: Duration::from_mins(1) };
    let stop = CancellationToken::new();
    let told = stop.clone();
    let sweeping = tokio::spawn(async move { sweeper.run(&told, &crate::storage::job()).await });
    let swept = async {
        while fresh.count("sessions").await > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swept).await.expect("the session is forgotten");
    stop.cancel();
    sweeping.await.expect("it ends when it is told to");
    assert_eq!(ids(&catalog, &one).await, ["2"]);
}

async fn beginnings_and_ends_are_in_the_audit_log(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    for (number, key) in [(1, &one), (2, &one), (3, &other)] {
        catalog.open_session(&[number; 32], &session(number, key), 1, &by(5)).await.expect("it is kept");
    }
    assert!(catalog.end_session(&one, &session(2, &one).id, &by(6)).await.expect("an answer"));
    assert_eq!(catalog.end_sessions(&other, &by(7)).await.expect("a count"), 1);
    assert_eq!(catalog.end_sessions(&other, &by(8)).await.expect("a count"), 0);
    let paging = Paging { limit: 50, after: None };
    let entries = catalog.audit_entries(&AuditFilter::default(), &paging).await.expect("entries").items;
    let told: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action.starts_with("session."))
        .map(|entry| {
            let number = entry.target.trim_start_matches(['s', 'e', '_', '0']).to_owned();
            (entry.action.clone(), number, entry.project.is_some())
        })
        .collect();
    let expected = [
        ("session.ended", "3", true),
        ("session.ended", "2", false),
        ("session.began", "3", true),
        ("session.ended", "1", false),
        ("session.began", "2", false),
        ("session.began", "1", false),
    ];
    assert_eq!(told, expected.map(|(action, id, project)| (action.to_owned(), id.to_owned(), project)));
    assert!(catalog.verify_audit(None).await.expect("a report").broken.is_none());
}

/// Its record is erased: nothing of it stays that could be used.
async fn a_session_goes_with_its_key(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    for (number, key) in [(1, &one), (2, &other)] {
        catalog.open_session(&[number; 32], &session(number, key), 5, &by(1)).await.expect("it is kept");
    }
    let change = KeyChange::Revoke;
    catalog.change_key(&other, &change, None, &by(10)).await.expect("it is revoked");
    assert!(catalog.purge_key(&other, &by(40_000_000)).await.expect("it is erased"));
    assert_eq!(catalog.session(&[2; 32]).await.expect("an answer"), None);
    assert_eq!(ids(&catalog, &one).await, ["1"]);
}

async fn no_session_begins_for_a_key_that_is_gone(fresh: Arc<Fresh>) {
    let (catalog, one, other) = with_admins(&fresh).await;
    let actor = Actor { key: Some(other), secret: Some(1), ..by(20) };
    let change = KeyChange::Revoke;
    catalog.change_key(&other, &change, None, &by(10)).await.expect("it is revoked");
    let refused = catalog.open_session(&DIGEST, &session(1, &other), 5, &actor).await;
    assert!(matches!(refused, Err(CatalogError::ActorGone)), "{refused:?}");
    assert_eq!(fresh.count("sessions").await, 0);
    assert_eq!(ids(&catalog, &one).await, Vec::<String>::new());
}
