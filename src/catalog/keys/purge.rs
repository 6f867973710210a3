//! Erasing keys.

use serde_json::json;
use sqlx::{AnyConnection, query};

use crate::catalog::audit::{Fields, fields, of_key};
use crate::catalog::store::wrote_one;
use crate::catalog::{CatalogError, alerts, senders};
use crate::domain::{Key, Timestamp};
use std::time::Duration;

/// Whether `key` may be erased at `now`: it is revoked, and has been for `retention`.
pub(super) fn require_over(key: &Key, retention: Duration, now: Timestamp) -> Result<(), CatalogError> {
    let until = key.revoked_at.ok_or(CatalogError::NotRevoked)?.after(retention);
    if until <= now { Ok(()) } else { Err(CatalogError::RetentionNotOver { until }) }
}

/// Erases the key with its tags and secrets.
pub(super) async fn erase(connection: &mut AnyConnection, key: &Key) -> Result<(), CatalogError> {
    let id = key.id.to_string();
    // The key before its secrets, as everybody does: uses of them may be written at the same time.
    query("UPDATE keys SET version = version WHERE id = $1").bind(&id).execute(&mut *connection).await?;
    query("DELETE FROM key_tags WHERE key_id = $1").bind(&id).execute(&mut *connection).await?;
    query("DELETE FROM secrets WHERE key_id = $1").bind(&id).execute(&mut *connection).await?;
    senders::erase(&mut *connection, &key.id).await?;
    alerts::erase(&mut *connection, &key.id).await?;
    let deleted = query("DELETE FROM keys WHERE id = $1").bind(&id).execute(connection).await?;
    wrote_one(deleted.rows_affected())
}

/// What the audit log keeps of an erased key: what it was bound to and when it was revoked, and nothing that people wrote.
pub(super) fn remains(key: &Key) -> Fields {
    let mut remains = of_key(key);
    remains.retain(|name, _| ["kind", "project", "grid", "environment", "revoked_at"].contains(&name.as_str()));
    remains.extend(fields(json!({ "created_at": key.created_at.to_string() })));
    remains
}
