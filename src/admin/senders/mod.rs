//! Senders: who uses keys, as they are shown, and whether one would be cut off.

pub(super) mod in_use;
pub(super) mod list;
pub mod of_key;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::AdminState;
use super::check::Check;
use super::openapi::schemas;
use super::page::{Parameters, parameter};
use crate::catalog::{CatalogError, SenderFilter};
use crate::domain::sender::{MAX_SENDERS, OtherSenders, Seen, SeenSender, Sender};
use crate::domain::{Key, Slug, Timestamp};

/// A sender in answers. Service, host, SDK and user agent are what it says of itself: they may hold any character, and prove nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SenderView {
    /// The key that it uses.
    #[schema(value_type = schemas::KeyId)]
    pub key: String,
    /// The key's name.
    #[schema(value_type = schemas::Name)]
    pub key_name: String,
    /// The key's project.
    #[schema(value_type = schemas::Slug)]
    pub project: String,
    /// The version of the secret that it sends with.
    #[schema(minimum = 1)]
    pub secret_version: u32,
    /// `service.name`.
    pub service: Option<String>,
    /// `host.name`.
    pub host: Option<String>,
    /// Language, name and version of its SDK.
    pub sdk: Option<String>,
    /// What its `User-Agent` header says.
    pub user_agent: Option<String>,
    /// Where it sends from.
    pub address: String,
    /// When it was first seen.
    #[schema(value_type = schemas::Instant)]
    pub first_seen_at: String,
    /// When it was last seen.
    #[schema(value_type = schemas::Instant)]
    pub last_seen_at: String,
    /// When an export of it was last accepted.
    #[schema(value_type = Option<schemas::Instant>)]
    pub last_accepted_at: Option<String>,
    /// How many exports it has sent, refused ones included.
    pub exports: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// Whether several services are known to use the key.
    pub shared: bool,
}

/// What is left in answers of the senders of a key that there was no room for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OtherSendersView {
    /// How many there were; one that came back counts again.
    pub senders: u64,
    /// How many exports they have sent, refused ones included.
    pub exports: u64,
    /// How many of them were refused.
    pub refused: u64,
    /// When one of them was last seen.
    #[schema(value_type = Option<schemas::Instant>)]
    pub last_seen_at: Option<String>,
}

/// The filters of lists of senders.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SenderQuery {
    /// Only those that send with this version of a secret.
    #[param(minimum = 1, maximum = 2_147_483_647)]
    pub secret: Option<u32>,
    /// Only those with this `service.name`, at most 128 bytes of UTF-8.
    #[param(min_length = 1, max_length = 128, pattern = "^[^\\u0000]*$", nullable = false)]
    pub service: Option<String>,
    /// Only those that were seen at this instant or later.
    #[param(value_type = Option<schemas::Instant>, nullable = false)]
    pub since: Option<String>,
}

/// The parameter of a verb without a body that cuts senders off.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ForceQuery {
    /// Also if the key is in use.
    #[param(nullable = false)]
    pub force: Option<bool>,
}

impl SenderView {
    fn new(one: &SeenSender, key_name: &str, shared: bool) -> Self {
        let SeenSender { project, sender, seen } = one;
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            key: sender.key.to_string(),
            key_name: key_name.to_owned(),
            project: project.to_string(),
            secret_version: sender.secret_version,
            service: text(&sender.service),
            host: text(&sender.host),
            sdk: text(&sender.sdk),
            user_agent: sender.agent.clone(),
            address: sender.address.to_string(),
            first_seen_at: seen.first_at.to_string(),
            last_seen_at: seen.last_at.to_string(),
            last_accepted_at: seen.accepted_at.as_ref().map(Timestamp::to_string),
            exports: seen.exports,
            refused: seen.refused,
            shared,
        }
    }
}

impl From<OtherSenders> for OtherSendersView {
    fn from(others: OtherSenders) -> Self {
        let OtherSenders { senders, exports, refused, last_at } = others;
        Self { senders, exports, refused, last_seen_at: last_at.as_ref().map(Timestamp::to_string) }
    }
}

/// Everybody who is known to use a key: what is written, and what this node has seen since.
struct Known {
    /// Those that were seen last first. One without exports is being written right now.
    senders: Vec<SeenSender>,
    others: OtherSenders,
}

impl Known {
    async fn of(state: &AdminState, key: &Key) -> Result<Self, CatalogError> {
        // In this order: what is written in between is then seen in both, and not in neither.
        let held = state.books.senders.of(&key.id);
        let (written, others) = state.catalog.senders_of(&key.id).await?;
        let mut seen: BTreeMap<Sender, (Slug, Seen)> = BTreeMap::new();
        for one in written.into_iter().chain(held.senders) {
            let known = seen.remove(&one.sender);
            let both = known.map_or(one.seen, |(_, known)| known.and(one.seen));
            seen.insert(one.sender, (one.project, both));
        }
        let senders = seen.into_iter().map(|(sender, (project, seen))| SeenSender { project, sender, seen });
        let mut senders: Vec<_> = senders.collect();
        senders.sort_by_key(|one| Reverse(one.seen.last_at));
        let others = held.others.into_iter().fold(others, |sum, (_, more)| sum.and(more));
        Ok(Self { senders, others })
    }

    /// Those that stay when the rest is counted among the others.
    fn bounded(mut self) -> Self {
        self.senders.retain(|one| one.seen.exports > 0);
        let rest = self.senders.split_off(self.senders.len().min(MAX_SENDERS));
        self.others = rest.iter().fold(self.others, |others, one| others.with(&one.seen));
        self
    }

    /// Whether several services use the key.
    fn shared(&self) -> bool {
        let services: BTreeSet<_> = self.senders.iter().filter_map(|one| one.sender.service.as_deref()).collect();
        services.len() > 1
    }

    /// Those that `which` holds of.
    fn views(&self, key: &Key, which: impl Fn(&SeenSender) -> bool) -> Vec<SenderView> {
        let shared = self.shared();
        let which = self.senders.iter().filter(|one| which(one));
        which.map(|one| SenderView::new(one, &key.name, shared)).collect()
    }
}

/// Those that send with `version` of the secrets of `key`.
pub(super) async fn on_secret(state: &AdminState, key: &Key, version: u32) -> Result<Vec<SenderView>, CatalogError> {
    let known = Known::of(state, key).await?.bounded();
    Ok(known.views(key, |one| one.sender.secret_version == version))
}

/// The filters that all lists of senders have.
fn filter(parameters: &mut Parameters, check: &mut Check) -> SenderFilter {
    let service = parameters.take("service").filter(|service| {
        let good = !service.is_empty() && service.len() <= MAX_SERVICE && !service.contains('\0');
        if !good {
            check.refuse(parameter("service"), "no service has this name", "1 to 128 bytes of UTF-8");
        }
        good
    });
    let secret_version = parameters.take("secret").and_then(|text| {
        let version = text.parse().ok().filter(|version: &u32| (1..=MAX_VERSION).contains(version));
        if version.is_none() {
            check.refuse(
                parameter("secret"),
                "it is no version of a secret",
                format!("a whole number from 1 to {MAX_VERSION}"),
            );
        }
        version
    });
    let since = check.instant(parameter("since"), parameters.take("since").as_deref());
    SenderFilter { project: None, service, secret_version, since }
}

/// The highest version of a secret that is asked for: as the description's form of the number has it.
const MAX_VERSION: u32 = 2_147_483_647;

/// The longest name of a service that is kept, in bytes.
const MAX_SERVICE: usize = crate::domain::origin::MAX_ORIGIN_LENGTH;
