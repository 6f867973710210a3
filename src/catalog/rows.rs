//! Rows into the domain's types. Nothing that is read is trusted: a value that no version of Gridgate writes is damage,
//! reported with table and id, and never becomes a key, a right or a panic.

use std::str::FromStr;

use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row as _, Type};

use super::{CatalogError, Grid, Project};
use crate::domain::{Binding, Digest, Environment, Key, Secret, Tenant, Timestamp};

pub(super) fn environment(row: &AnyRow) -> Result<Environment, CatalogError> {
    let row = Reader::new(row, "environments", &["slug"]);
    Ok(Environment {
        slug: row.parsed("slug")?,
        code: row.parsed("code")?,
        name: row.get("name")?,
        created_at: row.time("created_at")?,
    })
}

pub(super) fn project(row: &AnyRow) -> Result<Project, CatalogError> {
    let row = Reader::new(row, "projects", &["slug"]);
    Ok(Project { slug: row.parsed("slug")?, name: row.get("name")?, created_at: row.time("created_at")? })
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

fn key(row: &AnyRow) -> Result<Key, CatalogError> {
    let row = Reader::new(row, "keys", &["id"]);
    Ok(Key {
        id: row.parsed("id")?,
        binding: binding(&row)?,
        name: row.get("name")?,
        permissions: row.parsed("permissions")?,
        created_at: row.time("created_at")?,
        created_by: row.optional("created_by")?,
        expires_at: row.optional_time("expires_at")?,
        disabled_at: row.optional_time("disabled_at")?,
        revoked_at: row.optional_time("revoked_at")?,
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
    let row = Reader::new(row, "secrets", &["id", "version"]);
    if row.get::<Option<i64>>("version")?.is_none() {
        return Ok(None);
    }
    let digest: &[u8] = row.get("digest")?;
    let digest = digest.try_into().map_err(|_| row.damaged("digest", "a digest has 32 bytes"))?;
    Ok(Some(Secret {
        version: row.number("version")?,
        digest: Digest::from_bytes(digest),
        pepper: row.number("pepper")?,
        created_at: row.time("secret_created_at")?,
        retires_at: row.optional_time("retires_at")?,
    }))
}

/// One row, with what is needed to name it in an error.
struct Reader<'r> {
    row: &'r AnyRow,
    table: &'static str,
    id: &'static [&'static str],
}

impl<'r> Reader<'r> {
    const fn new(row: &'r AnyRow, table: &'static str, id: &'static [&'static str]) -> Self {
        Self { row, table, id }
    }

    fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &str) -> Result<T, CatalogError> {
        // The driver's own message is left out: it shows the value.
        self.row.try_get(column).map_err(|_| self.damaged(column, "another type of value, or none"))
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, CatalogError> {
        self.get::<&str>(column)?.parse().map_err(|error: T::Err| self.damaged(column, &error.to_string()))
    }

    fn optional<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<Option<T>, CatalogError> {
        if self.get::<Option<&str>>(column)?.is_some() { self.parsed(column).map(Some) } else { Ok(None) }
    }

    fn number(&self, column: &str) -> Result<u32, CatalogError> {
        u32::try_from(self.get::<i64>(column)?).map_err(|_| self.damaged(column, "out of range"))
    }

    fn time(&self, column: &str) -> Result<Timestamp, CatalogError> {
        self.get(column).map(Timestamp::from_micros)
    }

    fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, CatalogError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
    }

    fn damaged(&self, column: &str, why: &str) -> CatalogError {
        let part = |column: &&str| match self.row.try_get::<String, _>(*column) {
            Ok(text) => text,
            Err(_) => self.row.try_get::<i64, _>(*column).map_or_else(|_| "?".to_owned(), |number| number.to_string()),
        };
        let id: Vec<_> = self.id.iter().map(part).collect();
        CatalogError::Damaged(format!("{} {:?}, {column}: {why}", self.table, id.join("/")))
    }
}
