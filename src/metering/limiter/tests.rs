//! The limiter beside a slow model of it, with clocks that go wrong and with many threads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::limit::{Mode, Unit};
use crate::domain::usage::Amount;
use crate::domain::{Over, Signal};
use crate::metering::Measured;

const SECOND: i64 = 1_000_000;

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("an instant")
}

fn tenant() -> Tenant {
    let slug = |text: &str| text.parse().expect("a slug");
    Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") }
}

fn key(number: usize) -> KeyId {
    KeyId::from_bare(&format!("key{number:09}")).expect("an id")
}

/// Limits of key, tenant and project.
fn terms(limits: [&str; 3]) -> Terms {
    Terms { limits: limits.map(|text| text.parse().expect("limits")), ..Terms::default() }
}

fn scopes(limiter: &Limiter, limits: [&str; 3]) -> Arc<Scopes> {
    Arc::new(limiter.scopes(key(1), &tenant(), &terms(limits)))
}

fn items(items: u64) -> Measured {
    Measured { items, bytes: 100 * items, wire_bytes: 10 * items }
}

/// Charges, and keeps what is charged.
fn send(scopes: &Arc<Scopes>, signal: Signal, measured: Measured, now: Timestamp) -> Result<(), Over> {
    scopes.check(signal, now, now)?;
    scopes.charge(signal, measured, now, now).map(Charge::keep)
}

fn logs(scopes: &Arc<Scopes>, count: u64, now: Timestamp) -> Result<(), Over> {
    send(scopes, Signal::Logs, items(count), now)
}

fn wait(over: Result<(), Over>) -> Duration {
    match over.expect_err("it is over").reopens {
        Reopens::In(wait) => wait,
        Reopens::At(end) => panic!("a rate ends at {end}"),
    }
}

fn after(from: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(from.micros() + micros)
}

#[test]
fn a_batch_larger_than_the_burst_is_let_in_and_paid_off() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/second burst 20", "", ""]);
    let now = noon();
    assert_eq!(logs(&scopes, 50, now), Ok(()));
    // 30 in debt, at ten per second, and one microsecond for what is more than nothing.
    let over = scopes.check(Signal::Logs, now, now).expect_err("it is in debt");
    assert_eq!(over.id, ScopeId::Key(key(1)));
    assert_eq!(over.limit.to_string(), "10 items/second burst 20");
    assert_eq!(wait(logs(&scopes, 1, now)), Duration::from_micros(3_000_001));
    assert_eq!(wait(logs(&scopes, 1, after(now, 3 * SECOND))), Duration::from_micros(1));
    assert_eq!(logs(&scopes, 1, after(now, 3 * SECOND + 1)), Ok(()));
    // However long it was, there is one burst.
    let later = after(now, 3600 * SECOND);
    assert_eq!(logs(&scopes, 19, later), Ok(()));
    assert_eq!(logs(&scopes, 1, later), Ok(()));
    assert_eq!(wait(logs(&scopes, 1, later)), Duration::from_micros(1));
}

#[test]
fn a_rate_does_not_drift() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["", "3 requests/second burst 3", ""]);
    let mut accepted = 0;
    // Steps that no float and no whole number of milliseconds divides.
    for step in 0..1_000_000 {
        accepted += u64::from(logs(&scopes, 0, after(noon(), step * 7)).is_ok());
    }
    // Seven seconds at three per second, the burst of three, and the one that may cross the line.
    assert_eq!(accepted, 7 * 3 + 3);
}

