//! How a rotation goes on: how many exports come with the old secret, and how many with the new one.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::AdminState;
use crate::admin::openapi::schemas;
use crate::catalog::{CatalogError, KEEP_MINUTES};
use crate::domain::usage::{OfSecret, Step};
use crate::domain::{Key, Timestamp, TokenKind};

/// Exports by secret since a rotation began: up to the last moment as this node has seen them, some seconds late as others have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrafficView {
    /// The beginning of the first interval.
    #[schema(value_type = schemas::Instant)]
    pub from: String,
    /// How long each interval is.
    #[schema(minimum = 60)]
    pub step_seconds: u64,
    /// What comes with the old secret.
    pub old: SecretTrafficView,
    /// What comes with the new one.
    pub new: SecretTrafficView,
}

/// Exports with one secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretTrafficView {
    /// How many there were in the last 60 seconds, refused ones included: those of this minute, and of the one before its share.
    pub per_minute: u64,
    /// How many there were in each interval up to now, the first one first; 49 intervals at the most.
    pub exports: Vec<u64>,
}

/// The lengths of an interval, in minutes: the first one by which the whole rotation is at most [`MAX_INTERVALS`] long.
const LENGTHS: [u64; 7] = [1, 5, 60, 3 * 60, 6 * 60, 12 * 60, 24 * 60];

/// Whole intervals up to now; the one that has just begun comes on top.
const MAX_INTERVALS: u64 = 48;

/// The traffic of the ingest key `key` at `now`, while it is rotated.
pub(super) async fn of(state: &AdminState, key: &Key, now: Timestamp) -> Result<Option<TrafficView>, CatalogError> {
    let rotation = key.rotation(now).filter(|_| key.binding.kind() == TokenKind::Ingest);
    let Some((new, old)) = rotation else { return Ok(None) };
    let length = interval(now.since(new.created_at));
    let from = start(new.created_at, length);
    let versions = [old.version, new.version];
    // In this order: what is written in between may be in neither for a moment, and is never in both.
    let minute = Step::Minute.start(now).before(Step::Minute.length());
    let by_minute = length < Step::Hour.length();
    let minutes = state.catalog.secret_usage(&key.id, Step::Minute, if by_minute { from } else { minute }).await?;
    let hours = if by_minute { Vec::new() } else { state.catalog.secret_usage(&key.id, Step::Hour, from).await? };
    let held = state.books.usage.of_secrets(key.id, versions);
    let [old, new] = versions.map(|version| {
        let of = |counted: &[OfSecret]| -> Vec<(Timestamp, u64)> {
            let of = counted.iter().chain(&held).filter(|one| one.version == version);
            of.map(|one| (one.at, one.exports)).collect()
        };
        let (last, all) = (of(&minutes), of(if by_minute { &minutes } else { &hours }));
        SecretTrafficView { per_minute: per_minute(&last, now), exports: exports(&all, from, length, now) }
    });
    Ok(Some(TrafficView { from: from.to_string(), step_seconds: length.as_secs(), old, new }))
}

/// How long the intervals of a rotation are that has lasted for so long.
fn interval(lasted: Duration) -> Duration {
    let lengths = LENGTHS.map(Duration::from_mins);
    let fits = |length: &Duration| lasted.as_secs() <= length.as_secs() * MAX_INTERVALS;
    lengths.into_iter().find(fits).unwrap_or(Duration::from_hours(24))
}

// What intervals of less than an hour are made of is still there.
const _: () = assert!(KEEP_MINUTES.as_secs() > (MAX_INTERVALS + 1) * LENGTHS[1] * 60);

/// The beginning of the interval that `at` is in.
fn start(at: Timestamp, length: Duration) -> Timestamp {
    let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.micros() - at.micros().rem_euclid(length))
}

/// What of `counted` was in the last 60 seconds, where that of a minute came evenly; rounded up, so that what is not silent does not look so.
fn per_minute(counted: &[(Timestamp, u64)], now: Timestamp) -> u64 {
    let minute = Step::Minute.start(now);
    let before = minute.before(Step::Minute.length());
    let of = |begin| counted.iter().filter(|(at, _)| *at == begin).map(|(_, exports)| exports).sum::<u64>();
    let left = 60 - now.since(minute).as_secs().min(60);
    of(minute).saturating_add(of(before).saturating_mul(left).div_ceil(60))
}

/// `counted` by intervals of `length` that begin with `from`, the last one being that of `now`.
fn exports(counted: &[(Timestamp, u64)], from: Timestamp, length: Duration, now: Timestamp) -> Vec<u64> {
    let index =
        |at: Timestamp| usize::try_from(at.since(from).as_secs() / length.as_secs().max(1)).unwrap_or(usize::MAX);
    let mut exports = vec![0_u64; index(now).saturating_add(1)];
    for (at, more) in counted.iter().filter(|(at, _)| *at >= from) {
        if let Some(sum) = exports.get_mut(index(*at)) {
            *sum = sum.saturating_add(*more);
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds.cast_signed() * 1_000_000)
    }

    #[test]
    fn a_rotation_of_any_length_is_shown_in_few_intervals() {
        for (lasted, minutes) in [(0, 1), (48, 1), (49, 5), (240, 5), (241, 60), (48 * 60, 60), (30 * 24 * 60, 24 * 60)]
        {
            let length = interval(Duration::from_mins(lasted));
            assert_eq!(length, Duration::from_mins(minutes), "{lasted} minutes");
            // It begins at any second of an interval.
            let begun = at(7 * 24 * 3600 + 59);
            let from = start(begun, length);
            let shown = exports(&[], from, length, begun.after(Duration::from_mins(lasted)));
            assert!((1..=49).contains(&shown.len()), "{lasted} minutes: {}", shown.len());
        }
    }

    #[test]
    fn a_minute_that_is_over_counts_as_far_as_it_is_within_the_last_sixty_seconds() {
        let counted = [(at(0), 1_000), (at(60), 60), (at(120), 7), (at(120), 1)];
        assert_eq!(per_minute(&counted, at(120)), 68);
        assert_eq!(per_minute(&counted, at(150)), 38);
        assert_eq!(per_minute(&counted, at(179)), 9);
        assert_eq!(per_minute(&counted, at(180)), 8);
        assert_eq!(per_minute(&counted, at(239)), 1);
        assert_eq!(per_minute(&counted, at(240)), 0);
    }

    #[test]
    fn exports_are_in_their_interval() {
        let counted = [(at(60), 9), (at(300), 1), (at(540), 2), (at(600), 4), (at(900), 8)];
        assert_eq!(exports(&counted, at(300), Duration::from_mins(5), at(899)), [3, 4]);
    }
}
