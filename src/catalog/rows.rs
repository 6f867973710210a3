//! Rows into the domain's types. Nothing that is read is trusted: a value that no version of Gridgate writes is damage,
//! reported with table and id, and never becomes a key, a right or a panic.

use std::str::FromStr;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row as _, Type};

use super::keys::{HMAC_SHA_256, SHA_256};
use super::{CatalogError, Grid};
use crate::domain::key::{DigestAlgorithm, SecretFormat, SecretUse};
use crate::domain::project::Suspension;
use crate::domain::role::{self, Custom};
use crate::domain::{
    Binding, Digest, Environment, Key, Permissions, Project, Role, Secret, Slug, Tenant, Timestamp, TokenKind,
};

pub(super) fn environment(row: &AnyRow) -> Result<Environment, CatalogError> {
    let row = Reader::new(row, "environments", &["slug"]);
    Ok(Environment {
        slug: row.parsed("slug")?,
        code: row.parsed("code")?,
        name: row.get("name")?,
        rotation_days: row.optional_number("rotation_days")?,
        created_at: row.time("created_at")?,
    })
}

pub(super) fn project(row: &AnyRow) -> Result<Project, CatalogError> {
    let row = Reader::new(row, "projects", &["slug"]);
    Ok(Project {
        slug: row.parsed("slug")?,
        name: row.get("name")?,
        plan: row.optional("plan")?,
        plan_ends_at: row.optional_time("plan_ends_at")?,
        limits: row.parsed("limits")?,
        max_active_keys: row.optional_number("max_active_keys")?,
        suspended: match row.optional_time("suspended_at")? {
            Some(at) => Some(Suspension { at, reason: row.get("suspended_because")? }),
            None => None,
        },
        version: row.count("version")?,
        created_at: row.time("created_at")?,
    })
}

pub(super) fn grid(row: &AnyRow) -> Result<Grid, CatalogError> {
    let row = Reader::new(row, "grids", &["project", "slug"]);
    Ok(Grid {
        project: row.parsed("project")?,
        slug: row.parsed("slug")?,
        name: row.get("name")?,
        created_at: row.time("created_at")?,
    })
}

