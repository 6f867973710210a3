//! Plans, the limits of tenants, and the terms that come of them for the exports of a key.

use async_trait::async_trait;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::audit::{Fields, changed, fields, of_limits};
use super::projects::{ensure_tenant, select_projects};
use super::rows::{self, Reader};
use super::store::{Store, collect, wrote_one};
use super::webhooks::insert_delivery;
use super::{CatalogError, Entity, Page, Paging, cursor};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::limit::{Scope, Terms};
use crate::domain::plan::PlanEdit;
use crate::domain::webhook::Delivery;
use crate::domain::{Actor, Changed, Limits, Plan, Project, Slug, Tenant, Timestamp};

/// What the catalog keeps of plans and limits.
#[async_trait]
pub trait Plans {
    /// What holds for the exports of a key of `tenant` that has the limits `key` of its own. [`CatalogError::Missing`] without the
    /// project.
    async fn terms(&self, tenant: &Tenant, key: &Limits) -> Result<Terms, CatalogError>;

    /// Adds a plan. [`CatalogError::Exists`] where the slug is taken.
    async fn create_plan(&self, plan: &Plan, by: &Actor) -> Result<(), CatalogError>;

    /// One plan.
    async fn plan(&self, slug: &Slug) -> Result<Option<Plan>, CatalogError>;

    /// Plans by slug. [`CatalogError::Cursor`] for a bad position.
    async fn plans(&self, paging: &Paging) -> Result<Page<Plan>, CatalogError>;

    /// Edits a plan, and with it what every project has that has the plan. `None` without such a plan;
    /// [`CatalogError::VersionConflict`] at another version than `expected`.
    async fn change_plan(
        &self,
        slug: &Slug,
        edit: &PlanEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Plan, Changed)>, CatalogError>;

    /// Deletes a plan. `None` without such a plan; [`CatalogError::VersionConflict`] at another version than `expected`,
    /// [`CatalogError::PlanInUse`] while a project has it.
    async fn delete_plan(&self, slug: &Slug, expected: Option<u64>, by: &Actor) -> Result<Option<Plan>, CatalogError>;

    /// The limits of a tenant's own; none where there is no such tenant yet.
    async fn tenant_limits(&self, tenant: &Tenant) -> Result<TenantLimits, CatalogError>;

    /// Replaces the limits of a tenant's own; a tenant without keys gets them, too. [`CatalogError::Missing`] without its project,
    /// grid or environment, [`CatalogError::VersionConflict`] at another version than `expected`.
    async fn change_tenant_limits(
        &self,
        tenant: &Tenant,
        limits: &Limits,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<(TenantLimits, Changed), CatalogError>;

    /// Up to `limit` projects whose plan has ended at `now`, and of whose end nobody has been told.
    async fn ended_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Project>, CatalogError>;

    /// Writes down that the end of a plan at `ended_at` was told of, with the messages that tell of it and an entry of the audit log, all
    /// or nothing. `false`, and nothing is written, where that was done already, or where the end is another one now.
    async fn told_plan_end(
        &self,
        project: &Slug,
        ended_at: Timestamp,
        deliveries: &[Delivery],
        by: &Actor,
    ) -> Result<bool, CatalogError>;
}

/// The limits of a tenant's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantLimits {
    /// The limits.
    pub limits: Limits,
    /// 1 at first, counting up with each change.
    pub version: u64,
}

/// The plans of `$which`.
macro_rules! select_plans {
    ($which:literal) => {
        concat!(
            "SELECT
                 slug,
                 name,
                 note,
                 key_limits,
                 tenant_limits,
                 project_limits,
                 max_active_keys,
                 version,
                 created_at,
                 updated_at
             FROM plans ",
            $which
        )
    };
}

#[async_trait]
impl Plans for Store {
    async fn terms(&self, tenant: &Tenant, key: &Limits) -> Result<Terms, CatalogError> {
        let select = query(
            "SELECT
                 p.slug,
                 p.limits,
                 p.suspended_at,
                 p.plan_ends_at,
                 COALESCE(t.limits, '') AS own_limits,
                 COALESCE(n.key_limits, '') AS key_limits,
                 COALESCE(n.tenant_limits, '') AS tenant_limits,
                 COALESCE(n.project_limits, '') AS project_limits
             FROM projects AS p
             LEFT JOIN tenants AS t ON t.project = p.slug AND t.grid = $2 AND t.environment = $3
             LEFT JOIN plans AS n ON n.slug = p.plan
             WHERE p.slug = $1",
        )
        .bind(tenant.project.as_str())
        .bind(tenant.grid.as_str())
        .bind(tenant.environment.as_str());
        self.bounded(async {
            let row = select.fetch_optional(&self.pool).await?.ok_or(CatalogError::Missing(Entity::Project))?;
            let row = Reader::new(&row, "projects", &["slug"]);
            let effective = |own: &Limits, column| Ok::<_, CatalogError>(own.over(&row.parsed(column)?));
            Ok(Terms {
                limits: [
                    effective(key, "key_limits")?,
                    effective(&row.parsed("own_limits")?, "tenant_limits")?,
                    effective(&row.parsed("limits")?, "project_limits")?,
                ],
                suspended_at: row.optional_time("suspended_at")?,
                plan_ends_at: row.optional_time("plan_ends_at")?,
            })
        })
        .await
    }

