//! Whether a change of a key would cut off somebody who sends with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Known;
use crate::admin::AdminState;
use crate::admin::body::present;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::page::{Parameters, parameter};
use crate::admin::problem::{Code, Problem};
use crate::domain::{Key, KeyChange, KeyStatus, Permission, SecretState, Timestamp, TokenKind};

/// The body of verbs that cut senders off; it may be left out.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Forced {
    /// Also if the key is in use.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub force: Option<bool>,
}

/// Which secrets of a key are refused after a change that were let in before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::admin) enum Cut {
    /// Every one.
    All,
    /// Those whose time was running out.
    Retiring,
    /// The newest, of two.
    Newest,
    /// None.
    Nothing,
}

impl Forced {
    /// The parameter `force` of a verb that has no body.
    pub(in crate::admin) fn read(mut parameters: Parameters) -> Result<Self, Problem> {
        let mut check = Check::default();
        let force = match parameters.take("force").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                check.refuse(parameter("force"), "it is neither true nor false", "true or false");
                false
            }
        };
        parameters.finish(&mut check, &["force"]);
        check.finish(Some(Self { force: Some(force) }))
    }
}

impl From<&KeyChange> for Cut {
    fn from(change: &KeyChange) -> Self {
        match change {
            KeyChange::Revoke | KeyChange::Disable | KeyChange::Regenerate(_) => Self::All,
            KeyChange::CompleteRotation => Self::Retiring,
            KeyChange::CancelRotation => Self::Newest,
            _ => Self::Nothing,
        }
    }
}

impl Cut {
    /// The versions of those secrets of `key` at `now`.
    fn versions(self, key: &Key, now: Timestamp) -> Vec<u32> {
        let newest = key.secrets.iter().map(|secret| secret.version).max();
        let two = key.rotation(now).is_some();
        let cut = key.secrets.iter().filter(|secret| match (self, key.secret_state(secret, now)) {
            (_, SecretState::Retired) | (Self::Nothing, _) => false,
            (Self::All, _) => true,
            (Self::Retiring, state) => matches!(state, SecretState::Retiring { .. }),
            (Self::Newest, _) => two && Some(secret.version) == newest,
        });
        cut.map(|secret| secret.version).collect()
    }
}

/// Refuses what would cut off senders of `key` that have used it within `keys.in_use_within`, as far as this node knows: others write
/// uses down with a delay. Admin keys are not meant: who asks for it uses one.
pub(in crate::admin) async fn require_idle(
    state: &AdminState,
    caller: &Caller,
    key: &Key,
    cut: Cut,
) -> Result<(), Problem> {
    let now = caller.actor.at;
    let is_ingest = key.binding.kind() == TokenKind::Ingest;
    let versions = cut.versions(key, now);
    // What is refused already can be cut off no more.
    if state.in_use_within.is_zero() || !is_ingest || versions.is_empty() || key.status(now) != KeyStatus::Active {
        return Ok(());
    }
    let since = now.before(state.in_use_within);
    let cut = |version: u32| versions.contains(&version);
    let mut known = Known::of(state, key).await?;
    known.senders.retain(|one| cut(one.sender.secret_version) && one.seen.last_at > since);
    let written = key.secrets.iter().filter(|secret| cut(secret.version)).filter_map(|secret| secret.used.as_ref());
    let written = written.map(|used| used.last_at);
    let recorded = versions.iter().filter_map(|&version| state.uses.last_at(&key.id, version));
    let accepted = known.senders.iter().filter_map(|one| one.seen.accepted_at);
    let Some(last) = written.chain(recorded).chain(accepted).max().filter(|&last| last > since) else { return Ok(()) };
    let mut problem = Problem::new(
        Code::KeyInUse,
        format!(
            "{} was last used at {last}, and whoever sends with it would be turned away; ask with force to do it all the same",
            key.id
        ),
    );
    if caller.permissions.contains(Permission::UsageView) {
        // Of whom nothing was ever accepted, nothing is lost.
        problem.senders = known.views(key, |one| one.seen.accepted_at.is_some());
    }
    Err(problem)
}
