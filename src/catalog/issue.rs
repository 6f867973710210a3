//! Issuing a key: id, token and digest are made together, and only the digest is stored.

use super::{Catalog, CatalogError, Entity};
use crate::domain::random::RandomError;
use crate::domain::secret::Peppers;
use crate::domain::{Binding, Clock, EnvironmentCode, Key, KeyId, Permissions, Random, Secret, Slug, Timestamp, Token};

/// What a new key is to be. Rights are the caller's business: nothing here is checked against who asks.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Free text for people.
    pub name: String,
    /// What it opens, for life.
    pub binding: Binding,
    /// What it may do.
    pub permissions: Permissions,
    /// From this instant on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The admin key that asks for it; `None` for the first.
    pub created_by: Option<KeyId>,
}

/// Why a key was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// [`CatalogError::Missing`] without its project, grid or environment, [`CatalogError::Exists`] where the name is
    /// taken.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// No secret without good randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Mints the id and the token of a new key, and stores the key with the token's digest under the newest pepper.
///
/// The token exists in the returned value alone: who drops it has lost it.
///
/// # Errors
/// Where the catalog refuses or cannot be asked, or where `random` gives no bytes.
pub async fn issue_key(
    catalog: &dyn Catalog,
    clock: &dyn Clock,
    random: &dyn Random,
    peppers: &Peppers,
    new: NewKey,
) -> Result<(Key, Token), IssueError> {
    let environment = match &new.binding {
        Binding::Tenant(tenant) => Some(environment_code(catalog, &tenant.environment).await?),
        Binding::Project(_) | Binding::Installation => None,
    };
    let id = KeyId::random(random)?;
    let token = Token::mint(environment.as_ref(), id, random)?;
    let pepper = peppers.newest();
    let now = clock.now();
    let secret = Secret {
        version: 1,
        digest: pepper.digest(token.reveal()),
        pepper: pepper.version(),
        created_at: now,
        retires_at: None,
    };
    let key = Key {
        id,
        binding: new.binding,
        name: new.name,
        permissions: new.permissions,
        created_at: now,
        created_by: new.created_by,
        expires_at: new.expires_at,
        disabled_at: None,
        revoked_at: None,
        secrets: vec![secret],
    };
    catalog.create_key(&key).await?;
    Ok((key, token))
}

async fn environment_code(catalog: &dyn Catalog, slug: &Slug) -> Result<EnvironmentCode, CatalogError> {
    let found = catalog.environments().await?.into_iter().find(|environment| environment.slug == *slug);
    found.map(|environment| environment.code).ok_or(CatalogError::Missing(Entity::Environment))
}