#[test]
fn all_scopes_are_charged_or_none() {
    let limiter = Limiter::new(10);
    let limits = ["100 items/second", "100 items/second, 1000 items/day", "10 items/second, 1000 bytes/month"];
    let scopes = scopes(&limiter, limits);
    let now = noon();
    let standings = || {
        let ids = [ScopeId::Key(key(1)), ScopeId::Tenant(tenant()), ScopeId::Project(tenant().project)];
        ids.into_iter()
            .zip(terms(limits).limits)
            .flat_map(|(id, limits)| limiter.standings(&id, &limits, now))
            .map(|standing| standing.left)
            .collect::<Vec<_>>()
    };
    assert_eq!(standings(), [100, 100, 1000, 10, 1000]);
    assert_eq!(logs(&scopes, 10, now), Ok(()));
    assert_eq!(standings(), [90, 90, 990, 0, 0]);
    // The quota is told, not the rate: it is open last.
    let over = logs(&scopes, 1, now).expect_err("the project is over");
    assert_eq!(over.reopens, Reopens::At("2026-12-01T00:00:00Z".parse().expect("an instant")));
    assert_eq!(over.id, ScopeId::Project(tenant().project));
    assert!(scopes.charge(Signal::Logs, items(1), now, now).is_err());
    assert_eq!(standings(), [90, 90, 990, 0, 0]);
}

#[test]
fn what_is_not_stored_is_given_back() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["5 requests/second", "10 items/second", "10 items/day"]);
    let now = noon();
    for _ in 0..100 {
        let charge = scopes.charge(Signal::Logs, items(10), now, now).expect("it is let in");
        assert!(scopes.check(Signal::Logs, now, now).is_err());
        drop(charge);
    }
    assert_eq!(logs(&scopes, 10, now), Ok(()));
    assert!(logs(&scopes, 10, now).is_err());
}

#[test]
fn limits_of_a_signal_are_its_own() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["", "logs 5 items/second, 20 items/day", ""]);
    let now = noon();
    assert_eq!(logs(&scopes, 5, now), Ok(()));
    assert!(logs(&scopes, 5, now).is_err());
    assert_eq!(send(&scopes, Signal::Traces, items(14), now), Ok(()));
    assert_eq!(send(&scopes, Signal::Metrics, items(1), now), Ok(()));
    assert!(send(&scopes, Signal::Traces, items(1), now).is_err());
}

#[test]
fn limits_that_are_not_enforced_tell_and_refuse_nothing() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/second observe", "", "100 items/day warn, 20 items/second warn"]);
    let charge = |count, now| scopes.charge(Signal::Logs, items(count), now, now).expect("nothing is enforced");
    let told = |charge: Charge| {
        let told = (charge.would_refuse, charge.warned.as_ref().map(|over| over.limit.unit));
        charge.keep();
        told
    };
    let now = noon();
    assert_eq!(told(charge(15, now)), (false, None));
    assert_eq!(told(charge(10, now)), (true, None));
    assert_eq!(told(charge(10, now)), (true, Some(Unit::Items)));
    // As if it were enforced, a rate is charged with what it would have let in: it is 5 in debt.
    assert_eq!(told(charge(5, after(now, SECOND))), (false, None));
    assert_eq!(told(charge(60, after(now, 60 * SECOND))), (false, None));
    let charge = charge(1, after(now, 120 * SECOND));
    let warned = charge.warned.as_ref().expect("the quota is used up");
    assert_eq!((charge.would_refuse, warned.limit.to_string()), (true, "100 items/day warn".to_owned()));
    assert_eq!(scopes.check(Signal::Logs, now, now), Ok(()));
}

/// A rate that is observed counts as many refusals as it would make.
#[test]
fn an_observed_rate_would_refuse_what_it_refuses_when_it_is_enforced() {
    let limiter = Limiter::new(10);
    let (observed, enforced) =
        (scopes(&limiter, ["10 items/second observe", "", ""]), scopes(&Limiter::new(10), ["10 items/second", "", ""]));
    for step in 0..1000 {
        let now = after(noon(), step * 333_333);
        let count = 1 + step.unsigned_abs() % 13;
        let charge = observed.charge(Signal::Logs, items(count), now, now).expect("it is observed");
        assert_eq!(charge.would_refuse, logs(&enforced, count, now).is_err());
        charge.keep();
    }
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_and_stops_nothing() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/second", "", ""]);
    let now = noon();
    assert_eq!(logs(&scopes, 20, now), Ok(()));
    let before = after(now, -3600 * SECOND);
    assert_eq!(wait(logs(&scopes, 1, before)), Duration::from_micros(1_000_001));
    assert_eq!(wait(logs(&scopes, 1, after(before, SECOND))), Duration::from_micros(1));
    assert_eq!(logs(&scopes, 15, after(before, SECOND + 1)), Ok(()));
    // And forward: one burst, however far.
    let ahead = after(now, 36_000 * SECOND);
    assert_eq!(logs(&scopes, 10, ahead), Ok(()));
    assert!(logs(&scopes, 1, ahead).is_err());
}

