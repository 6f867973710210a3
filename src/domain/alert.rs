//! Alerts: what somebody should know of exports that are out of the ordinary, and of quotas.

use sha2::{Digest as _, Sha256};

use super::webhook::EventKind;
use super::{KeyId, Slug, Timestamp, hexadecimal};

/// Every kind of alert.
pub const KINDS: [EventKind; 8] = [
    EventKind::UsedAfterRevoke,
    EventKind::NewAddress,
    EventKind::NewSender,
    EventKind::Shared,
    EventKind::EnvironmentDrift,
    EventKind::VolumeJump,
    EventKind::AuthenticationFailing,
    EventKind::QuotaWarning,
];

/// An alert as it is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alert {
    /// One of [`KINDS`].
    pub kind: EventKind,
    /// The project that it is about; `None`: the installation.
    pub project: Option<Slug>,
    /// The key that it is about.
    pub key: Option<KeyId>,
    /// What tells it from others of the same kind, project and key, such as an address; empty where there is one at a time.
    pub cause: String,
    /// What happened, in a sentence. It may hold text of clients.
    pub summary: String,
    /// What there is to say about it, an object of JSON.
    pub data: String,
}

/// An alert that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivenAlert {
    /// [`Alert::id`].
    pub id: String,
    /// One of [`KINDS`].
    pub kind: EventKind,
    /// The project that it is about.
    pub project: Option<Slug>,
    /// The key that it is about.
    pub key: Option<KeyId>,
    /// What happened.
    pub summary: String,
    /// What there is to say about it, an object of JSON.
    pub data: String,
    /// When it was last given.
    pub at: Timestamp,
    /// When its cause was last found.
    pub last_at: Timestamp,
}

impl Alert {
    /// 32 hexadecimal digits that are the same for the same kind, project, key and cause.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hasher = Sha256::new();
        let key = self.key.map(|key| key.to_string()).unwrap_or_default();
        let project = self.project.as_ref().map_or("", Slug::as_str);
        for field in [self.kind.as_str(), project, &key, &self.cause] {
            hasher.update(field.len().to_be_bytes());
            hasher.update(field);
        }
        hexadecimal(&hasher.finalize()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_that_differ_have_different_ids() {
        let alert = |kind, project: Option<&str>, cause: &str| Alert {
            kind,
            project: project.map(|slug| slug.parse().expect("a slug")),
            key: None,
            cause: cause.to_owned(),
            summary: String::new(),
            data: String::new(),
        };
        let different = [
            alert(EventKind::NewAddress, None, ""),
            alert(EventKind::NewSender, None, ""),
            alert(EventKind::NewSender, Some("shop"), ""),
            alert(EventKind::NewSender, None, "shop"),
            alert(EventKind::NewSender, Some("shop"), "a"),
        ];
        let ids: std::collections::HashSet<_> = different.iter().map(Alert::id).collect();
        assert_eq!(ids.len(), different.len());
        assert!(ids.iter().all(|id| id.len() == 32));
        let said_otherwise = Alert { summary: "other".to_owned(), ..different[0].clone() };
        assert_eq!(said_otherwise.id(), different[0].id());
    }
}
