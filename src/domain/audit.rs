//! The audit log's words: who did what to which thing.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{KeyId, Permissions, Slug, Timestamp};

/// Who changes something, when and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The instant of the change.
    pub at: Timestamp,
    /// The admin key; `None` where it is not by one.
    pub key: Option<KeyId>,
    /// The version of its secret that was presented.
    pub secret: Option<u32>,
    /// The admin key's name at that time, or what of Gridgate it was.
    pub name: String,
    /// What its request needs: the key has to hold it still when the change is made.
    pub needs: Permissions,
    /// By which way.
    pub via: Via,
    /// From which address.
    pub address: Option<IpAddr>,
    /// What the client called itself, cut where it is long.
    pub user_agent: Option<String>,
    /// The request, as its answer named it.
    pub request_id: Option<String>,
}

impl Actor {
    /// Gridgate itself, by its part `name`.
    #[must_use]
    pub fn system(name: &str, at: Timestamp) -> Self {
        Self::local(Via::System, name, at)
    }

    /// Somebody at the machine, by the command `name`.
    #[must_use]
    pub fn command(name: &str, at: Timestamp) -> Self {
        Self::local(Via::Command, name, at)
    }

    fn local(via: Via, name: &str, at: Timestamp) -> Self {
        Self {
            at,
            key: None,
            secret: None,
            name: name.to_owned(),
            needs: Permissions::default(),
            via,
            address: None,
            user_agent: None,
            request_id: None,
        }
    }
}

/// By which way a change was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// The admin API.
    Api,
    /// The web console.
    Console,
    /// A command at the machine itself, past the API.
    Command,
    /// Gridgate by itself.
    System,
}

/// Declares an enum whose variants have names that are stored and shown.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident, $error:ident: $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every one, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name; part of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or($error)
            }
        }
    };
}

/// The text names no action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no such action")]
pub struct ActionError;

/// The text names no kind of target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no such kind of target")]
pub struct TargetKindError;

names! {
    /// What was done.
    Action, ActionError:
    /// A key was made.
    KeyCreated = "key.created",
    /// A key came from elsewhere.
    KeyImported = "key.imported",
    /// A key was edited.
    KeyEdited = "key.edited",
    /// The expiry of an expired key was extended.
    KeyRenewed = "key.renewed",
    /// A key was disabled.
    KeyDisabled = "key.disabled",
    /// A key was enabled.
    KeyEnabled = "key.enabled",
    /// All secrets of a key were replaced.
    KeyRegenerated = "key.regenerated",
    /// A key got a second secret.
    KeyRotated = "key.rotated",
    /// A rotation ended with the new secret.
    KeyRotationCompleted = "key.rotation_completed",
    /// A rotation ended with the old secret.
    KeyRotationCancelled = "key.rotation_cancelled",
    /// The old secret of a rotation was no longer used, and retired.
    KeySecretDrained = "key.secret_drained",
    /// A key was revoked.
    KeyRevoked = "key.revoked",
    /// The record of a revoked key was erased.
    KeyPurged = "key.purged",
    /// A secret of a key was found in public.
    KeyExposed = "key.exposed",
    /// A key was confirmed to be needed.
    KeyReviewed = "key.reviewed",
    /// A person got an admin key.
    MemberInvited = "member.invited",
    /// A person's name, role or expiry was changed.
    MemberEdited = "member.edited",
    /// A person's admin key was revoked.
    MemberRemoved = "member.removed",
    /// A role was made.
    RoleCreated = "role.created",
    /// A role was edited.
    RoleEdited = "role.edited",
    /// A role was deleted.
    RoleDeleted = "role.deleted",
    /// A project was made.
    ProjectCreated = "project.created",
    /// A project was edited.
    ProjectEdited = "project.edited",
    /// A project was suspended.
    ProjectSuspended = "project.suspended",
    /// A suspended project was resumed.
    ProjectResumed = "project.resumed",
    /// A project's plan ended, and with it what the project may send.
    PlanEnded = "plan.ended",
    /// The limits of a tenant were changed.
    TenantEdited = "tenant.edited",
    /// A plan was made.
    PlanCreated = "plan.created",
    /// A plan was edited.
    PlanEdited = "plan.edited",
    /// A plan was deleted.
    PlanDeleted = "plan.deleted",
    /// A grid was made.
    GridCreated = "grid.created",
    /// An environment was made.
    EnvironmentCreated = "environment.created",
    /// An environment was edited.
    EnvironmentEdited = "environment.edited",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was edited.
    WebhookEdited = "webhook.edited",
    /// A webhook's signing secret was replaced.
    WebhookSecretRotated = "webhook.secret_rotated",
    /// A webhook was switched off because nothing arrived.
    WebhookDisabled = "webhook.disabled",
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted",
    /// Somebody signed in at the console.
    SessionBegan = "session.began",
    /// A session of the console was ended, by whom it belongs to or by one session too many. Where its time ran out nothing is written.
    SessionEnded = "session.ended",
}