/// Two threads read the clock, and the one that read it first is charged last.
#[test]
fn readings_that_overtake_each_other_refill_nothing_twice() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/second", "", ""]);
    let now = noon();
    assert_eq!(logs(&scopes, 20, now), Ok(()));
    for _ in 0..100 {
        assert!(logs(&scopes, 1, after(now, 900_000)).is_err());
        assert!(logs(&scopes, 1, now).is_err());
    }
    assert_eq!(wait(logs(&scopes, 1, after(now, SECOND))), Duration::from_micros(1));
}

#[test]
fn a_quota_opens_with_its_next_period_and_a_step_back_finds_it_used_up() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/day", "", "30 items/month"]);
    let day = |day: u32| format!("2026-11-{day:02}T12:00:00Z").parse::<Timestamp>().expect("an instant");
    assert_eq!(logs(&scopes, 15, day(21)), Ok(()));
    let over = logs(&scopes, 1, day(21)).expect_err("the day is used up");
    assert_eq!(over.reopens, Reopens::At("2026-11-22T00:00:00Z".parse().expect("an instant")));
    assert_eq!(logs(&scopes, 10, day(22)), Ok(()));
    assert!(logs(&scopes, 1, day(22)).is_err());
    assert!(logs(&scopes, 1, day(21)).is_err());
    assert_eq!(logs(&scopes, 5, day(23)), Ok(()));
    let over = logs(&scopes, 1, day(24)).expect_err("the month is used up");
    assert_eq!(over.id, ScopeId::Project(tenant().project));
    assert_eq!(logs(&scopes, 1, after(day(1), 30 * 86_400 * SECOND)), Ok(()));
}

/// An export counts in the quota of its arrival, however late its body is complete.
#[test]
fn a_quota_counts_for_the_arrival() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["10 items/day", "", ""]);
    let (before, past): (Timestamp, Timestamp) =
        ("2026-11-21T23:59:59Z".parse().expect("an instant"), "2026-11-22T00:00:05Z".parse().expect("an instant"));
    scopes.charge(Signal::Logs, items(10), before, past).expect("it is let in").keep();
    assert!(scopes.charge(Signal::Logs, items(10), before, past).is_err());
    assert_eq!(logs(&scopes, 10, past), Ok(()));
}

#[test]
fn quotas_begin_with_what_is_written_down() {
    let limiter = Limiter::new(10);
    let limits = ["10 items/day", "10 items/second", "100 bytes/month, 100 items/day"];
    let scopes = scopes(&limiter, limits);
    let unknown = scopes.unknown(noon());
    let asked: Vec<_> = unknown.iter().map(|unknown| (unknown.id.scope(), unknown.range().0.to_string())).collect();
    let [day, month] = ["2026-11-21T00:00:00.000000Z", "2026-11-01T00:00:00.000000Z"].map(str::to_owned);
    assert_eq!(asked, [(Scope::Key, day.clone()), (Scope::Project, day), (Scope::Project, month)]);
    for unknown in unknown {
        unknown.learn(&[Amount { items: 2, bytes: 20, ..Amount::default() }; 4]);
    }
    assert!(scopes.unknown(noon()).is_empty());
    assert_eq!(logs(&scopes, 2, noon()), Ok(()));
    assert!(logs(&scopes, 1, noon()).is_err());
    // What nothing was counted of while it had no limits is asked for again.
    assert!(limiter.scopes(key(1), &tenant(), &terms(["", "", ""])).unknown(noon()).is_empty());
    assert_eq!(limiter.scopes(key(1), &tenant(), &terms(limits)).unknown(noon()).len(), 3);
}

