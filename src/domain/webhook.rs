//! Webhooks: who is told of what happens to keys, and how long the gate tries.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::base62::{is_base62, random_base62};
use super::random::{Random, RandomError};
use super::{Changed, KeyId, RecordId, Slug, Timestamp};

/// The immutable public id of a webhook: 12 base62 characters, shown as `whk_<id>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId([u8; 12]);

impl WebhookId {
    /// A new random id.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(random_base62(random)?))
    }
}

/// The text is not `whk_` and 12 characters of `0-9A-Za-z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a webhook's id is whk_ and 12 characters of 0-9A-Za-z")]
pub struct WebhookIdError;

impl FromStr for WebhookId {
    type Err = WebhookIdError;

    fn from_str(text: &str) -> Result<Self, WebhookIdError> {
        let bare = text.strip_prefix("whk_").ok_or(WebhookIdError)?;
        let bytes: [u8; 12] = bare.as_bytes().try_into().map_err(|_| WebhookIdError)?;
        if is_base62(&bytes) { Ok(Self(bytes)) } else { Err(WebhookIdError) }
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only base62 characters get in.
        write!(f, "whk_{}", str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Declares [`EventKind`] with its names in one table.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a webhook can be told of.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
        }

        impl EventKind {
            /// Every kind of event.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The event's name, part of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

events! {
    /// A key was created.
    Created = "key.created",
    /// A key of another system was imported.
    Imported = "key.imported",
    /// Name, role, addresses or the like were changed.
    Edited = "key.edited",
    /// An expired key was given a new expiry.
    Renewed = "key.renewed",
    /// A key was disabled.
    Disabled = "key.disabled",
    /// A key was enabled.
    Enabled = "key.enabled",
    /// A key's secret was replaced at once.
    Regenerated = "key.regenerated",
    /// A key got a second secret.
    Rotated = "key.rotated",
    /// The older of two secrets was retired.
    RotationCompleted = "key.rotation_completed",
    /// The newer of two secrets was retired.
    RotationCancelled = "key.rotation_cancelled",
    /// The older of two secrets was retired because nobody used it any more.
    SecretDrained = "key.secret_drained",
    /// A key was revoked.
    Revoked = "key.revoked",
    /// A revoked key was erased.
    Purged = "key.purged",
    /// A key's token was found in a place where it does not belong.
    Exposed = "key.exposed",
    /// A key will expire within 30, 7 or 1 days.
    Expiring = "key.expiring",
    /// A key's secret is older than its environment allows.
    RotationDue = "key.rotation_due",
    /// A key has not been used for 45 or 90 days.
    Unused = "key.unused",
    /// A key has not been used since it was created.
    NeverUsed = "key.never_used",
    /// A key's secret is a legacy one that is weak.
    Weak = "key.weak",
    /// A revoked key is still being sent.
    UsedAfterRevoke = "key.used_after_revoke",
    /// A key is used from an address that it was not used from before.
    NewAddress = "key.new_address",
    /// A key is used by a sender that did not use it before.
    NewSender = "key.new_sender",
    /// Several services use one key.
    Shared = "key.shared",
    /// Exports of a key say that they come from another environment than its own.
    EnvironmentDrift = "key.environment_drift",
    /// Much more is sent with a key than before.
    VolumeJump = "key.volume_jump",
    /// Exports fail to authenticate, many at once.
    AuthenticationFailing = "authentication.failing",
    /// Of a quota, 80, 90 or 100 per cent are used.
    QuotaWarning = "quota.warning",
    /// A project was suspended.
    ProjectSuspended = "project.suspended",
    /// A suspended project was resumed.
    ProjectResumed = "project.resumed",
    /// A project's plan has ended.
    PlanEnded = "project.plan_ended",
    /// What was used in an hour, for billing.
    UsageRecorded = "usage.recorded",
}

/// The text names no event.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no event")]
pub struct EventKindError(pub String);

impl FromStr for EventKind {
    type Err = EventKindError;

    fn from_str(text: &str) -> Result<Self, EventKindError> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| EventKindError(text.to_owned()))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A subscription: events of which kinds go where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// The public id.
    pub id: WebhookId,
    /// Only events of this project's keys; `None`: of the whole installation.
    pub project: Option<Slug>,
    /// Where events are sent.
    pub url: String,
    /// Free text for people.
    pub note: String,
    /// What it is told of; at least one.
    pub events: BTreeSet<EventKind>,
    /// What messages are signed with.
    pub secret: SigningSecret,
    /// What they are signed with besides, until the instant.
    pub previous: Option<(SigningSecret, Timestamp)>,
    /// 1 when it is made, counting up with each change but those of [`Webhook::failing_since`].
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// The admin key that created it.
    pub created_by: KeyId,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Set while nothing is sent, with the reason.
    pub disabled: Option<(Timestamp, Disabled)>,
    /// When the first of the failures began that no success has followed.
    pub failing_since: Option<Timestamp>,
}

/// Where a signing secret comes from: it is derived anew whenever it is needed, and stored nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigningSecret {
    /// 1 for the first, counting up.
    pub version: u32,
    /// The version of the pepper that it is derived from.
    pub pepper: u32,
}

/// Why a webhook is disabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disabled {
    /// Somebody asked for it.
    Asked,
    /// Nothing but failures for [`GIVE_UP_AFTER`].
    Failing,
    /// The receiver answered 410.
    Gone,
}

