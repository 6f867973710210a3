//! Roles of the installation's own making. The built-in ones are in the domain.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{AnyConnection, query};

use super::audit::{Fields, changed, fields};
use super::projects::require_project;
use super::store::{Store, collect, wrote_one};
use super::{CatalogError, Entity, Page, Paging, cursor, rows};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::role::{self, Custom, RoleEdit};
use crate::domain::{Actor, Changed, Role, Slug, TokenKind};

/// What the catalog keeps of roles.
#[async_trait]
pub trait Roles {
    /// Adds a role. [`CatalogError::Missing`] without its project, [`CatalogError::Exists`] where a role that is used in the same
    /// place has the slug already, [`CatalogError::Refused`] where the actor lacks what it holds.
    async fn create_role(&self, role: &Role, by: &Actor) -> Result<(), CatalogError>;

    /// The role that a key of `project` (`None`: of the installation) has by this slug: a built-in one, or one of the project, or
    /// one of the installation.
    async fn role(&self, project: Option<&Slug>, slug: &Slug) -> Result<Option<Role>, CatalogError>;

    /// Every role that keys of `project` (`None`: of the installation) can have, by slug. [`CatalogError::Cursor`] for a bad position.
    async fn roles(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Role>, CatalogError>;

    /// Edits a role that is not built in; `project` is the one that it belongs to. Every key that has it may then do what it holds
    /// then. `None` without such a role; [`CatalogError::VersionConflict`] at another version than `expected`,
    /// [`CatalogError::Refused`] where the actor lacks what it holds or would hold, [`CatalogError::LastOwner`] where no owner
    /// would be left.
    async fn change_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        edit: &RoleEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Role, Changed)>, CatalogError>;

    /// Deletes a role that is not built in. `None` without such a role; [`CatalogError::VersionConflict`] at another version than
    /// `expected`, [`CatalogError::Refused`] where the actor lacks what it holds, [`CatalogError::RoleInUse`] while a key that is
    /// not revoked has it.
    async fn delete_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<Role>, CatalogError>;
}

#[async_trait]
impl Roles for Store {
    async fn create_role(&self, role: &Role, by: &Actor) -> Result<(), CatalogError> {
        let Some(custom) = &role.custom else { return Err(CatalogError::Exists(Entity::Role)) };
        self.bounded(async {
            let mut writing = self.write(by).await?;
            if let Some(project) = &custom.project {
                require_project(writing.connection(), project).await?;
            }
            require_free_slug(writing.connection(), role).await?;
            writing.granter().map_or(Ok(()), |granter| granter.may_change_role(None, Some(role)))?;
            let insert = query(
                "INSERT INTO roles (project, slug, kind, name, note, permissions, version, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(column(custom.project.as_ref()))
            .bind(role.slug.as_str())
            .bind(role.kind.as_str())
            .bind(&role.name)
            .bind(&role.note)
            .bind(role.permissions.to_string())
            .bind(custom.version.cast_signed())
            .bind(custom.created_at.micros())
            .bind(custom.updated_at.micros());
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            writing.append(Action::RoleCreated, &target(role), None, Some(of_role(role))).await?;
            writing.commit().await
        })
        .await
    }

    async fn role(&self, project: Option<&Slug>, slug: &Slug) -> Result<Option<Role>, CatalogError> {
        self.bounded(async { usable(&mut *self.pool.acquire().await?, project, slug).await }).await
    }

    async fn roles(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Role>, CatalogError> {
        let after = cursor::after_slug(paging)?;
        let select = query(
            "SELECT project, slug, kind, name, note, permissions, version, created_at, updated_at
             FROM roles
             WHERE project IN ('', $1) AND slug > $2
             ORDER BY slug
             LIMIT $3",
        )
        .bind(column(project))
        .bind(after)
        .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let mut roles = collect(&select.fetch_all(&self.pool).await?, rows::role)?;
            roles.extend(role::all_built_in().into_iter().filter(|role| role.slug.as_str() > after));
            roles.sort_by(|one, other| one.slug.cmp(&other.slug));
            Ok(cursor::page(roles, paging, |role| role.slug.to_string()))
        })
        .await
    }

