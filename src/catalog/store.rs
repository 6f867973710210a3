//! The one implementation of the catalog, on either database: one text per statement. What it keeps of each subject is in the file
//! of that subject.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, query};

use super::audit::Writing;
use super::dialect::Dialect;
use super::{Catalog, CatalogError, Entity};
use crate::domain::Actor;

/// A catalog in a database whose schema is this version's.
pub(super) struct Store {
    pub(super) pool: AnyPool,
    pub(super) dialect: Dialect,
    /// The longest that an operation may take, whatever the database does: longer than the database's own limits, which
    /// give the better message.
    pub(super) limit: Duration,
    /// How many keys of a tenant may be active at once, unless its project has a number of its own.
    pub(super) max_active_keys: u32,
    /// How long a revoked key is kept before it can be erased.
    pub(super) purge_after: Duration,
    /// How long an import may keep every other change waiting.
    pub(super) import_limit: Duration,
}

#[async_trait]
impl Catalog for Store {
    async fn ping(&self) -> Result<(), CatalogError> {
        self.bounded(async {
            query("SELECT slug FROM environments LIMIT 1").fetch_optional(&self.pool).await?;
            Ok(())
        })
        .await
    }
}

impl Store {
    /// The result of `work`, or [`CatalogError::Unavailable`] where the database neither answers nor fails. A transaction
    /// that is dropped on the way is rolled back.
    pub(super) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, CatalogError>> + Send,
    ) -> Result<T, CatalogError> {
        tokio::time::timeout(self.limit, work).await.unwrap_or_else(|_| {
            let seconds = self.limit.as_secs_f64();
            Err(CatalogError::Unavailable(format!("the database gave no answer in {seconds} s")))
        })
    }

    /// Begins a transaction of changes by `actor`. Until it ends no other one begins, on any node: what is read in it stays true.
    pub(super) async fn write<'a>(&self, actor: &'a Actor) -> Result<Writing<'a>, CatalogError> {
        let transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
        Writing::begin(transaction, self.dialect, actor).await
    }
}

/// [`CatalogError::Missing`] without a row.
pub(super) fn found(row: Option<AnyRow>, entity: Entity) -> Result<(), CatalogError> {
    row.map(|_| ()).ok_or(CatalogError::Missing(entity))
}

/// Every row by `one`.
pub(super) fn collect<T>(rows: &[AnyRow], one: fn(&AnyRow) -> Result<T, CatalogError>) -> Result<Vec<T>, CatalogError> {
    rows.iter().map(one).collect()
}

/// A statement that was accepted has written its one row, or it is wrong.
pub(super) fn wrote_one(rows: u64) -> Result<(), CatalogError> {
    wrote(1, rows)
}

/// A statement that was accepted has written all of its rows, or it is wrong.
pub(super) fn wrote(all: usize, rows: u64) -> Result<(), CatalogError> {
    if rows == all as u64 { Ok(()) } else { Err(CatalogError::Unavailable(format!("a statement wrote {rows} rows"))) }
}

/// How many parameters a statement over many rows has at the most. SQLite allows 32766 and PostgreSQL 65535; but SQLite looks for each
/// one among all of them, so that more of them make it slower.
const PARAMETERS: usize = 480;

/// How many rows of so many columns one statement writes or looks for.
pub(super) const fn rows_at_once(columns: usize) -> usize {
    PARAMETERS / columns
}

/// Places for the values of rows, behind those that the statement has already: `($2, $3), ($4, $5)`.
pub(super) fn places(already: usize, rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let first = already + row * columns + 1;
        let places: Vec<_> = (first..first + columns).map(|place| format!("${place}")).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_through() {
        assert_eq!(places(0, 1, 1), "($1)");
        assert_eq!(places(1, 2, 3), "($2, $3, $4), ($5, $6, $7)");
    }
}