impl Disabled {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Asked, Self::Failing, Self::Gone];

    /// The reason's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }
}

impl Webhook {
    /// Whether it wants to hear of `event` of a key of `project` (`None`: of the installation).
    #[must_use]
    pub fn wants(&self, event: EventKind, project: Option<&Slug>) -> bool {
        let covered = self.project.is_none() || self.project.as_ref() == project;
        covered && self.disabled.is_none() && self.events.contains(&event)
    }

    /// Makes `change` at `now`.
    pub fn apply(&mut self, change: &WebhookChange, now: Timestamp) -> Changed {
        let before = self.clone();
        match change {
            WebhookChange::Edit(edit) => {
                let WebhookEdit { url, note, events, disabled } = edit.clone();
                self.url = url.unwrap_or_else(|| before.url.clone());
                self.note = note.unwrap_or_else(|| before.note.clone());
                self.events = events.unwrap_or_else(|| before.events.clone());
                match disabled {
                    Some(true) if self.disabled.is_none() => self.disabled = Some((now, Disabled::Asked)),
                    Some(false) => (self.disabled, self.failing_since) = (None, None),
                    _ => {}
                }
            }
            WebhookChange::RotateSecret { pepper } => {
                self.previous = Some((self.secret, now.after(SECRET_OVERLAP)));
                self.secret = SigningSecret { version: self.secret.version.saturating_add(1), pepper: *pepper };
            }
            WebhookChange::Stop(why) => {
                if self.disabled.is_none() {
                    self.disabled = Some((now, *why));
                }
            }
        }
        if *self == before {
            return Changed::Already;
        }
        self.version += 1;
        self.updated_at = now;
        Changed::Yes
    }

    /// What a message sent at `now` is signed with, the newest first.
    pub fn signed_with(&self, now: Timestamp) -> impl Iterator<Item = SigningSecret> {
        let previous = self.previous.filter(|&(_, until)| now < until).map(|(secret, _)| secret);
        std::iter::once(self.secret).chain(previous)
    }
}

/// A change of a webhook.
#[derive(Clone, Debug)]
pub enum WebhookChange {
    /// Change what people chose.
    Edit(WebhookEdit),
    /// Replace the signing secret; the one before signs too, for [`SECRET_OVERLAP`].
    RotateSecret {
        /// The version of the pepper that the new one is derived from.
        pepper: u32,
    },
    /// Send nothing more, because nothing arrives.
    Stop(Disabled),
}

/// New values of what people chose; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct WebhookEdit {
    /// Where events are sent.
    pub url: Option<String>,
    /// The note.
    pub note: Option<String>,
    /// What it is told of.
    pub events: Option<BTreeSet<EventKind>>,
    /// Whether it is disabled. Enabling forgets its failures.
    pub disabled: Option<bool>,
}

/// How long the signing secret before the newest signs too.
pub const SECRET_OVERLAP: Duration = Duration::from_hours(24);

/// After so long with nothing but failures a webhook is disabled.
pub const GIVE_UP_AFTER: Duration = Duration::from_hours(5 * 24);