#[test]
fn new_limits_find_what_is_used() {
    let limiter = Limiter::new(10);
    let now = noon();
    let first = scopes(&limiter, ["10 items/second", "10 items/day", ""]);
    assert_eq!(logs(&first, 8, now), Ok(()));
    let raised = scopes(&limiter, ["20 items/second", "100 items/day", ""]);
    assert_eq!(logs(&raised, 11, now), Ok(()));
    assert_eq!(logs(&raised, 1, now), Ok(()));
    assert!(logs(&raised, 1, now).is_err());
    // What is used is no more than the new burst, so that nobody waits for years.
    let lowered = scopes(&limiter, ["1 items/second", "28 items/day", ""]);
    assert_eq!(wait(logs(&lowered, 1, now)), Duration::from_micros(1));
    // Debt is debt.
    assert_eq!(logs(&lowered, 7, after(now, 1)), Ok(()));
    let again = scopes(&limiter, ["2 items/second burst 1000", "28 items/day", ""]);
    assert_eq!(wait(logs(&again, 1, after(now, 1))), Duration::from_millis(3_500));
    // Used: 27 of the day.
    let quota = scopes(&limiter, ["", "28 items/day", ""]);
    assert_eq!(logs(&quota, 1, now), Ok(()));
    assert!(logs(&quota, 1, now).is_err());
}

#[test]
fn what_keys_need_is_not_forgotten_however_many_come() {
    let limiter = Limiter::new(100);
    let terms = terms(["10 items/second", "", ""]);
    let held = Arc::new(limiter.scopes(key(0), &tenant(), &terms));
    assert_eq!(logs(&held, 20, noon()), Ok(()));
    for number in 1..10_000 {
        drop(limiter.scopes(key(number), &tenant(), &terms));
        assert!(limiter.len() <= 101);
    }
    assert!(limiter.scopes(key(0), &tenant(), &terms).check(Signal::Logs, noon(), noon()).is_err());
    // Of those that nobody holds the ones that were used last are kept.
    drop(held);
    for number in 0..20 {
        drop(limiter.scopes(key(20_000 + number), &tenant(), &terms));
    }
    assert!(limiter.scopes(key(0), &tenant(), &terms).check(Signal::Logs, noon(), noon()).is_err());
    let all: Vec<_> = (0..1000).map(|number| limiter.scopes(key(number), &tenant(), &terms)).collect();
    assert!(limiter.len() >= all.len());
}

#[test]
fn a_quota_tells_how_far_it_is_used_once() {
    let limiter = Limiter::new(10);
    let scopes = scopes(&limiter, ["", "traces 1000 items/day", "100 bytes/month observe"]);
    let percents = || limiter.crossed().iter().map(|crossed| (crossed.id.scope(), crossed.percent)).collect::<Vec<_>>();
    let traces = |count| send(&scopes, Signal::Traces, Measured { items: count, ..Measured::default() }, noon());
    assert_eq!(traces(799), Ok(()));
    assert_eq!(percents(), []);
    assert_eq!(traces(1), Ok(()));
    assert_eq!(percents(), [(Scope::Tenant, 80)]);
    assert_eq!((traces(50), traces(150)), (Ok(()), Ok(())));
    assert_eq!(percents(), [(Scope::Tenant, 100)]);
    assert!(traces(1).is_err());
    assert_eq!(logs(&scopes, 1, noon()), Ok(()));
    assert_eq!(logs(&scopes, 1, noon()), Ok(()));
    assert_eq!(percents(), [(Scope::Project, 100)]);
}

/// Eight threads, a clock that stands still: not one more than there is.
#[test]
fn no_thread_gets_what_is_not_there() {
    let limiter = Limiter::new(10);
    let limits = ["1000 requests/second", "2500 requests/second", "3100 items/day"];
    let keys: Vec<_> = (0..4).map(|number| Arc::new(limiter.scopes(key(number), &tenant(), &terms(limits)))).collect();
    let now = noon();
    let accepted = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for thread in 0..8_usize {
            let (scopes, accepted) = (&keys[thread % keys.len()], &accepted);
            threads.spawn(move || {
                for attempt in 0..2000 {
                    let Ok(charge) = scopes.charge(Signal::Logs, items(1), now, now) else { continue };
                    if attempt % 3 == 0 {
                        drop(charge);
                    } else {
                        accepted.fetch_add(1, Ordering::Relaxed);
                        charge.keep();
                    }
                }
            });
        }
    });
    // What was given back is taken by somebody else: in the end all of the tenant's burst is used.
    while let Some(charge) = keys.iter().find_map(|scopes| scopes.charge(Signal::Logs, items(1), now, now).ok()) {
        accepted.fetch_add(1, Ordering::Relaxed);
        charge.keep();
    }
    assert_eq!(accepted.into_inner(), 2500);
}

