//! Opening, migrating, and databases that are not there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{CatalogError, CatalogSettings, KeyFilter, OpenError, Paging, connect, migrate};
use gridgate::domain::Binding;
use gridgate::domain::audit::Action;
use sqlx::Connection as _;

use super::{Fresh, assert_same, at, by, key, on_both, project, settings, slug};

on_both!(
    data_outlives_a_restart,
    migrating_again_changes_nothing,
    concurrent_migrators_wait_for_each_other,
    a_database_that_is_not_migrated_is_refused,
    a_database_of_another_version_is_refused,
    a_writer_that_waits_too_long_is_told,
);

const SHORT: Duration = Duration::from_millis(200);

async fn data_outlives_a_restart(fresh: Arc<Fresh>) {
    let key = key(1, Binding::Installation);
    let catalog = fresh.migrated().await;
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    drop(catalog);
    let catalog = connect(&fresh.settings).await.expect("a catalog");
    assert_same(&catalog.key(&key.id).await.expect("an answer").expect("the key"), &key);
}

async fn migrating_again_changes_nothing(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    catalog.create_project(&project("shop"), &by(0)).await.expect("a project");
    migrate(&fresh.settings).await.expect("nothing to do");
    assert_eq!(catalog.project(&slug("shop")).await.expect("an answer"), Some(project("shop")));
    assert_eq!(catalog.environments().await.expect("environments").len(), 3);
}

