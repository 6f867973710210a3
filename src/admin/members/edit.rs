//! `PATCH /members/{id}`

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyView, change, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::domain::key::KeyEdit;
use crate::domain::{KeyChange, Permission, Timestamp, TokenKind};

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedMember {
    /// The person's name.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// The slug of a role for admin keys.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Slug, required = false)]
    pub role: Option<String>,
    /// More text for people.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Note, required = false)]
    pub note: Option<String>,
    /// RFC 3339; null removes it.
    #[serde(default, deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<Option<String>>,
}

/// Changes a member's name, role, note or expiry. The project stays.
#[utoipa::path(
    patch, path = "/members/{id}", tag = "members", operation_id = "edit_member",
    security(("bearer" = ["member.update"])),
    params(("id" = schemas::KeyId, Path), schemas::RequiredIfMatch),
    request_body(content((EditedMember = "application/merge-patch+json"), (EditedMember = "application/json"))),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found, role_not_found"),
        (status = 409, description = "key_exists, key_revoked, last_owner"),
        (status = 412, description = "version_conflict"),
        (status = 428, description = "precondition_required"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    body::MergePatch(edited): body::MergePatch<EditedMember>,
) -> Result<Response, Problem> {
    caller.require(Permission::MemberUpdate)?;
    let member = visible(&state, &caller, &id).await?;
    let expected = if_match.required(member.version)?;
    let mut check = Check::default();
    let role = check.slug(Place::field("role"), edited.role.as_deref());
    let edit = read(&mut check, &edited, caller.actor.at);
    let mut edit = check.finish(Some(edit))?;
    if let Some(role) = role {
        edit.grant = Some(grant::by_role(&state, TokenKind::Admin, member.binding.project(), &role).await?);
    }
    change(state, caller, id, KeyChange::Edit(Box::new(edit)), expected).await
}

fn read(check: &mut Check, edited: &EditedMember, now: Timestamp) -> KeyEdit {
    let expires_at = edited.expires_at.as_ref().map(Option::as_deref);
    KeyEdit {
        name: edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name))),
        note: check.note(Place::field("note"), edited.note.as_deref()),
        expires_at: expires_at.map(|text| check.future(Place::field("expires_at"), text, now)),
        ..KeyEdit::default()
    }
}
