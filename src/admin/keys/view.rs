//! What is shown of keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::traffic::TrafficView;
use crate::admin::openapi::schemas;
use crate::admin::senders::SenderView;
use crate::admin::terms::{self, LimitView};
use crate::domain::hygiene::{RotationPolicy, attention};
use crate::domain::key::SecretFormat;
use crate::domain::{Binding, Environment, Key, KeyId, Secret, SecretState, Slug, Timestamp, Token};

/// A key in answers. Instants are RFC 3339; nothing of a secret is shown but what is safe to log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// The public id, `key_…`.
    #[schema(value_type = schemas::KeyId)]
    pub id: String,
    /// `ingest` or `admin`.
    #[schema(value_type = schemas::KeyKind)]
    pub kind: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// More text for people; may be empty.
    #[schema(value_type = schemas::Note)]
    pub note: String,
    /// Labels to find it by, sorted.
    #[schema(value_type = Vec<schemas::Tag>)]
    pub tags: Vec<String>,
    /// The customer or owner that it is for.
    #[schema(value_type = Option<schemas::Name>)]
    pub owner: Option<String>,
    /// The project it belongs to; none of an admin key of the installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The grid of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The environment of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// Its role; none where its permissions are its own.
    #[schema(value_type = Option<schemas::Slug>)]
    pub role: Option<String>,
    /// What it may do: of a key with a role, what the role holds now.
    pub permissions: Vec<String>,
    /// Where it may be used from, in CIDR notation; empty: anywhere.
    pub allowed_addresses: Vec<String>,
    /// The limits of its own; what holds together with its plan, tenant and project is under `/keys/{id}/limits`.
    pub limits: Vec<LimitView>,
    /// Whether it is a person's.
    pub member: bool,
    /// Its token without the secret, or `…` where no part of it can be shown.
    pub masked: String,
    /// `revoked`, `expired`, `disabled` or `active`, in this order of precedence.
    #[schema(value_type = schemas::KeyStatus)]
    pub status: String,
    /// Counts its changes from 1; also its `ETag`.
    #[schema(minimum = 1)]
    pub version: u64,
    /// When it was created.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// The admin key that created it; none of the first.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub created_by: Option<String>,
    /// When it was last changed.
    #[schema(value_type = schemas::Instant)]
    pub updated_at: String,
    /// From this instant on it is refused.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
    /// Set while it is disabled.
    #[schema(value_type = Option<schemas::Instant>)]
    pub disabled_at: Option<String>,
    /// Set once it is revoked.
    #[schema(value_type = Option<schemas::Instant>)]
    pub revoked_at: Option<String>,
    /// The overlap of two secrets, while there is one.
    pub rotation: Option<RotationView>,
    /// When one of its secrets was last used; up to a minute late.
    #[schema(value_type = Option<schemas::Instant>)]
    pub last_used_at: Option<String>,
    /// From where.
    pub last_used_address: Option<String>,
    /// By what.
    pub last_used_user_agent: Option<String>,
    /// Why it needs attention; of an active key only.
    #[schema(value_type = Vec<schemas::Flag>)]
    pub attention: Vec<String>,
    /// Its secrets, newest first: those that are let in, and the last few that were.
    pub secrets: Vec<SecretView>,
}

/// A rotation in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RotationView {
    /// The version of the secret that goes.
    #[schema(minimum = 1)]
    pub old_version: u32,
    /// The version of the secret that stays.
    #[schema(minimum = 1)]
    pub new_version: u32,
    /// From this instant on the old one is refused.
    #[schema(value_type = schemas::Instant)]
    pub until: String,
    /// It is refused earlier once it was not used for so long.
    pub drained_after_seconds: Option<u64>,
    /// When the old one was last used; up to a minute late.
    #[schema(value_type = Option<schemas::Instant>)]
    pub old_last_used_at: Option<String>,
    /// Who was seen with the old one, the last first: in the answer to `GET /keys/{id}`, for callers with `usage.view`.
    pub old_senders: Option<Vec<SenderView>>,
    /// How many exports come with each of the two: there and then, too.
    pub traffic: Option<TrafficView>,
}

/// A secret in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// 1 for the first, counting up.
    #[schema(minimum = 1)]
    pub version: u32,
    /// `current`, `retiring` or `retired`.
    #[schema(value_type = schemas::SecretState)]
    pub state: String,
    /// `token`, or `uuid` where it came from elsewhere or was asked for.
    #[schema(value_type = schemas::SecretFormat)]
    pub format: String,
    /// When it was made.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// From this instant on it is refused.
    #[schema(value_type = Option<schemas::Instant>)]
    pub retires_at: Option<String>,
    /// When it was first used.
    #[schema(value_type = Option<schemas::Instant>)]
    pub first_used_at: Option<String>,
    /// When it was last used; up to a minute late.
    #[schema(value_type = Option<schemas::Instant>)]
    pub last_used_at: Option<String>,
    /// From where.
    pub last_used_address: Option<String>,
    /// By what.
    pub last_used_user_agent: Option<String>,
}

