//! Keys: who may send or administer, for how long, and in which state.

use std::fmt;

use super::{Digest, KeyId, Permissions, Slug, Tenant, Timestamp, TokenKind};

/// A key: bound for life to what it opens. Its secrets are beside it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id.
    pub id: KeyId,
    /// What it opens, for life.
    pub binding: Binding,
    /// Free text for people.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// When it was created.
    pub created_at: Timestamp,
    /// The admin key that created it; `None` for the first, which `bootstrap` made.
    pub created_by: Option<KeyId>,
    /// From this instant on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Set while it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Set once it is revoked, for ever.
    pub revoked_at: Option<Timestamp>,
    /// Its secrets, newest first; one or two of them live.
    pub secrets: Vec<Secret>,
}

/// What a key is bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Binding {
    /// An ingest key: exactly one tenant.
    Tenant(Tenant),
    /// An admin key of one project.
    Project(Slug),
    /// An admin key of everything.
    Installation,
}

impl Binding {
    /// The kind of token that opens it.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        match self {
            Self::Tenant(_) => TokenKind::Ingest,
            Self::Project(_) | Self::Installation => TokenKind::Admin,
        }
    }

    /// The project it belongs to, if it is not the whole installation.
    #[must_use]
    pub const fn project(&self) -> Option<&Slug> {
        match self {
            Self::Tenant(tenant) => Some(&tenant.project),
            Self::Project(project) => Some(project),
            Self::Installation => None,
        }
    }

    /// Whether who holds `self` may see and change what belongs to `project` (`None`: to the installation).
    #[must_use]
    pub fn covers(&self, project: Option<&Slug>) -> bool {
        match self {
            Self::Installation => true,
            Self::Project(own) => Some(own) == project,
            Self::Tenant(_) => false,
        }
    }
}

/// One secret of a key; only its digest is kept.
#[derive(Clone, Debug)]
pub struct Secret {
    /// 1 for the first, counting up.
    pub version: u32,
    /// What is stored of it.
    pub digest: Digest,
    /// The version of the pepper under which the digest was taken.
    pub pepper: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this instant on it is refused; `None`: it is the current one.
    pub retires_at: Option<Timestamp>,
}

/// The state of a secret at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretState {
    /// The one that is shown to whoever asks for the newest.
    Current,
    /// Still good until the instant.
    Retiring {
        /// From this instant on it is refused.
        until: Timestamp,
    },
    /// No longer good.
    Retired,
}

impl Secret {
    /// The state at `now`. At the very instant of retirement it is retired.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SecretState {
        match self.retires_at {
            None => SecretState::Current,
            Some(until) if now < until => SecretState::Retiring { until },
            Some(_) => SecretState::Retired,
        }
    }
}

/// The computed status of a key, in order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyStatus {
    /// Permanently refused.
    Revoked,
    /// Refused since its expiry, until the expiry is changed.
    Expired,
    /// Refused until it is enabled.
    Disabled,
    /// Accepted.
    Active,
}

impl KeyStatus {
    /// Every status, in order of precedence.
    pub const ALL: [Self; 4] = [Self::Revoked, Self::Expired, Self::Disabled, Self::Active];

    /// The status's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Active => "active",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of a key's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyChange {
    /// Refuse until enabled.
    Disable,
    /// Undo a disable.
    Enable,
    /// Refuse for ever.
    Revoke,
}

/// What a change did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Changed {
    /// The state is new.
    Yes,
    /// The key was in that state already; nothing was written.
    Already,
}

/// Why a change of state is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChangeRefused {
    /// Nothing but a purge happens to a revoked key.
    #[error("the key is revoked, which is permanent; create a new key")]
    Revoked,
    /// An expired key is not enabled by enabling it.
    #[error("the key has expired; extend its expiry first")]
    Expired,
}

