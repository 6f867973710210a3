//! Sessions of the console at rest.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::query;

use super::CatalogError;
use super::rows::Reader;
use super::store::{Store, collect, wrote_one};
use crate::domain::session::{Session, SessionId, TicketDigest};
use crate::domain::{KeyId, Timestamp};

/// What the catalog keeps of sessions of the console. Whether one goes on is decided by who asks: here it is as it was written.
#[async_trait]
pub trait Sessions {
    /// Keeps a session. Of its key's others the oldest go, so that `most` are left.
    async fn open_session(&self, digest: &TicketDigest, session: &Session, most: u32) -> Result<(), CatalogError>;

    /// The session that is found by `digest`.
    async fn session(&self, digest: &TicketDigest) -> Result<Option<Session>, CatalogError>;

    /// The session `id` of `key` was used at `at`; never earlier than what is known.
    async fn session_seen(&self, key: &KeyId, id: &SessionId, at: Timestamp) -> Result<(), CatalogError>;

    /// Every session of `key`, newest first.
    async fn sessions_of(&self, key: &KeyId) -> Result<Vec<Session>, CatalogError>;

    /// Forgets the session `id` of `key`, and says whether there was one.
    async fn end_session(&self, key: &KeyId, id: &SessionId) -> Result<bool, CatalogError>;

    /// Forgets every session of `key`, and says how many there were.
    async fn end_sessions(&self, key: &KeyId) -> Result<u64, CatalogError>;

    /// Forgets sessions that ended before `now` or were last used before `unused_since`, and says how many it were.
    async fn sweep_sessions(&self, now: Timestamp, unused_since: Timestamp) -> Result<u64, CatalogError>;
}

macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT id, key_id, secret_version, created_at, seen_at, expires_at, address, user_agent FROM sessions WHERE ",
            $which
        )
    };
}

#[async_trait]
impl Sessions for Store {
    async fn open_session(&self, digest: &TicketDigest, session: &Session, most: u32) -> Result<(), CatalogError> {
        let insert = query(
            "INSERT INTO sessions
                 (digest, id, key_id, secret_version, created_at, seen_at, expires_at, address, user_agent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(digest.as_slice())
        .bind(session.id.as_str())
        .bind(session.key.to_string())
        .bind(i64::from(session.secret_version))
        .bind(session.created_at.micros())
        .bind(session.seen_at.micros())
        .bind(session.expires_at.micros())
        .bind(session.address.map(|address| address.to_string()))
        .bind(session.user_agent.clone());
        let shorten = query(
            "DELETE FROM sessions
             WHERE key_id = $1 AND id NOT IN (
                 SELECT id FROM sessions WHERE key_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
             )",
        )
        .bind(session.key.to_string())
        .bind(i64::from(most));
        self.bounded(async {
            wrote_one(insert.execute(&self.pool).await?.rows_affected())?;
            shorten.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn session(&self, digest: &TicketDigest) -> Result<Option<Session>, CatalogError> {
        let select = query(select!("digest = $1")).bind(digest.as_slice());
        self.bounded(async { select.fetch_optional(&self.pool).await?.as_ref().map(session).transpose() }).await
    }

    async fn session_seen(&self, key: &KeyId, id: &SessionId, at: Timestamp) -> Result<(), CatalogError> {
        let update = query("UPDATE sessions SET seen_at = $3 WHERE key_id = $1 AND id = $2 AND seen_at < $3")
            .bind(key.to_string())
            .bind(id.as_str())
            .bind(at.micros());
        self.bounded(async {
            update.execute(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn sessions_of(&self, key: &KeyId) -> Result<Vec<Session>, CatalogError> {
        let select = query(select!("key_id = $1 ORDER BY created_at DESC, id DESC")).bind(key.to_string());
        self.bounded(async { collect(&select.fetch_all(&self.pool).await?, session) }).await
    }

    async fn end_session(&self, key: &KeyId, id: &SessionId) -> Result<bool, CatalogError> {
        let delete =
            query("DELETE FROM sessions WHERE key_id = $1 AND id = $2").bind(key.to_string()).bind(id.as_str());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected() > 0) }).await
    }

    async fn end_sessions(&self, key: &KeyId) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM sessions WHERE key_id = $1").bind(key.to_string());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn sweep_sessions(&self, now: Timestamp, unused_since: Timestamp) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM sessions WHERE expires_at <= $1 OR seen_at < $2")
            .bind(now.micros())
            .bind(unused_since.micros());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }
}

fn session(row: &AnyRow) -> Result<Session, CatalogError> {
    let row = Reader::new(row, "sessions", &["id"]);
    Ok(Session {
        id: row.parsed("id")?,
        key: row.parsed("key_id")?,
        secret_version: row.number("secret_version")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        expires_at: row.time("expires_at")?,
        address: row.optional("address")?,
        user_agent: row.get::<Option<String>>("user_agent")?,
    })
}