    async fn create_plan(&self, plan: &Plan, by: &Actor) -> Result<(), CatalogError> {
        let insert = query(
            "INSERT INTO plans (
                 slug,
                 name,
                 note,
                 key_limits,
                 tenant_limits,
                 project_limits,
                 max_active_keys,
                 version,
                 created_at,
                 updated_at
             ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(plan.slug.as_str())
        .bind(&plan.name)
        .bind(&plan.note)
        .bind(plan.limits(Scope::Key).to_string())
        .bind(plan.limits(Scope::Tenant).to_string())
        .bind(plan.limits(Scope::Project).to_string())
        .bind(plan.max_active_keys.map(i64::from))
        .bind(plan.version.cast_signed())
        .bind(plan.created_at.micros())
        .bind(plan.updated_at.micros());
        self.bounded(async {
            let mut writing = self.write(by).await?;
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            writing.append(Action::PlanCreated, &plan_target(&plan.slug), None, Some(of_plan(plan))).await?;
            writing.commit().await
        })
        .await
    }

    async fn plan(&self, slug: &Slug) -> Result<Option<Plan>, CatalogError> {
        let select = query(select_plans!("WHERE slug = $1")).bind(slug.as_str());
        self.bounded(async { select.fetch_optional(&self.pool).await?.as_ref().map(plan).transpose() }).await
    }

    async fn plans(&self, paging: &Paging) -> Result<Page<Plan>, CatalogError> {
        let select = query(select_plans!("WHERE slug > $1 ORDER BY slug LIMIT $2"))
            .bind(cursor::after_slug(paging)?)
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let plans = collect(&select.fetch_all(&self.pool).await?, plan)?;
            Ok(cursor::page(plans, paging, |plan| plan.slug.to_string()))
        })
        .await
    }

    async fn change_plan(
        &self,
        slug: &Slug,
        edit: &PlanEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Plan, Changed)>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some(before) = read_plan(writing.connection(), slug, expected).await? else { return Ok(None) };
            let mut plan = before.clone();
            if plan.edit(edit, by.at) == Changed::Already {
                return Ok(Some((plan, Changed::Already)));
            }
            let update = query(
                "UPDATE plans
                 SET name = $3,
                     note = $4,
                     key_limits = $5,
                     tenant_limits = $6,
                     project_limits = $7,
                     max_active_keys = $8,
                     version = $9,
                     updated_at = $10
                 WHERE slug = $1 AND version = $2",
            )
            .bind(slug.as_str())
            .bind(before.version.cast_signed())
            .bind(&plan.name)
            .bind(&plan.note)
            .bind(plan.limits(Scope::Key).to_string())
            .bind(plan.limits(Scope::Tenant).to_string())
            .bind(plan.limits(Scope::Project).to_string())
            .bind(plan.max_active_keys.map(i64::from))
            .bind(plan.version.cast_signed())
            .bind(plan.updated_at.micros());
            wrote_one(update.execute(writing.connection()).await?.rows_affected())?;
            let (old, new) = changed(of_plan(&before), of_plan(&plan));
            writing.append(Action::PlanEdited, &plan_target(slug), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some((plan, Changed::Yes)))
        })
        .await
    }

    async fn delete_plan(&self, slug: &Slug, expected: Option<u64>, by: &Actor) -> Result<Option<Plan>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some(plan) = read_plan(writing.connection(), slug, expected).await? else { return Ok(None) };
            let select = query("SELECT slug FROM projects WHERE plan = $1 LIMIT 1").bind(slug.as_str());
            if select.fetch_optional(writing.connection()).await?.is_some() {
                return Err(CatalogError::PlanInUse);
            }
            let delete = query("DELETE FROM plans WHERE slug = $1").bind(slug.as_str());
            wrote_one(delete.execute(writing.connection()).await?.rows_affected())?;
            writing.append(Action::PlanDeleted, &plan_target(slug), Some(of_plan(&plan)), None).await?;
            writing.commit().await?;
            Ok(Some(plan))
        })
        .await
    }

    async fn tenant_limits(&self, tenant: &Tenant) -> Result<TenantLimits, CatalogError> {
        self.bounded(async { read_tenant(&mut *self.pool.acquire().await?, tenant).await }).await
    }

    async fn change_tenant_limits(
        &self,
        tenant: &Tenant,
        limits: &Limits,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<(TenantLimits, Changed), CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            ensure_tenant(writing.connection(), tenant, by.at).await?;
            let before = read_tenant(writing.connection(), tenant).await?;
            if expected.is_some_and(|expected| expected != before.version) {
                return Err(CatalogError::VersionConflict { current: before.version });
            }
            if before.limits == *limits {
                return Ok((before, Changed::Already));
            }
            let after = TenantLimits { limits: limits.clone(), version: before.version + 1 };
            let update = query(
                "UPDATE tenants SET limits = $4, version = $5 WHERE project = $1 AND grid = $2 AND environment = $3",
            )
            .bind(tenant.project.as_str())
            .bind(tenant.grid.as_str())
            .bind(tenant.environment.as_str())
            .bind(limits.to_string())
            .bind(after.version.cast_signed());
            wrote_one(update.execute(writing.connection()).await?.rows_affected())?;
            let project = Some(tenant.project.clone());
            let target = Target { kind: TargetKind::Tenant, id: tenant.to_string(), project };
            let of_tenant = |limits| Some(fields(json!({ "limits": of_limits(limits) })));
            writing.append(Action::TenantEdited, &target, of_tenant(&before.limits), of_tenant(limits)).await?;
            writing.commit().await?;
            Ok((after, Changed::Yes))
        })
        .await
    }

    async fn ended_plans(&self, now: Timestamp, limit: u32) -> Result<Vec<Project>, CatalogError> {
        let select = query(select_projects!(
            "WHERE plan_ends_at <= $1 AND (plan_end_told IS NULL OR plan_end_told <> plan_ends_at)
             ORDER BY plan_ends_at, slug
             LIMIT $2"
        ))
        .bind(now.micros())
        .bind(i64::from(limit));
        self.bounded(async { collect(&select.fetch_all(&self.pool).await?, rows::project) }).await
    }

    async fn told_plan_end(
        &self,
        project: &Slug,
        ended_at: Timestamp,
        deliveries: &[Delivery],
        by: &Actor,
    ) -> Result<bool, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let update = query(
                "UPDATE projects
                 SET plan_end_told = $2
                 WHERE slug = $1 AND plan_ends_at = $2 AND (plan_end_told IS NULL OR plan_end_told <> $2)",
            )
            .bind(project.as_str())
            .bind(ended_at.micros());
            if update.execute(writing.connection()).await?.rows_affected() == 0 {
                return Ok(false);
            }
            for delivery in deliveries {
                insert_delivery(writing.connection(), delivery).await?;
            }
            let target = Target { kind: TargetKind::Project, id: project.to_string(), project: Some(project.clone()) };
            let ended = fields(json!({ "plan_ends_at": ended_at.to_string() }));
            writing.append(Action::PlanEnded, &target, None, Some(ended)).await?;
            writing.commit().await?;
            Ok(true)
        })
        .await
    }
}