impl Key {
    /// The status at `now`. At the very instant of expiry the key has expired.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            KeyStatus::Expired
        } else if self.disabled_at.is_some() {
            KeyStatus::Disabled
        } else {
            KeyStatus::Active
        }
    }

    /// Makes `change` at `now`.
    ///
    /// # Errors
    /// Where the change is not possible from the present status.
    pub fn apply(&mut self, change: KeyChange, now: Timestamp) -> Result<Changed, ChangeRefused> {
        match (change, self.status(now)) {
            (KeyChange::Revoke, KeyStatus::Revoked) => Ok(Changed::Already),
            (KeyChange::Revoke, _) => {
                self.revoked_at = Some(now);
                Ok(Changed::Yes)
            }
            (_, KeyStatus::Revoked) => Err(ChangeRefused::Revoked),
            (KeyChange::Enable, KeyStatus::Expired) => Err(ChangeRefused::Expired),
            (KeyChange::Disable, _) => Ok(if self.disabled_at.is_some() {
                Changed::Already
            } else {
                self.disabled_at = Some(now);
                Changed::Yes
            }),
            (KeyChange::Enable, _) => {
                Ok(if self.disabled_at.take().is_some() { Changed::Yes } else { Changed::Already })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn key() -> Key {
        Key {
            id: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            binding: Binding::Installation,
            name: "one".to_owned(),
            permissions: Permissions::default(),
            created_at: Timestamp::from_micros(0),
            created_by: None,
            expires_at: None,
            disabled_at: None,
            revoked_at: None,
            secrets: Vec::new(),
        }
    }

    #[test]
    fn revoked_hides_expired_hides_disabled() {
        let mut key = key();
        assert_eq!(key.status(NOW), KeyStatus::Active);
        key.disabled_at = Some(NOW);
        assert_eq!(key.status(NOW), KeyStatus::Disabled);
        key.expires_at = Some(NOW);
        assert_eq!(key.status(NOW), KeyStatus::Expired);
        key.revoked_at = Some(NOW);
        assert_eq!(key.status(NOW), KeyStatus::Revoked);
    }

    #[test]
    fn expiry_is_exact() {
        let key = Key { expires_at: Some(NOW), ..key() };
        assert_eq!(key.status(Timestamp::from_micros(999_999)), KeyStatus::Active);
        assert_eq!(key.status(NOW), KeyStatus::Expired);
    }

    /// Every change from every status.
    #[test]
    fn transitions() {
        use KeyChange::{Disable, Enable, Revoke};
        let active = key();
        let disabled = Key { disabled_at: Some(NOW), ..key() };
        let expired = Key { expires_at: Some(NOW), ..key() };
        let revoked = Key { revoked_at: Some(NOW), ..key() };
        for (key, change, expected, status) in [
            (&active, Disable, Ok(Changed::Yes), KeyStatus::Disabled),
            (&active, Enable, Ok(Changed::Already), KeyStatus::Active),
            (&active, Revoke, Ok(Changed::Yes), KeyStatus::Revoked),
            (&disabled, Disable, Ok(Changed::Already), KeyStatus::Disabled),
            (&disabled, Enable, Ok(Changed::Yes), KeyStatus::Active),
            (&disabled, Revoke, Ok(Changed::Yes), KeyStatus::Revoked),
            (&expired, Disable, Ok(Changed::Yes), KeyStatus::Expired),
            (&expired, Enable, Err(ChangeRefused::Expired), KeyStatus::Expired),
            (&expired, Revoke, Ok(Changed::Yes), KeyStatus::Revoked),
            (&revoked, Disable, Err(ChangeRefused::Revoked), KeyStatus::Revoked),
            (&revoked, Enable, Err(ChangeRefused::Revoked), KeyStatus::Revoked),
            (&revoked, Revoke, Ok(Changed::Already), KeyStatus::Revoked),
        ] {
            let mut key = key.clone();
            assert_eq!(key.apply(change, NOW), expected);
            assert_eq!(key.status(NOW), status);
        }
    }

    #[test]
    fn a_retiring_secret_is_good_until_its_instant() {
        let mut secret =
            Secret { version: 1, digest: Digest::from_bytes([0; 32]), pepper: 1, created_at: NOW, retires_at: None };
        assert_eq!(secret.state(NOW), SecretState::Current);
        let until = Timestamp::from_micros(NOW.micros() + 1);
        secret.retires_at = Some(until);
        assert_eq!(secret.state(NOW), SecretState::Retiring { until });
        assert_eq!(secret.state(until), SecretState::Retired);
    }

    #[test]
    fn an_admin_key_of_a_project_covers_nothing_else() {
        let shop: Slug = "shop".parse().expect("a slug");
        let bank: Slug = "bank".parse().expect("a slug");
        let own = Binding::Project(shop.clone());
        assert!(own.covers(Some(&shop)));
        assert!(!own.covers(Some(&bank)));
        assert!(!own.covers(None));
        assert!(Binding::Installation.covers(None));
    }
}
