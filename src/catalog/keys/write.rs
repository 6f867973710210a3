//! Writing keys.

use sqlx::{AnyConnection, query};

use crate::catalog::store::wrote_one;
use crate::catalog::{CatalogError, Entity};
use crate::domain::key::{DigestAlgorithm, SecretFormat, folded};
use crate::domain::{Binding, Key, KeyId, KeyStatus, Secret, Slug, Timestamp};

/// The statement that finds a living key with the name `$1` and the project, grid and environment `$2`, `$3` and `$4` at `$5` that is not
/// the key `$6`. It is public so that its plan can be read.
pub const KEYS_OF_NAME: &str = "SELECT id
     FROM keys
     WHERE name = $1
         AND COALESCE(project, '') = $2
         AND COALESCE(grid, '') = $3
         AND COALESCE(environment, '') = $4
         AND revoked_at IS NULL
         AND (expires_at IS NULL OR expires_at > $5)
         AND id <> $6
     LIMIT 1";

/// [`CatalogError::Exists`] where another living key with the binding of `key` has its name at `now`.
pub(super) async fn require_free_name(
    connection: &mut AnyConnection,
    key: &Key,
    now: Timestamp,
) -> Result<(), CatalogError> {
    if key.status(now) == KeyStatus::Expired {
        return Ok(());
    }
    let (project, grid, environment) = bound(key);
    let select = query(KEYS_OF_NAME)
        .bind(&key.name)
        .bind(project.unwrap_or_default())
        .bind(grid.unwrap_or_default())
        .bind(environment.unwrap_or_default())
        .bind(now.micros())
        .bind(key.id.to_string());
    match select.fetch_optional(connection).await? {
        Some(_) => Err(CatalogError::Exists(Entity::Key)),
        None => Ok(()),
    }
}

/// Writes a new key.
pub(super) async fn insert(connection: &mut AnyConnection, key: &Key) -> Result<(), CatalogError> {
    let (project, grid, environment) = bound(key);
    let insert = query(
        "INSERT INTO keys (
             id,
             kind,
             project,
             grid,
             environment,
             created_at,
             created_by,
             member,
             name,
             name_folded,
             note,
             tags,
             owner,
             role,
             permissions,
             allowed,
             version,
             updated_at,
             expires_at,
             disabled_at,
             revoked_at,
             exposed_at,
             reviewed_at,
             last_used_at,
             secret_order,
             weak
         ) VALUES (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
             $25, $26
         )",
    )
    .bind(key.id.to_string())
    .bind(key.binding.kind().as_str())
    .bind(project)
    .bind(grid)
    .bind(environment)
    .bind(key.created_at.micros())
    .bind(key.created_by.map(|id| id.to_string()))
    .bind(i64::from(key.member))
    .bind(&key.name)
    .bind(folded(&key.name))
    .bind(&key.note)
    .bind(key.tags.to_string())
    .bind(&key.owner)
    .bind(key.role.as_ref().map(Slug::as_str))
    .bind(own_permissions(key))
    .bind(key.allowed.to_string())
    .bind(key.version.cast_signed())
    .bind(key.updated_at.micros())
    .bind(key.expires_at.map(Timestamp::micros))
    .bind(key.disabled_at.map(Timestamp::micros))
    .bind(key.revoked_at.map(Timestamp::micros))
    .bind(key.exposed_at.map(Timestamp::micros))
    .bind(key.reviewed_at.map(Timestamp::micros))
    .bind(key.last_used().map(|used| used.last_at.micros()))
    .bind(secret_order(key))
    .bind(weak(key));
    wrote_one(insert.execute(&mut *connection).await?.rows_affected())?;
    insert_tags(&mut *connection, key).await?;
    for secret in &key.secrets {
        insert_secret(&mut *connection, &key.id, secret).await?;
    }
    Ok(())
}

/// Writes `key` over `before`, which is what the database holds.
pub(super) async fn update(connection: &mut AnyConnection, before: &Key, key: &Key) -> Result<(), CatalogError> {
    let id = key.id.to_string();
    let update = query(
        "UPDATE keys
         SET name = $3,
             name_folded = $4,
             note = $5,
             tags = $6,
             owner = $7,
             role = $8,
             permissions = $9,
             allowed = $10,
             version = $11,
             updated_at = $12,
             expires_at = $13,
             disabled_at = $14,
             revoked_at = $15,
             exposed_at = $16,
             reviewed_at = $17,
             secret_order = $18,
             weak = $19
         WHERE id = $1 AND version = $2",
    )
    .bind(&id)
    .bind(before.version.cast_signed())
    .bind(&key.name)
    .bind(folded(&key.name))
    .bind(&key.note)
    .bind(key.tags.to_string())
    .bind(&key.owner)
    .bind(key.role.as_ref().map(Slug::as_str))
    .bind(own_permissions(key))
    .bind(key.allowed.to_string())
    .bind(key.version.cast_signed())
    .bind(key.updated_at.micros())
    .bind(key.expires_at.map(Timestamp::micros))
    .bind(key.disabled_at.map(Timestamp::micros))
    .bind(key.revoked_at.map(Timestamp::micros))
    .bind(key.exposed_at.map(Timestamp::micros))
    .bind(key.reviewed_at.map(Timestamp::micros))
    .bind(secret_order(key))
    .bind(weak(key));
    wrote_one(update.execute(&mut *connection).await?.rows_affected())?;
    if key.tags != before.tags {
        query("DELETE FROM key_tags WHERE key_id = $1").bind(&id).execute(&mut *connection).await?;
        insert_tags(&mut *connection, key).await?;
    } else if key.revoked_at != before.revoked_at {
        query("UPDATE key_tags SET revoked = 1 WHERE key_id = $1").bind(&id).execute(&mut *connection).await?;
    }
    for old in &before.secrets {
        if let Some(secret) = key.secrets.iter().find(|secret| secret.version == old.version) {
            update_secret(&mut *connection, &key.id, old, secret).await?;
        } else {
            let delete = query("DELETE FROM secrets WHERE key_id = $1 AND version = $2");
            delete.bind(&id).bind(i64::from(old.version)).execute(&mut *connection).await?;
        }
    }
    let known = |secret: &&Secret| before.secrets.iter().any(|old| old.version == secret.version);
    for secret in key.secrets.iter().filter(|secret| !known(secret)) {
        insert_secret(&mut *connection, &key.id, secret).await?;
    }
    Ok(())
}

