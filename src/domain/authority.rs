//! Authority: what keeps an admin key from reaching above itself. Which verbs it may use, its permissions say; this says on which keys
//! and roles, and what it can make of them.

use super::{Key, KeyChange, KeyId, Permission, Permissions, Role, Signal, TokenKind};

/// An admin key as far as it gives permissions away.
#[derive(Clone, Copy, Debug)]
pub struct Granter<'a> {
    /// Its id.
    pub key: KeyId,
    /// What it may do.
    pub permissions: &'a Permissions,
}

/// Why a key may not do to another key, or to a role, what it wants to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It would grant what it lacks.
    #[error("{key} lacks the permission {permission} and so cannot grant it")]
    Grant {
        /// The key that lacks it.
        key: KeyId,
        /// What it lacks, by name.
        permission: String,
    },
    /// What it would change holds more than itself.
    #[error("{key} lacks the permission {permission}, which {what} holds, and so cannot change it")]
    Above {
        /// The key that lacks it.
        key: KeyId,
        /// What it lacks, by name.
        permission: String,
        /// What holds it.
        what: &'static str,
    },
}

impl Granter<'_> {
    /// Whether keys that could do `already` may be let do `wanted`. Exporting is no permission of an admin key, so that the right to
    /// create keys is the right to let them export.
    ///
    /// # Errors
    /// [`AuthorityError::Grant`] with the first permission that would be new and is lacking.
    pub fn may_grant(&self, already: &Permissions, wanted: &Permissions) -> Result<(), AuthorityError> {
        let mut held = self.permissions.union(already);
        if self.permissions.contains(Permission::KeyCreate) {
            held.extend(Signal::ALL.map(Permission::write));
        }
        held.first_missing(wanted).map_or(Ok(()), |permission| {
            Err(AuthorityError::Grant { key: self.key, permission: permission.to_owned() })
        })
    }

    /// Whether `change` may make `after` of `before`. An admin key is out of reach of those who lack one of its permissions; and a new
    /// secret gives the whole key away.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn may_change(&self, before: &Key, change: &KeyChange, after: &Key) -> Result<(), AuthorityError> {
        if before.member && before.id != self.key {
            self.require_member(change)?;
        }
        match change {
            KeyChange::Mark(_) => return Ok(()),
            KeyChange::Regenerate(_) | KeyChange::Rotate { .. } => {
                self.may_grant(&Permissions::default(), &after.permissions)?;
            }
            _ => self.may_grant(&before.permissions, &after.permissions)?,
        }
        self.require_reach("the key", before.binding.kind(), &before.permissions)
    }

    /// Whether a role may be made (`before` is `None`), edited or deleted (`after` is `None`).
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn may_change_role(&self, before: Option<&Role>, after: Option<&Role>) -> Result<(), AuthorityError> {
        let none = Permissions::default();
        let held = |role: Option<&Role>| role.map_or_else(|| none.clone(), |role| role.permissions.clone());
        self.may_grant(&held(before), &held(after))?;
        before.map_or(Ok(()), |role| self.require_reach("the role", role.kind, &role.permissions))
    }

    /// A person's key is changed by those who may change people.
    fn require_member(&self, change: &KeyChange) -> Result<(), AuthorityError> {
        let needed = match change {
            KeyChange::Mark(_) => return Ok(()),
            KeyChange::Revoke => Permission::MemberDelete,
            _ => Permission::MemberUpdate,
        };
        if self.permissions.contains(needed) {
            return Ok(());
        }
        Err(AuthorityError::Above {
            key: self.key,
            permission: needed.as_str().to_owned(),
            what: "the change of a member",
        })
    }

    fn require_reach(
        &self,
        what: &'static str,
        kind: TokenKind,
        permissions: &Permissions,
    ) -> Result<(), AuthorityError> {
        let above = (kind == TokenKind::Admin).then(|| self.permissions.first_missing(permissions)).flatten();
        above.map_or(Ok(()), |permission| {
            Err(AuthorityError::Above { key: self.key, permission: permission.to_owned(), what })
        })
    }
}