/// The same in rationals over one denominator, with everything looked up and nothing clever.
#[derive(Default)]
struct Model {
    /// What is left of each limit in millionths, and when that was, by scope and limit.
    levels: HashMap<(usize, String), (i128, i64)>,
    /// Items and bytes by scope, period, its number, and signal.
    used: HashMap<(usize, Period, Signal), (i128, i128)>,
}

/// Year, month, and the day of the one that is one.
type Period = (i64, i64, Option<i64>);

impl Model {
    fn level(&mut self, scope: usize, limit: &Limit, now: Timestamp) -> &mut i128 {
        let burst = i128::from(limit.burst.get()) * 1_000_000;
        let (level, at) = self.levels.entry((scope, limit.to_string())).or_insert((burst, now.micros()));
        let elapsed = now.micros() - *at;
        if elapsed > 0 {
            *level = burst.min(*level + i128::from(elapsed) * i128::from(limit.amount.get()));
        }
        if !(-SECOND..=0).contains(&elapsed) {
            *at = now.micros();
        }
        level
    }

    fn period(per: Per, now: Timestamp) -> Period {
        let date = now.date();
        (date.year, date.month, (per == Per::Day).then_some(date.day))
    }

    fn left(&mut self, scope: usize, limit: &Limit, now: Timestamp) -> i128 {
        if limit.per == Per::Second {
            return *self.level(scope, limit, now);
        }
        let period = Self::period(limit.per, now);
        let used: i128 = Signal::ALL
            .into_iter()
            .filter(|signal| limit.covers(*signal))
            .filter_map(|signal| self.used.get(&(scope, period, signal)))
            .map(|(items, bytes)| if limit.unit == Unit::Bytes { *bytes } else { *items })
            .sum();
        i128::from(limit.amount.get()) - used
    }

    /// Whether an export is let in, and whether it would be if all were enforced.
    fn send(
        &mut self,
        limits: &[Limits; 3],
        signal: Signal,
        measured: Measured,
        now: Timestamp,
        keep: bool,
    ) -> (bool, bool) {
        let all = limits.iter().enumerate().flat_map(|(scope, limits)| limits.iter().map(move |limit| (scope, limit)));
        let covering: Vec<_> = all.filter(|(_, limit)| limit.covers(signal)).collect();
        let open: Vec<_> = covering.iter().map(|(scope, limit)| self.left(*scope, limit, now) > 0).collect();
        let closed =
            |mode: fn(Mode) -> bool| covering.iter().zip(&open).any(|((_, limit), open)| !open && mode(limit.mode));
        if closed(|mode| mode == Mode::Enforce) {
            return (false, false);
        }
        if keep {
            for ((scope, limit), _) in covering.iter().zip(&open).filter(|(_, open)| **open) {
                if limit.per == Per::Second {
                    let cost = match limit.unit {
                        Unit::Requests => 1,
                        Unit::Items => measured.items,
                        Unit::Bytes => measured.bytes,
                    };
                    *self.level(*scope, limit, now) -= i128::from(cost) * 1_000_000;
                }
            }
            for (scope, per) in (0..3).flat_map(|scope| [(scope, Per::Day), (scope, Per::Month)]) {
                let used = self.used.entry((scope, Self::period(per, now), signal)).or_default();
                used.0 += i128::from(measured.items);
                used.1 += i128::from(measured.bytes);
            }
        }
        (true, closed(|mode| mode != Mode::Enforce))
    }
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let per = select(Per::ALL);
    let unit = select(Unit::ALL);
    let signal = proptest::option::of(select(&Signal::ALL[..2]));
    let amount = prop_oneof![1..50_u64, 1..100_000_u64, Just(crate::domain::limit::MAX_AMOUNT)];
    let one = (per, unit, signal, amount, 0..100_u64, select(Mode::ALL));
    proptest::collection::vec(one, 0..6).prop_map(|limits| {
        let limits = limits.into_iter().filter_map(|(per, unit, signal, amount, more, mode)| {
            let burst = (per == Per::Second).then_some(amount + more);
            Limit::new(per, unit, signal, amount, burst, mode).ok()
        });
        let mut all: Vec<Limit> = limits.collect();
        all.sort_by_key(Limit::slot);
        all.dedup_by_key(|limit| limit.slot());
        Limits::new(all).expect("each once")
    })
}

