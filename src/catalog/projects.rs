//! Environments, projects and grids.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AnyConnection, query};

use super::audit::{Fields, changed, fields, of_limits};
use super::store::{Store, collect, found, wrote_one};
use super::{CatalogError, Entity, Page, Paging, cursor, rows};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::project::ProjectChange;
use crate::domain::{Actor, Changed, Environment, Project, Slug, Tenant, Timestamp};

/// New values of what may change of an environment; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EnvironmentEdit {
    /// The name.
    pub name: Option<String>,
    /// After how many days keys are due for a new secret; the inner `None`: never.
    pub rotation_days: Option<Option<u32>>,
}

/// A grid: one application's space inside a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    /// The project it belongs to.
    pub project: Slug,
    /// Unique inside its project, and immutable.
    pub slug: Slug,
    /// Free text for people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What the catalog keeps of environments, projects and grids.
#[async_trait]
pub trait Projects {
    /// Every environment, by slug.
    async fn environments(&self) -> Result<Vec<Environment>, CatalogError>;

    /// Adds an environment. [`CatalogError::Exists`] where slug or code is taken.
    async fn create_environment(&self, environment: &Environment, by: &Actor) -> Result<(), CatalogError>;

    /// Edits an environment and returns it as it is then. `None` without such an environment.
    async fn change_environment(
        &self,
        slug: &Slug,
        edit: &EnvironmentEdit,
        by: &Actor,
    ) -> Result<Option<Environment>, CatalogError>;

    /// Adds a project. [`CatalogError::Exists`] where the slug is taken, [`CatalogError::Missing`] without its plan.
    async fn create_project(&self, project: &Project, by: &Actor) -> Result<(), CatalogError>;

    /// Makes a change of a project at the actor's instant, and returns the project as it is then, with what the change did. `expected`
    /// is the version that it is meant for; `None`: any. `None` without such a project; [`CatalogError::VersionConflict`] at another
    /// version, [`CatalogError::ProjectRefused`] where it is not possible, [`CatalogError::Missing`] without its new plan.
    async fn change_project(
        &self,
        slug: &Slug,
        change: &ProjectChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Project, Changed)>, CatalogError>;

    /// One project.
    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError>;

    /// Projects by slug. [`CatalogError::Cursor`] for a bad position.
    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError>;

    /// Adds a grid. [`CatalogError::Missing`] without its project, [`CatalogError::Exists`] where the slug is taken.
    async fn create_grid(&self, grid: &Grid, by: &Actor) -> Result<(), CatalogError>;

    /// One grid.
    async fn grid(&self, project: &Slug, slug: &Slug) -> Result<Option<Grid>, CatalogError>;

    /// A project's grids by slug. [`CatalogError::Cursor`] for a bad position.
    async fn grids(&self, project: &Slug, paging: &Paging) -> Result<Page<Grid>, CatalogError>;
}

/// The projects of `$which`.
macro_rules! select_projects {
    ($which:literal) => {
        concat!(
            "SELECT
                 slug,
                 name,
                 plan,
                 plan_ends_at,
                 limits,
                 max_active_keys,
                 suspended_at,
                 suspended_because,
                 version,
                 created_at
             FROM projects ",
            $which
        )
    };
}
pub(super) use select_projects;

#[async_trait]
impl Projects for Store {
    async fn environments(&self) -> Result<Vec<Environment>, CatalogError> {
        let sql = "SELECT slug, code, name, rotation_days, created_at FROM environments ORDER BY slug";
        self.bounded(async { query(sql).fetch_all(&self.pool).await?.iter().map(rows::environment).collect() }).await
    }

    async fn create_environment(&self, environment: &Environment, by: &Actor) -> Result<(), CatalogError> {
        let insert =
            query("INSERT INTO environments (slug, code, name, rotation_days, created_at) VALUES ($1, $2, $3, $4, $5)")
                .bind(environment.slug.as_str())
                .bind(environment.code.as_str())
                .bind(&environment.name)
                .bind(environment.rotation_days.map(i64::from))
                .bind(environment.created_at.micros());
        self.bounded(async {
            let mut writing = self.write(by).await?;
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            let (target, after) = (environment_target(&environment.slug), of_environment(environment));
            writing.append(Action::EnvironmentCreated, &target, None, Some(after)).await?;
            writing.commit().await
        })
        .await
    }

