//! Keys from elsewhere, many at once.

use std::collections::HashMap;

use sqlx::{AnyConnection, query};

use super::{limit, target, write};
use crate::catalog::audit::{Writing, of_key};
use crate::catalog::projects::{ensure_tenant, require_project};
use crate::catalog::{CatalogError, Entity, guard};
use crate::domain::audit::Action;
use crate::domain::{Actor, Binding, Digest, Key, Permissions};

/// A key that comes with its secret.
#[derive(Clone, Debug)]
pub struct ImportedKey {
    /// The key, with one secret.
    pub key: Key,
    /// Every digest that its token may be stored under, as far as the token is known.
    pub digests: Vec<Digest>,
}

/// Why the key at this place of an import cannot be.
#[derive(Debug)]
pub struct ImportFault {
    /// Its place, from 0.
    pub row: usize,
    /// Why.
    pub error: CatalogError,
}

/// How many faults of one import are told.
const MAX_FAULTS: usize = 1_000;

/// Writes all `keys`, and tells what is wrong with which. After a fault the rest is tried all the same, for what else is wrong with it;
/// the transaction is then not to be committed.
pub(super) async fn write_all(
    writing: &mut Writing<'_>,
    keys: &[ImportedKey],
    most: u32,
    by: &Actor,
) -> Result<Vec<ImportFault>, CatalogError> {
    let mut faults = Vec::new();
    let mut bindings = HashMap::new();
    for (row, imported) in keys.iter().enumerate() {
        match write_one(writing, imported, &mut bindings, most, by).await {
            Ok(()) => {}
            Err(error @ (CatalogError::Damaged(_) | CatalogError::Unavailable(_))) => return Err(error),
            Err(error) => faults.push(ImportFault { row, error }),
        }
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    Ok(faults)
}

/// `bindings` remembers which are there; of one that is not, nothing else is looked at.
async fn write_one(
    writing: &mut Writing<'_>,
    imported: &ImportedKey,
    bindings: &mut HashMap<String, Option<Entity>>,
    most: u32,
    by: &Actor,
) -> Result<(), CatalogError> {
    let key = &imported.key;
    let name = format!("{:?}", key.binding);
    let missing = if let Some(missing) = bindings.get(&name) {
        *missing
    } else {
        let found = match &key.binding {
            Binding::Tenant(tenant) => ensure_tenant(writing.connection(), tenant, key.created_at).await,
            Binding::Project(project) => require_project(writing.connection(), project).await,
            Binding::Installation => Ok(()),
        };
        let missing = match found {
            Ok(()) => None,
            Err(CatalogError::Missing(entity)) => Some(entity),
            Err(error) => return Err(error),
        };
        bindings.insert(name, missing);
        missing
    };
    missing.map_or(Ok(()), |entity| Err(CatalogError::Missing(entity)))?;
    let wanted = guard::permissions(writing.connection(), key).await?;
    writing.granter().map_or(Ok(()), |granter| granter.may_grant(&Permissions::default(), &wanted))?;
    write::require_free_name(writing.connection(), key, by.at).await?;
    require_new_token(writing.connection(), &imported.digests).await?;
    limit::require_room(writing.connection(), None, key, most, by.at).await?;
    write::insert(writing.connection(), key).await?;
    writing.append(Action::KeyImported, &target(key), None, Some(of_key(key))).await
}

/// [`CatalogError::Exists`] where a secret has one of `digests`.
async fn require_new_token(connection: &mut AnyConnection, digests: &[Digest]) -> Result<(), CatalogError> {
    for digest in digests {
        let select = query("SELECT key_id FROM secrets WHERE digest = $1 LIMIT 1").bind(digest.as_bytes().as_slice());
        if select.fetch_optional(&mut *connection).await?.is_some() {
            return Err(CatalogError::Exists(Entity::Token));
        }
    }
    Ok(())
}
