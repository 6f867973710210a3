//! Keys: what is shown of them, and what their verbs share.

pub mod create;
pub mod diagnose;
pub(super) mod disable;
pub(super) mod enable;
pub(super) mod list;
pub(super) mod presented;
pub(super) mod revoke;
pub(super) mod show;
pub mod verify;

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::openapi::schemas;
use super::problem::Problem;
use crate::catalog::Entity;
use crate::domain::{Binding, Key, KeyChange, KeyId, Permission, Secret, SecretState, Slug, Timestamp};

/// A key in answers. Instants are RFC 3339; nothing of a secret is shown but its version and state.
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
    /// The project it belongs to; none of an admin key of the installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The grid of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The environment of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
    /// `revoked`, `expired`, `disabled` or `active`, in this order of precedence.
    #[schema(value_type = schemas::KeyStatus)]
    pub status: String,
    /// When it was created.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// The admin key that created it; none of the first.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub created_by: Option<String>,
    /// From this instant on it is refused.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
    /// Set while it is disabled.
    #[schema(value_type = Option<schemas::Instant>)]
    pub disabled_at: Option<String>,
    /// Set once it is revoked.
    #[schema(value_type = Option<schemas::Instant>)]
    pub revoked_at: Option<String>,
    /// Its secrets, newest first.
    pub secrets: Vec<SecretView>,
}

/// A secret in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// 1 for the first, counting up.
    pub version: u32,
    /// `current`, `retiring` or `retired`.
    #[schema(value_type = schemas::SecretState)]
    pub state: String,
    /// When it was made.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// From this instant on it is refused.
    #[schema(value_type = Option<schemas::Instant>)]
    pub retires_at: Option<String>,
}

impl KeyView {
    /// What `key` looks like at `now`.
    #[must_use]
    pub fn new(key: &Key, now: Timestamp) -> Self {
        let tenant = match &key.binding {
            Binding::Tenant(tenant) => Some(tenant),
            Binding::Project(_) | Binding::Installation => None,
        };
        Self {
            id: key.id.to_string(),
            kind: key.binding.kind().as_str().to_owned(),
            name: key.name.clone(),
            project: key.binding.project().map(Slug::to_string),
            grid: tenant.map(|tenant| tenant.grid.to_string()),
            environment: tenant.map(|tenant| tenant.environment.to_string()),
            permissions: key.permissions.names().map(str::to_owned).collect(),
            status: key.status(now).to_string(),
            created_at: key.created_at.to_string(),
            created_by: key.created_by.as_ref().map(KeyId::to_string),
            expires_at: key.expires_at.as_ref().map(Timestamp::to_string),
            disabled_at: key.disabled_at.as_ref().map(Timestamp::to_string),
            revoked_at: key.revoked_at.as_ref().map(Timestamp::to_string),
            secrets: key.secrets.iter().map(|secret| SecretView::new(secret, now)).collect(),
        }
    }
}

impl SecretView {
    fn new(secret: &Secret, now: Timestamp) -> Self {
        let state = match secret.state(now) {
            SecretState::Current => "current",
            SecretState::Retiring { .. } => "retiring",
            SecretState::Retired => "retired",
        };
        Self {
            version: secret.version,
            state: state.to_owned(),
            created_at: secret.created_at.to_string(),
            retires_at: secret.retires_at.as_ref().map(Timestamp::to_string),
        }
    }
}

/// The key `id`, if it exists and the caller may see it.
async fn visible(state: &AdminState, caller: &Caller, id: &KeyId) -> Result<Key, Problem> {
    let key = state.catalog.key(id).await?;
    key.filter(|key| caller.binding.covers(key.binding.project())).ok_or_else(|| Problem::not_found(Entity::Key))
}

/// The verbs that change the state of a key: they differ in the change and in the permission.
async fn change(
    state: AdminState,
    caller: Caller,
    id: KeyId,
    change: KeyChange,
    permission: Permission,
) -> Result<Json<KeyView>, Problem> {
    caller.require(permission)?;
    // What a key is bound to never changes, so this need not be one transaction with the change.
    visible(&state, &caller, &id).await?;
    let now = caller.actor.at;
    let changed = to_the_end(async move {
        let changed = state.catalog.change_key(&id, &change, None, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.key_changed)(id);
        changed
    })
    .await??;
    let (key, _) = changed.ok_or_else(|| Problem::not_found(Entity::Key))?;
    Ok(Json(KeyView::new(&key, now)))
}

/// Runs `work` to its end even if the client leaves meanwhile, which drops the handler: a change that is committed but not
/// announced would leave the gate with what it cached.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.map_err(Problem::internal)
}
