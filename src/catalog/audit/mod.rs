//! The audit log: every change in the transaction that made it, each entry's hash over the one before.

mod chain;
mod fields;
mod read;

use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Transaction, query};

pub(super) use fields::{changed, fields, of_key};

use super::CatalogError;
use super::dialect::Dialect;
use super::guard::Guard;
use super::rows::Reader;
use super::store::wrote_one;
use crate::domain::Actor;
use crate::domain::audit::{Action, Target};
use crate::domain::authority::Granter;
pub use chain::EntryHash;
use chain::Link;
pub use read::{Audit, AuditEntry, AuditFilter, AuditHead, AuditReport, Broken};

/// The fields of a thing, before or after a change.
pub(super) type Fields = Map<String, Value>;

/// A transaction of changes: it holds the lock on the end of the chain, and its entries join the chain when it is committed.
pub(super) struct Writing<'a> {
    transaction: Transaction<'static, Any>,
    actor: &'a Actor,
    guard: Guard,
    seq: i64,
    hash: EntryHash,
    appended: bool,
}

impl<'a> Writing<'a> {
    /// Takes the lock. [`CatalogError::ActorGone`] and [`CatalogError::PermissionGone`] where the actor may not do it any more.
    pub(super) async fn begin(
        mut transaction: Transaction<'static, Any>,
        dialect: Dialect,
        actor: &'a Actor,
    ) -> Result<Self, CatalogError> {
        let row = query(dialect.lock_audit_head()).fetch_one(&mut *transaction).await?;
        let (seq, hash) = head(&row)?;
        let guard = Guard::of(&mut transaction, actor).await?;
        Ok(Self { transaction, actor, guard, seq, hash, appended: false })
    }

    /// The connection, for the statements of the change.
    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// The place of the newest entry.
    pub(super) const fn position(&self) -> i64 {
        self.seq
    }

    /// The one whose rights count in this transaction; `None`: everything is allowed.
    pub(super) fn granter(&self) -> Option<Granter<'_>> {
        self.guard.granter()
    }

    /// Whether there is an owner that must not be the last to go.
    pub(super) async fn has_owner(&mut self) -> Result<bool, CatalogError> {
        self.guard.has_owner(&mut self.transaction).await
    }

    /// [`CatalogError::LastOwner`] where there `was` such an owner before the change and is none after it.
    pub(super) async fn keep_owner(&mut self, was: bool) -> Result<(), CatalogError> {
        if was && !self.has_owner().await? { Err(CatalogError::LastOwner) } else { Ok(()) }
    }

    /// Writes what was done down. `before` and `after` hold the fields that it changed, or all of a thing that was not there before
    /// or is not there after it; never a token or a digest.
    pub(super) async fn append(
        &mut self,
        action: Action,
        target: &Target,
        before: Option<Fields>,
        after: Option<Fields>,
    ) -> Result<(), CatalogError> {
        let seq = self.seq + 1;
        let text = |fields: Option<Fields>| fields.map(|fields| Value::from(fields).to_string());
        let (before, after) = (text(before), text(after));
        let actor = self.actor;
        let key = actor.key.map(|key| key.to_string());
        let address = actor.address.map(|address| address.to_string());
        let link = Link {
            seq,
            at: actor.at.micros(),
            action: action.as_str(),
            actor: key.as_deref(),
            actor_name: &actor.name,
            via: actor.via.as_str(),
            address: address.as_deref(),
            user_agent: actor.user_agent.as_deref(),
            request_id: actor.request_id.as_deref(),
            target_kind: target.kind.as_str(),
            target: &target.id,
            project: target.project.as_ref().map(crate::domain::Slug::as_str),
            before: before.as_deref(),
            after: after.as_deref(),
        };
        let hash = link.hash(&self.hash);
        let insert = query(
            "INSERT INTO audit (
                 seq,
                 at,
                 action,
                 actor,
                 actor_name,
                 via,
                 address,
                 user_agent,
                 request_id,
                 target_kind,
                 target,
                 project,
                 before,
                 after,
                 hash
             ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(link.seq)
        .bind(link.at)
        .bind(link.action)
        .bind(link.actor)
        .bind(link.actor_name)
        .bind(link.via)
        .bind(link.address)
        .bind(link.user_agent)
        .bind(link.request_id)
        .bind(link.target_kind)
        .bind(link.target)
        .bind(link.project)
        .bind(link.before)
        .bind(link.after)
        .bind(hash.as_bytes().as_slice());
        wrote_one(insert.execute(&mut *self.transaction).await?.rows_affected())?;
        self.seq = seq;
        self.hash = hash;
        self.appended = true;
        Ok(())
    }

    /// Makes the changes and their entries durable.
    pub(super) async fn commit(mut self) -> Result<(), CatalogError> {
        if self.appended {
            let update = query("UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1")
                .bind(self.seq)
                .bind(self.hash.as_bytes().as_slice());
            wrote_one(update.execute(&mut *self.transaction).await?.rows_affected())?;
        }
        Ok(self.transaction.commit().await?)
    }
}

/// The end of the chain.
fn head(row: &AnyRow) -> Result<(i64, EntryHash), CatalogError> {
    let row = Reader::new(row, "audit_head", &["seq"]);
    let hash: &[u8] = row.get("hash")?;
    let hash = hash.try_into().map_err(|_| row.damaged("hash", "a hash has 32 bytes"))?;
    Ok((row.get("seq")?, EntryHash::from_bytes(hash)))
}