    async fn change_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        edit: &RoleEdit,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Role, Changed)>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some((before, custom)) = read(writing.connection(), project, slug, expected).await? else {
                return Ok(None);
            };
            let mut role = before.edited(edit);
            if role == before {
                return Ok(Some((role, Changed::Already)));
            }
            role.custom = Some(Custom { version: custom.version + 1, updated_at: by.at, ..custom.clone() });
            writing.granter().map_or(Ok(()), |granter| granter.may_change_role(Some(&before), Some(&role)))?;
            let had_owner = before.permissions.is_owner() && writing.has_owner().await?;
            let update = query(
                "UPDATE roles
                 SET name = $4, note = $5, permissions = $6, version = $7, updated_at = $8
                 WHERE project = $1 AND slug = $2 AND version = $3",
            )
            .bind(column(project))
            .bind(slug.as_str())
            .bind(custom.version.cast_signed())
            .bind(&role.name)
            .bind(&role.note)
            .bind(role.permissions.to_string())
            .bind((custom.version + 1).cast_signed())
            .bind(by.at.micros());
            wrote_one(update.execute(writing.connection()).await?.rows_affected())?;
            writing.keep_owner(had_owner).await?;
            let (old, new) = changed(of_role(&before), of_role(&role));
            writing.append(Action::RoleEdited, &target(&role), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some((role, Changed::Yes)))
        })
        .await
    }

    async fn delete_role(
        &self,
        project: Option<&Slug>,
        slug: &Slug,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<Role>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some((role, _)) = read(writing.connection(), project, slug, expected).await? else {
                return Ok(None);
            };
            writing.granter().map_or(Ok(()), |granter| granter.may_change_role(Some(&role), None))?;
            require_unused(writing.connection(), &role).await?;
            let delete = query("DELETE FROM roles WHERE project = $1 AND slug = $2");
            let deleted = delete.bind(column(project)).bind(slug.as_str()).execute(writing.connection()).await?;
            wrote_one(deleted.rows_affected())?;
            writing.append(Action::RoleDeleted, &target(&role), Some(of_role(&role)), None).await?;
            writing.commit().await?;
            Ok(Some(role))
        })
        .await
    }
}

/// The role that a key of `project` has by this slug.
pub(super) async fn usable(
    connection: &mut AnyConnection,
    project: Option<&Slug>,
    slug: &Slug,
) -> Result<Option<Role>, CatalogError> {
    if let Some(built_in) = role::built_in(slug) {
        return Ok(Some(built_in));
    }
    // The project's own sorts behind the empty text.
    let select = query(
        "SELECT project, slug, kind, name, note, permissions, version, created_at, updated_at
         FROM roles
         WHERE project IN ('', $1) AND slug = $2
         ORDER BY project DESC
         LIMIT 1",
    )
    .bind(column(project))
    .bind(slug.as_str());
    select.fetch_optional(connection).await?.as_ref().map(rows::role).transpose()
}

/// The role of exactly this project, at the version that is expected, with what only roles have that are not built in.
async fn read(
    connection: &mut AnyConnection,
    project: Option<&Slug>,
    slug: &Slug,
    expected: Option<u64>,
) -> Result<Option<(Role, Custom)>, CatalogError> {
    let found = usable(connection, project, slug).await?.filter(|role| role.project() == project);
    let Some((role, custom)) = found.and_then(|role| role.custom.clone().map(|custom| (role, custom))) else {
        return Ok(None);
    };
    if expected.is_some_and(|expected| expected != custom.version) {
        return Err(CatalogError::VersionConflict { current: custom.version });
    }
    Ok(Some((role, custom)))
}

/// A slug means one role wherever it is used: none of a project is named like one of the installation, nor like a built-in one.
async fn require_free_slug(connection: &mut AnyConnection, role: &Role) -> Result<(), CatalogError> {
    let select = query("SELECT slug FROM roles WHERE slug = $1 AND ($2 = '' OR project IN ('', $2)) LIMIT 1")
        .bind(role.slug.as_str())
        .bind(column(role.project()));
    let taken = role::built_in(&role.slug).is_some() || select.fetch_optional(connection).await?.is_some();
    if taken { Err(CatalogError::Exists(Entity::Role)) } else { Ok(()) }
}

async fn require_unused(connection: &mut AnyConnection, role: &Role) -> Result<(), CatalogError> {
    let select =
        query("SELECT id FROM keys WHERE role = $1 AND ($2 = '' OR project = $2) AND revoked_at IS NULL LIMIT 1")
            .bind(role.slug.as_str())
            .bind(column(role.project()));
    match select.fetch_optional(connection).await? {
        Some(_) => Err(CatalogError::RoleInUse),
        None => Ok(()),
    }
}

/// The project in the table: the empty text of a role of the installation.
fn column(project: Option<&Slug>) -> &str {
    project.map_or("", Slug::as_str)
}

fn target(role: &Role) -> Target {
    Target { kind: TargetKind::Role, id: role.slug.to_string(), project: role.project().cloned() }
}

fn of_role(role: &Role) -> Fields {
    fields(json!({
        "kind": TokenKind::as_str(role.kind),
        "name": role.name,
        "note": role.note,
        "permissions": role.permissions.names().collect::<Vec<_>>(),
    }))
}
