//! `PATCH /roles/{slug}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleView, changeable, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, RolePath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::keys::to_the_end;
use crate::admin::openapi::schemas;
use crate::admin::page::Parameters;
use crate::admin::precondition::{IfMatch, etag};
use crate::admin::problem::{Place, Problem};
use crate::catalog::Entity;
use crate::domain::role::RoleEdit;
use crate::domain::{Permission, TokenKind};

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedRole {
    /// Free text for people.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// More text for people.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Note, required = false)]
    pub note: Option<String>,
    /// What it holds.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Permissions, required = false)]
    pub permissions: Option<Vec<String>>,
}

/// Changes a role, and with it what every key may do that has it.
#[utoipa::path(
    patch, path = "/roles/{slug}", tag = "roles", operation_id = "edit_role",
    security(("bearer" = ["role.update"])),
    params(("slug" = schemas::Slug, Path), schemas::ProjectQuery, schemas::RequiredIfMatch),
    request_body(content((EditedRole = "application/merge-patch+json"), (EditedRole = "application/json"))),
    responses(
        (status = 200, body = RoleView, headers(("etag"))),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found, role_not_found"),
        (status = 409, description = "role_built_in, last_owner"),
        (status = 412, description = "version_conflict"),
        (status = 428, description = "precondition_required"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    RolePath(slug): RolePath,
    parameters: Parameters,
    if_match: IfMatch,
    body::MergePatch(edited): body::MergePatch<EditedRole>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::RoleUpdate)?;
    let role = visible(&state, &caller, parameters, &slug).await?;
    let custom = changeable(&caller, &role)?;
    let expected = if_match.required(custom.version)?;
    let project = custom.project.clone();
    let edit = read(&edited, role.kind)?;
    let changed = to_the_end(async move {
        let changed = state.catalog.change_role(project.as_ref(), &slug, &edit, expected, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.all_keys_changed)();
        changed
    })
    .await??;
    let (role, _) = changed.ok_or_else(|| Problem::not_found(Entity::Role))?;
    let role = RoleView::from(role);
    Ok((etag(role.version.unwrap_or_default()), Json(role)))
}

fn read(edited: &EditedRole, kind: TokenKind) -> Result<RoleEdit, Problem> {
    let mut check = Check::default();
    let name = edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name)));
    let note = check.note(Place::field("note"), edited.note.as_deref());
    let names = edited.permissions.as_deref();
    let permissions = names.and_then(|names| grant::permissions(&mut check, kind, names));
    check.finish(Some(RoleEdit { name, note, permissions }))
}
