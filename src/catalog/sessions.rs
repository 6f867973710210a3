//! Sessions of the console at rest.

use async_trait::async_trait;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::CatalogError;
use super::audit::{Writing, fields};
use super::rows::Reader;
use super::store::{Store, collect, wrote_one};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::session::{Session, SessionId, TicketDigest};
use crate::domain::{Actor, KeyId, Slug, Timestamp};

/// What the catalog keeps of sessions of the console. Whether one goes on is decided by who asks: here it is as it was written.
#[async_trait]
pub trait Sessions {
    /// Keeps a session of the actor's key. Of its others the oldest end, so that `most` are left.
    async fn open_session(
        &self,
        digest: &TicketDigest,
        session: &Session,
        most: u32,
        by: &Actor,
    ) -> Result<(), CatalogError>;

    /// The session that is found by `digest`.
    async fn session(&self, digest: &TicketDigest) -> Result<Option<Session>, CatalogError>;

    /// The session `id` of `key` was used at `at`; never earlier than what is known.
    async fn session_seen(&self, key: &KeyId, id: &SessionId, at: Timestamp) -> Result<(), CatalogError>;

    /// Every session of `key`, newest first.
    async fn sessions_of(&self, key: &KeyId) -> Result<Vec<Session>, CatalogError>;

    /// Ends the session `id` of `key`, and says whether there was one.
    async fn end_session(&self, key: &KeyId, id: &SessionId, by: &Actor) -> Result<bool, CatalogError>;

    /// Ends every session of `key`, and says how many there were.
    async fn end_sessions(&self, key: &KeyId, by: &Actor) -> Result<u64, CatalogError>;

    /// Forgets sessions whose end was at `now` or before, or that were last used at `unused_since` or before, and says how many it were.
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
    async fn open_session(
        &self,
        digest: &TicketDigest,
        session: &Session,
        most: u32,
        by: &Actor,
    ) -> Result<(), CatalogError> {
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
        let surplus = query(
            "DELETE FROM sessions
             WHERE key_id = $1 AND id NOT IN (
                 SELECT id FROM sessions WHERE key_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
             )
             RETURNING id",
        )
        .bind(session.key.to_string())
        .bind(i64::from(most));
        self.bounded(async {
            let mut writing = self.write(by).await?;
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            let project = project_of(writing.connection(), &session.key).await?;
            let after = fields(json!({
                "key": session.key.to_string(),
                "secret_version": session.secret_version,
                "expires_at": session.expires_at.to_string(),
            }));
            let target = Target { kind: TargetKind::Session, id: session.id.to_string(), project };
            writing.append(Action::SessionBegan, &target, None, Some(after)).await?;
            let gone = surplus.fetch_all(writing.connection()).await?;
            ended(&mut writing, &session.key, &gone).await?;
            writing.commit().await
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

    async fn end_session(&self, key: &KeyId, id: &SessionId, by: &Actor) -> Result<bool, CatalogError> {
        let delete = query("DELETE FROM sessions WHERE key_id = $1 AND id = $2 RETURNING id")
            .bind(key.to_string())
            .bind(id.as_str());
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let gone = delete.fetch_all(writing.connection()).await?;
            ended(&mut writing, key, &gone).await?;
            writing.commit().await?;
            Ok(!gone.is_empty())
        })
        .await
    }

    async fn end_sessions(&self, key: &KeyId, by: &Actor) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM sessions WHERE key_id = $1 RETURNING id").bind(key.to_string());
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let gone = delete.fetch_all(writing.connection()).await?;
            ended(&mut writing, key, &gone).await?;
            writing.commit().await?;
            Ok(gone.len() as u64)
        })
        .await
    }

    async fn sweep_sessions(&self, now: Timestamp, unused_since: Timestamp) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2")
            .bind(now.micros())
            .bind(unused_since.micros());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }
}

/// Writes down that these sessions of `key` were ended.
async fn ended(writing: &mut Writing<'_>, key: &KeyId, rows: &[AnyRow]) -> Result<(), CatalogError> {
    if rows.is_empty() {
        return Ok(());
    }
    let project = project_of(writing.connection(), key).await?;
    let one = |row: &AnyRow| {
        let id: SessionId = Reader::new(row, "sessions", &["id"]).parsed("id")?;
        let target = Target { kind: TargetKind::Session, id: id.to_string(), project: project.clone() };
        Ok((target, Some(fields(json!({ "key": key.to_string() }))), None))
    };
    let done = rows.iter().map(one).collect::<Result<_, CatalogError>>()?;
    writing.append_all(Action::SessionEnded, done).await
}

/// The project of a key; `None`: it is one of the installation.
async fn project_of(connection: &mut AnyConnection, key: &KeyId) -> Result<Option<Slug>, CatalogError> {
    let select = query("SELECT id, project FROM keys WHERE id = $1").bind(key.to_string());
    let row = select.fetch_one(connection).await?;
    Reader::new(&row, "keys", &["id"]).optional("project")
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
