//! Permissions in groups and in words.

use crate::domain::Permission;
use Permission as P;

/// Permissions that belong together.
pub(super) struct Group {
    /// What they are about.
    pub(super) name: &'static str,
    /// Each, with what it lets a key do.
    pub(super) permissions: &'static [(Permission, &'static str)],
}

/// Those of ingest keys.
pub(super) const INGEST: &[Group] = &[Group {
    name: "Telemetry",
    permissions: &[
        (P::TracesWrite, "Export traces"),
        (P::MetricsWrite, "Export metrics"),
        (P::LogsWrite, "Export logs"),
        (P::ProfilesWrite, "Export profiles"),
    ],
}];

/// Those of admin keys.
pub(super) const ADMIN: &[Group] = &[
    Group {
        name: "Keys",
        permissions: &[
            (P::KeyView, "See keys"),
            (P::KeyCreate, "Create keys and new secrets"),
            (P::KeyUpdate, "Edit, disable and enable keys"),
            (P::KeyDelete, "Revoke keys"),
            (P::KeyPurge, "Erase revoked keys"),
        ],
    },
    Group {
        name: "Projects",
        permissions: &[
            (P::ProjectView, "See projects and environments"),
            (P::ProjectCreate, "Create projects"),
            (P::ProjectUpdate, "Edit projects"),
            (P::ProjectSuspend, "Suspend and resume projects"),
            (P::GridView, "See grids"),
            (P::GridCreate, "Create grids"),
            (P::EnvironmentCreate, "Create environments"),
            (P::EnvironmentUpdate, "Edit environments"),
        ],
    },
    Group {
        name: "Limits",
        permissions: &[(P::QuotaView, "See limits and plans"), (P::QuotaUpdate, "Change limits and plans")],
    },
    Group {
        name: "Members",
        permissions: &[
            (P::MemberView, "See members"),
            (P::MemberCreate, "Invite members"),
            (P::MemberUpdate, "Edit members"),
            (P::MemberDelete, "Remove members"),
        ],
    },
    Group {
        name: "Roles",
        permissions: &[
            (P::RoleView, "See roles"),
            (P::RoleCreate, "Create roles"),
            (P::RoleUpdate, "Edit roles"),
            (P::RoleDelete, "Delete roles"),
        ],
    },
    Group {
        name: "Record",
        permissions: &[
            (P::UsageView, "See usage, senders, refusals and single exports"),
            (P::AuditView, "Read and verify the audit log"),
        ],
    },
    Group {
        name: "Webhooks",
        permissions: &[
            (P::WebhookView, "See webhooks and deliveries"),
            (P::WebhookCreate, "Create webhooks"),
            (P::WebhookUpdate, "Edit and test webhooks"),
            (P::WebhookDelete, "Delete webhooks"),
        ],
    },
];

/// The groups for keys of this kind, `ingest` or `admin`.
pub(super) fn groups(kind: &str) -> &'static [Group] {
    if kind == "ingest" { INGEST } else { ADMIN }
}

/// Those of `names` that are in no group: names of the deployment's own, and `*`.
pub(super) fn others<'n>(kind: &str, names: &'n [String]) -> Vec<&'n str> {
    let known =
        |name: &str| groups(kind).iter().flat_map(|group| group.permissions).any(|(one, _)| one.as_str() == name);
    names.iter().map(String::as_str).filter(|name| !known(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_is_in_one_group_of_its_kind_of_key() {
        for (groups, is_ingest) in [(INGEST, true), (ADMIN, false)] {
            let mut found: Vec<_> = groups.iter().flat_map(|group| group.permissions).map(|(one, _)| *one).collect();
            let mut all: Vec<_> = P::ALL.iter().copied().filter(|one| one.is_telemetry_write() == is_ingest).collect();
            found.sort_unstable();
            all.sort_unstable();
            assert_eq!(found, all);
        }
        let names = ["audit.view", "customer.read", "*"].map(str::to_owned);
        assert_eq!(others("admin", &names), ["customer.read", "*"]);
    }
}