    async fn change_environment(
        &self,
        slug: &Slug,
        edit: &EnvironmentEdit,
        by: &Actor,
    ) -> Result<Option<Environment>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let select = query("SELECT slug, code, name, rotation_days, created_at FROM environments WHERE slug = $1");
            let found = select.bind(slug.as_str()).fetch_optional(writing.connection()).await?;
            let Some(before) = found.as_ref().map(rows::environment).transpose()? else { return Ok(None) };
            let environment = Environment {
                name: edit.name.clone().unwrap_or_else(|| before.name.clone()),
                rotation_days: edit.rotation_days.unwrap_or(before.rotation_days),
                ..before.clone()
            };
            if environment == before {
                return Ok(Some(environment));
            }
            let update =
                query("UPDATE environments SET name = $2, rotation_days = $3, version = version + 1 WHERE slug = $1")
                    .bind(slug.as_str())
                    .bind(&environment.name)
                    .bind(environment.rotation_days.map(i64::from));
            wrote_one(update.execute(writing.connection()).await?.rows_affected())?;
            let (old, new) = changed(of_environment(&before), of_environment(&environment));
            writing.append(Action::EnvironmentEdited, &environment_target(slug), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some(environment))
        })
        .await
    }

    async fn create_project(&self, project: &Project, by: &Actor) -> Result<(), CatalogError> {
        let insert = query("INSERT INTO projects (slug, name, version, created_at) VALUES ($1, $2, $3, $4)")
            .bind(project.slug.as_str())
            .bind(&project.name)
            .bind(project.version.cast_signed())
            .bind(project.created_at.micros());
        self.bounded(async {
            let mut writing = self.write(by).await?;
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            if let Some(plan) = &project.plan {
                require_plan(writing.connection(), plan).await?;
            }
            update_project(writing.connection(), project, project).await?;
            let (target, after) = (project_target(&project.slug), of_project(project));
            writing.append(Action::ProjectCreated, &target, None, Some(after)).await?;
            writing.commit().await
        })
        .await
    }

    async fn change_project(
        &self,
        slug: &Slug,
        change: &ProjectChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Project, Changed)>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let select = query(select_projects!("WHERE slug = $1")).bind(slug.as_str());
            let found = select.fetch_optional(writing.connection()).await?;
            let Some(before) = found.as_ref().map(rows::project).transpose()? else { return Ok(None) };
            if expected.is_some_and(|expected| expected != before.version) {
                return Err(CatalogError::VersionConflict { current: before.version });
            }
            let mut project = before.clone();
            if project.apply(change, by.at)? == Changed::Already {
                return Ok(Some((project, Changed::Already)));
            }
            if let Some(plan) = project.plan.as_ref().filter(|_| project.plan != before.plan) {
                require_plan(writing.connection(), plan).await?;
            }
            update_project(writing.connection(), &before, &project).await?;
            let (old, new) = changed(of_project(&before), of_project(&project));
            writing.append(change.action(), &project_target(slug), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some((project, Changed::Yes)))
        })
        .await
    }

    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError> {
        let select = query(select_projects!("WHERE slug = $1")).bind(slug.as_str());
        self.bounded(async { select.fetch_optional(&self.pool).await?.as_ref().map(rows::project).transpose() }).await
    }

    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError> {
        let select = query(select_projects!("WHERE slug > $1 ORDER BY slug LIMIT $2"))
            .bind(cursor::after_slug(paging)?)
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let projects = collect(&select.fetch_all(&self.pool).await?, rows::project)?;
            Ok(cursor::page(projects, paging, |project| project.slug.to_string()))
        })
        .await
    }

    async fn create_grid(&self, grid: &Grid, by: &Actor) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            require_project(writing.connection(), &grid.project).await?;
            let insert = query("INSERT INTO grids (project, slug, name, created_at) VALUES ($1, $2, $3, $4)")
                .bind(grid.project.as_str())
                .bind(grid.slug.as_str())
                .bind(&grid.name)
                .bind(grid.created_at.micros());
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            let id = format!("{}/{}", grid.project, grid.slug);
            let target = Target { kind: TargetKind::Grid, id, project: Some(grid.project.clone()) };
            let after = fields(json!({ "name": grid.name }));
            writing.append(Action::GridCreated, &target, None, Some(after)).await?;
            writing.commit().await
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
}

fn environment_target(slug: &Slug) -> Target {
    Target { kind: TargetKind::Environment, id: slug.to_string(), project: None }
}

fn of_environment(environment: &Environment) -> Fields {
    fields(json!({
        "code": environment.code.as_str(),
        "name": environment.name,
        "rotation_days": environment.rotation_days,
    }))
}

fn project_target(slug: &Slug) -> Target {
    Target { kind: TargetKind::Project, id: slug.to_string(), project: Some(slug.clone()) }
}

fn of_project(project: &Project) -> Fields {
    let suspended = project.suspended.as_ref();
    fields(json!({
        "name": project.name,
        "plan": project.plan.as_ref().map(Slug::as_str),
        "plan_ends_at": project.plan_ends_at.map(|at| at.to_string()),
        "limits": of_limits(&project.limits),
        "max_active_keys": project.max_active_keys,
        "suspended_at": suspended.map(|suspension| suspension.at.to_string()),
        "suspended_because": suspended.map(|suspension| &suspension.reason),
    }))
}

/// Writes `project` over `before`, which is what the database holds.
async fn update_project(
    connection: &mut AnyConnection,
    before: &Project,
    project: &Project,
) -> Result<(), CatalogError> {
    let suspended = project.suspended.as_ref();
    let update = query(
        "UPDATE projects
         SET name = $3,
             plan = $4,
             plan_ends_at = $5,
             limits = $6,
             max_active_keys = $7,
             suspended_at = $8,
             suspended_because = $9,
             version = $10
         WHERE slug = $1 AND version = $2",
    )
    .bind(project.slug.as_str())
    .bind(before.version.cast_signed())
    .bind(&project.name)
    .bind(project.plan.as_ref().map(Slug::as_str))
    .bind(project.plan_ends_at.map(Timestamp::micros))
    .bind(project.limits.to_string())
    .bind(project.max_active_keys.map(i64::from))
    .bind(suspended.map(|suspension| suspension.at.micros()))
    .bind(suspended.map(|suspension| suspension.reason.as_str()))
    .bind(project.version.cast_signed());
    wrote_one(update.execute(connection).await?.rows_affected())
}

async fn require_plan(connection: &mut AnyConnection, plan: &Slug) -> Result<(), CatalogError> {
    let select = query("SELECT slug FROM plans WHERE slug = $1").bind(plan.as_str());
    found(select.fetch_optional(connection).await?, Entity::Plan)
}

pub(super) async fn require_project(connection: &mut AnyConnection, project: &Slug) -> Result<(), CatalogError> {
    let select = query("SELECT slug FROM projects WHERE slug = $1").bind(project.as_str());
    found(select.fetch_optional(connection).await?, Entity::Project)
}

/// Writes the tenant where it is new, after checking that its parts exist.
pub(super) async fn ensure_tenant(
    connection: &mut AnyConnection,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<(), CatalogError> {
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
