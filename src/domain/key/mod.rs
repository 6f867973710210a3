//! Keys: who may send or administer, for how long, and in which state.

mod change;
mod secret;

use std::fmt;

use super::{AllowedAddresses, KeyId, Limits, Permissions, Slug, Tags, Tenant, Timestamp, TokenKind};
pub use change::{
    ChangeRefused, Changed, Grant, KeyChange, KeyEdit, MAX_OVERLAP, MAX_RETIRED, NewSecret, Overlap, SecretMark,
};
pub use secret::{DigestAlgorithm, Secret, SecretFormat, SecretState, SecretUse};

/// A key: bound for life to what it opens. Its secrets are beside it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id.
    pub id: KeyId,
    /// What it opens, for life.
    pub binding: Binding,
    /// Free text for people.
    pub name: String,
    /// More text for people, such as where the key is used.
    pub note: String,
    /// Labels to find it by.
    pub tags: Tags,
    /// The customer or owner that it is for, in words for people.
    pub owner: Option<String>,
    /// The role that it has; `None` where its permissions are its own.
    pub role: Option<Slug>,
    /// What it may do: of a key with a role, what the role holds at present.
    pub permissions: Permissions,
    /// Where it may be used from.
    pub allowed: AllowedAddresses,
    /// The limits of its own, which come before those that its project's plan has for keys; none of an admin key.
    pub limits: Limits,
    /// Whether it is a person's: an admin key that stands for a member.
    pub member: bool,
    /// 1 when it is made, counting up with each change.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// The admin key that created it; `None` for the first, which `bootstrap` made.
    pub created_by: Option<KeyId>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// From this instant on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Set while it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Set once it is revoked, for ever.
    pub revoked_at: Option<Timestamp>,
    /// When a secret of it was last found in public.
    pub exposed_at: Option<Timestamp>,
    /// When somebody last confirmed that it is still needed.
    pub reviewed_at: Option<Timestamp>,
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

impl Key {
    /// A key without rights, limits and secrets, made at `now`.
    #[must_use]
    pub fn new(id: KeyId, binding: Binding, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            binding,
            name: name.into(),
            note: String::new(),
            tags: Tags::default(),
            owner: None,
            role: None,
            permissions: Permissions::default(),
            allowed: AllowedAddresses::default(),
            limits: Limits::default(),
            member: false,
            version: 1,
            created_at: now,
            created_by: None,
            updated_at: now,
            expires_at: None,
            disabled_at: None,
            revoked_at: None,
            exposed_at: None,
            reviewed_at: None,
            secrets: Vec::new(),
        }
    }

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

    /// When a secret of the key was last used, as far as that has been written down.
    #[must_use]
    pub fn last_used(&self) -> Option<&SecretUse> {
        self.secrets.iter().filter_map(|secret| secret.used.as_ref()).max_by_key(|used| used.last_at)
    }

    /// The state of one of its secrets at `now`. A clock that is behind the key's last change brings nothing back.
    #[must_use]
    pub fn secret_state(&self, secret: &Secret, now: Timestamp) -> SecretState {
        secret.state(now.max(self.updated_at))
    }

    /// Whether a secret that was found in public is still good at `now`.
    #[must_use]
    pub fn is_exposed(&self, now: Timestamp) -> bool {
        let good = |secret: &&Secret| secret.state(now) != SecretState::Retired;
        self.exposed_at.is_some_and(|at| self.secrets.iter().filter(good).any(|secret| secret.created_at <= at))
    }

    /// The overlap of a rotation at `now`: the secret that is current, and the one that still retires. `None` outside of a
    /// rotation.
    #[must_use]
    pub fn rotation(&self, now: Timestamp) -> Option<(&Secret, &Secret)> {
        let current = self.secrets.iter().find(|secret| secret.state(now) == SecretState::Current)?;
        let retiring = self.secrets.iter().find(|secret| matches!(secret.state(now), SecretState::Retiring { .. }))?;
        Some((current, retiring))
    }

    /// Whether the secret `version` waits to be drained, and was not used for long enough at `now`. The time also counts from the
    /// key's last change: what nobody could or should have used yet is not drained.
    #[must_use]
    pub fn is_drained(&self, version: u32, now: Timestamp) -> bool {
        let waits =
            |secret: &&Secret| secret.version == version && matches!(secret.state(now), SecretState::Retiring { .. });
        let Some(secret) = self.secrets.iter().find(waits) else { return false };
        let last = secret.used.as_ref().map_or(self.updated_at, |used| used.last_at.max(self.updated_at));
        self.status(now) == KeyStatus::Active
            && secret.drained_after.is_some_and(|after| last <= now && now.since(last) >= after)
    }
}

/// A name as names are searched: without the difference of upper and lower case.
#[must_use]
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn key() -> Key {
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        Key::new(id, Binding::Installation, "one", Timestamp::from_micros(0))
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
