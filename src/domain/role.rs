//! Roles: named sets of permissions, built in or of the installation's own making.

use super::{Permission, Permissions, Slug, Timestamp, TokenKind};

/// A role. A key that has one may do what the role holds now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// What it is named in keys; unique, and immutable.
    pub slug: Slug,
    /// The kind of key that it is for.
    pub kind: TokenKind,
    /// Free text for people.
    pub name: String,
    /// Free text for people, may be empty.
    pub note: String,
    /// What it holds.
    pub permissions: Permissions,
    /// `None` of a built-in one.
    pub custom: Option<Custom>,
}

/// What only roles have that are not built in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Custom {
    /// The project that it belongs to; `None`: the installation, and every project may use it.
    pub project: Option<Slug>,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// New values of what is not for ever; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RoleEdit {
    /// The name.
    pub name: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// What it holds.
    pub permissions: Option<Permissions>,
}

impl Role {
    /// The role with what `edit` says.
    #[must_use]
    pub fn edited(&self, edit: &RoleEdit) -> Self {
        let mut role = self.clone();
        role.name = edit.name.clone().unwrap_or(role.name);
        role.note = edit.note.clone().unwrap_or(role.note);
        role.permissions = edit.permissions.clone().unwrap_or(role.permissions);
        role
    }

    /// The project that it belongs to, if it is not everybody's.
    #[must_use]
    pub fn project(&self) -> Option<&Slug> {
        self.custom.as_ref().and_then(|custom| custom.project.as_ref())
    }
}

/// The role of an ingest key unless told otherwise.
pub const INGEST: &str = "ingest";

/// The role of an admin key unless told otherwise: little, because more should be said.
pub const VIEWER: &str = "viewer";

/// The role that holds everything an admin key can.
pub const OWNER: &str = "owner";

/// The built-in role of this slug.
#[must_use]
pub fn built_in(slug: &Slug) -> Option<Role> {
    BUILT_IN.iter().find(|row| row.slug == slug.as_str()).map(|row| row.role(slug.clone()))
}

/// Every built-in role, in the order of the slugs.
#[must_use]
pub fn all_built_in() -> Vec<Role> {
    let role = |row: &BuiltIn| row.slug.parse().ok().map(|slug| row.role(slug));
    let mut roles: Vec<_> = BUILT_IN.iter().filter_map(role).collect();
    roles.sort_by(|one, other| one.slug.cmp(&other.slug));
    roles
}

struct BuiltIn {
    slug: &'static str,
    kind: TokenKind,
    name: &'static str,
    note: &'static str,
    holds: Holds,
}

enum Holds {
    Every,
    These(fn(Permission) -> bool),
}

impl BuiltIn {
    fn role(&self, slug: Slug) -> Role {
        Role {
            slug,
            kind: self.kind,
            name: self.name.to_owned(),
            note: self.note.to_owned(),
            permissions: match self.holds {
                Holds::Every => Permissions::owner(),
                Holds::These(holds) => Permission::ALL.iter().copied().filter(|one| holds(*one)).collect(),
            },
            custom: None,
        }
    }
}

const fn ingest(slug: &'static str, name: &'static str, note: &'static str, holds: fn(Permission) -> bool) -> BuiltIn {
    BuiltIn { slug, kind: TokenKind::Ingest, name, note, holds: Holds::These(holds) }
}

const fn admin(slug: &'static str, name: &'static str, note: &'static str, holds: Holds) -> BuiltIn {
    BuiltIn { slug, kind: TokenKind::Admin, name, note, holds }
}

