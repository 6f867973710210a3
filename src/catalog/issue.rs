//! Issuing a key: id, token and digest are made together, and only the digest is stored.

use super::{Catalog, CatalogError, Entity};
use crate::domain::audit::{Action, Actor};
use crate::domain::key::{DigestAlgorithm, Grant, NewSecret, SecretFormat};
use crate::domain::random::RandomError;
use crate::domain::secret::Peppers;
use crate::domain::{
    AllowedAddresses, Binding, EnvironmentCode, Key, KeyId, Limits, Permissions, Random, Secret, Slug, Tags, Timestamp,
    Token, role,
};

/// What a new key is to be. Rights are the caller's business: nothing here is checked against who asks.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Free text for people.
    pub name: String,
    /// What it opens, for life.
    pub binding: Binding,
    /// What it may do.
    pub grant: Grant,
    /// More text for people.
    pub note: String,
    /// Labels to find it by.
    pub tags: Tags,
    /// The customer or owner that it is for.
    pub owner: Option<String>,
    /// Where it may be used from.
    pub allowed: AllowedAddresses,
    /// The limits of its own.
    pub limits: Limits,
    /// Whether it is a person's.
    pub member: bool,
    /// Whether it is refused until it is enabled.
    pub disabled: bool,
    /// From this instant on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The form of its first token; a UUID is for ingest keys alone.
    pub format: SecretFormat,
}

impl NewKey {
    /// A key that may do what `grant` says, from everywhere and for ever.
    #[must_use]
    pub fn new(name: impl Into<String>, binding: Binding, grant: Grant) -> Self {
        Self {
            name: name.into(),
            binding,
            grant,
            note: String::new(),
            tags: Tags::default(),
            owner: None,
            allowed: AllowedAddresses::default(),
            limits: Limits::default(),
            member: false,
            disabled: false,
            expires_at: None,
            format: SecretFormat::Token,
        }
    }

    /// A key whose permissions are its own.
    #[must_use]
    pub fn with(name: impl Into<String>, binding: Binding, permissions: Permissions) -> Self {
        Self::new(name, binding, Grant { role: None, permissions })
    }

    /// A key with the built-in role `role`.
    ///
    /// # Errors
    /// [`CatalogError::Missing`] where no built-in role has this name.
    pub fn with_role(name: impl Into<String>, binding: Binding, role: &str) -> Result<Self, CatalogError> {
        let found =
            role.parse().ok().and_then(|slug| role::built_in(&slug)).ok_or(CatalogError::Missing(Entity::Role))?;
        Ok(Self::new(name, binding, Grant { role: Some(found.slug), permissions: found.permissions }))
    }
}

/// Why a key or a secret was not issued.
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

/// Mints the id and the token of a new key at the actor's instant, and stores the key with the token's digest under the newest
/// pepper.
///
/// The token exists in the returned value alone: who drops it has lost it.
///
/// # Errors
/// Where the catalog refuses or cannot be asked, or where `random` gives no bytes.
pub async fn issue_key(
    catalog: &dyn Catalog,
    random: &dyn Random,
    peppers: &Peppers,
    new: NewKey,
    by: &Actor,
) -> Result<(Key, Token), IssueError> {
    let id = KeyId::random(random)?;
    let (NewSecret { digest, algorithm, format }, token) = match new.format {
        SecretFormat::Token => mint(catalog, random, peppers, id, &new.binding).await?,
        SecretFormat::Uuid => hidden(Token::mint_uuid(random)?, SecretFormat::Uuid, peppers),
    };
    let secret = Secret {
        version: 1,
        digest,
        algorithm,
        format,
        created_at: by.at,
        retires_at: None,
        drained_after: None,
        used: None,
    };
    let key = Key {
        note: new.note,
        tags: new.tags,
        owner: new.owner,
        role: new.grant.role,
        permissions: new.grant.permissions,
        allowed: new.allowed,
        limits: new.limits,
        member: new.member,
        created_by: by.key,
        expires_at: new.expires_at,
        disabled_at: new.disabled.then_some(by.at),
        secrets: vec![secret],
        ..Key::new(id, new.binding, new.name, by.at)
    };
    let action = if key.member { Action::MemberInvited } else { Action::KeyCreated };
    catalog.create_key(&key, action, by).await?;
    Ok((key, token))
}

/// Mints a token for the key `id` with this binding, and the secret to store of it. Nothing is stored yet.
///
/// # Errors
/// Where the catalog cannot be asked for the environment's code, or where `random` gives no bytes.
pub async fn mint(
    catalog: &dyn Catalog,
    random: &dyn Random,
    peppers: &Peppers,
    id: KeyId,
    binding: &Binding,
) -> Result<(NewSecret, Token), IssueError> {
    let environment = match binding {
        Binding::Tenant(tenant) => Some(environment_code(catalog, &tenant.environment).await?),
        Binding::Project(_) | Binding::Installation => None,
    };
    Ok(hidden(Token::mint(environment.as_ref(), id, random)?, SecretFormat::Token, peppers))
}

/// What is stored of a token, beside the token.
fn hidden(token: Token, format: SecretFormat, peppers: &Peppers) -> (NewSecret, Token) {
    let pepper = peppers.newest();
    let algorithm = DigestAlgorithm::HmacSha256 { pepper: pepper.version() };
    (NewSecret { digest: pepper.digest(token.reveal()), algorithm, format }, token)
}

async fn environment_code(catalog: &dyn Catalog, slug: &Slug) -> Result<EnvironmentCode, CatalogError> {
    let found = catalog.environments().await?.into_iter().find(|environment| environment.slug == *slug);
    found.map(|environment| environment.code).ok_or(CatalogError::Missing(Entity::Environment))
}
