//! The catalog on either database: one text per statement.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, query};

use super::dialect::Dialect;
use super::{Catalog, CatalogError, Entity, Grid, KeyFilter, Page, Paging, Project, cursor, rows};
use crate::domain::{
    Binding, Changed, Environment, Key, KeyChange, KeyId, KeyStatus, Slug, Tenant, Timestamp, TokenKind,
};

/// Keys of `$which` with their secrets, in the order of lists: one statement, so that a key is never seen with the secrets
/// of another moment.
macro_rules! select_keys {
    ($which:literal) => {
        concat!(
            "SELECT
                 k.id,
                 k.kind,
                 k.project,
                 k.grid,
                 k.environment,
                 k.name,
                 k.permissions,
                 k.created_at,
                 k.created_by,
                 k.expires_at,
                 k.disabled_at,
                 k.revoked_at,
                 s.version,
                 s.digest,
                 s.pepper,
                 s.created_at AS secret_created_at,
                 s.retires_at
             FROM (",
            $which,
            ") AS k
             LEFT JOIN secrets AS s ON s.key_id = k.id
             ORDER BY k.created_at DESC, k.id, s.version DESC"
        )
    };
}

/// A catalog in a database whose schema is this version's.
pub(super) struct Store {
    pub(super) pool: AnyPool,
    pub(super) dialect: Dialect,
    /// The longest that an operation may take, whatever the database does: longer than the database's own limits, which
    /// give the better message.
    pub(super) limit: Duration,
}

#[async_trait]
impl Catalog for Store {
    async fn ping(&self) -> Result<(), CatalogError> {
        self.bounded(async {
            query("SELECT slug FROM environments LIMIT 1").fetch_optional(&self.pool).await?;
            Ok(())
        })
        .await
    }

    async fn environments(&self) -> Result<Vec<Environment>, CatalogError> {
        let sql = "SELECT slug, code, name, created_at FROM environments ORDER BY slug";
        self.bounded(async { query(sql).fetch_all(&self.pool).await?.iter().map(rows::environment).collect() }).await
    }

    async fn create_environment(&self, environment: &Environment) -> Result<(), CatalogError> {
        let insert = query("INSERT INTO environments (slug, code, name, created_at) VALUES ($1, $2, $3, $4)")
            .bind(environment.slug.as_str())
            .bind(environment.code.as_str())
            .bind(&environment.name)
            .bind(environment.created_at.micros());
        self.bounded(async { inserted(insert.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn create_project(&self, project: &Project) -> Result<(), CatalogError> {
        let insert = query("INSERT INTO projects (slug, name, created_at) VALUES ($1, $2, $3)")
            .bind(project.slug.as_str())
            .bind(&project.name)
            .bind(project.created_at.micros());
        self.bounded(async { inserted(insert.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError> {
        let select = query("SELECT slug, name, created_at FROM projects WHERE slug = $1").bind(slug.as_str());
        self.bounded(async { select.fetch_optional(&self.pool).await?.as_ref().map(rows::project).transpose() }).await
    }

    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError> {
        let select = query("SELECT slug, name, created_at FROM projects WHERE slug > $1 ORDER BY slug LIMIT $2")
            .bind(cursor::after_slug(paging)?)
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let projects = collect(&select.fetch_all(&self.pool).await?, rows::project)?;
            Ok(cursor::page(projects, paging, |project| project.slug.to_string()))
        })
        .await
    }

    async fn create_grid(&self, grid: &Grid) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            require_project(&mut transaction, &grid.project).await?;
            let insert = query("INSERT INTO grids (project, slug, name, created_at) VALUES ($1, $2, $3, $4)")
                .bind(grid.project.as_str())
                .bind(grid.slug.as_str())
                .bind(&grid.name)
                .bind(grid.created_at.micros());
            inserted(insert.execute(&mut *transaction).await?.rows_affected())?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn grid(&self, project: &Slug, slug: &Slug) -> Result<Option<Grid>, CatalogError> {
        let select = query("SELECT project, slug, name, created_at FROM grids WHERE project = $1 AND slug = $2")
            .bind(project.as_str())
            .bind(slug.as_str());
        self.bounded(async { select.fetch_optional(&self.pool).await?.as_ref().map(rows::grid).transpose() }).await
    }

    async fn grids(&self, project: &Slug, paging: &Paging) -> Result<Page<Grid>, CatalogError> {
        let select = query(
            "SELECT project, slug, name, created_at
             FROM grids
             WHERE project = $1 AND slug > $2
             ORDER BY slug
             LIMIT $3",
        )
        .bind(project.as_str())
        .bind(cursor::after_slug(paging)?)
        .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let grids = collect(&select.fetch_all(&self.pool).await?, rows::grid)?;
            Ok(cursor::page(grids, paging, |grid| grid.slug.to_string()))
        })
        .await
    }

    async fn create_key(&self, key: &Key) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            match &key.binding {
                Binding::Tenant(tenant) => ensure_tenant(&mut transaction, tenant, key.created_at).await?,
                Binding::Project(project) => require_project(&mut transaction, project).await?,
                Binding::Installation => {}
            }
            insert_key(&mut transaction, key).await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError> {
        self.bounded(async { read_key(&mut *self.pool.acquire().await?, id).await }).await
    }

    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        let (created_at, id) = cursor::after_key(paging)?;
        let mut select = query(select_keys!(
            "SELECT *
             FROM keys
             WHERE (created_at < $1 OR (created_at = $1 AND id > $2))
                 AND ($3 IS NULL OR project = $3)
                 AND ($4 IS NULL OR grid = $4)
                 AND ($5 IS NULL OR environment = $5)
                 AND ($6 IS NULL OR kind = $6)
                 AND CASE
                     WHEN revoked_at IS NOT NULL THEN 'revoked'
                     WHEN expires_at <= $7 THEN 'expired'
                     WHEN disabled_at IS NOT NULL THEN 'disabled'
                     ELSE 'active'
                 END IN ($8, $9, $10, $11)
             ORDER BY created_at DESC, id
             LIMIT $12"
        ))
        .bind(created_at)
        .bind(id)
        .bind(filter.project.as_ref().map(Slug::as_str))
        .bind(filter.grid.as_ref().map(Slug::as_str))
        .bind(filter.environment.as_ref().map(Slug::as_str))
        .bind(filter.kind.map(TokenKind::as_str))
        .bind(now.micros());
        for status in KeyStatus::ALL {
            let wanted = filter.statuses.is_empty() || filter.statuses.contains(&status);
            select = select.bind(wanted.then_some(status.as_str()));
        }
        let select = select.bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let keys = rows::keys(&select.fetch_all(&self.pool).await?)?;
            Ok(cursor::page(keys, paging, cursor::of_key))
        })
        .await
    }

    async fn change_key(
        &self,
        id: &KeyId,
        change: KeyChange,
        now: Timestamp,
    ) -> Result<Option<(Key, Changed)>, CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            if let Some(lock) = self.dialect.lock_key() {
                query(lock).bind(id.to_string()).fetch_optional(&mut *transaction).await?;
            }
            let Some(mut key) = read_key(&mut transaction, id).await? else { return Ok(None) };
            let disabled_before = key.disabled_at;
            let changed = key.apply(change, now)?;
            if changed == Changed::Yes {
                // The lock excludes another writer already; the guard keeps a revocation and its time even if it did not.
                let update = query(
                    "UPDATE keys
                     SET disabled_at = $2, revoked_at = $3
                     WHERE id = $1 AND revoked_at IS NULL AND disabled_at IS NOT DISTINCT FROM $4",
                )
                .bind(id.to_string())
                .bind(key.disabled_at.map(Timestamp::micros))
                .bind(key.revoked_at.map(Timestamp::micros))
                .bind(disabled_before.map(Timestamp::micros));
                if update.execute(&mut *transaction).await?.rows_affected() != 1 {
                    return Err(CatalogError::Unavailable(format!("{id} changed while it was locked")));
                }
            }
            transaction.commit().await?;
            Ok(Some((key, changed)))
        })
        .await
    }
}

