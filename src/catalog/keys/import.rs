//! Keys from elsewhere, many at once: what the database knows of all of them is read in a few statements, and what they are is
//! written in a few, because nobody else can change anything meanwhile.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, query};

use super::write::bound;
use super::{limit, target, write};
use crate::catalog::audit::{Writing, of_key};
use crate::catalog::rows::Reader;
use crate::catalog::store::{places, rows_at_once};
use crate::catalog::{CatalogError, Entity, guard};
use crate::domain::audit::Action;
use crate::domain::{Actor, Binding, Digest, Key, KeyId, KeyStatus, Permissions, Slug, Tenant, Timestamp};

/// A key that comes with its secret.
#[derive(Clone, Debug)]
pub struct ImportedKey {
    /// The key, with one secret.
    pub key: Key,
    /// Every digest that its token may be stored under, as far as the token is known.
    pub digests: Vec<Digest>,
}

/// Something that is wrong with the key at this place of an import.
#[derive(Debug)]
pub struct ImportFault {
    /// Its place, from 0.
    pub row: usize,
    /// Where what it has is taken by an earlier key of the same import, that one's place.
    pub same_as: Option<usize>,
    /// What.
    pub error: CatalogError,
}

/// Writes all `keys`, unless something is wrong with any of them.
pub(super) async fn write_all(
    writing: &mut Writing<'_>,
    keys: &[ImportedKey],
    default: u32,
    by: &Actor,
) -> Result<Vec<ImportFault>, CatalogError> {
    let faults = check(writing, keys, default, by).await?;
    if !faults.is_empty() {
        return Ok(faults);
    }
    let keys: Vec<_> = keys.iter().map(|imported| &imported.key).collect();
    insert_tenants(writing.connection(), &keys).await?;
    write::insert_all(writing.connection(), &keys).await?;
    for some in keys.chunks(ENTRIES) {
        let done = some.iter().map(|key| (target(key), None, Some(of_key(key)))).collect();
        writing.append_all(Action::KeyImported, done).await?;
    }
    Ok(faults)
}

/// How many entries of the audit log are in memory at once.
const ENTRIES: usize = 250;

/// Everything that is wrong with `keys`. One that is refused for another reason takes no place among the active ones: it is there already,
/// or cannot be at all.
pub(super) async fn check(
    writing: &mut Writing<'_>,
    keys: &[ImportedKey],
    default: u32,
    by: &Actor,
) -> Result<Vec<ImportFault>, CatalogError> {
    let mut known = Known::read(writing.connection(), keys, by.at).await?;
    let mut grants = HashMap::new();
    let mut oldest = HashMap::new();
    let mut faults = Vec::new();
    for (row, ImportedKey { key, digests }) in keys.iter().enumerate() {
        let so_far = faults.len();
        let mut refuse = |same_as, error| faults.push(ImportFault { row, same_as, error });
        if let Some(missing) = known.missing(&key.binding) {
            refuse(None, CatalogError::Missing(missing));
        }
        let role = (key.binding.project(), key.role.as_ref());
        if let Entry::Vacant(unknown) = grants.entry(role) {
            unknown.insert(granted(writing.connection(), key).await?);
        }
        // The permissions of a key without a role are its own.
        let wanted = if key.role.is_some() { grants[&role].as_ref() } else { Some(&key.permissions) };
        match (wanted, writing.granter()) {
            (None, _) => refuse(None, CatalogError::Missing(Entity::Role)),
            (Some(wanted), Some(granter)) => {
                if let Err(error) = granter.may_grant(&Permissions::default(), wanted) {
                    refuse(None, error.into());
                }
            }
            (Some(_), None) => {}
        }
        if key.status(by.at) != KeyStatus::Expired {
            match known.names.entry(name(key)) {
                Entry::Occupied(taken) => refuse(*taken.get(), CatalogError::Exists(Entity::Key)),
                Entry::Vacant(free) => drop(free.insert(Some(row))),
            }
        }
        if let Some(taken) = digests.iter().find_map(|digest| known.tokens.get(digest.as_bytes())) {
            refuse(*taken, CatalogError::Exists(Entity::Token));
        }
        for digest in digests {
            known.tokens.entry(*digest.as_bytes()).or_insert(Some(row));
        }
        let Binding::Tenant(tenant) = &key.binding else { continue };
        if faults.len() > so_far || key.status(by.at) != KeyStatus::Active {
            continue;
        }
        let most = known.projects.get(&tenant.project).copied().flatten().unwrap_or(default);
        let active = known.active.entry(tenant.clone()).or_default();
        if *active < u64::from(most) {
            *active += 1;
            continue;
        }
        let active = match oldest.entry(tenant) {
            Entry::Occupied(read) => Vec::clone(read.get()),
            Entry::Vacant(unread) => {
                let ids: Vec<KeyId> = limit::oldest(writing.connection(), tenant, by.at).await?;
                unread.insert(ids).clone()
            }
        };
        faults.push(ImportFault { row, same_as: None, error: CatalogError::KeyLimit { most, active } });
    }
    Ok(faults)
}

