//! How many keys of a tenant may be active at once.

use sqlx::{AnyConnection, query};

use crate::catalog::CatalogError;
use crate::catalog::rows::Reader;
use crate::domain::{Binding, Key, KeyId, KeyStatus, Tenant, Timestamp};

/// [`CatalogError::KeyLimit`] where `key` would be one active key too many of its tenant at `now`; `default` holds where neither the
/// project nor its plan has a number. Keys that are active already are never too many.
pub(super) async fn require_room(
    connection: &mut AnyConnection,
    before: Option<&Key>,
    key: &Key,
    default: u32,
    now: Timestamp,
) -> Result<(), CatalogError> {
    let is_active = |key: &Key| key.status(now) == KeyStatus::Active;
    let Binding::Tenant(tenant) = &key.binding else { return Ok(()) };
    if !is_active(key) || before.is_some_and(is_active) {
        return Ok(());
    }
    let select = query(
        "SELECT p.slug, COALESCE(p.max_active_keys, n.max_active_keys) AS max_active_keys
         FROM projects AS p
         LEFT JOIN plans AS n ON n.slug = p.plan
         WHERE p.slug = $1",
    )
    .bind(tenant.project.as_str());
    let row = select.fetch_one(&mut *connection).await?;
    let most = Reader::new(&row, "projects", &["slug"]).optional_number("max_active_keys")?.unwrap_or(default);
    let select = query(
        "SELECT COUNT(*) AS active
         FROM keys
         WHERE project = $1
             AND grid = $2
             AND environment = $3
             AND revoked_at IS NULL
             AND disabled_at IS NULL
             AND (expires_at IS NULL OR expires_at > $4)",
    )
    .bind(tenant.project.as_str())
    .bind(tenant.grid.as_str())
    .bind(tenant.environment.as_str())
    .bind(now.micros());
    let row = select.fetch_one(&mut *connection).await?;
    if Reader::new(&row, "keys", &[]).count("active")? < u64::from(most) {
        return Ok(());
    }
    Err(CatalogError::KeyLimit { most, active: oldest(connection, tenant, now).await? })
}

/// The oldest of a tenant's keys that are active at `now`, to be named.
pub(super) async fn oldest(
    connection: &mut AnyConnection,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Vec<KeyId>, CatalogError> {
    let select = query(
        "SELECT id
         FROM keys
         WHERE project = $1
             AND grid = $2
             AND environment = $3
             AND revoked_at IS NULL
             AND disabled_at IS NULL
             AND (expires_at IS NULL OR expires_at > $4)
         ORDER BY created_at, id
         LIMIT 10",
    )
    .bind(tenant.project.as_str())
    .bind(tenant.grid.as_str())
    .bind(tenant.environment.as_str())
    .bind(now.micros());
    let rows = select.fetch_all(connection).await?;
    rows.iter().map(|row| Reader::new(row, "keys", &["id"]).parsed("id")).collect()
}
