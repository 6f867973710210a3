//! Who may change what, decided in the transaction of the change: neither the actor's rights nor the owners change meanwhile.

use sqlx::{AnyConnection, query};

use super::keys::read_key;
use super::roles::usable;
use super::{CatalogError, Entity};
use crate::domain::authority::Granter;
use crate::domain::{Actor, Binding, Key, KeyStatus, Permissions, SecretState, Slug};

/// The admin key behind a change, as it is now. Gridgate itself and commands at the machine have none, and may do everything.
pub(super) struct Guard(Option<Key>);

impl Guard {
    /// [`CatalogError::ActorGone`] where the key is no longer active, its secret no longer good or its address no longer allowed, and
    /// [`CatalogError::PermissionGone`] where it lacks by now what its request needs, which may have been under way for long.
    pub(super) async fn of(connection: &mut AnyConnection, actor: &Actor) -> Result<Self, CatalogError> {
        let Some(id) = &actor.key else { return Ok(Self(None)) };
        let key = read_key(connection, id).await?;
        let active = key.filter(|key| key.status(actor.at) == KeyStatus::Active && still_proved(key, actor));
        let key = active.ok_or(CatalogError::ActorGone)?;
        match key.permissions.first_missing(&actor.needs) {
            Some(lacking) => Err(CatalogError::PermissionGone { key: key.id, permission: lacking.to_owned() }),
            None => Ok(Self(Some(key))),
        }
    }

    /// The one whose rights count; `None`: everything is allowed.
    pub(super) fn granter(&self) -> Option<Granter<'_>> {
        self.0.as_ref().map(|key| Granter { key: key.id, permissions: &key.permissions })
    }

    /// Whether there is an owner that must not be the last to go: of the installation for its admins, of their project for a
    /// project's.
    pub(super) async fn has_owner(&self, connection: &mut AnyConnection) -> Result<bool, CatalogError> {
        match self.0.as_ref().map(|key| &key.binding) {
            Some(Binding::Installation) => has_owner(connection, None).await,
            Some(Binding::Project(project)) => has_owner(connection, Some(project)).await,
            Some(Binding::Tenant(_)) | None => Ok(false),
        }
    }
}

/// Whether the actor could prove itself once more.
fn still_proved(key: &Key, actor: &Actor) -> bool {
    let good = |version| {
        let secret = key.secrets.iter().find(|secret| secret.version == version);
        secret.is_some_and(|secret| key.secret_state(secret, actor.at) != SecretState::Retired)
    };
    actor.secret.is_none_or(good) && actor.address.is_none_or(|address| key.allowed.contains(address))
}

/// What `key` may do if it is written now: of a key with a role, what the role holds. [`CatalogError::Missing`] where there is no such
/// role for this kind of key.
pub(super) async fn permissions(connection: &mut AnyConnection, key: &Key) -> Result<Permissions, CatalogError> {
    let Some(slug) = &key.role else { return Ok(key.permissions.clone()) };
    let role = usable(connection, key.binding.project(), slug).await?;
    let fitting = role.filter(|role| role.kind == key.binding.kind());
    fitting.map(|role| role.permissions).ok_or(CatalogError::Missing(Entity::Role))
}

/// Whether the project, or the installation, has an owner for good. The domain says the same of one key.
async fn has_owner(connection: &mut AnyConnection, project: Option<&Slug>) -> Result<bool, CatalogError> {
    let select = query(
        "SELECT k.id
         FROM keys AS k
         LEFT JOIN roles AS own ON own.project = k.project AND own.slug = k.role
         LEFT JOIN roles AS common ON common.project = '' AND common.slug = k.role
         WHERE k.kind = 'admin'
             AND k.project IS NOT DISTINCT FROM $1
             AND k.revoked_at IS NULL
             AND k.disabled_at IS NULL
             AND k.expires_at IS NULL
             AND (
                 k.role = 'owner'
                 OR (k.role IS NULL AND k.permissions = '*')
                 OR COALESCE(own.permissions, common.permissions) = '*'
             )
         LIMIT 1",
    )
    .bind(project.map(Slug::as_str));
    Ok(select.fetch_optional(connection).await?.is_some())
}