/// How long it takes until the next export; steps backwards are rare and either small or large.
fn any_step() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 0..400_000_i64,
        2 => 0..5 * SECOND,
        1 => -SECOND / 2..0,
        1 => -3600 * SECOND..0,
        1 => 0..86_400 * SECOND,
    ]
}

proptest! {
    /// What is let in, what would be refused, and what is given back, as the model has it; and in all no more than there is.
    #[test]
    fn the_limiter_does_what_the_model_does(
        limits in [any_limits(), any_limits(), any_limits()],
        sent in proptest::collection::vec(
            (any_step(), select(&Signal::ALL[..3]), 0..60_u64, 0..2000_u64, proptest::bool::weighted(0.8)), 1..120),
    ) {
        let limiter = Limiter::new(10);
        let terms = Terms { limits: limits.clone(), ..Terms::default() };
        let (mut model, mut now) = (Model::default(), noon());
        for (step, signal, items, bytes, keep) in sent {
            now = after(now, step);
            let measured = Measured { items, bytes, wire_bytes: 1 };
            // Looked up anew for each, as after an eviction.
            let scopes = Arc::new(limiter.scopes(key(1), &tenant(), &terms));
            let checked = scopes.check(signal, now, now);
            let charged = scopes.charge(signal, measured, now, now);
            let (accepted, would_refuse) = model.send(&limits, signal, measured, now, keep);
            prop_assert_eq!(checked.is_ok(), accepted);
            match charged {
                Ok(charge) => {
                    prop_assert_eq!((accepted, would_refuse), (true, charge.would_refuse));
                    prop_assert!(charge.warned.is_none() || charge.would_refuse);
                    if keep { charge.keep() }
                }
                Err(over) => {
                    prop_assert!(!accepted);
                    prop_assert_eq!(Some(&over), checked.as_ref().err());
                    // What it says is true, and not a microsecond too much.
                    match over.reopens {
                        Reopens::At(end) => prop_assert!(end > now),
                        Reopens::In(wait) => {
                            let micros = i64::try_from(wait.as_micros()).expect("it fits");
                            now = after(now, micros - 1);
                            prop_assert!(scopes.charge(signal, measured, now, now).is_err());
                            prop_assert!(!model.send(&limits, signal, measured, now, false).0);
                        }
                    }
                }
            }
        }
    }

    /// From whenever on: never more than the burst, what refills, and one batch.
    #[test]
    fn never_more_than_burst_and_rate_and_one_batch(
        rate in 1..1000_u64,
        more in 0..1000_u64,
        sent in proptest::collection::vec((0..300_000_i64, 1..500_u64, proptest::bool::weighted(0.8)), 1..200),
    ) {
        let limiter = Limiter::new(10);
        let text = format!("{rate} items/second burst {}", rate + more);
        let scopes = scopes(&limiter, [&text, "", ""]);
        let mut now = noon();
        let mut accepted = Vec::new();
        for (step, count, keep) in sent {
            now = after(now, step);
            if let Ok(charge) = scopes.charge(Signal::Logs, items(count), now, now) && keep {
                charge.keep();
                accepted.push((now, count));
            }
        }
        for (first, (from, _)) in accepted.iter().enumerate() {
            let mut sum = 0;
            for (at, count) in &accepted[first..] {
                let elapsed = u128::from((at.micros() - from.micros()).unsigned_abs());
                // Before the last there was something left.
                prop_assert!(u128::from(sum) * 1_000_000 < u128::from(rate + more) * 1_000_000 + elapsed * u128::from(rate));
                sum += count;
            }
        }
    }
}