/// A role that is not built in.
pub(super) fn role(row: &AnyRow) -> Result<Role, CatalogError> {
    let row = Reader::new(row, "roles", &["project", "slug"]);
    let kind = match row.get::<&str>("kind")? {
        "ingest" => TokenKind::Ingest,
        "admin" => TokenKind::Admin,
        _ => return Err(row.damaged("kind", "there is no such kind of key")),
    };
    let permissions: Permissions = row.parsed("permissions")?;
    if permissions.first_unfit(kind).is_some() {
        return Err(row.damaged("permissions", "keys of this kind have no such permission"));
    }
    Ok(Role {
        slug: row.parsed("slug")?,
        kind,
        name: row.get("name")?,
        note: row.get("note")?,
        permissions,
        custom: Some(Custom {
            project: if row.get::<&str>("project")?.is_empty() { None } else { Some(row.parsed("project")?) },
            version: row.count("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        }),
    })
}

/// Keys with their secrets, from rows of one secret each (or none) that are ordered by key.
pub(super) fn keys(rows: &[AnyRow]) -> Result<Vec<Key>, CatalogError> {
    let mut keys: Vec<Key> = Vec::new();
    for row in rows {
        let next = key(row)?;
        let secret = secret(row)?;
        match keys.last_mut().filter(|last| last.id == next.id) {
            Some(last) => last.secrets.extend(secret),
            None => keys.push(Key { secrets: secret.into_iter().collect(), ..next }),
        }
    }
    Ok(keys)
}

/// Where each key of a list's rows stands in its order.
pub(super) fn positions(rows: &[AnyRow]) -> Result<Vec<String>, CatalogError> {
    let mut positions = Vec::new();
    let mut last = None;
    for row in rows {
        let row = Reader::new(row, "keys", &["id"]);
        let id: &str = row.get("id")?;
        if last.replace(id) != Some(id) {
            positions.push(row.get("position")?);
        }
    }
    Ok(positions)
}

fn key(row: &AnyRow) -> Result<Key, CatalogError> {
    let row = Reader::new(row, "keys", &["id"]);
    let role: Option<Slug> = row.optional("role")?;
    let permissions = match &role {
        None => row.parsed("permissions")?,
        Some(slug) => match role::built_in(slug) {
            Some(role) => role.permissions,
            None => match row.optional("role_permissions")? {
                Some(permissions) => permissions,
                // A role outlives the last key that can still be used, not the revoked ones.
                None if row.optional_time("revoked_at")?.is_some() => Permissions::default(),
                None => return Err(row.damaged("role", "there is no such role")),
            },
        },
    };
    Ok(Key {
        id: row.parsed("id")?,
        binding: binding(&row)?,
        name: row.get("name")?,
        note: row.get("note")?,
        tags: row.parsed("tags")?,
        owner: row.get("owner")?,
        role,
        permissions,
        allowed: row.parsed("allowed")?,
        limits: row.parsed("limits")?,
        member: row.get::<i64>("member")? != 0,
        version: row.count("version")?,
        created_at: row.time("created_at")?,
        created_by: row.optional("created_by")?,
        updated_at: row.time("updated_at")?,
        expires_at: row.optional_time("expires_at")?,
        disabled_at: row.optional_time("disabled_at")?,
        revoked_at: row.optional_time("revoked_at")?,
        exposed_at: row.optional_time("exposed_at")?,
        reviewed_at: row.optional_time("reviewed_at")?,
        secrets: Vec::new(),
    })
}

fn binding(row: &Reader<'_>) -> Result<Binding, CatalogError> {
    let (project, grid, environment) = (row.optional("project")?, row.optional("grid")?, row.optional("environment")?);
    match (row.get::<&str>("kind")?, project, grid, environment) {
        ("ingest", Some(project), Some(grid), Some(environment)) => {
            Ok(Binding::Tenant(Tenant { project, grid, environment }))
        }
        ("admin", Some(project), None, None) => Ok(Binding::Project(project)),
        ("admin", None, None, None) => Ok(Binding::Installation),
        _ => Err(row.damaged("kind", "kind, project, grid and environment do not fit together")),
    }
}

fn secret(row: &AnyRow) -> Result<Option<Secret>, CatalogError> {
    let row = Reader::new(row, "secrets", &["id", "secret_version"]);
    if row.get::<Option<i64>>("secret_version")?.is_none() {
        return Ok(None);
    }
    let digest: &[u8] = row.get("digest")?;
    let digest = digest.try_into().map_err(|_| row.damaged("digest", "a digest has 32 bytes"))?;
    let algorithm = match row.get::<&str>("algorithm")? {
        HMAC_SHA_256 => DigestAlgorithm::HmacSha256 { pepper: row.number("pepper")? },
        SHA_256 => DigestAlgorithm::Sha256,
        _ => return Err(row.damaged("algorithm", "there is no such algorithm")),
    };
    let format = match row.get::<&str>("format")? {
        "token" => SecretFormat::Token,
        "uuid" => SecretFormat::Uuid,
        _ => return Err(row.damaged("format", "there is no such format")),
    };
    Ok(Some(Secret {
        version: row.number("secret_version")?,
        digest: Digest::from_bytes(digest),
        algorithm,
        format,
        created_at: row.time("secret_created_at")?,
        retires_at: row.optional_time("retires_at")?,
        drained_after: row.optional_span("drained_after")?,
        used: used(&row)?,
    }))
}

fn used(row: &Reader<'_>) -> Result<Option<SecretUse>, CatalogError> {
    let times = row.optional_time("first_used_at")?.zip(row.optional_time("secret_last_used_at")?);
    let Some((first_at, last_at)) = times else { return Ok(None) };
    let (address, agent) = (row.optional("last_used_address")?, row.get("last_used_agent")?);
    Ok(Some(SecretUse { first_at, last_at, address, agent }))
}

/// One row, with what is needed to name it in an error.
pub(super) struct Reader<'r> {
    row: &'r AnyRow,
    table: &'static str,
    id: &'static [&'static str],
}

impl<'r> Reader<'r> {
    pub(super) const fn new(row: &'r AnyRow, table: &'static str, id: &'static [&'static str]) -> Self {
        Self { row, table, id }
    }

    pub(super) fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &str) -> Result<T, CatalogError> {
        // The driver's own message is left out: it shows the value.
        self.row.try_get(column).map_err(|_| self.damaged(column, "another type of value, or none"))
    }

    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, CatalogError> {
        self.get::<&str>(column)?.parse().map_err(|error: T::Err| self.damaged(column, &error.to_string()))
    }

    pub(super) fn optional<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<Option<T>, CatalogError> {
        if self.get::<Option<&str>>(column)?.is_some() { self.parsed(column).map(Some) } else { Ok(None) }
    }

    pub(super) fn number(&self, column: &str) -> Result<u32, CatalogError> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.damaged(column, "out of range"))
    }

    pub(super) fn optional_number(&self, column: &str) -> Result<Option<u32>, CatalogError> {
        if self.get::<Option<i64>>(column)?.is_some() { self.number(column).map(Some) } else { Ok(None) }
    }

    pub(super) fn count(&self, column: &str) -> Result<u64, CatalogError> {
        u64::try_from(self.get::<i64>(column)?).map_err(|_| self.damaged(column, "out of range"))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, CatalogError> {
        self.get(column).map(Timestamp::from_micros)
    }

    pub(super) fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, CatalogError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
    }

    /// A length of time, kept in microseconds.
    pub(super) fn optional_span(&self, column: &str) -> Result<Option<Duration>, CatalogError> {
        let Some(micros) = self.get::<Option<i64>>(column)? else { return Ok(None) };
        u64::try_from(micros)
            .map(|micros| Some(Duration::from_micros(micros)))
            .map_err(|_| self.damaged(column, "negative"))
    }

    pub(super) fn damaged(&self, column: &str, why: &str) -> CatalogError {
        let part = |column: &&str| match self.row.try_get::<String, _>(*column) {
            Ok(text) => text,
            Err(_) => self.row.try_get::<i64, _>(*column).map_or_else(|_| "?".to_owned(), |number| number.to_string()),
        };
        let id: Vec<_> = self.id.iter().map(part).collect();
        CatalogError::Damaged(format!("{} {:?}, {column}: {why}", self.table, id.join("/")))
    }
}
