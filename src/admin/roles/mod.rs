//! Roles: the built-in ones, those of the installation, and those of one project.

pub mod create;
pub(super) mod delete;
pub mod edit;
pub(super) mod list;
pub(super) mod show;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::check::Check;
use super::openapi::schemas;
use super::page::{Parameters, parameter};
use super::problem::{Code, Problem};
use super::projects;
use crate::catalog::Entity;
use crate::domain::role::Custom;
use crate::domain::{Role, Slug};

/// A role in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoleView {
    /// What it is named in keys.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// The kind of key that it is for, `ingest` or `admin`.
    #[schema(value_type = schemas::KeyKind)]
    pub kind: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// More text for people.
    #[schema(value_type = schemas::Note)]
    pub note: String,
    /// The project that it belongs to; none of a role that keys everywhere can have.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// What it holds.
    #[schema(value_type = schemas::Permissions)]
    pub permissions: Vec<String>,
    /// Whether it is built in, and cannot be changed.
    pub built_in: bool,
    /// Counts its changes; none of a built-in one, nor of the instants.
    pub version: Option<u64>,
    /// When it was created.
    #[schema(value_type = Option<schemas::Instant>)]
    pub created_at: Option<String>,
    /// When it was last changed.
    #[schema(value_type = Option<schemas::Instant>)]
    pub updated_at: Option<String>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        let custom = role.custom.as_ref();
        Self {
            slug: role.slug.to_string(),
            kind: role.kind.as_str().to_owned(),
            project: role.project().map(Slug::to_string),
            permissions: role.permissions.names().map(str::to_owned).collect(),
            built_in: custom.is_none(),
            version: custom.map(|custom| custom.version),
            created_at: custom.map(|custom| custom.created_at.to_string()),
            updated_at: custom.map(|custom| custom.updated_at.to_string()),
            name: role.name,
            note: role.note,
        }
    }
}

/// The project whose keys' roles a request is about: the one it names, or else the caller's own. `None`: the installation.
async fn place(state: &AdminState, caller: &Caller, named: Option<Slug>) -> Result<Option<Slug>, Problem> {
    match named {
        Some(project) => Ok(Some(projects::visible(state, caller, &project).await?.slug)),
        None => Ok(caller.binding.project().cloned()),
    }
}

/// The role `slug` in the place that the parameter `project` names.
async fn visible(
    state: &AdminState,
    caller: &Caller,
    mut parameters: Parameters,
    slug: &Slug,
) -> Result<Role, Problem> {
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    parameters.finish(&mut check, &["project"]);
    let project = check.finish(Some(project))?;
    let project = place(state, caller, project).await?;
    state.catalog.role(project.as_ref(), slug).await?.ok_or_else(|| Problem::not_found(Entity::Role))
}

/// Requires that the caller may change `role`: not a built-in one, and one of the installation only as its admin.
fn changeable<'r>(caller: &Caller, role: &'r Role) -> Result<&'r Custom, Problem> {
    let Some(custom) = &role.custom else {
        let detail = format!("{} is built in and never changes; create a role with what you need", role.slug);
        return Err(Problem::new(Code::RoleBuiltIn, detail));
    };
    if custom.project.is_none() {
        caller.require_installation()?;
    }
    Ok(custom)
}
