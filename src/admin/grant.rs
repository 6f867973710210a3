//! Granting: which permissions a request names, and whether its caller may give them away.

use super::caller::Caller;
use super::check::Check;
use super::problem::{Code, Place, Problem};
use crate::domain::{Permission, Permissions, Signal, TokenKind};

/// The most permissions of one key or role.
const MAX_PERMISSIONS: usize = 100;

/// Whether `caller` may let a key, or keys by a role, do what `permissions` hold: nobody grants what they lack. Exporting is
/// no permission of an admin key, so that the right to create keys is the right to let them export.
///
/// # Errors
/// `grant_refused`, with the first permission that is missing.
pub(super) fn require(caller: &Caller, permissions: &Permissions) -> Result<(), Problem> {
    let mut held = caller.permissions.clone();
    held.extend(Signal::ALL.map(Permission::write));
    held.first_missing(permissions).map_or(Ok(()), |missing| {
        let detail = format!("{} lacks the permission {missing} and so cannot grant it", caller.key);
        Err(Problem::new(Code::GrantRefused, detail))
    })
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
