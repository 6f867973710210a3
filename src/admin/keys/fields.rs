//! Fields that keys are created and edited with.

use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::problem::{Place, Problem};
use crate::catalog::Entity;
use crate::domain::key::Grant;
use crate::domain::tags::{MAX_TAGS, TagError, is_tag};
use crate::domain::{AllowedAddresses, Permissions, Slug, Tags, TokenKind, role};

/// The longest note, in characters.
const MAX_NOTE_LENGTH: usize = 1000;

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

/// What `asked` means for a key of `kind`.
///
/// # Errors
/// `role_not_found`, and `invalid` where the role is for another kind of key.
pub(super) fn grant(asked: Asked, kind: TokenKind) -> Result<Grant, Problem> {
    let slug = match asked {
        Asked::Own(permissions) => return Ok(Grant { role: None, permissions }),
        Asked::Role(slug) => slug,
    };
    let place = Place::field("role");
    let Some(role) = role::built_in(&slug) else {
        let fix = "the slug of a role that exists; create it first, or list those there are";
        return Err(Problem::not_found(Entity::Role).at(place, fix));
    };
    if role.kind != kind {
        let mut check = Check::default();
        let detail = format!("the role {slug} is for {} keys", role.kind.as_str());
        check.refuse(place, detail, format!("a role for {} keys", kind.as_str()));
        return Err(check.problem());
    }
    Ok(Grant { role: Some(role.slug), permissions: role.permissions })
}

/// The field `note`, which is kept as it is.
pub(super) fn note(check: &mut Check, text: &str) -> Option<String> {
    let fix = "at most 1000 characters without control characters other than line feeds";
    let place = Place::field("note");
    if text.chars().count() > MAX_NOTE_LENGTH {
        check.refuse(place, "the note has more than 1000 characters", fix);
    } else if let Some(position) = text.chars().position(|c| c.is_control() && c != '\n') {
        check.refuse(place, format!("character {} of the note is a control character", position + 1), fix);
    } else {
        return Some(text.to_owned());
    }
    None
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