/// How long deliveries are kept to be looked at.
pub const KEEP_DELIVERIES: Duration = Duration::from_hours(30 * 24);

/// One event on its way to one webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Who is told.
    pub webhook: WebhookId,
    /// The event's id: the same for every webhook and every attempt.
    pub event: EventId,
    /// What happened, without the prefix of its type: an [`EventKind`], or `webhook.test`.
    pub kind: String,
    /// The message, as it is signed and sent.
    pub payload: String,
    /// When the event was written down.
    pub created_at: Timestamp,
    /// Where it is on its way.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// What the last attempt came to.
    pub last: Option<Attempt>,
}

/// Where a delivery is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// It is sent at this instant, again or for the first time.
    Pending {
        /// The instant.
        next_at: Timestamp,
    },
    /// The receiver has it.
    Delivered,
    /// Every attempt failed.
    Failed,
}

impl DeliveryState {
    /// The state's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One attempt to send a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it failed, for the webhook's owner; `None`: it did not.
    pub error: Option<String>,
}

impl Attempt {
    /// The longest [`Attempt::error`], in characters.
    pub const MAX_ERROR: usize = 300;

    /// Whether the receiver has the message.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        self.error.is_none()
    }
}

/// The id of an event, shown as `evt_` and 32 hexadecimal digits; ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventId(RecordId);

impl EventId {
    /// A new id for an event noticed at `now`.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn new(now: Timestamp, random: &dyn Random) -> Result<Self, RandomError> {
        RecordId::new(now, random).map(Self)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (pairs, []) = text.strip_prefix("evt_").ok_or(EventIdError)?.as_bytes().as_chunks::<2>() else {
            return Err(EventIdError);
        };
        let digit =
            |byte: u8| b"0123456789abcdef".iter().zip(0_u8..).find(|&(&one, _)| one == byte).map(|(_, value)| value);
        let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect::<Option<Vec<_>>>();
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).ok_or(EventIdError)?;
        Ok(Self(RecordId::from_bytes(bytes)))
    }
}

/// The text is not `evt_` and 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an event's id is evt_ and 32 hexadecimal digits")]
pub struct EventIdError;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}", self.0)
    }
}

/// How long to wait after so many failed attempts: eight attempts within about a day.
const WAITS: [Duration; 7] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(15),
];

/// The longest wait that a receiver can ask for.
pub const LONGEST_ASKED: Duration = Duration::from_hours(6);

/// The most attempts of one delivery.
pub const MAX_ATTEMPTS: u32 = 8;

/// How long to wait after `failed` attempts, between 80 and 120 % of the step, so that what failed together is not sent
/// again together; `None`: no further attempt.
#[must_use]
pub fn wait_after(failed: u32, random: &dyn Random) -> Option<Duration> {
    let wait = *WAITS.get(usize::try_from(failed.checked_sub(1)?).ok()?)?;
    let mut byte = [128];
    // Without randomness the step itself is as good.
    let _ = random.fill(&mut byte);
    Some(wait.mul_f64(0.8 + 0.4 * f64::from(byte[0]) / 255.0))
}

