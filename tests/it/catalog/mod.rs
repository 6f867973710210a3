//! The catalog's contract, on both databases: a case is one function over a fresh catalog, [`on_both!`] makes two tests of it.
//!
//! PostgreSQL is required: without `GRIDGATE_TEST_POSTGRES_URL` its half of the tests fails.

mod alerts;
mod answers;
mod audit;
mod damage;
mod hygiene;
mod import;
mod keys;
mod lists;
mod names;
mod opening;
mod plans;
mod refusals;
mod requests;
mod roles;
mod secrets;
mod senders;
mod sessions;
mod terms;
mod usage;
mod webhooks;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{Catalog, CatalogSettings, Grid, Project, connect, migrate};
use gridgate::domain::key::{DigestAlgorithm, SecretFormat};
use gridgate::domain::{
    Actor, Binding, Digest, Key, KeyId, OsRandom, Permissions, RecordId, Secret, Slug, Tenant, Timestamp,
};
use sqlx::any::{AnyConnectOptions, install_default_drivers};
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

/// Makes `sqlite::case` and `postgres::case` of every case.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                crate::catalog::run(crate::catalog::Fresh::sqlite(), super::$case).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                crate::catalog::run(crate::catalog::Fresh::postgres().await, super::$case).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// An empty database of a test's own, gone when the test ends.
pub(crate) struct Fresh {
    pub(crate) settings: CatalogSettings,
    home: Home,
}

enum Home {
    Sqlite { _folder: TempDir },
    Postgres { server: AnyConnectOptions, database: String },
}

impl Fresh {
    /// A database without a schema.
    pub(crate) fn sqlite() -> Self {
        install_default_drivers();
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings(format!("sqlite:{}/catalog.db", folder.path().display()));
        Self { settings, home: Home::Sqlite { _folder: folder } }
    }

    /// A database without a schema.
    pub(crate) async fn postgres() -> Self {
        install_default_drivers();
        let server: AnyConnectOptions = std::env::var("GRIDGATE_TEST_POSTGRES_URL")
            .expect("GRIDGATE_TEST_POSTGRES_URL is not set: run the tests by ./scripts/test, which starts a PostgreSQL")
            .parse()
            .expect("GRIDGATE_TEST_POSTGRES_URL is a url");
        let unique = RecordId::new(Timestamp::from_micros(0), &OsRandom).expect("randomness");
        let database = format!("gridgate_test_{unique}");
        execute(&server, &format!("CREATE DATABASE {database}")).await;
        let mut url = server.database_url.clone();
        url.set_path(&database);
        Self { settings: settings(url.to_string()), home: Home::Postgres { server, database } }
    }

    /// Applies the migrations and opens the catalog.
    pub(crate) async fn migrated(&self) -> Arc<dyn Catalog> {
        migrate(&self.settings).await.expect("migrations");
        connect(&self.settings).await.expect("a catalog")
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self.home, Home::Sqlite { .. })
    }

    /// A connection past the catalog.
    pub(crate) async fn raw(&self) -> AnyConnection {
        self.settings.url.parse::<AnyConnectOptions>().expect("a url").connect().await.expect("a connection")
    }

    /// Runs statements past the catalog.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.settings.url.parse().expect("a url"), sql).await;
    }

    /// Takes a PostgreSQL database away, with every connection to it. A folder goes by itself.
    pub(crate) async fn drop_database(&self) {
        if let Home::Postgres { server, database } = &self.home {
            execute(server, &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
        }
    }

    /// The number of rows in a table.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let mut connection = self.raw().await;
        let sql = format!("SELECT COUNT(*) FROM {table}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.expect("a count")
    }
}

/// Runs `case` and removes the database, whether it passed or not.
pub(crate) async fn run<F>(fresh: Fresh, case: impl FnOnce(Arc<Fresh>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let fresh = Arc::new(fresh);
    let outcome = tokio::spawn(case(Arc::clone(&fresh))).await;
    fresh.drop_database().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Runs statements on the database at `url`.
pub(crate) async fn execute_at(url: &str, sql: &str) {
    execute(&url.parse().expect("a url"), sql).await;
}

async fn execute(database: &AnyConnectOptions, sql: &str) {
    let mut connection = database.connect().await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("an orderly end");
}

/// Settings with time-outs that no healthy database reaches.
pub(crate) fn settings(url: String) -> CatalogSettings {
    CatalogSettings {
        url,
        max_connections: 4,
        connect_timeout: Duration::from_secs(30),
        statement_timeout: Duration::from_secs(30),
        max_active_keys: 1_000,
        purge_after: Duration::from_secs(30),
        import_timeout: Duration::from_secs(30),
    }
}

pub(crate) const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// The tests, at that instant.
pub(crate) fn by(micros: i64) -> Actor {
    Actor::system("test", at(micros))
}

pub(crate) fn slug(text: &str) -> Slug {
    text.parse().expect("a slug")
}

pub(crate) fn project(text: &str) -> Project {
    Project::new(slug(text), format!("The {text}"), at(1))
}

pub(crate) fn grid(of: &str, text: &str) -> Grid {
    Grid { project: slug(of), slug: slug(text), name: format!("The {text}"), created_at: at(2) }
}

pub(crate) fn tenant(project: &str, grid: &str, environment: &str) -> Binding {
    Binding::Tenant(Tenant { project: slug(project), grid: slug(grid), environment: slug(environment) })
}

/// The key whose id ends with `number`, created at that instant, with one secret.
pub(crate) fn key(number: u8, binding: Binding) -> Key {
    let id = KeyId::from_bare(&format!("{number:012}")).expect("an id");
    Key {
        permissions: Permissions::ingest(),
        secrets: vec![secret(1, number)],
        ..Key::new(id, binding, format!("key {number}"), at(i64::from(number)))
    }
}

pub(crate) fn secret(version: u32, byte: u8) -> Secret {
    Secret {
        version,
        digest: Digest::from_bytes([byte; 32]),
        algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
        format: SecretFormat::Token,
        created_at: at(3),
        retires_at: None,
        drained_after: None,
        used: None,
    }
}

/// A catalog with project `shop`, its grids `web` and `app`, and project `bank` with its grid `web`.
pub(crate) async fn with_grids(fresh: &Fresh) -> Arc<dyn Catalog> {
    let catalog = fresh.migrated().await;
    for (of, text) in [("shop", "web"), ("shop", "app"), ("bank", "web")] {
        if catalog.project(&slug(of)).await.expect("an answer").is_none() {
            catalog.create_project(&project(of), &by(0)).await.expect("a project");
        }
        catalog.create_grid(&grid(of, text), &by(0)).await.expect("a grid");
    }
    catalog
}

/// Whether both are the same key in every field. (Digests are compared as bytes: their `Debug` form tells nothing.)
pub(crate) fn assert_same(left: &Key, right: &Key) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
    let digests = |key: &Key| key.secrets.iter().map(|secret| *secret.digest.as_bytes()).collect::<Vec<_>>();
    assert_eq!(digests(left), digests(right));
}