/// The secrets of a key in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretsView {
    /// Newest first.
    pub data: Vec<SecretView>,
}

impl KeyView {
    /// What `key` looks like at `now`. `environments` are all there are.
    #[must_use]
    pub fn new(key: &Key, environments: &[Environment], now: Timestamp) -> Self {
        let tenant = match &key.binding {
            Binding::Tenant(tenant) => Some(tenant),
            Binding::Project(_) | Binding::Installation => None,
        };
        let text = |at: &Option<Timestamp>| at.as_ref().map(Timestamp::to_string);
        let used = key.last_used();
        let flags = attention(key, &RotationPolicy::new(environments), now);
        Self {
            id: key.id.to_string(),
            kind: key.binding.kind().as_str().to_owned(),
            name: key.name.clone(),
            note: key.note.clone(),
            tags: key.tags.iter().map(str::to_owned).collect(),
            owner: key.owner.clone(),
            project: key.binding.project().map(Slug::to_string),
            grid: tenant.map(|tenant| tenant.grid.to_string()),
            environment: tenant.map(|tenant| tenant.environment.to_string()),
            role: key.role.as_ref().map(Slug::to_string),
            permissions: key.permissions.names().map(str::to_owned).collect(),
            allowed_addresses: key.allowed.iter().collect(),
            limits: terms::views(&key.limits),
            member: key.member,
            masked: masked(key, environments),
            status: key.status(now).to_string(),
            version: key.version,
            created_at: key.created_at.to_string(),
            created_by: key.created_by.as_ref().map(KeyId::to_string),
            updated_at: key.updated_at.to_string(),
            expires_at: text(&key.expires_at),
            disabled_at: text(&key.disabled_at),
            revoked_at: text(&key.revoked_at),
            rotation: RotationView::of(key, now),
            last_used_at: used.map(|used| used.last_at.to_string()),
            last_used_address: used.and_then(|used| used.address).map(|address| address.to_string()),
            last_used_user_agent: used.and_then(|used| used.agent.clone()),
            attention: flags.iter().map(ToString::to_string).collect(),
            secrets: SecretsView::new(key, now).data,
        }
    }
}

impl SecretsView {
    /// What the secrets of `key` look like at `now`.
    pub(super) fn new(key: &Key, now: Timestamp) -> Self {
        Self { data: key.secrets.iter().map(|secret| SecretView::new(secret, now)).collect() }
    }
}

impl RotationView {
    fn of(key: &Key, now: Timestamp) -> Option<Self> {
        let (new, old) = key.rotation(now)?;
        Some(Self {
            old_version: old.version,
            new_version: new.version,
            until: old.retires_at?.to_string(),
            drained_after_seconds: old.drained_after.map(|after| after.as_secs()),
            old_last_used_at: old.used.as_ref().map(|used| used.last_at.to_string()),
            old_senders: None,
            traffic: None,
        })
    }
}

impl SecretView {
    fn new(secret: &Secret, now: Timestamp) -> Self {
        let state = match secret.state(now) {
            SecretState::Current => "current",
            SecretState::Retiring { .. } => "retiring",
            SecretState::Retired => "retired",
        };
        let used = secret.used.as_ref();
        Self {
            version: secret.version,
            state: state.to_owned(),
            format: secret.format.as_str().to_owned(),
            created_at: secret.created_at.to_string(),
            retires_at: secret.retires_at.as_ref().map(Timestamp::to_string),
            first_used_at: used.map(|used| used.first_at.to_string()),
            last_used_at: used.map(|used| used.last_at.to_string()),
            last_used_address: used.and_then(|used| used.address).map(|address| address.to_string()),
            last_used_user_agent: used.and_then(|used| used.agent.clone()),
        }
    }
}

/// The token of the newest secret as it may be shown. Nothing in a UUID names its key.
fn masked(key: &Key, environments: &[Environment]) -> String {
    let code = match &key.binding {
        Binding::Tenant(tenant) => {
            let found = environments.iter().find(|environment| environment.slug == tenant.environment);
            let Some(environment) = found else { return "…".to_owned() };
            Some(&environment.code)
        }
        Binding::Project(_) | Binding::Installation => None,
    };
    match key.secrets.first() {
        Some(secret) if secret.format == SecretFormat::Uuid => "…".to_owned(),
        _ => Token::masked(code, &key.id),
    }
}
