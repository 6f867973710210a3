//! Keys: what their verbs share.

pub(super) mod cancel_rotation;
pub(super) mod complete_rotation;
pub mod counts;
pub mod create;
mod csv;
pub(super) mod delete;
pub mod diagnose;
pub(super) mod disable;
pub mod edit;
pub(super) mod enable;
pub(super) mod events;
mod fields;
pub mod import;
pub mod import_file;
mod imported_token;
pub(super) mod list;
pub(super) mod presented;
pub(super) mod purge;
pub mod quarter;
pub(super) mod regenerate;
pub(super) mod review;
pub(super) mod revoke;
pub mod rotate;
pub(super) mod secrets;
pub(super) mod show;
mod traffic;
pub mod verify;
mod view;

use axum::Json;
use http::HeaderName;

use super::AdminState;
use super::caller::Caller;
use super::precondition::{IfMatch, etag};
use super::problem::{Place, Problem};
use super::senders::in_use::{Cut, Forced, require_idle};
use crate::catalog::issue::{IssueError, NewKey, issue_key, mint};
use crate::catalog::{CatalogError, Entity};
use crate::domain::key::NewSecret;
use crate::domain::{Actor, Environment, Key, KeyChange, KeyId, Permission, Timestamp, Token};
use create::IssuedKey;
pub use traffic::{SecretTrafficView, TrafficView};
pub use view::{KeyView, RotationView, SecretView, SecretsView};

/// An answer about one key: its version, and what is shown.
pub(super) type Answer<T> = ([(HeaderName, String); 1], Json<T>);

pub(super) fn answer(key: &Key, environments: &[Environment], now: Timestamp) -> Answer<KeyView> {
    (etag(key.version), Json(KeyView::new(key, environments, now)))
}

/// The key `id`, if it exists and the caller may see it.
pub(super) async fn visible(state: &AdminState, caller: &Caller, id: &KeyId) -> Result<Key, Problem> {
    let key = state.catalog.key(id).await?;
    key.filter(|key| caller.binding.covers(key.binding.project())).ok_or_else(|| Problem::not_found(Entity::Key))
}

/// The verbs that change the state of a key: they differ in the change and in the permission.
async fn change(
    state: AdminState,
    caller: Caller,
    id: KeyId,
    if_match: IfMatch,
    forced: Forced,
    change: KeyChange,
    permission: Permission,
) -> Result<Answer<KeyView>, Problem> {
    caller.require(permission)?;
    let key = visible(&state, &caller, &id).await?;
    let expected = if_match.expected(key.version)?;
    if forced.force != Some(true) {
        require_idle(&state, &caller, &key, Cut::from(&change)).await?;
    }
    // What is shown is read before, so that nothing can fail once the change is made.
    let environments = state.catalog.environments().await?;
    let now = caller.actor.at;
    let key = make(state, caller.actor, id, change, expected).await?.map_err(point)?;
    Ok(answer(&key, &environments, now))
}

/// The verbs that give a key a new secret, and show its token; `cut` is refused while somebody would notice.
async fn renew(
    state: AdminState,
    caller: Caller,
    key: Key,
    if_match: IfMatch,
    cut: Cut,
    change: impl FnOnce(NewSecret) -> KeyChange,
) -> Result<Answer<IssuedKey>, Problem> {
    let expected = if_match.expected(key.version)?;
    require_idle(&state, &caller, &key, cut).await?;
    let environments = state.catalog.environments().await?;
    let minted = mint(&*state.catalog, &*state.random, &state.peppers, key.id, &key.binding).await;
    let (secret, token) = minted.map_err(refused)?;
    let now = caller.actor.at;
    let key = make(state, caller.actor, key.id, change(secret), expected).await?.map_err(point)?;
    let issued = IssuedKey { key: KeyView::new(&key, &environments, now), token: token.reveal().to_owned() };
    Ok((etag(key.version), Json(issued)))
}

/// Makes a change, and announces it before anybody is told. What a key is bound to never changes, so that looking whether the caller
/// may see it need not be one transaction with the change.
pub(super) async fn make(
    state: AdminState,
    actor: Actor,
    id: KeyId,
    change: KeyChange,
    expected: Option<u64>,
) -> Result<Result<Key, CatalogError>, Problem> {
    to_the_end(async move {
        let changed = state.catalog.change_key(&id, &change, expected, &actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.key_changed)(id);
        changed?.map(|(key, _)| key).ok_or(CatalogError::Missing(Entity::Key))
    })
    .await
}

/// Issues a key, and announces it before anybody is told.
pub(super) async fn issue(state: AdminState, new: NewKey, actor: Actor) -> Result<(Key, Token), Problem> {
    let issued = to_the_end(async move {
        let issued = issue_key(&*state.catalog, &*state.random, &state.peppers, new, &actor).await;
        if let Ok((key, _)) = &issued {
            (state.key_changed)(key.id);
        }
        issued
    });
    issued.await?.map_err(refused)
}

/// Runs `work` to its end even if the client leaves meanwhile, which drops the handler: a change that is committed but not
/// announced would leave the gate with what it cached.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.map_err(Problem::internal)
}

/// Why a key or a secret was not issued.
pub(super) fn refused(error: IssueError) -> Problem {
    match error {
        IssueError::Random(error) => error.into(),
        IssueError::Catalog(error) => point(error),
    }
}

/// The problem, pointing at the field of the body that names what is taken or missing.
fn point(error: CatalogError) -> Problem {
    let (field, fix) = match &error {
        CatalogError::Missing(Entity::Project) => ("project", "the slug of a project"),
        CatalogError::Missing(Entity::Grid) => ("grid", "the slug of a grid"),
        CatalogError::Missing(Entity::Environment) => ("environment", "the slug of an environment"),
        CatalogError::Missing(Entity::Role) => ("role", "the slug of a role"),
        CatalogError::Exists(Entity::Key) => {
            let fix = "choose another name, or revoke the key that has it";
            return Problem::from(error).at(Place::field("name"), fix);
        }
        CatalogError::Exists(Entity::Token) => {
            return Problem::from(error).at(Place::field("token"), "a token that no key has yet");
        }
        _ => return error.into(),
    };
    let fix = format!("{fix} that exists; create it first, or list those there are");
    Problem::from(error).at(Place::field(field), fix)
}
