//! Answers that are kept for who repeats a request: reserved before the work begins, sealed by who asked.

use async_trait::async_trait;
use sqlx::query;

use super::CatalogError;
use super::rows::Reader;
use super::store::{Store, wrote_one};
use crate::domain::{KeyId, Timestamp};

/// A request that is to be done once.
#[derive(Clone, Copy, Debug)]
pub struct OnceOnly {
    /// What it is found by.
    pub name: [u8; 32],
    /// What tells it from other requests under the same name.
    pub request: [u8; 32],
    /// Who asks.
    pub caller: KeyId,
    /// When it was asked.
    pub reserved_at: Timestamp,
    /// From this instant on nothing is known of it.
    pub expires_at: Timestamp,
}

/// What there is of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// Nothing was; now it is reserved.
    Now,
    /// It is under way, or its process died.
    InFlight,
    /// The name belongs to another request.
    Other,
    /// Its sealed answer.
    Answered(Vec<u8>),
    /// The caller has as many as it may have.
    TooMany,
}

/// What the catalog keeps of requests that are to be done once. Nothing of it is audited: it is no change.
#[async_trait]
pub trait Answers {
    /// Reserves a request, where nothing is known of it, and its caller has fewer than `most`. What has expired goes first.
    async fn reserve_answer(&self, asked: &OnceOnly, most: u32) -> Result<Reserved, CatalogError>;

    /// Keeps the answer of a request that was reserved.
    async fn keep_answer(&self, asked: &OnceOnly, sealed: &[u8]) -> Result<(), CatalogError>;

    /// Forgets a request that was reserved and is not answered, so that it can be asked anew.
    async fn release_answer(&self, asked: &OnceOnly) -> Result<(), CatalogError>;

    /// Forgets what has expired at `now`, and says how much it was.
    async fn sweep_answers(&self, now: Timestamp) -> Result<u64, CatalogError>;
}

#[async_trait]
impl Answers for Store {
    async fn reserve_answer(&self, asked: &OnceOnly, most: u32) -> Result<Reserved, CatalogError> {
        self.sweep_answers(asked.reserved_at).await?;
        // One statement: of two that come together one inserts, and the other finds its row.
        let insert = query(
            "INSERT INTO idempotent_answers (name, request, caller, reserved_at, expires_at)
             SELECT $1, $2, $3, $4, $5
             WHERE (SELECT COUNT(*) FROM idempotent_answers WHERE caller = $3) < $6
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(asked.name.as_slice())
        .bind(asked.request.as_slice())
        .bind(asked.caller.to_string())
        .bind(asked.reserved_at.micros())
        .bind(asked.expires_at.micros())
        .bind(i64::from(most));
        let select = query("SELECT request, sealed, caller FROM idempotent_answers WHERE name = $1");
        self.bounded(async {
            if insert.execute(&self.pool).await?.rows_affected() == 1 {
                return Ok(Reserved::Now);
            }
            let row = select.bind(asked.name.as_slice()).fetch_optional(&self.pool).await?;
            // It may also have been released in between; then, too, the same request can be made again.
            let Some(row) = row else { return Ok(Reserved::TooMany) };
            let row = Reader::new(&row, "idempotent_answers", &["caller"]);
            Ok(match row.get::<Option<&[u8]>>("sealed")? {
                _ if row.get::<&[u8]>("request")? != asked.request => Reserved::Other,
                Some(sealed) => Reserved::Answered(sealed.to_vec()),
                None => Reserved::InFlight,
            })
        })
        .await
    }

    async fn keep_answer(&self, asked: &OnceOnly, sealed: &[u8]) -> Result<(), CatalogError> {
        let update = query(
            "UPDATE idempotent_answers
             SET sealed = $3
             WHERE name = $1 AND reserved_at = $2 AND sealed IS NULL",
        )
        .bind(asked.name.as_slice())
        .bind(asked.reserved_at.micros())
        .bind(sealed);
        self.bounded(async { wrote_one(update.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn release_answer(&self, asked: &OnceOnly) -> Result<(), CatalogError> {
        let delete = query("DELETE FROM idempotent_answers WHERE name = $1 AND reserved_at = $2 AND sealed IS NULL")
            .bind(asked.name.as_slice())
            .bind(asked.reserved_at.micros());
        self.bounded(async { wrote_one(delete.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn sweep_answers(&self, now: Timestamp) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM idempotent_answers WHERE expires_at <= $1").bind(now.micros());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }
}