const BUILT_IN: &[BuiltIn] = &[
    ingest(INGEST, "Ingest", "Exports every signal", Permission::is_telemetry_write),
    ingest("ingest-traces", "Ingest traces", "Exports traces only", |one| one == Permission::TracesWrite),
    ingest("ingest-metrics", "Ingest metrics", "Exports metrics only", |one| one == Permission::MetricsWrite),
    ingest("ingest-logs", "Ingest logs", "Exports logs only", |one| one == Permission::LogsWrite),
    ingest("ingest-profiles", "Ingest profiles", "Exports profiles only", |one| one == Permission::ProfilesWrite),
    admin(OWNER, "Owner", "Everything, permissions of the deployment's own included", Holds::Every),
    admin(
        "admin",
        "Admin",
        "All of Gridgate's own permissions of administration",
        Holds::These(|one| !one.is_telemetry_write()),
    ),
    admin("operator", "Operator", "Runs the keys: takes nothing away for ever, gives no roles", Holds::These(operates)),
    admin(VIEWER, "Viewer", "Sees everything but the audit log", Holds::These(views)),
    admin(
        "auditor",
        "Auditor",
        "Sees everything, the audit log included",
        Holds::These(|one| views(one) || one == Permission::AuditView),
    ),
];

const fn views(permission: Permission) -> bool {
    use Permission as P;
    matches!(
        permission,
        P::KeyView
            | P::ProjectView
            | P::GridView
            | P::MemberView
            | P::RoleView
            | P::WebhookView
            | P::QuotaView
            | P::UsageView
    )
}

/// Neither deletes nor purges anything, nor changes roles or who has them.
const fn operates(permission: Permission) -> bool {
    use Permission as P;
    views(permission)
        || matches!(
            permission,
            P::KeyCreate
                | P::KeyUpdate
                | P::ProjectCreate
                | P::ProjectUpdate
                | P::ProjectSuspend
                | P::GridCreate
                | P::EnvironmentCreate
                | P::EnvironmentUpdate
                | P::QuotaUpdate
                | P::AuditView
                | P::WebhookCreate
                | P::WebhookUpdate
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn held(slug: &str) -> Permissions {
        let role = built_in(&slug.parse().expect("a slug")).expect("a role");
        assert_eq!(role.slug.as_str(), slug);
        role.permissions
    }

    #[test]
    fn each_is_listed_once_and_fits_its_kind_of_key() {
        let all = all_built_in();
        assert_eq!(all.len(), BUILT_IN.len());
        assert!(all.windows(2).all(|pair| pair[0].slug < pair[1].slug));
        for role in all {
            assert_eq!(role.permissions.first_unfit(role.kind), None, "{}", role.slug);
            assert!(!role.permissions.is_empty() && role.project().is_none());
            assert_eq!(built_in(&role.slug), Some(role));
        }
    }

    #[test]
    fn ingest_roles_hold_one_signal_or_all() {
        assert_eq!(held(INGEST), Permissions::ingest());
        for signal in crate::domain::Signal::ALL {
            let one = [Permission::write(signal)].into_iter().collect();
            assert_eq!(held(&format!("ingest-{signal}")), one);
        }
    }

    #[test]
    fn admin_roles_hold_more_and_more() {
        let ladder = [VIEWER, "auditor", "operator", "admin", OWNER].map(held);
        for pair in ladder.windows(2) {
            assert_eq!(pair[1].first_missing(&pair[0]), None);
            assert!(pair[0].first_missing(&pair[1]).is_some());
        }
        assert_eq!(held("auditor").first_missing(&held("operator")), Some("api.key.create"));
        assert_eq!(held("viewer").first_missing(&held("auditor")), Some("audit.view"));
    }

    /// By the name of each permission, so that one which is added later is thought of.
    #[test]
    fn who_only_looks_cannot_change_and_who_operates_cannot_destroy() {
        for permission in Permission::ALL.iter().filter(|one| !one.is_telemetry_write()) {
            let name = permission.as_str();
            let verb = name.rsplit('.').next().expect("a verb");
            assert_eq!(held("auditor").contains(*permission), verb == "view", "{name}");
            let about_people = name.starts_with("role.") || name.starts_with("member.");
            let operates = verb == "view" || (!about_people && !matches!(verb, "delete" | "purge"));
            assert_eq!(held("operator").contains(*permission), operates, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_a_built_in_role_only_if_it_is_listed(text in "[a-z-]{1,16}|ingest(-[a-z]{1,8})?") {
            let Ok(slug) = text.parse::<Slug>() else { return Ok(()) };
            let listed = all_built_in().into_iter().find(|role| role.slug == slug);
            prop_assert_eq!(built_in(&slug), listed);
        }
    }
}
