//! Granting: which permissions a request names, and whether its caller may give them away.

use super::AdminState;
use super::caller::Caller;
use super::check::Check;
use super::problem::{Place, Problem};
use crate::catalog::{CatalogError, Entity};
use crate::domain::authority::Granter;
use crate::domain::key::Grant;
use crate::domain::{Permission, Permissions, Slug, TokenKind};

/// The most permissions of one key or role.
const MAX_PERMISSIONS: usize = 100;

/// Whether `caller` may let a new key do what `permissions` hold: nobody grants what they lack, but whoever may create keys may let
/// them export. The catalog asks again in the transaction that writes them; asking before it spares minting a token in vain.
///
/// # Errors
/// `grant_refused`, with the first permission that is missing.
pub(super) fn require(caller: &Caller, permissions: &Permissions) -> Result<(), Problem> {
    let granter = Granter { key: caller.key, permissions: &caller.permissions };
    Ok(granter.may_grant(&Permissions::default(), permissions).map_err(CatalogError::from)?)
}

/// What a key of this kind and project (`None`: of the installation) may do by the role `slug`.
///
/// # Errors
/// `role_not_found`, pointing at the field `role`, where there is none for such keys.
pub(super) async fn by_role(
    state: &AdminState,
    kind: TokenKind,
    project: Option<&Slug>,
    slug: &Slug,
) -> Result<Grant, Problem> {
    let found = state.catalog.role(project, slug).await?.filter(|role| role.kind == kind);
    let role = found.ok_or_else(|| unknown_role(kind))?;
    Ok(Grant { role: Some(role.slug), permissions: role.permissions })
}

/// There is no such role for keys of `kind`.
pub(super) fn unknown_role(kind: TokenKind) -> Problem {
    let fix = format!("the slug of a role for {} keys; list those there are, or create it first", kind.as_str());
    Problem::not_found(Entity::Role).at(Place::field("role"), fix)
}

/// The permissions of a list that may be given to keys of `kind`; what is wrong with it is noted.
pub(super) fn permissions(check: &mut Check, kind: TokenKind, names: &[String]) -> Option<Permissions> {
    let place = || Place::field("permissions");
    if names.is_empty() {
        check.refuse(place(), "the list is empty", allowed(kind));
        return None;
    }
    if names.len() > MAX_PERMISSIONS {
        check.refuse(place(), format!("there are {}", names.len()), format!("at most {MAX_PERMISSIONS}"));
        return None;
    }
    let mut all = Permissions::default();
    let mut wrong = false;
    for (index, name) in names.iter().enumerate() {
        let mut one = Permissions::default();
        let detail = match one.insert(name) {
            Err(error) => error.to_string(),
            Ok(()) if one.first_unfit(kind).is_some() => format!("{} keys have no such permission", kind.as_str()),
            Ok(()) => {
                // It has just been read.
                let _ = all.insert(name);
                continue;
            }
        };
        wrong = true;
        check.refuse(Place::Pointer(format!("/permissions/{index}")), detail, allowed(kind));
    }
    (!wrong).then_some(all)
}

fn allowed(kind: TokenKind) -> String {
    let fitting = Permission::ALL.iter().filter(|one| one.is_telemetry_write() == (kind == TokenKind::Ingest));
    let every = (kind == TokenKind::Admin).then_some("*");
    let names: Vec<_> = every.into_iter().chain(fitting.map(|one| one.as_str())).collect();
    format!("one or more of {}, or names of your own such as customer.read", names.join(", "))
}
