//! Permissions: what a key's role lets it do.

mod set;

use std::fmt;

use super::Signal;
pub use set::{MAX_NAME_LENGTH, PermissionError, Permissions, RESERVED};

/// Declares [`Permission`] with its names in one table.
macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One of Gridgate's own rights. Its name is part of the API.
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
    /// Erase revoked keys.
    KeyPurge = "api.key.purge",
    /// List and show projects and environments.
    ProjectView = "project.view",
    /// Create projects.
    ProjectCreate = "project.create",
    /// Change projects.
    ProjectUpdate = "project.update",
    /// Suspend and resume projects.
    ProjectSuspend = "project.suspend",
    /// List and show grids.
    GridView = "grid.view",
    /// Create grids.
    GridCreate = "grid.create",
    /// Create environments.
    EnvironmentCreate = "environment.create",
    /// Change environments.
    EnvironmentUpdate = "environment.update",
    /// List and show members.
    MemberView = "member.view",
    /// Invite members.
    MemberCreate = "member.create",
    /// Change members and their roles.
    MemberUpdate = "member.update",
    /// Remove members.
    MemberDelete = "member.delete",
    /// List and show roles.
    RoleView = "role.view",
    /// Create roles.
    RoleCreate = "role.create",
    /// Change roles.
    RoleUpdate = "role.update",
    /// Delete roles.
    RoleDelete = "role.delete",
    /// Show limits and plans.
    QuotaView = "quota.view",
    /// Change limits; of the installation: plans, and which project has which.
    QuotaUpdate = "quota.update",
    /// See usage, senders, refusals and single exports.
    UsageView = "usage.view",
    /// Read and verify the audit log.
    AuditView = "audit.view",
    /// List and show webhooks and their deliveries.
    WebhookView = "webhook.view",
    /// Create webhooks.
    WebhookCreate = "webhook.create",
    /// Change and test webhooks.
    WebhookUpdate = "webhook.update",
    /// Delete webhooks.
    WebhookDelete = "webhook.delete",
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

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