async fn concurrent_migrators_wait_for_each_other(fresh: Arc<Fresh>) {
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let settings = fresh.settings.clone();
            tokio::spawn(async move { migrate(&settings).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("migrated");
    }
    let catalog = connect(&fresh.settings).await.expect("a catalog");
    assert_eq!(catalog.environments().await.expect("environments").len(), 3);
}

/// The message with which `settings` are refused because of the schema.
async fn refused(settings: &CatalogSettings) -> String {
    match connect(settings).await.map(|_| ()) {
        Err(error @ OpenError::Schema { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn a_database_that_is_not_migrated_is_refused(fresh: Arc<Fresh>) {
    let message = refused(&fresh.settings).await;
    assert!(message.contains("gridgate migrate"), "{message}");
    fresh.migrated().await;
    fresh.execute("DELETE FROM _sqlx_migrations").await;
    let message = refused(&fresh.settings).await;
    assert!(message.contains("gridgate migrate"), "{message}");
}

async fn a_database_of_another_version_is_refused(fresh: Arc<Fresh>) {
    fresh.migrated().await;
    fresh
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let message = refused(&fresh.settings).await;
    assert!(message.contains("9999") && message.contains("newer"), "{message}");
    assert!(matches!(migrate(&fresh.settings).await, Err(OpenError::Schema { .. })));

    fresh.execute("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    let other = if fresh.is_sqlite() { "x'00'" } else { "'\\x00'::bytea" };
    fresh.execute(&format!("UPDATE _sqlx_migrations SET checksum = {other}")).await;
    assert!(refused(&fresh.settings).await.contains("another text of migration 1"));
    assert!(matches!(migrate(&fresh.settings).await, Err(OpenError::Schema { .. })));

    fresh.execute("UPDATE _sqlx_migrations SET success = FALSE").await;
    assert!(refused(&fresh.settings).await.contains("in part"));
}

async fn a_writer_that_waits_too_long_is_told(fresh: Arc<Fresh>) {
    fresh.migrated().await;
    let catalog =
        connect(&CatalogSettings { statement_timeout: SHORT, ..fresh.settings.clone() }).await.expect("a catalog");
    catalog.create_key(&key(1, Binding::Installation), Action::KeyCreated, &by(0)).await.expect("a key");
    let mut other = fresh.raw().await;
    let begin = if fresh.is_sqlite() { "BEGIN EXCLUSIVE" } else { "BEGIN" };
    let mut transaction = other.begin_with(begin).await.expect("a transaction");
    if !fresh.is_sqlite() {
        let lock = "LOCK TABLE projects, keys IN EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut *transaction).await.expect("a lock");
    }
    for _ in 0..6 {
        // More often than there are connections: none is lost to a failed transaction.
        let answer = catalog.create_project(&project("shop"), &by(0)).await;
        assert!(matches!(answer, Err(CatalogError::Unavailable(_))), "{answer:?}");
        let answer = catalog.create_key(&key(2, Binding::Installation), Action::KeyCreated, &by(0)).await;
        assert!(matches!(answer, Err(CatalogError::Unavailable(_))), "{answer:?}");
    }
    let id = key(1, Binding::Installation).id;
    assert!(catalog.key(&id).await.expect("readers do not wait").is_some());
    transaction.rollback().await.expect("a rollback");
    catalog.create_project(&project("shop"), &by(0)).await.expect("free again");
}

#[tokio::test]
async fn the_file_of_sqlite_is_its_owners_alone() {
    let fresh = Fresh::sqlite();
    let catalog = fresh.migrated().await;
    catalog.create_project(&project("shop"), &by(0)).await.expect("a project");
    let file = fresh.settings.url.strip_prefix("sqlite:").expect("a path");
    for suffix in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{file}{suffix}")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}{suffix}");
    }
}

#[tokio::test]
async fn a_path_is_taken_literally() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, form) in [("a b%41#&ü.db", "sqlite:"), ("plain.db", "sqlite://")] {
        let path = folder.path().join(name);
        let settings = settings(format!("{form}{}", path.display()));
        migrate(&settings).await.expect("migrations");
        assert!(path.is_file(), "{name}");
        connect(&settings).await.expect("a catalog").ping().await.expect("an answer");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_is_refused_by_name() {
    let missing = settings("sqlite:/nowhere/at/all/catalog.db".to_owned());
    for answer in [migrate(&missing).await, connect(&missing).await.map(|_| ())] {
        match answer {
            Err(OpenError::File { path, .. }) => assert_eq!(path, Path::new("/nowhere/at/all")),
            other => panic!("{other:?}"),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("text"), "this is no database, but a text that is long enough").expect("a file");
    let text = settings(format!("sqlite:{}/text", folder.path().display()));
    assert!(matches!(connect(&text).await.map(|_| ()), Err(OpenError::Unavailable { .. })));
    for url in ["sqlite:", "sqlite::memory:", "sqlite:a.db?mode=rwc", "sqlite:..", "mysql://root@host/db", "catalog.db"]
    {
        let answer = connect(&settings(url.to_owned())).await.map(|_| ());
        assert!(matches!(answer, Err(OpenError::Url(_))), "{url}: {answer:?}");
    }
}

#[tokio::test]
async fn an_unreachable_postgres_is_told_in_time() {
    // Bound and then given up: nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    // Accepted by the kernel, never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    for address in [closed, silent.local_addr().expect("an address")] {
        let url = format!("postgres://someone:geheim@{address}/db?sslmode=disable&password=geheim");
        let settings = CatalogSettings { connect_timeout: SHORT, statement_timeout: SHORT, ..settings(url) };
        for answer in [connect(&settings).await.map(|_| ()), migrate(&settings).await] {
            let error = answer.expect_err("nobody is there");
            assert!(matches!(error, OpenError::Unavailable { .. }), "{error:?}");
            assert!(error.to_string().contains(&address.to_string()), "{error}");
            assert!(!format!("{error} {error:?} {settings:?}").contains("geheim"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn no_url_gives_its_password_away() {
    for url in [
        "postgres://u:geheim@host:x/db",
        "postgres://u:geheim@@@/db",
        "postgresql://u:ge/heim@host/geheim?password=geheim&sslpassword=geheim",
        "mysql://u:geheim@host/db",
        "geheim",
    ] {
        let settings = CatalogSettings { connect_timeout: SHORT, statement_timeout: SHORT, ..settings(url.to_owned()) };
        let error = connect(&settings).await.map(|_| ()).expect_err("no such place");
        let told = format!("{error} {error:?} {settings:?}");
        assert!(!told.contains("geheim"), "{url}: {told}");
    }
}

#[tokio::test]
async fn a_postgres_that_goes_away_is_unavailable() {
    super::run(Fresh::postgres().await, |fresh| async move {
        fresh.migrated().await;
        let settings = CatalogSettings { connect_timeout: SHORT, statement_timeout: SHORT, ..fresh.settings.clone() };
        let catalog = connect(&settings).await.expect("a catalog");
        catalog.ping().await.expect("an answer");
        fresh.drop_database().await;
        let answer = catalog.ping().await;
        assert!(matches!(answer, Err(CatalogError::Unavailable(_))), "{answer:?}");
        let answer = catalog.keys(&KeyFilter::default(), at(0), &Paging { limit: 1, after: None }).await;
        assert!(matches!(answer, Err(CatalogError::Unavailable(_))), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_postgres_that_comes_back_is_used_again() {
    super::run(Fresh::postgres().await, |fresh| async move {
        let catalog = fresh.migrated().await;
        catalog.create_project(&project("shop"), &by(0)).await.expect("a project");
        fresh
            .execute(
                "DO $$ BEGIN
                     PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid();
                 END $$",
            )
            .await;
        assert_eq!(catalog.project(&slug("shop")).await.expect("an answer"), Some(project("shop")));
    })
    .await;
}

#[tokio::test]
async fn sqlite_writes_ahead() {
    let fresh = Fresh::sqlite();
    fresh.migrated().await;
    // The mode stays with the file, so that another session sees it.
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut fresh.raw().await).await.expect("the mode");
    assert_eq!(mode, "wal");
}
