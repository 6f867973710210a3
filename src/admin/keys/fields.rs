//! Fields that keys are created and edited with.

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms::{self, NewLimit};
use crate::domain::key::Grant;
use crate::domain::tags::{MAX_TAGS, TagError, is_tag};
use crate::domain::{AllowedAddresses, Limits, Permission, Permissions, Slug, Tags, TokenKind};

/// What a key may do, as a request says it.
#[derive(Debug)]
pub(super) enum Asked {
    /// What the role holds.
    Role(Slug),
    /// These permissions.
    Own(Permissions),
}

/// The fields `role` and `permissions`, of which one may be there.
pub(super) fn asked(
    check: &mut Check,
    kind: TokenKind,
    role: Option<&str>,
    permissions: Option<&[String]>,
) -> Option<Asked> {
    if role.is_some() && permissions.is_some() {
        let detail = "a key has either a role or permissions of its own";
        check.refuse(Place::field("permissions"), detail, "leave out role or permissions");
    }
    let own = permissions.and_then(|names| grant::permissions(check, kind, names)).map(Asked::Own);
    let role = check.slug(Place::field("role"), role).map(Asked::Role);
    role.or(own)
}

/// What `asked` means for a key of `kind` and `project` (`None`: of the installation).
///
/// # Errors
/// `role_not_found`, pointing at the field `role`.
pub(super) async fn grant(
    state: &AdminState,
    kind: TokenKind,
    project: Option<&Slug>,
    asked: Asked,
) -> Result<Grant, Problem> {
    match asked {
        Asked::Role(slug) => grant::by_role(state, kind, project, &slug).await,
        Asked::Own(permissions) => Ok(Grant { role: None, permissions }),
    }
}

/// The field `tags`.
pub(super) fn tags(check: &mut Check, tags: &[String]) -> Option<Tags> {
    let fix = format!("at most {MAX_TAGS} tags of 1 to 40 characters of a-z and 0-9, with . _ : / - between them");
    let texts = || tags.iter().map(String::as_str);
    match Tags::new(texts()) {
        Ok(tags) => return Some(tags),
        Err((_, TagError::TooMany)) => check.refuse(Place::field("tags"), TagError::TooMany.to_string(), &*fix),
        Err((_, TagError::Form)) => {
            for (index, _) in texts().enumerate().filter(|(_, tag)| !is_tag(tag)).take(MAX_TAGS) {
                check.refuse(Place::Pointer(format!("/tags/{index}")), TagError::Form.to_string(), &*fix);
            }
        }
    }
    None
}

/// The field `limits`.
pub(super) fn limits(check: &mut Check, kind: TokenKind, limits: &[NewLimit]) -> Option<Limits> {
    if kind == TokenKind::Admin && !limits.is_empty() {
        check.refuse(Place::field("limits"), "an admin key has none", "leave it out, or create an ingest key");
        return None;
    }
    terms::limits(check, "/limits", limits)
}

/// Requires what it takes to limit a key, if a request does; also in the transaction of the change.
///
/// # Errors
/// `permission_denied`, pointing at the field `limits`.
pub(super) fn require_quota(caller: &mut Caller, limits: bool) -> Result<(), Problem> {
    if !limits {
        return Ok(());
    }
    let required = caller.require(Permission::QuotaUpdate);
    required.map_err(|problem| problem.at(Place::field("limits"), "leave it out"))?;
    caller.actor.needs.extend([Permission::QuotaUpdate]);
    Ok(())
}

/// The field `allowed_addresses`.
pub(super) fn allowed(check: &mut Check, entries: &[String]) -> Option<AllowedAddresses> {
    let fix = "addresses and ranges in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32; none: from anywhere";
    match AllowedAddresses::new(entries.iter().map(String::as_str)) {
        Ok(allowed) => Some(allowed),
        Err(wrong) => {
            for error in wrong {
                let place = Place::Pointer(format!("/allowed_addresses/{}", error.index));
                check.refuse(place, format!("it {}", error.fault), fix);
            }
            None
        }
    }
}
