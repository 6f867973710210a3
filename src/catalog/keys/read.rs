//! Reading keys.

use sqlx::{AnyConnection, query};

use crate::catalog::{CatalogError, rows};
use crate::domain::{Key, KeyId};

/// Keys of `$which` with their secrets, the newest first: one statement, so that a key is never seen with the secrets
/// of another moment.
macro_rules! select_keys {
    ($which:expr) => {
        concat!(
            select_keys!(@columns),
            " FROM (",
            $which,
            ") AS k",
            select_keys!(@joins),
            " ORDER BY k.created_at DESC, k.id DESC, s.version DESC"
        )
    };
    (@columns) => {
        "SELECT
             k.id,
             k.kind,
             k.project,
             k.grid,
             k.environment,
             k.name,
             k.note,
             k.tags,
             k.owner,
             k.role,
             k.permissions,
             COALESCE(own.permissions, common.permissions) AS role_permissions,
             k.allowed,
             k.limits,
             k.member,
             k.version,
             k.created_at,
             k.created_by,
             k.updated_at,
             k.expires_at,
             k.disabled_at,
             k.revoked_at,
             k.exposed_at,
             k.reviewed_at,
             s.version AS secret_version,
             s.digest,
             s.algorithm,
             s.pepper,
             s.format,
             s.created_at AS secret_created_at,
             s.retires_at,
             s.drained_after,
             s.first_used_at,
             s.last_used_at AS secret_last_used_at,
             s.last_used_address,
             s.last_used_agent"
    };
    (@joins) => {
        "
         LEFT JOIN roles AS own ON own.project = k.project AND own.slug = k.role
         LEFT JOIN roles AS common ON common.project = '' AND common.slug = k.role
         LEFT JOIN secrets AS s ON s.key_id = k.id"
    };
}
pub(super) use select_keys;

/// The statement that reads the key with the id `$1`. It is public so that its plan can be read.
pub const KEY_BY_ID: &str = select_keys!("SELECT * FROM keys WHERE id = $1");

/// The key `id`.
pub(in crate::catalog) async fn read_key(
    connection: &mut AnyConnection,
    id: &KeyId,
) -> Result<Option<Key>, CatalogError> {
    let select = query(KEY_BY_ID).bind(id.to_string());
    Ok(rows::keys(&select.fetch_all(connection).await?)?.pop())
}