names! {
    /// What kind of thing it was done to.
    TargetKind, TargetKindError:
    /// A key, by its id.
    Key = "key",
    /// A role, by its slug.
    Role = "role",
    /// A project, by its slug.
    Project = "project",
    /// A plan, by its slug.
    Plan = "plan",
    /// A tenant, by `project/grid/environment`.
    Tenant = "tenant",
    /// A grid, by `project/grid`.
    Grid = "grid",
    /// An environment, by its slug.
    Environment = "environment",
    /// A webhook, by its id.
    Webhook = "webhook",
    /// A session of the console, by its id.
    Session = "session",
}

impl Via {
    /// The name; part of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Console => "console",
            Self::Command => "command",
            Self::System => "system",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Api, Self::Console, Self::Command, Self::System].into_iter().find(|via| via.as_str() == text)
    }
}

/// The thing that something was done to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// Its name among those of its kind.
    pub id: String,
    /// The project that it belongs to; `None`: the installation.
    pub project: Option<Slug>,
}

impl Target {
    /// The kind and the id that a text names: ids of keys, webhooks and sessions say what they are, other things are named by their
    /// kind, a colon, and id or slug.
    #[must_use]
    pub fn parse(text: &str) -> Option<(TargetKind, String)> {
        let (kind, id) = match text.split_once(':') {
            Some((kind, id)) => (kind.parse().ok()?, id),
            None if text.starts_with("key_") => (TargetKind::Key, text),
            None if text.starts_with("whk_") => (TargetKind::Webhook, text),
            None if text.starts_with("ses_") => (TargetKind::Session, text),
            None => return None,
        };
        Some((kind, id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_named_by_kind_and_id() {
        let named = |kind, id: &str| Some((kind, id.to_owned()));
        assert_eq!(Target::parse("key_7Hq2mZxK9wPa"), named(TargetKind::Key, "key_7Hq2mZxK9wPa"));
        assert_eq!(Target::parse("whk_7Hq2mZxK9wPa"), named(TargetKind::Webhook, "whk_7Hq2mZxK9wPa"));
        assert_eq!(Target::parse("ses_7Hq2mZxK9wPa"), named(TargetKind::Session, "ses_7Hq2mZxK9wPa"));
        assert_eq!(Target::parse("grid:shop/web"), named(TargetKind::Grid, "shop/web"));
        for other in ["", "shop", "keys:x", "gga_7Hq2mZxK9wPa_x"] {
            assert_eq!(Target::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for &action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            let kind = action.as_str().split('.').next().expect("a kind");
            assert!(kind == "member" || kind.parse::<TargetKind>().is_ok(), "{action}");
        }
        for via in [Via::Api, Via::Console, Via::Command, Via::System] {
            assert_eq!(Via::named(via.as_str()), Some(via));
        }
        assert_eq!("key.*".parse::<Action>(), Err(ActionError));
    }
}
