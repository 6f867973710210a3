//! Sessions of the console: an admin key is traded for one, which then stands for it, as long as the key itself would be let in.
//!
//! The API lists and ends them. It never lets one begin, and takes none from the network: only the console, in the same process, puts
//! [`SignedIn`] beside a request.

pub(super) mod end;
pub(super) mod list;

use std::time::Duration;

use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use end::EndedSessions;
pub use list::SessionsView;

use super::AdminState;
use super::caller::Caller;
use super::limits::Credentials;
use super::openapi::schemas;
use super::problem::Problem;
use crate::domain::KeyId;
use crate::domain::audit::{Actor, Via};
use crate::domain::session::{SEEN_STEP, Session, SessionId, Ticket};

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// One that is unused for so long is over.
    pub idle: Duration,
    /// So long after its beginning each is over.
    pub most: Duration,
}

/// The most sessions of one admin key; with one more the oldest ends.
const MOST_SESSIONS: u32 = 20;

/// Beside a request: it comes from the console, with this session. Nothing that arrives over the network can bring one along.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub key: KeyId,
    /// The version of the secret that it was begun with.
    pub secret_version: u32,
}

/// A session in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Its public name.
    #[schema(value_type = schemas::SessionId)]
    pub id: String,
    /// Whether the request itself comes with it.
    pub current: bool,
    /// When it began.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// When it was last used; up to a minute late.
    #[schema(value_type = schemas::Instant)]
    pub last_used_at: String,
    /// It ends then at the latest.
    #[schema(value_type = schemas::Instant)]
    pub expires_at: String,
    /// From where it was begun.
    pub address: Option<String>,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

/// Trades the admin key whose token `parts` present for a session: what the browser is to hold, and the session.
///
/// # Errors
/// As any request with these credentials: they are counted and refused in the same way.
pub async fn begin(state: &AdminState, parts: &Parts) -> Result<(Ticket, SignedIn), Problem> {
    let Caller { key, actor, .. } = Caller::of_token(parts, state).await?;
    let actor = Actor { via: Via::Console, ..actor };
    let ticket = Ticket::mint(&*state.random).map_err(Problem::internal)?;
    let session = Session {
        id: SessionId::generate(&*state.random).map_err(Problem::internal)?,
        key,
        secret_version: actor.secret.unwrap_or_default(),
        created_at: actor.at,
        seen_at: actor.at,
        expires_at: actor.at.after(state.sessions.most),
        address: actor.address,
        user_agent: actor.user_agent.clone(),
    };
    state.catalog.open_session(&ticket.digest(), &session, MOST_SESSIONS, &actor).await?;
    tracing::info!(key = %session.key, session = %session.id, "a session of the console began");
    Ok((ticket, SignedIn::of(&session)))
}

/// The session of `ticket`, where it goes on, is of a key that is still let in, and `parts` come from where that may be used. It is
/// counted as one request of its key; a ticket that leads to no session, as one of the address. `used`: somebody is there, so that the
/// session is not idle; what a page asks for by itself is no use.
///
/// # Errors
/// Where the key is not let in, key or address has asked too much, or the catalog fails. `Ok(None)`: there is no such session, or it is
/// over.
pub async fn resume(
    state: &AdminState,
    parts: &Parts,
    ticket: &Ticket,
    used: bool,
) -> Result<Option<SignedIn>, Problem> {
    let digest = ticket.digest();
    let credentials = Credentials::Ticket(digest);
    state.limits.before(parts, Some(credentials)).await?;
    let now = state.clock.now();
    let found = state.catalog.session(&digest).await?;
    let Some(session) = found.filter(|session| session.is_alive(now, state.sessions.idle)) else {
        state.limits.failed(parts, credentials).await?;
        return Ok(None);
    };
    let signed_in = SignedIn::of(&session);
    let caller = match Caller::of_session(parts, state, &signed_in).await {
        Ok(caller) => caller,
        Err(problem) if problem.code.status().is_client_error() => {
            state.limits.failed(parts, credentials).await?;
            return Err(problem);
        }
        Err(problem) => return Err(problem),
    };
    state.limits.succeeded(parts, credentials, &caller.key).await?;
    // Not each use is written down, but often enough that no session in use looks idle.
    let step = SEEN_STEP.min(state.sessions.idle / 4);
    if used && session.seen_at.after(step) <= now {
        state.catalog.session_seen(&session.key, &session.id, now).await?;
    }
    Ok(Some(signed_in))
}

impl SignedIn {
    fn of(session: &Session) -> Self {
        Self { session: session.id.clone(), key: session.key, secret_version: session.secret_version }
    }
}

impl SessionView {
    fn new(session: &Session, current: Option<&SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            current: current == Some(&session.id),
            created_at: session.created_at.to_string(),
            last_used_at: session.seen_at.to_string(),
            expires_at: session.expires_at.to_string(),
            address: session.address.map(|address| address.to_string()),
            user_agent: session.user_agent.clone(),
        }
    }
}
