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
    if rows == 1 { Ok(()) } else { Err(CatalogError::Unavailable(format!("a statement wrote {rows} rows"))) }
}
