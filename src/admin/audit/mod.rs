//! The audit log, which can be read and verified only.

pub(super) mod head;
pub(super) mod list;
pub(super) mod verify;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::catalog::{AuditEntry, AuditHead, AuditReport};

/// An entry in answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Counts the entries, from 1.
    pub seq: u64,
    /// When it was done, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub at: String,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub actor: ActorView,
    /// What it was done to.
    pub target: TargetView,
    /// The project that the target belongs to; none of what belongs to the installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The fields that changed, as they were.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The fields that changed, as they are since.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// From which address it was done.
    pub address: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// The `x-request-id` of the answer.
    pub request_id: Option<String>,
    /// SHA-256 over the entry and the hash of the one before, in hexadecimal digits.
    #[schema(value_type = schemas::Hash)]
    pub hash: String,
}

/// Who did something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActorView {
    /// The admin key; none where it was done past the API.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// The admin key's name at that time, or what of Gridgate it was.
    pub name: String,
    /// `api`, `command` at the machine itself, or `system`: Gridgate by itself.
    pub via: String,
}

/// What something was done to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// `key`, `role`, `project`, `grid`, `environment` or `webhook`.
    pub kind: String,
    /// Its id or slug.
    pub id: String,
}

/// The end of the chain at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeadView {
    /// The number of the last entry; 0 before the first.
    pub seq: u64,
    /// Its hash, in hexadecimal digits.
    #[schema(value_type = schemas::Hash)]
    pub hash: String,
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct VerifiedView {
    /// Whether every entry is as it was written.
    pub intact: bool,
    /// How many entries are good, counted from the first.
    pub entries: u64,
    /// The end of the chain.
    pub head: HeadView,
    /// The first entry that is not as it was written.
    pub broken_at: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.to_string(),
            action: entry.action,
            actor: ActorView { key: entry.actor, name: entry.actor_name, via: entry.via },
            target: TargetView { kind: entry.target_kind, id: entry.target },
            project: entry.project,
            before: entry.before,
            after: entry.after,
            address: entry.address,
            user_agent: entry.user_agent,
            request_id: entry.request_id,
            hash: entry.hash.to_string(),
        }
    }
}

impl From<AuditHead> for HeadView {
    fn from(head: AuditHead) -> Self {
        Self { seq: head.seq, hash: head.hash.to_string() }
    }
}

impl From<AuditReport> for VerifiedView {
    fn from(report: AuditReport) -> Self {
        Self {
            intact: report.broken.is_none(),
            entries: report.entries,
            head: report.head.into(),
            broken_at: report.broken.map(|(seq, _)| seq),
            reason: report.broken.map(|(_, why)| why.to_string()),
        }
    }
}