/// Whether `key` is an owner for good: nothing that is known today will end it.
#[must_use]
pub fn is_standing_owner(key: &Key) -> bool {
    key.binding.kind() == TokenKind::Admin
        && key.permissions.is_owner()
        && key.revoked_at.is_none()
        && key.disabled_at.is_none()
        && key.expires_at.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::{DigestAlgorithm, NewSecret, SecretFormat, SecretMark};
    use crate::domain::{Binding, Digest, Tenant, Timestamp};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn set(text: &str) -> Permissions {
        text.parse().expect("permissions")
    }

    fn key(binding: Binding, permissions: &str) -> Key {
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        Key { permissions: set(permissions), ..Key::new(id, binding, "one", NOW) }
    }

    fn admin(permissions: &str) -> Key {
        key(Binding::Installation, permissions)
    }

    fn ingest(permissions: &str) -> Key {
        let slug = |text: &str| text.parse().expect("a slug");
        let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
        key(Binding::Tenant(tenant), permissions)
    }

    fn edit() -> KeyChange {
        KeyChange::Edit(Box::default())
    }

    fn regenerate() -> KeyChange {
        let digest = Digest::from_bytes([1; 32]);
        KeyChange::Regenerate(NewSecret { digest, algorithm: DigestAlgorithm::Sha256, format: SecretFormat::Uuid })
    }

    /// What is lacking, if anything is.
    fn lacking(result: Result<(), AuthorityError>) -> Option<(bool, String)> {
        result.err().map(|error| match error {
            AuthorityError::Grant { permission, .. } => (true, permission),
            AuthorityError::Above { permission, .. } => (false, permission),
        })
    }

    fn grants(permission: &str) -> (bool, String) {
        (true, permission.to_owned())
    }

    fn above(permission: &str) -> (bool, String) {
        (false, permission.to_owned())
    }

    #[test]
    fn nobody_grants_what_they_lack() {
        let of = |held: &str, already: &str, wanted: &str| {
            let granter = Granter { key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"), permissions: &set(held) };
            lacking(granter.may_grant(&set(already), &set(wanted)))
        };
        assert_eq!(of("api.key.view", "", "api.key.view"), None);
        assert_eq!(of("api.key.view", "", "api.key.view customer.read"), Some(grants("customer.read")));
        assert_eq!(of("api.key.view", "customer.read", "customer.read"), None);
        assert_eq!(of("api.key.view", "", "telemetry.logs.write"), Some(grants("telemetry.logs.write")));
        assert_eq!(of("api.key.create", "", "telemetry.logs.write"), None);
        assert_eq!(of("*", "", "* customer.read telemetry.logs.write"), None);
        assert_eq!(of("api.key.create", "", "*"), Some(grants("*")));
    }

    #[test]
    fn an_admin_key_is_changed_by_those_alone_who_hold_as_much() {
        let of = |held: &str, before: &Key, change: &KeyChange, after: &Key| {
            let granter = Granter { key: before.id, permissions: &set(held) };
            lacking(granter.may_change(before, change, after))
        };
        let owner = admin("*");
        for change in [KeyChange::Disable, KeyChange::Enable, KeyChange::Revoke, edit(), KeyChange::CompleteRotation] {
            assert_eq!(of("*", &owner, &change, &owner), None);
            assert_eq!(of("api.key.update api.key.delete", &owner, &change, &owner), Some(above("*")), "{change:?}");
            // An ingest key has nothing that its change would give away.
            let reader = ingest("customer.read telemetry.logs.write");
            assert_eq!(of("api.key.update", &reader, &change, &reader), None, "{change:?}");
        }
        // A new secret does.
        assert_eq!(of("api.key.create", &owner, &regenerate(), &owner), Some(grants("*")));
        let reader = ingest("customer.read telemetry.logs.write");
        assert_eq!(of("api.key.create", &reader, &regenerate(), &reader), Some(grants("customer.read")));
        assert_eq!(of("api.key.create customer.read", &reader, &regenerate(), &reader), None);
        assert_eq!(of("", &owner, &KeyChange::Mark(SecretMark::Exposed), &owner), None);
        // Nobody raises themselves, or others.
        let (low, high) = (admin("api.key.update"), admin("api.key.update role.create"));
        assert_eq!(of("api.key.update", &low, &edit(), &high), Some(grants("role.create")));
        assert_eq!(of("api.key.update", &high, &edit(), &low), Some(above("role.create")));
        assert_eq!(of("api.key.update role.create", &high, &edit(), &low), None);
    }

    #[test]
    fn a_role_is_changed_by_those_alone_who_hold_as_much() {
        let role = |kind, permissions: &str| Role {
            slug: "support".parse().expect("a slug"),
            kind,
            name: String::new(),
            note: String::new(),
            permissions: set(permissions),
            custom: None,
        };
        let of = |held: &str, before: Option<&Role>, after: Option<&Role>| {
            let granter = Granter { key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"), permissions: &set(held) };
            lacking(granter.may_change_role(before, after))
        };
        let (low, high) =
            (role(TokenKind::Admin, "api.key.view"), role(TokenKind::Admin, "api.key.view license.manage"));
        assert_eq!(of("api.key.view", None, Some(&low)), None);
        assert_eq!(of("api.key.view", None, Some(&high)), Some(grants("license.manage")));
        assert_eq!(of("api.key.view", Some(&low), Some(&high)), Some(grants("license.manage")));
        assert_eq!(of("api.key.view", Some(&high), Some(&low)), Some(above("license.manage")));
        assert_eq!(of("api.key.view", Some(&high), None), Some(above("license.manage")));
        assert_eq!(of("*", Some(&high), None), None);
        let exporting = role(TokenKind::Ingest, "customer.read telemetry.logs.write");
        assert_eq!(of("api.key.create", None, Some(&exporting)), Some(grants("customer.read")));
        assert_eq!(of("customer.read", None, Some(&exporting)), Some(grants("telemetry.logs.write")));
        assert_eq!(of("", Some(&exporting), Some(&role(TokenKind::Ingest, "customer.read"))), None);
    }

    #[test]
    fn an_owner_stands_while_nothing_ends_it() {
        assert!(is_standing_owner(&admin("*")));
        for other in [
            admin("api.key.view"),
            ingest("*"),
            Key { revoked_at: Some(NOW), ..admin("*") },
            Key { disabled_at: Some(NOW), ..admin("*") },
            Key { expires_at: Some(NOW), ..admin("*") },
        ] {
            assert!(!is_standing_owner(&other), "{other:?}");
        }
    }
}
