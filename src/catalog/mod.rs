//! The catalog: projects, grids, environments, tenants, keys and secrets, at rest in SQLite or PostgreSQL.
//!
//! Both databases stand behind one trait per subject and pass one contract suite. `sqlx` appears nowhere but here. Times are stored as
//! integers (microseconds UTC), ids as text.
//!
//! [`migrate`] brings a database to this version's schema, [`connect`] opens one that is there already. Behind the traits is
//! one implementation with one text per statement (`store`); what differs between the databases is in `dialect` and in the
//! two folders of `migrations`.

mod alerts;
mod answers;
mod audit;
mod cursor;
mod dialect;
mod error;
mod guard;
pub mod keys;
mod open;
mod plans;
mod projects;
mod refusals;
pub mod requests;
mod roles;
mod rows;
mod secrets;
mod senders;
mod sessions;
mod store;
mod usage;
mod webhooks;

pub use alerts::{AlertBook, AlertFilter, FailedMinute, NewWhat, RaisedAlert, Repeat, Volume};
pub use answers::{Answers, OnceOnly, Reserved};
pub use audit::{Audit, AuditEntry, AuditFilter, AuditHead, AuditReport, Broken, EntryHash};
pub use keys::{Hygiene, ImportFault, ImportedKey, KeyFilter, Keys, Notice, Review};
pub use open::{CatalogSettings, OpenError, connect, migrate};
pub use plans::{Plans, TenantLimits};
pub use projects::{EnvironmentEdit, Grid, Projects};
pub use refusals::{RefusalBook, RefusalFilter, Refused, RefusedKey};
pub use requests::{Logged, RequestLog, Whose};
pub use roles::Roles;
pub use secrets::{KEY_OF_DIGEST, Secrets};
pub use senders::{ListedSender, SenderBook, SenderFilter};
pub use sessions::Sessions;
pub use usage::{
    Dimension, KEEP_MINUTES, Rank, ToldUsage, UntoldUsage, UsageBook, UsageFilter, UsageFlush, UsageRow, UsageTop,
    statement as usage_statement, top_statement as top_usage_statement,
};
pub use webhooks::{Deliveries, Happened, MAX_WEBHOOKS, Subscriber, Webhooks};

pub mod issue;

use std::time::Duration;

use async_trait::async_trait;

pub use crate::domain::Project;
use crate::domain::authority::AuthorityError;
use crate::domain::key::ChangeRefused;
use crate::domain::project::ProjectRefused;
use crate::domain::{KeyId, Timestamp};

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for.
    pub items: Vec<T>,
    /// What to pass as [`Paging::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paging {
    /// The largest number of rows, at least 1.
    pub limit: u32,
    /// Continue after the row whose position this is: [`Page::next`] of the page before. Not yet validated: it may come
    /// from a client.
    pub after: Option<String>,
}

