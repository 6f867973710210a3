//! What differs between the two databases.

use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType};

/// A database that the catalog can live in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The statement that opens a transaction that will write. SQLite takes its one write lock here, where the busy timeout
    /// applies; taken later, after a read, it could only fail.
    pub(super) const fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// The statement that reads the end of the audit log's chain, and keeps every other transaction from it until this one ends.
    pub(super) const fn lock_audit_head(self) -> &'static str {
        match self {
            // The whole database is locked already.
            Self::Sqlite => "SELECT seq, hash FROM audit_head WHERE id = 1",
            Self::Postgres => "SELECT seq, hash FROM audit_head WHERE id = 1 FOR UPDATE",
        }
    }

    /// The statement that takes away `$2` deliveries from before `$1`. Those that somebody else has in hand, who may be deleting their
    /// webhook, are left for the next time: it has no order in common with them.
    pub(super) const fn forget_deliveries(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "DELETE FROM webhook_deliveries
                 WHERE (webhook, event) IN (
                     SELECT webhook, event FROM webhook_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2
                 )"
            }
            Self::Postgres => {
                "DELETE FROM webhook_deliveries
                 WHERE (webhook, event) IN (
                     SELECT webhook, event FROM webhook_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2
                     FOR UPDATE SKIP LOCKED
                 )"
            }
        }
    }

    /// What every new connection that serves requests is set to.
    pub(super) fn serving_session(self, statement_timeout: Duration) -> String {
        let millis = millis(statement_timeout);
        match self {
            Self::Sqlite => sqlite_session(millis),
            // A node that dies or hangs inside of a transaction must not keep every change waiting.
            Self::Postgres => {
                format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}")
            }
        }
    }

    /// What a connection that migrates is set to. On PostgreSQL nothing: a large table may take its time, and so may the
    /// wait for another migrator.
    pub(super) fn migrating_session(self, statement_timeout: Duration) -> String {
        match self {
            Self::Sqlite => sqlite_session(millis(statement_timeout)),
            Self::Postgres => String::new(),
        }
    }

    /// The statement that gives a row where sqlx's table of applied migrations exists.
    pub(super) const fn has_migrations(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
            Self::Postgres => {
                "SELECT to_regclass('_sqlx_migrations')::TEXT WHERE to_regclass('_sqlx_migrations') IS NOT NULL"
            }
        }
    }

    /// This version's migrations, in order.
    pub(super) fn migrations(self) -> Vec<Migration> {
        let files = match self {
            Self::Sqlite => SQLITE,
            Self::Postgres => POSTGRES,
        };
        let migration = |(version, title, sql): &(i64, &'static str, &'static str)| {
            Migration::new(*version, (*title).into(), MigrationType::Simple, sql.into_sql_str(), false)
        };
        files.iter().map(migration).collect()
    }
}

/// Milliseconds that both databases take. Zero is none of them: PostgreSQL would wait for ever.
fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// `FULL`: a change that was answered survives the loss of power.
fn sqlite_session(busy_millis: i32) -> String {
    format!("PRAGMA busy_timeout = {busy_millis}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
}

type Files = &'static [(i64, &'static str, &'static str)];

/// Number, title and text, in order.
const SQLITE: Files = &[
    (1, "first", include_str!("migrations/sqlite/0001_first.sql")),
    (2, "lifecycle", include_str!("migrations/sqlite/0002_lifecycle.sql")),
    (3, "webhooks", include_str!("migrations/sqlite/0003_webhooks.sql")),
    (4, "idempotent_answers", include_str!("migrations/sqlite/0004_idempotent_answers.sql")),
    (5, "attention", include_str!("migrations/sqlite/0005_attention.sql")),
    (6, "terms", include_str!("migrations/sqlite/0006_terms.sql")),
    (7, "usage", include_str!("migrations/sqlite/0007_usage.sql")),
    (8, "senders", include_str!("migrations/sqlite/0008_senders.sql")),
    (9, "refusals", include_str!("migrations/sqlite/0009_refusals.sql")),
    (10, "requests", include_str!("migrations/sqlite/0010_requests.sql")),
    (11, "alerts", include_str!("migrations/sqlite/0011_alerts.sql")),
    (12, "sessions", include_str!("migrations/sqlite/0012_sessions.sql")),
    (13, "rotating", include_str!("migrations/sqlite/0013_rotating.sql")),
    (14, "secret_usage", include_str!("migrations/sqlite/0014_secret_usage.sql")),
    (15, "tenant_usage", include_str!("migrations/sqlite/0015_tenant_usage.sql")),
];
const POSTGRES: Files = &[
    (1, "first", include_str!("migrations/postgres/0001_first.sql")),
    (2, "lifecycle", include_str!("migrations/postgres/0002_lifecycle.sql")),
    (3, "webhooks", include_str!("migrations/postgres/0003_webhooks.sql")),
    (4, "idempotent_answers", include_str!("migrations/postgres/0004_idempotent_answers.sql")),
    (5, "attention", include_str!("migrations/postgres/0005_attention.sql")),
    (6, "terms", include_str!("migrations/postgres/0006_terms.sql")),
    (7, "usage", include_str!("migrations/postgres/0007_usage.sql")),
    (8, "senders", include_str!("migrations/postgres/0008_senders.sql")),
    (9, "refusals", include_str!("migrations/postgres/0009_refusals.sql")),
    (10, "requests", include_str!("migrations/postgres/0010_requests.sql")),
    (11, "alerts", include_str!("migrations/postgres/0011_alerts.sql")),
    (12, "sessions", include_str!("migrations/postgres/0012_sessions.sql")),
    (13, "rotating", include_str!("migrations/postgres/0013_rotating.sql")),
    (14, "secret_usage", include_str!("migrations/postgres/0014_secret_usage.sql")),
    (15, "tenant_usage", include_str!("migrations/postgres/0015_tenant_usage.sql")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_out_is_out_of_range() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_millis(250)), 250);
        assert_eq!(millis(Duration::MAX), i32::MAX);
    }

    #[test]
    fn every_file_is_listed_under_its_number() {
        for (folder, files) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let path = format!("{}/src/catalog/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut names: Vec<_> = std::fs::read_dir(&path)
                .expect("the folder")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
                .collect();
            names.sort();
            let listed: Vec<_> = files.iter().map(|(number, title, _)| format!("{number:04}_{title}.sql")).collect();
            assert_eq!(names, listed);
            for (name, (_, _, sql)) in names.iter().zip(files) {
                assert_eq!(&std::fs::read_to_string(format!("{path}/{name}")).expect("the file"), sql);
            }
        }
    }
}