/// What the key's role holds; `None` without such a role.
async fn granted(connection: &mut AnyConnection, key: &Key) -> Result<Option<Permissions>, CatalogError> {
    match guard::permissions(connection, key).await {
        Ok(permissions) => Ok(Some(permissions)),
        Err(CatalogError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Project, grid, environment and name of a key; what it is not bound to is empty.
type Name = [String; 4];

fn name(key: &Key) -> Name {
    let (project, grid, environment) = bound(key);
    [project, grid, environment, Some(&key.name)].map(|text| text.unwrap_or_default().to_owned())
}

/// What there is of what keys refer to, and of what they must not repeat.
struct Known {
    /// With the number of keys that may be active, where they have one of their own.
    projects: HashMap<Slug, Option<u32>>,
    /// Project and grid.
    grids: HashSet<(Slug, Slug)>,
    environments: HashSet<Slug>,
    /// The number of active keys.
    active: HashMap<Tenant, u64>,
    /// With the key of the import that has it.
    names: HashMap<Name, Option<usize>>,
    /// As `names`, by digest.
    tokens: HashMap<[u8; 32], Option<usize>>,
}

impl Known {
    async fn read(connection: &mut AnyConnection, keys: &[ImportedKey], now: Timestamp) -> Result<Self, CatalogError> {
        let projects = distinct(keys.iter().filter_map(|imported| imported.key.binding.project().map(Slug::as_str)));
        let projects: Vec<_> = projects.into_iter().map(|project| [project]).collect();
        let select = "SELECT p.slug, COALESCE(p.max_active_keys, n.max_active_keys) AS max_active_keys
             FROM projects AS p
             LEFT JOIN plans AS n ON n.slug = p.plan
             WHERE p.slug IN (VALUES {})";
        let projects = find(connection, select, &[], &projects).await?;
        let project = |row| {
            let row = Reader::new(row, "projects", &["slug"]);
            Ok((row.parsed("slug")?, row.optional_number("max_active_keys")?))
        };
        let projects = projects.iter().map(project).collect::<Result<_, CatalogError>>()?;

        let tenants = tenants(keys.iter().map(|imported| &imported.key));
        let grids = distinct(tenants.iter().map(|[project, grid, _]| [*project, *grid]));
        let select = "SELECT project, slug FROM grids WHERE (project, slug) IN (VALUES {})";
        let grids = find(connection, select, &[], &grids).await?;
        let grid = |row| {
            let row = Reader::new(row, "grids", &["project", "slug"]);
            Ok((row.parsed("project")?, row.parsed("slug")?))
        };
        let grids = grids.iter().map(grid).collect::<Result<_, CatalogError>>()?;

        let environments = query("SELECT slug FROM environments").fetch_all(&mut *connection).await?;
        let environments = environments.iter().map(|row| Reader::new(row, "environments", &["slug"]).parsed("slug"));
        let environments = environments.collect::<Result<_, _>>()?;

        let active = find(connection, ACTIVE_KEYS, &[now.micros()], &tenants).await?;
        let tenant = |row| {
            let row = Reader::new(row, "keys", &["project", "grid", "environment"]);
            let (project, grid, environment) =
                (row.parsed("project")?, row.parsed("grid")?, row.parsed("environment")?);
            Ok((Tenant { project, grid, environment }, row.count("active")?))
        };
        let active = active.iter().map(tenant).collect::<Result<_, CatalogError>>()?;

        let names: Vec<_> = keys.iter().map(|imported| name(&imported.key)).collect();
        let names: Vec<_> = names.iter().map(|name| name.each_ref().map(String::as_str)).collect();
        let names = find(connection, KEYS_OF_NAMES, &[now.micros()], &names).await?;
        let taken = |row| {
            let row = Reader::new(row, "keys", &["id"]);
            Ok(([row.get("project")?, row.get("grid")?, row.get("environment")?, row.get("name")?], None))
        };
        let names = names.iter().map(taken).collect::<Result<_, CatalogError>>()?;

        let tokens = tokens(connection, keys).await?;
        Ok(Self { projects, grids, environments, active, names, tokens })
    }

    /// What of the binding does not exist.
    fn missing(&self, binding: &Binding) -> Option<Entity> {
        let project = binding.project()?;
        if !self.projects.contains_key(project) {
            return Some(Entity::Project);
        }
        let Binding::Tenant(Tenant { project, grid, environment }) = binding else { return None };
        if !self.grids.contains(&(project.clone(), grid.clone())) {
            return Some(Entity::Grid);
        }
        (!self.environments.contains(environment)).then_some(Entity::Environment)
    }
}

/// How many keys of tenants, which stand for `{}`, are active at `$1`.
const ACTIVE_KEYS: &str = "SELECT
         wanted.column1 AS project,
         wanted.column2 AS grid,
         wanted.column3 AS environment,
         (
             SELECT COUNT(*)
             FROM keys AS k
             WHERE k.project = wanted.column1
                 AND k.grid = wanted.column2
                 AND k.environment = wanted.column3
                 AND k.revoked_at IS NULL
                 AND k.disabled_at IS NULL
                 AND (k.expires_at IS NULL OR k.expires_at > $1)
         ) AS active
     FROM (VALUES {}) AS wanted";

/// The statement that finds living keys at `$1` with projects, grids, environments and names, which stand for `{}`. SQLite takes a
/// cross join in its order, so that it looks each name up. It is public so that its plan can be read.
pub const KEYS_OF_NAMES: &str = "SELECT
         k.id,
         k.name,
         COALESCE(k.project, '') AS project,
         COALESCE(k.grid, '') AS grid,
         COALESCE(k.environment, '') AS environment
     FROM (VALUES {}) AS wanted
     CROSS JOIN keys AS k
     WHERE k.name = wanted.column4
         AND COALESCE(k.project, '') = wanted.column1
         AND COALESCE(k.grid, '') = wanted.column2
         AND COALESCE(k.environment, '') = wanted.column3
         AND k.revoked_at IS NULL
         AND (k.expires_at IS NULL OR k.expires_at > $1)";

/// The rows that `select` finds for rows of texts, some of them at a time.
async fn find<const COLUMNS: usize>(
    connection: &mut AnyConnection,
    select: &str,
    before: &[i64],
    wanted: &[[&str; COLUMNS]],
) -> Result<Vec<AnyRow>, CatalogError> {
    let mut found = Vec::new();
    for some in wanted.chunks(rows_at_once(COLUMNS)) {
        let sql = select.replace("{}", &places(before.len(), some.len(), COLUMNS));
        let select = before.iter().fold(query(AssertSqlSafe(sql)), |select, number| select.bind(*number));
        let select = some.iter().flatten().fold(select, |select, text| select.bind(*text));
        found.extend(select.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// The digests of the keys that secrets have already.
async fn tokens(
    connection: &mut AnyConnection,
    keys: &[ImportedKey],
) -> Result<HashMap<[u8; 32], Option<usize>>, CatalogError> {
    let digests: Vec<_> = keys.iter().flat_map(|imported| &imported.digests).collect();
    let mut taken = HashMap::new();
    for some in digests.chunks(rows_at_once(1)) {
        let values = places(0, some.len(), 1);
        let sql = format!("SELECT key_id, version, digest FROM secrets WHERE digest IN (VALUES {values})");
        let select = query(AssertSqlSafe(sql));
        let select = some.iter().fold(select, |select, digest| select.bind(digest.as_bytes().as_slice()));
        for row in &select.fetch_all(&mut *connection).await? {
            let row = Reader::new(row, "secrets", &["key_id", "version"]);
            let digest: &[u8] = row.get("digest")?;
            let digest = digest.try_into().map_err(|_| row.damaged("digest", "a digest has 32 bytes"))?;
            taken.insert(digest, None);
        }
    }
    Ok(taken)
}

/// Writes the tenants that are new.
async fn insert_tenants(connection: &mut AnyConnection, keys: &[&Key]) -> Result<(), CatalogError> {
    let Some(created_at) = keys.first().map(|key| key.created_at.micros()) else { return Ok(()) };
    for some in tenants(keys.iter().copied()).chunks(rows_at_once(4)) {
        let values = places(0, some.len(), 4);
        let sql = format!(
            "INSERT INTO tenants (project, grid, environment, created_at)
             VALUES {values}
             ON CONFLICT (project, grid, environment) DO NOTHING"
        );
        let insert = some.iter().fold(query(AssertSqlSafe(sql)), |insert, [project, grid, environment]| {
            insert.bind(*project).bind(*grid).bind(*environment).bind(created_at)
        });
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Project, grid and environment of each tenant, once.
fn tenants<'a>(keys: impl Iterator<Item = &'a Key>) -> Vec<[&'a str; 3]> {
    distinct(keys.filter_map(|key| match bound(key) {
        (Some(project), Some(grid), Some(environment)) => Some([project, grid, environment]),
        _ => None,
    }))
}

fn distinct<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}
