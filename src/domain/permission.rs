//! Permissions: what a key's role lets it do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::Signal;

/// Declares [`Permission`] with its names in one table.
macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One right. Its name is part of the API.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Permission {
            $($(#[$doc])* $variant,)*
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The permission's name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

permissions! {
    /// Export traces.
    TracesWrite = "telemetry.traces.write",
    /// Export metrics.
    MetricsWrite = "telemetry.metrics.write",
    /// Export logs.
    LogsWrite = "telemetry.logs.write",
    /// Export profiles.
    ProfilesWrite = "telemetry.profiles.write",
    /// List and show keys.
    KeyView = "api.key.view",
    /// Create keys.
    KeyCreate = "api.key.create",
    /// Change keys, disable and enable them.
    KeyUpdate = "api.key.update",
    /// Revoke keys.
    KeyDelete = "api.key.delete",
    /// List and show projects and environments.
    ProjectView = "project.view",
    /// Create projects.
    ProjectCreate = "project.create",
    /// List and show grids.
    GridView = "grid.view",
    /// Create grids.
    GridCreate = "grid.create",
}

impl Permission {
    /// The permission that exporting `signal` needs.
    #[must_use]
    pub const fn write(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::TracesWrite,
            Signal::Metrics => Self::MetricsWrite,
            Signal::Logs => Self::LogsWrite,
            Signal::Profiles => Self::ProfilesWrite,
        }
    }

    /// Whether the permission is one of exporting, which only ingest keys hold.
    #[must_use]
    pub const fn is_telemetry_write(self) -> bool {
        matches!(self, Self::TracesWrite | Self::MetricsWrite | Self::LogsWrite | Self::ProfilesWrite)
    }
}

/// The text names no permission.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a permission")]
pub struct PermissionError(pub String);

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| PermissionError(text.to_owned()))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions. Its text form is their names, sorted, with single spaces between them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// What an ingest key may do unless told otherwise: export every signal.
    #[must_use]
    pub fn ingest() -> Self {
        Permission::ALL.iter().copied().filter(|one| one.is_telemetry_write()).collect()
    }

    /// What an owner may do: everything but export, which admin keys never do.
    #[must_use]
    pub fn owner() -> Self {
        Permission::ALL.iter().copied().filter(|one| !one.is_telemetry_write()).collect()
    }

    /// Whether `permission` is in the set.
    #[must_use]
    pub fn contains(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    /// The first permission of `other` that is missing here: who lacks one cannot grant it.
    #[must_use]
    pub fn first_missing(&self, other: &Self) -> Option<Permission> {
        other.0.difference(&self.0).next().copied()
    }

    /// The permissions in the order of their declaration.
    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        self.0.iter().copied()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl FromStr for Permissions {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        text.split_whitespace().map(str::parse).collect()
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.iter().map(|one| one.as_str()).collect();
        names.sort_unstable();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sets_survive_their_text_form() {
        for &permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        let owner = Permissions::owner();
        assert_eq!(owner.to_string().parse(), Ok(owner));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!("telemetry.*".parse::<Permissions>(), Err(PermissionError("telemetry.*".to_owned())));
    }

    #[test]
    fn an_owner_cannot_export_and_an_ingest_key_cannot_administer() {
        assert!(Permissions::owner().iter().all(|one| !Permissions::ingest().contains(one)));
    }

    #[test]
    fn who_lacks_a_permission_is_told_which() {
        let viewer: Permissions = [Permission::KeyView].into_iter().collect();
        let wanted = [Permission::KeyView, Permission::KeyCreate].into_iter().collect();
        assert_eq!(viewer.first_missing(&wanted), Some(Permission::KeyCreate));
        assert_eq!(wanted.first_missing(&viewer), None);
    }
}