async fn insert_tags(connection: &mut AnyConnection, key: &Key) -> Result<(), CatalogError> {
    for tag in key.tags.iter() {
        let insert =
            query("INSERT INTO key_tags (tag, key_id, project, created_at, revoked) VALUES ($1, $2, $3, $4, $5)")
                .bind(tag)
                .bind(key.id.to_string())
                .bind(key.binding.project().map(Slug::as_str))
                .bind(key.created_at.micros())
                .bind(i64::from(key.revoked_at.is_some()));
        wrote_one(insert.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

async fn insert_secret(connection: &mut AnyConnection, id: &KeyId, secret: &Secret) -> Result<(), CatalogError> {
    let (algorithm, pepper) = match secret.algorithm {
        DigestAlgorithm::HmacSha256 { pepper } => (HMAC_SHA_256, pepper),
        DigestAlgorithm::Sha256 => (SHA_256, 0),
    };
    let used = secret.used.as_ref();
    let insert = query(
        "INSERT INTO secrets (
             key_id,
             version,
             digest,
             algorithm,
             pepper,
             format,
             created_at,
             retires_at,
             drained_after,
             first_used_at,
             last_used_at,
             last_used_address,
             last_used_agent
         ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id.to_string())
    .bind(i64::from(secret.version))
    .bind(secret.digest.as_bytes().as_slice())
    .bind(algorithm)
    .bind(i64::from(pepper))
    .bind(secret.format.as_str())
    .bind(secret.created_at.micros())
    .bind(secret.retires_at.map(Timestamp::micros))
    .bind(drained_after(secret))
    .bind(used.map(|used| used.first_at.micros()))
    .bind(used.map(|used| used.last_at.micros()))
    .bind(used.and_then(|used| used.address).map(|address| address.to_string()))
    .bind(used.and_then(|used| used.agent.as_deref()));
    wrote_one(insert.execute(connection).await?.rows_affected())
}

async fn update_secret(
    connection: &mut AnyConnection,
    id: &KeyId,
    old: &Secret,
    secret: &Secret,
) -> Result<(), CatalogError> {
    if (secret.retires_at, secret.drained_after) == (old.retires_at, old.drained_after) {
        return Ok(());
    }
    let update = query("UPDATE secrets SET retires_at = $3, drained_after = $4 WHERE key_id = $1 AND version = $2")
        .bind(id.to_string())
        .bind(i64::from(secret.version))
        .bind(secret.retires_at.map(Timestamp::micros))
        .bind(drained_after(secret));
    wrote_one(update.execute(connection).await?.rows_affected())
}

/// The names of [`DigestAlgorithm`] in the table.
pub(in crate::catalog) const HMAC_SHA_256: &str = "hmac-sha256";
pub(in crate::catalog) const SHA_256: &str = "sha256";

fn drained_after(secret: &Secret) -> Option<i64> {
    secret.drained_after.map(|after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX))
}

/// When its current secret was made, as lists are ordered by it; without one it is behind all others.
fn secret_order(key: &Key) -> i64 {
    current(key).map_or(i64::MAX, |secret| secret.created_at.micros())
}

fn weak(key: &Key) -> i64 {
    i64::from(current(key).is_some_and(|secret| secret.format == SecretFormat::Uuid))
}

fn current(key: &Key) -> Option<&Secret> {
    key.secrets.iter().find(|secret| secret.retires_at.is_none())
}

/// What a role holds is not written with the keys that have it.
fn own_permissions(key: &Key) -> String {
    if key.role.is_some() { String::new() } else { key.permissions.to_string() }
}

/// Project, grid and environment.
fn bound(key: &Key) -> (Option<&str>, Option<&str>, Option<&str>) {
    let tenant = match &key.binding {
        Binding::Tenant(tenant) => Some(tenant),
        Binding::Project(_) | Binding::Installation => None,
    };
    (
        key.binding.project().map(Slug::as_str),
        tenant.map(|tenant| tenant.grid.as_str()),
        tenant.map(|tenant| tenant.environment.as_str()),
    )
}
