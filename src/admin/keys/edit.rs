//! `PATCH /keys/{id}`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::{self, Asked};
use super::{Answer, KeyView, answer, make, point, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, CheckedPatch, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms::NewLimit;
use crate::domain::key::KeyEdit;
use crate::domain::{Key, KeyChange, Permission, Timestamp};

/// The body, a JSON merge patch (RFC 7396): what is absent stays, what is null is removed.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyPatch {
    /// The name, which cannot be removed.
    #[serde(deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// The note.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<Option<String>>,
    /// The tags, all of them.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schemas::Tag>>, max_items = 20)]
    pub tags: Option<Option<Vec<String>>>,
    /// The customer or owner.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Name>)]
    pub owner: Option<Option<String>>,
    /// The role, in place of permissions of its own.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Slug>)]
    pub role: Option<Option<String>>,
    /// Permissions of its own, in place of a role.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Permissions>)]
    pub permissions: Option<Option<Vec<String>>>,
    /// Where it may be used from, all of it; removed: from anywhere.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    pub allowed_addresses: Option<Option<Vec<String>>>,
    /// The limits of its own, all of them; removed: none. This needs `quota.update`.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<NewLimit>>, max_items = 35)]
    pub limits: Option<Option<Vec<NewLimit>>>,
    /// The expiry.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<Option<String>>,
}

const NEVER: &str = "leave it out: it never changes; create another key";
const STATUS: &str = "leave it out; use disable, enable or revoke";
const OWN: &str = "leave it out: it follows from what happens to the key";

impl body::Patch for KeyPatch {
    const FIXED: &[(&str, &str)] = &[
        ("id", NEVER),
        ("kind", NEVER),
        ("project", NEVER),
        ("grid", NEVER),
        ("environment", NEVER),
        ("member", NEVER),
        ("masked", NEVER),
        ("created_at", NEVER),
        ("created_by", NEVER),
        ("format", "leave it out; the token of a key's next secret is Gridgate's own"),
        ("secrets", "leave it out; use rotate or regenerate"),
        ("token", "leave it out; use rotate or regenerate"),
        ("rotation", "leave it out; use rotate, rotation/complete or rotation/cancel"),
        ("disabled", STATUS),
        ("status", STATUS),
        ("disabled_at", STATUS),
        ("revoked_at", STATUS),
        ("version", "leave it out; say by if-match which version the edit is meant for"),
        ("updated_at", OWN),
        ("last_used_at", OWN),
        ("last_used_address", OWN),
        ("last_used_user_agent", OWN),
        ("attention", OWN),
    ];
}

/// Edits a key: its name, note, tags, owner, role or permissions, addresses, limits and expiry.
///
/// What the edit says holds from the answer on, on open connections too. Moving the expiry of an expired key renews it.
#[utoipa::path(
    patch, path = "/keys/{id}", tag = "keys", operation_id = "edit_key",
    security(("bearer" = ["api.key.update"])),
    params(("id" = schemas::KeyId, Path), schemas::RequiredIfMatch),
    request_body(content((KeyPatch = "application/merge-patch+json"), (KeyPatch = "application/json"))),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found, role_not_found"),
        (status = 409, description = "key_exists, key_revoked, key_limit_reached"),
        (status = 412, description = "version_conflict"),
        (status = 428, description = "precondition_required"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    mut caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    CheckedPatch(patch, check): CheckedPatch<KeyPatch>,
) -> Result<Answer<KeyView>, Problem> {
    caller.require(Permission::KeyUpdate)?;
    let key = visible(&state, &caller, &id).await?;
    fields::require_quota(&mut caller, patch.limits.is_some())?;
    let expected = if_match.required(key.version)?;
    let now = caller.actor.at;
    let (mut edit, asked) = read(&patch, check, &key, now)?;
    if let Some(asked) = asked {
        edit.grant = Some(fields::grant(&state, key.binding.kind(), key.binding.project(), asked).await?);
    }
    let environments = state.catalog.environments().await?;
    let key = make(state, caller.actor, id, KeyChange::Edit(Box::new(edit)), expected).await?.map_err(point)?;
    Ok(answer(&key, &environments, now))
}

fn read(patch: &KeyPatch, mut check: Check, key: &Key, now: Timestamp) -> Result<(KeyEdit, Option<Asked>), Problem> {
    let name = patch.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name)));
    let note = patch.note.as_ref().map(|note| note.as_deref().unwrap_or_default());
    let note = check.note(Place::field("note"), note);
    let tags = patch.tags.as_ref().map(|tags| tags.as_deref().unwrap_or_default());
    let tags = tags.and_then(|tags| fields::tags(&mut check, tags));
    let owner = patch.owner.as_ref().map(|owner| {
        let owner = owner.as_deref()?;
        check.line(Place::field("owner"), "the owner", owner)
    });
    let asked = asked(&mut check, patch, key);
    let allowed = patch.allowed_addresses.as_ref().map(|entries| entries.as_deref().unwrap_or_default());
    let allowed = allowed.and_then(|entries| fields::allowed(&mut check, entries));
    let limits = patch.limits.as_ref().map(|limits| limits.as_deref().unwrap_or_default());
    let limits = limits.and_then(|limits| fields::limits(&mut check, key.binding.kind(), limits));
    let expires_at = patch.expires_at.as_ref();
    let expires_at = expires_at.map(|text| check.future(Place::field("expires_at"), text.as_deref(), now));
    check.finish(Some((KeyEdit { name, note, tags, owner, grant: None, allowed, limits, expires_at }, asked)))
}

/// Role and permissions. One comes in the place of the other, so that to remove what a key has without giving it the other leaves
/// nothing.
fn asked(check: &mut Check, patch: &KeyPatch, key: &Key) -> Option<Asked> {
    let (role, permissions) = (patch.role.as_ref(), patch.permissions.as_ref());
    let (role_given, own_given) = (role.is_some_and(Option::is_some), permissions.is_some_and(Option::is_some));
    let detail = "nothing would be left that the key may do";
    if role == Some(&None) && key.role.is_some() && !own_given {
        check.refuse(Place::field("role"), detail, "another role, or permissions");
    }
    if permissions == Some(&None) && key.role.is_none() && !role_given {
        check.refuse(Place::field("permissions"), detail, "other permissions, or a role");
    }
    let (role, permissions) = (role.and_then(Option::as_deref), permissions.and_then(Option::as_deref));
    fields::asked(check, key.binding.kind(), role, permissions)
}