/// What an operation on the catalog can fail with.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A project, grid or environment that the row refers to does not exist.
    #[error("{0} does not exist")]
    Missing(Entity),
    /// The name, slug, code or id is taken.
    #[error("{0} exists already")]
    Exists(Entity),
    /// The thing is no longer at the version that the change was meant for.
    #[error("it was changed meanwhile and is at version {current}")]
    VersionConflict {
        /// The version that it is at.
        current: u64,
    },
    /// Keys have the role.
    #[error("keys have the role; give them another one, or revoke them, first")]
    RoleInUse,
    /// Projects have the plan.
    #[error("projects have the plan; give them another one, or none, first")]
    PlanInUse,
    /// The change of a project is refused as it is now.
    #[error(transparent)]
    ProjectRefused(#[from] ProjectRefused),
    /// The change would leave no owner.
    #[error("it is the last owner that neither expires nor is disabled; make another one first")]
    LastOwner,
    /// The actor's rights do not reach so far.
    #[error(transparent)]
    Refused(#[from] AuthorityError),
    /// The actor's key was revoked or disabled, or expired, before the change was made.
    #[error("the admin key that asks for it is no longer active")]
    ActorGone,
    /// The actor's key lost what its request needs before the change was made.
    #[error("this needs the permission {permission}, which {key} lacks")]
    PermissionGone {
        /// The key that lacks it.
        key: KeyId,
        /// What it lacks, by name.
        permission: String,
    },
    /// The change is refused from the key's present status.
    #[error(transparent)]
    ChangeRefused(#[from] ChangeRefused),
    /// The tenant has as many active keys as it may have.
    #[error("the most active keys here are {most}{}; disable or revoke one first", list(active))]
    KeyLimit {
        /// How many it may have.
        most: u32,
        /// Those there are, the oldest first; not all where there are many, and none where they come with the same import.
        active: Vec<KeyId>,
    },
    /// Only revoked keys are erased.
    #[error("the key is not revoked; revoke it first")]
    NotRevoked,
    /// A revoked key is kept for some time.
    #[error("a revoked key is kept for some time, this one until {until}")]
    RetentionNotOver {
        /// From then on it can be erased.
        until: Timestamp,
    },
    /// The project, or the installation, has as many webhooks as it can have.
    #[error("there are {MAX_WEBHOOKS} webhooks already, and no more are allowed")]
    TooManyWebhooks,
    /// The import took longer than it may keep other changes waiting. Nothing was imported.
    #[error("nothing was imported, because it took longer than {} s; ask again later, or for fewer keys", .0.as_secs_f64())]
    ImportTimeout(Duration),
    /// The position in a list is none that this catalog gave out.
    #[error("the cursor is none that a list gave out")]
    Cursor,
    /// A row holds what no version of Gridgate writes. The row is treated as absent data, never as permission.
    #[error("a row of the catalog is damaged: {0}")]
    Damaged(String),
    /// The database cannot be reached or did not answer in time. The message may name the database's address: it is for
    /// the log, not for clients.
    #[error("the catalog's database is unavailable: {0}")]
    Unavailable(String),
}

fn list(ids: &[KeyId]) -> String {
    let ids: Vec<_> = ids.iter().map(KeyId::to_string).collect();
    if ids.is_empty() { String::new() } else { format!(", and there are: {}", ids.join(", ")) }
}

/// What an error of the catalog speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entity {
    /// A project, by slug.
    Project,
    /// A grid of a project, by slug.
    Grid,
    /// An environment, by slug or code.
    Environment,
    /// A key, by id, or by name among the living keys of its tenant (or project, or installation).
    Key,
    /// A role, by its slug.
    Role,
    /// A plan, by its slug.
    Plan,
    /// A session of the console, by id.
    Session,
    /// A webhook, by id.
    Webhook,
    /// A token that came from elsewhere.
    Token,
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Project => "the project",
            Self::Grid => "the grid",
            Self::Environment => "the environment",
            Self::Key => "a key with this name",
            Self::Role => "the role",
            Self::Plan => "the plan",
            Self::Session => "the session",
            Self::Webhook => "the webhook",
            Self::Token => "a key with this token",
        })
    }
}

/// The metadata database: what it keeps of each subject is a trait of its own. No method is called on the path of an export whose
/// key is cached.
///
/// Not-found is `Ok(None)`. Every method can fail with [`CatalogError::Unavailable`]; the other errors are named at the
/// methods that give them. Every change is written into the audit log, in the same transaction, as done by the [`Actor`].
///
/// [`Actor`]: crate::domain::Actor
#[async_trait]
pub trait Catalog:
    Projects
    + Plans
    + Keys
    + Answers
    + Hygiene
    + Secrets
    + SenderBook
    + Sessions
    + Roles
    + Audit
    + Webhooks
    + Deliveries
    + RequestLog
    + RefusalBook
    + UsageBook
    + AlertBook
    + Send
    + Sync
    + 'static
{
    /// Asks the database for an answer, for readiness.
    async fn ping(&self) -> Result<(), CatalogError>;
}