/// The same where the receiver `asked` for a wait: not before what it asked for, up to [`LONGEST_ASKED`], and never earlier than
/// otherwise.
#[must_use]
pub fn wait_as_asked(failed: u32, asked: Option<Duration>, random: &dyn Random) -> Option<Duration> {
    wait_after(failed, random).map(|wait| wait.max(asked.unwrap_or_default().min(LONGEST_ASKED)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SeededRandom;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn webhook() -> Webhook {
        Webhook {
            id: "whk_7Hq2mZxK9wPa".parse().expect("an id"),
            project: None,
            url: "https://example.com".to_owned(),
            note: String::new(),
            events: [EventKind::Revoked].into(),
            secret: SigningSecret { version: 1, pepper: 1 },
            previous: None,
            version: 1,
            created_at: NOW,
            created_by: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            updated_at: NOW,
            disabled: None,
            failing_since: None,
        }
    }

    #[test]
    fn names_survive_their_text_form() {
        for &kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("key.*".parse::<EventKind>().is_err());
        let event = EventId::new(NOW, &SeededRandom::new(1)).expect("an id");
        assert_eq!(event.to_string().parse(), Ok(event));
        let id = WebhookId::random(&SeededRandom::new(1)).expect("an id");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_webhook_of_a_project_hears_of_nothing_else() {
        let shop: Slug = "shop".parse().expect("a slug");
        let bank: Slug = "bank".parse().expect("a slug");
        let everything = webhook();
        let own = Webhook { project: Some(shop.clone()), ..webhook() };
        assert!(everything.wants(EventKind::Revoked, None) && everything.wants(EventKind::Revoked, Some(&bank)));
        assert!(!everything.wants(EventKind::Created, None));
        assert!(own.wants(EventKind::Revoked, Some(&shop)));
        assert!(!own.wants(EventKind::Revoked, Some(&bank)) && !own.wants(EventKind::Revoked, None));
        let disabled = Webhook { disabled: Some((NOW, Disabled::Asked)), ..webhook() };
        assert!(!disabled.wants(EventKind::Revoked, None));
    }

    #[test]
    fn the_secret_before_signs_for_a_day() {
        let mut webhook = webhook();
        assert_eq!(webhook.apply(&WebhookChange::RotateSecret { pepper: 2 }, NOW), Changed::Yes);
        let versions = |now| webhook.signed_with(now).map(|secret| (secret.version, secret.pepper)).collect::<Vec<_>>();
        assert_eq!(versions(NOW), [(2, 2), (1, 1)]);
        assert_eq!(versions(NOW.after(SECRET_OVERLAP)), [(2, 2)]);
    }

    #[test]
    fn a_change_counts_where_it_changes_something() {
        let mut webhook = Webhook { failing_since: Some(NOW), ..webhook() };
        let later = NOW.after(Duration::from_secs(1));
        let edit = |disabled| WebhookChange::Edit(WebhookEdit { disabled: Some(disabled), ..WebhookEdit::default() });
        assert_eq!(webhook.apply(&WebhookChange::Edit(WebhookEdit::default()), later), Changed::Already);
        assert_eq!(webhook.apply(&WebhookChange::Stop(Disabled::Failing), later), Changed::Yes);
        assert_eq!(webhook.apply(&edit(true), later), Changed::Already);
        assert_eq!((webhook.disabled, webhook.version), (Some((later, Disabled::Failing)), 2));
        assert_eq!(webhook.apply(&edit(false), later), Changed::Yes);
        assert_eq!((webhook.disabled, webhook.failing_since, webhook.version), (None, None, 3));
        assert_eq!(webhook.updated_at, later);
    }

    #[test]
    fn a_delivery_is_tried_for_about_a_day() {
        let random = SeededRandom::new(3);
        let waits: Vec<_> = (1..MAX_ATTEMPTS).map(|failed| wait_after(failed, &random).expect("another")).collect();
        let total: Duration = waits.iter().sum();
        assert!((Duration::from_hours(18)..Duration::from_hours(29)).contains(&total), "{total:?}");
        assert!(waits.is_sorted());
        assert_eq!((wait_after(0, &random), wait_after(MAX_ATTEMPTS, &random)), (None, None));
        let again: Vec<_> = (1..MAX_ATTEMPTS).map(|failed| wait_after(failed, &random).expect("another")).collect();
        assert_ne!(waits, again, "the waits are not spread");
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_within_bounds() {
        let asked = |failed, seconds| wait_as_asked(failed, Some(Duration::from_secs(seconds)), &SeededRandom::new(3));
        let own = |failed| wait_after(failed, &SeededRandom::new(3));
        assert_eq!(asked(1, 0), own(1));
        assert_eq!(asked(1, 120), Some(Duration::from_mins(2)));
        assert_eq!(asked(1, u64::MAX), Some(LONGEST_ASKED));
        assert_eq!(asked(7, u64::MAX), own(7));
        assert_eq!(asked(MAX_ATTEMPTS, 120), None);
        assert_eq!(wait_as_asked(2, None, &SeededRandom::new(3)), own(2));
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_or_an_error(text in "\\PC*|whk_[0-9A-Za-z]{11,13}|evt_[0-9a-fg]{31,33}") {
            if let Ok(id) = text.parse::<WebhookId>() {
                prop_assert_eq!(id.to_string(), text.clone());
            }
            if let Ok(id) = text.parse::<EventId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
