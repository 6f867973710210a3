//! `POST /keys/{id}/rotate`

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{IssuedKey, renew, visible};
use crate::admin::AdminState;
use crate::admin::body::{KeyPath, Optional};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::admin::senders::in_use::Cut;
use crate::domain::key::{MAX_OVERLAP, Overlap};
use crate::domain::{KeyChange, Permission, Timestamp};

/// How long both secrets are good unless told otherwise, in seconds.
const DEFAULT_OVERLAP: u64 = 24 * 3600;

/// The shortest time without use after which a secret counts as drained, in seconds: uses are known to a minute, and some clients
/// send every few.
const MIN_DRAINED_AFTER: u64 = 300;

/// The body; everything in it may be left out.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// From this instant on the old secret is refused: RFC 3339, within 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Instant>)]
    pub until: Option<String>,
    /// The same, as the length of the overlap; a day unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub overlap_seconds: Option<u64>,
    /// The old secret is refused earlier once it was not used for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 300, maximum = 2_592_000)]
    pub drained_after_seconds: Option<u64>,
}

/// Gives a key a second secret and shows its token, once. The old one stays good for a while.
#[utoipa::path(
    post, path = "/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    security(("bearer" = ["api.key.update", "api.key.create"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch, schemas::OnceHeader),
    request_body = Option<Rotation>,
    responses(
        (status = 200, body = IssuedKey, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked, key_expired, key_disabled, rotation_in_progress"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    once: Once,
    Optional(rotation, check): Optional<Rotation>,
) -> Result<Response, Problem> {
    caller.require(Permission::KeyUpdate)?;
    caller.require(Permission::KeyCreate)?;
    once.answer(state, caller, rotation, async move |state, caller, rotation| {
        let key = visible(&state, &caller, &id).await?;
        let overlap = read(&rotation, check, caller.actor.at)?;
        renew(state, caller, key, if_match, Cut::Nothing, |secret| KeyChange::Rotate { secret, overlap }).await
    })
    .await
}

fn read(rotation: &Rotation, mut check: Check, now: Timestamp) -> Result<Overlap, Problem> {
    let until = until(&mut check, rotation, now);
    let longest = until.unwrap_or_else(|| now.after(MAX_OVERLAP)).since(now);
    let drained_after = rotation.drained_after_seconds.and_then(|seconds| {
        let after = Duration::from_secs(seconds);
        if seconds >= MIN_DRAINED_AFTER && after <= longest {
            return Some(after);
        }
        let fix = format!("at least {MIN_DRAINED_AFTER}, and no longer than both secrets are good anyway");
        check.refuse(Place::field("drained_after_seconds"), "it is out of range", fix);
        None
    });
    check.finish(until.map(|until| Overlap { until, drained_after }))
}

fn until(check: &mut Check, rotation: &Rotation, now: Timestamp) -> Option<Timestamp> {
    let place = Place::field("overlap_seconds");
    match (rotation.until.as_deref(), rotation.overlap_seconds) {
        (Some(_), Some(_)) => {
            check.refuse(place, "the end of the overlap is there twice", "leave out until or overlap_seconds");
            None
        }
        (Some(text), None) => {
            let until = check.future(Place::field("until"), Some(text), now)?;
            if until > now.after(MAX_OVERLAP) {
                let fix = "an RFC 3339 instant within 30 days";
                check.refuse(Place::field("until"), "the instant is too far in the future", fix);
                return None;
            }
            Some(until)
        }
        (None, seconds) => {
            let seconds = seconds.unwrap_or(DEFAULT_OVERLAP);
            if seconds == 0 || Duration::from_secs(seconds) > MAX_OVERLAP {
                let fix =
                    format!("1 to {} (30 days); to replace the secret at once, regenerate it", MAX_OVERLAP.as_secs());
                check.refuse(place, "it is out of range", fix);
                return None;
            }
            Some(now.after(Duration::from_secs(seconds)))
        }
    }
}