impl Store {
    /// The result of `work`, or [`CatalogError::Unavailable`] where the database neither answers nor fails. A transaction
    /// that is dropped on the way is rolled back.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T, CatalogError>> + Send) -> Result<T, CatalogError> {
        tokio::time::timeout(self.limit, work).await.unwrap_or_else(|_| {
            let seconds = self.limit.as_secs_f64();
            Err(CatalogError::Unavailable(format!("the database gave no answer in {seconds} s")))
        })
    }
}

async fn read_key(connection: &mut AnyConnection, id: &KeyId) -> Result<Option<Key>, CatalogError> {
    let select = query(select_keys!("SELECT * FROM keys WHERE id = $1")).bind(id.to_string());
    Ok(rows::keys(&select.fetch_all(connection).await?)?.pop())
}

async fn insert_key(connection: &mut AnyConnection, key: &Key) -> Result<(), CatalogError> {
    let tenant = match &key.binding {
        Binding::Tenant(tenant) => Some(tenant),
        Binding::Project(_) | Binding::Installation => None,
    };
    let insert = query(
        "INSERT INTO keys (
             id,
             kind,
             project,
             grid,
             environment,
             name,
             permissions,
             created_at,
             created_by,
             expires_at,
             disabled_at,
             revoked_at
         ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(key.id.to_string())
    .bind(key.binding.kind().as_str())
    .bind(key.binding.project().map(Slug::as_str))
    .bind(tenant.map(|tenant| tenant.grid.as_str()))
    .bind(tenant.map(|tenant| tenant.environment.as_str()))
    .bind(&key.name)
    .bind(key.permissions.to_string())
    .bind(key.created_at.micros())
    .bind(key.created_by.map(|id| id.to_string()))
    .bind(key.expires_at.map(Timestamp::micros))
    .bind(key.disabled_at.map(Timestamp::micros))
    .bind(key.revoked_at.map(Timestamp::micros));
    inserted(insert.execute(&mut *connection).await?.rows_affected())?;
    for secret in &key.secrets {
        let insert = query(
            "INSERT INTO secrets (key_id, version, digest, pepper, created_at, retires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key.id.to_string())
        .bind(i64::from(secret.version))
        .bind(secret.digest.as_bytes().as_slice())
        .bind(i64::from(secret.pepper))
        .bind(secret.created_at.micros())
        .bind(secret.retires_at.map(Timestamp::micros));
        inserted(insert.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

async fn require_project(connection: &mut AnyConnection, project: &Slug) -> Result<(), CatalogError> {
    let select = query("SELECT slug FROM projects WHERE slug = $1").bind(project.as_str());
    found(select.fetch_optional(connection).await?, Entity::Project)
}

/// Writes the tenant where it is new, after checking that its parts exist.
async fn ensure_tenant(connection: &mut AnyConnection, tenant: &Tenant, now: Timestamp) -> Result<(), CatalogError> {
    let (project, grid, environment) = (tenant.project.as_str(), tenant.grid.as_str(), tenant.environment.as_str());
    require_project(connection, &tenant.project).await?;
    let select = query("SELECT slug FROM grids WHERE project = $1 AND slug = $2").bind(project).bind(grid);
    found(select.fetch_optional(&mut *connection).await?, Entity::Grid)?;
    let select = query("SELECT slug FROM environments WHERE slug = $1").bind(environment);
    found(select.fetch_optional(&mut *connection).await?, Entity::Environment)?;
    query(
        "INSERT INTO tenants (project, grid, environment, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (project, grid, environment) DO NOTHING",
    )
    .bind(project)
    .bind(grid)
    .bind(environment)
    .bind(now.micros())
    .execute(&mut *connection)
    .await?;
    Ok(())
}

fn found(row: Option<AnyRow>, entity: Entity) -> Result<(), CatalogError> {
    row.map(|_| ()).ok_or(CatalogError::Missing(entity))
}

fn collect<T>(rows: &[AnyRow], one: fn(&AnyRow) -> Result<T, CatalogError>) -> Result<Vec<T>, CatalogError> {
    rows.iter().map(one).collect()
}

/// An insert that was accepted has written its row, or the statement is wrong.
fn inserted(rows: u64) -> Result<(), CatalogError> {
    if rows == 1 { Ok(()) } else { Err(CatalogError::Unavailable(format!("an insert wrote {rows} rows"))) }
}