/// The plan, at the version that is expected.
async fn read_plan(
    connection: &mut AnyConnection,
    slug: &Slug,
    expected: Option<u64>,
) -> Result<Option<Plan>, CatalogError> {
    let select = query(select_plans!("WHERE slug = $1")).bind(slug.as_str());
    let Some(plan) = select.fetch_optional(connection).await?.as_ref().map(plan).transpose()? else { return Ok(None) };
    if expected.is_some_and(|expected| expected != plan.version) {
        return Err(CatalogError::VersionConflict { current: plan.version });
    }
    Ok(Some(plan))
}

async fn read_tenant(connection: &mut AnyConnection, tenant: &Tenant) -> Result<TenantLimits, CatalogError> {
    let select = query(
        "SELECT project, grid, environment, limits, version
         FROM tenants
         WHERE project = $1 AND grid = $2 AND environment = $3",
    )
    .bind(tenant.project.as_str())
    .bind(tenant.grid.as_str())
    .bind(tenant.environment.as_str());
    let Some(row) = select.fetch_optional(connection).await? else {
        return Ok(TenantLimits { limits: Limits::default(), version: 1 });
    };
    let row = Reader::new(&row, "tenants", &["project", "grid", "environment"]);
    Ok(TenantLimits { limits: row.parsed("limits")?, version: row.count("version")? })
}

fn plan(row: &AnyRow) -> Result<Plan, CatalogError> {
    let row = Reader::new(row, "plans", &["slug"]);
    Ok(Plan {
        slug: row.parsed("slug")?,
        name: row.get("name")?,
        note: row.get("note")?,
        limits: [row.parsed("key_limits")?, row.parsed("tenant_limits")?, row.parsed("project_limits")?],
        max_active_keys: row.optional_number("max_active_keys")?,
        version: row.count("version")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn plan_target(slug: &Slug) -> Target {
    Target { kind: TargetKind::Plan, id: slug.to_string(), project: None }
}

fn of_plan(plan: &Plan) -> Fields {
    fields(json!({
        "name": plan.name,
        "note": plan.note,
        "key_limits": of_limits(plan.limits(Scope::Key)),
        "tenant_limits": of_limits(plan.limits(Scope::Tenant)),
        "project_limits": of_limits(plan.limits(Scope::Project)),
        "max_active_keys": plan.max_active_keys,
    }))
}
