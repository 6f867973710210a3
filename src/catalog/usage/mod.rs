//! Usage: how much came in and what became of it, by minute, hour and day.

mod hours;
mod read;
mod secrets;
mod top;
mod write;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, query};

use super::store::Store;
use super::{CatalogError, Page, Paging};
use crate::domain::limit::ScopeId;
use crate::domain::usage::{Amount, Counted, OfSecret, Step};
use crate::domain::{KeyId, RecordId, Signal, Timestamp};
pub use hours::{ToldUsage, UntoldUsage};
pub use read::{Dimension, UsageFilter, UsageRow, statement};
pub use secrets::KEEP_MINUTES;
pub use top::{Rank, UsageTop, top_statement};

/// What the catalog keeps of usage. It is no change that the audit log tells of.
#[async_trait]
pub trait UsageBook {
    /// Adds what was counted to its minutes, hours and days, all or nothing. `false`, and nothing is added, where this flush of its
    /// writer, or a later one, was written already: the answer had been lost.
    async fn record_usage(&self, flush: &UsageFlush, counted: &[Counted]) -> Result<bool, CatalogError>;

    /// How much of each signal was accepted from `from` on and before `to`, by [`Signal::ALL`]. It is taken from the coarsest step that both
    /// are the beginning of, and begins and ends with whole minutes.
    async fn used(
        &self,
        scope: &ScopeId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<[Amount; Signal::ALL.len()], CatalogError>;

    /// Usage in the order of time, one row for each step and each of what it is grouped by. [`CatalogError::Cursor`] for a bad
    /// position.
    async fn usage(&self, filter: &UsageFilter, paging: &Paging) -> Result<Page<UsageRow>, CatalogError>;

    /// The `most` groups with the most in the whole range of `filter`, that with the most first.
    async fn top_usage(&self, filter: &UsageFilter, rank: Rank, most: u32) -> Result<UsageTop, CatalogError>;

    /// How many exports came with each secret of `key` while it had two good ones, by `step`, from `from` on.
    async fn secret_usage(&self, key: &KeyId, step: Step, from: Timestamp) -> Result<Vec<OfSecret>, CatalogError>;

    /// Takes away what nothing of a rotation shows any more at `now`.
    async fn sweep_secret_usage(&self, now: Timestamp) -> Result<(), CatalogError>;

    /// Takes away at most `limit` rows of `step` from before `before`, and returns how many of keys it were.
    async fn sweep_usage(&self, step: Step, before: Timestamp, limit: u32) -> Result<u64, CatalogError>;

    /// Forgets which flush was the last of writers that have written nothing since `before`, and what webhooks have been told of hours
    /// from before `hours`.
    async fn sweep_usage_notes(&self, before: Timestamp, hours: Timestamp) -> Result<(), CatalogError>;

    /// At most `limit` hours of keys and signals that began before `before`, of which more was accepted than webhooks have been told.
    async fn untold_usage(&self, before: Timestamp, limit: u32) -> Result<Vec<UntoldUsage>, CatalogError>;

    /// Notes of each of `told` that it was told, and writes its messages down, both or neither. One that somebody else has told of
    /// meanwhile is left alone.
    async fn tell_usage(&self, told: &[ToldUsage]) -> Result<(), CatalogError>;
}

/// Which writing it is. A writer that does not know whether one was done does the same once more, before any other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsageFlush {
    /// Who writes: another one for each process.
    pub writer: RecordId,
    /// Counts the writer's flushes, from 1.
    pub number: u64,
    /// The present instant.
    pub at: Timestamp,
}

#[async_trait]
impl UsageBook for Store {
    async fn record_usage(&self, flush: &UsageFlush, counted: &[Counted]) -> Result<bool, CatalogError> {
        self.bounded(write::record(self, flush, counted)).await
    }

    async fn used(
        &self,
        scope: &ScopeId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<[Amount; Signal::ALL.len()], CatalogError> {
        self.bounded(read::used(self, scope, from, to)).await
    }

    async fn usage(&self, filter: &UsageFilter, paging: &Paging) -> Result<Page<UsageRow>, CatalogError> {
        self.bounded(read::page(self, filter, paging)).await
    }

    async fn top_usage(&self, filter: &UsageFilter, rank: Rank, most: u32) -> Result<UsageTop, CatalogError> {
        self.bounded(top::top(self, filter, rank, most)).await
    }

    async fn secret_usage(&self, key: &KeyId, step: Step, from: Timestamp) -> Result<Vec<OfSecret>, CatalogError> {
        self.bounded(secrets::read(self, key, step, from)).await
    }

    async fn sweep_secret_usage(&self, now: Timestamp) -> Result<(), CatalogError> {
        self.bounded(secrets::sweep(self, now)).await
    }

    async fn sweep_usage(&self, step: Step, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        let delete = |table, names| {
            let sql = format!(
                "DELETE FROM {table}
                 WHERE ({names}) IN (SELECT {names} FROM {table} WHERE step = $1 AND at < $2 ORDER BY at LIMIT $3)"
            );
            query(AssertSqlSafe(sql)).bind(step.as_str()).bind(before.micros()).bind(i64::from(limit))
        };
        // There are no more rows of tenants than of keys: they are gone when those are.
        let of_tenants = delete("tenant_usage", "step, at, project, grid, environment, signal, outcome");
        let of_keys = delete("usage", "step, project, at, grid, environment, key_id, signal, outcome");
        self.bounded(async {
            of_tenants.execute(&self.pool).await?;
            Ok(of_keys.execute(&self.pool).await?.rows_affected())
        })
        .await
    }

    async fn sweep_usage_notes(&self, before: Timestamp, hours: Timestamp) -> Result<(), CatalogError> {
        let writers = query("DELETE FROM usage_writers WHERE at < $1").bind(before.micros());
        let told = query("DELETE FROM usage_hours WHERE at < $1 AND touched = seen").bind(hours.micros());
        self.bounded(async {
            writers.execute(&self.pool).await?;
            told.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn untold_usage(&self, before: Timestamp, limit: u32) -> Result<Vec<UntoldUsage>, CatalogError> {
        self.bounded(hours::untold(self, before, limit)).await
    }

    async fn tell_usage(&self, told: &[ToldUsage]) -> Result<(), CatalogError> {
        self.bounded(hours::tell(self, told)).await
    }
}
