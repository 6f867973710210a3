use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::{KeyId, Origin, Reason, Refusal, Signal, Tenant, Timestamp, Transport};
use crate::metering::Identified;

fn id(number: usize) -> KeyId {
    KeyId::from_bare(&format!("key{number:09}")).expect("an id")
}

fn identified(project: &str, key: usize) -> Identified {
    let slug = |text: &str| text.parse().expect("a slug");
    let tenant = Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
    Identified { key: id(key), secret_version: 1, rotating: false, tenant: Arc::new(tenant) }
}

/// The end of an export from 192.0.2.1 at `second`.
fn decided<'a>(second: i64, outcome: Outcome<'a>, identified: Option<&'a Identified>) -> Decided<'a> {
    Decided {
        at: Timestamp::from_micros(second * 1_000_000),
        took: Duration::ZERO,
        transport: Transport::Http,
        signal: Some(Signal::Traces),
        address: IpAddr::from([192, 0, 2, 1]),
        agent: b"sdk/1",
        claimed: None,
        identified,
        measured: None,
        origin: None,
        outcome,
        would_refuse: false,
    }
}

fn address(number: usize) -> IpAddr {
    IpAddr::from(u32::try_from(number).expect("few").to_be_bytes())
}

fn exports(taken: &[Trouble]) -> u64 {
    taken.iter().map(|trouble| trouble.seen.exports).sum()
}

#[test]
fn exports_with_the_same_trouble_are_one_group() {
    let refusals = Refusals::default();
    let shop = identified("shop", 1);
    let expired = Refusal::new(Reason::KeyExpired);
    let lacks = Refusal::because(Reason::PermissionDenied, "the key lacks telemetry.logs.write");
    refusals.decided(&decided(5, Outcome::Refused(&expired), Some(&shop)));
    refusals.decided(&decided(9, Outcome::Refused(&expired), Some(&shop)));
    refusals.decided(&Decided { signal: Some(Signal::Logs), ..decided(7, Outcome::Refused(&expired), Some(&shop)) });
    refusals.decided(&decided(6, Outcome::Refused(&lacks), Some(&shop)));
    refusals.decided(&Decided { claimed: Some(id(1)), ..decided(6, Outcome::Refused(&expired), None) });
    refusals.decided(&decided(6, Outcome::Accepted, Some(&shop)));
    refusals.decided(&decided(6, Outcome::Gone, Some(&shop)));
    assert_eq!(refusals.len(), 3);
    let mut taken = refusals.take();
    taken.sort_by(|left, right| left.group.cmp(&right.group));
    let [claimed, first, second] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!((claimed.group.project.is_none(), claimed.group.key), (true, Some(id(1))));
    assert_eq!(first.group.cause, Cause::Refused(Reason::KeyExpired));
    assert_eq!((first.seen.first_at.micros(), first.seen.last_at.micros()), (5_000_000, 9_000_000));
    assert_eq!((first.seen.exports, first.seen.signals.iter().count()), (3, 2));
    assert_eq!(second.seen.detail.as_deref(), Some("the key lacks telemetry.logs.write"));
    assert!(refusals.is_empty() && refusals.take().is_empty());
}

#[test]
fn an_environment_that_drifts_is_a_warning() {
    let refusals = Refusals::default();
    let shop = identified("shop", 1);
    let of = |environment: &str| Origin {
        service: Some("a\0b".into()),
        environment: Some(environment.into()),
        ..Origin::default()
    };
    for environment in ["production", "Prod", "", " "] {
        refusals.decided(&Decided { origin: Some(&of(environment)), ..decided(5, Outcome::Accepted, Some(&shop)) });
    }
    assert!(refusals.is_empty());
    refusals.decided(&Decided { origin: Some(&of("sta\0ging")), ..decided(5, Outcome::Accepted, Some(&shop)) });
    let taken = refusals.take();
    assert_eq!(taken[0].group.cause, Cause::EnvironmentDrift);
    let service = taken[0].group.source.as_ref().and_then(|source| source.service.as_deref());
    assert_eq!(service, Some("a\u{fffd}b"), "a text that PostgreSQL takes");
    let detail = "the key is of production, and the resource says deployment.environment.name = sta\u{fffd}ging";
    assert_eq!(taken[0].seen.detail.as_deref(), Some(detail));
}

#[test]
fn what_could_not_be_written_is_put_back() {
    let refusals = Refusals::default();
    let (shop, expired) = (identified("shop", 1), Refusal::new(Reason::KeyExpired));
    refusals.decided(&decided(5, Outcome::Refused(&expired), Some(&shop)));
    let failed = refusals.take();
    refusals.decided(&decided(8, Outcome::Refused(&expired), Some(&shop)));
    refusals.put_back(failed);
    let taken = refusals.take();
    assert_eq!((taken.len(), exports(&taken)), (1, 2));
    assert_eq!((taken[0].seen.first_at.micros(), taken[0].seen.last_at.micros()), (5_000_000, 8_000_000));
}

/// A flood from many addresses, of a key that is proved, ends in one group of this key.
#[test]
fn the_groups_of_a_project_have_a_bound_and_nothing_is_lost() {
    let refusals = Refusals::new(RefusalSettings { entries: 1_000, groups: 10 });
    let (shop, bank) = (identified("shop", 1), identified("bank", 2));
    let expired = Refusal::new(Reason::KeyExpired);
    for number in 0..500 {
        let refused = decided(5, Outcome::Refused(&expired), Some(&shop));
        refusals.decided(&Decided { address: address(number), ..refused });
    }
    refusals.decided(&decided(5, Outcome::Refused(&expired), Some(&bank)));
    let taken = refusals.take();
    assert_eq!((taken.len(), exports(&taken)), (12, 501));
    let coarse: Vec<_> = taken.iter().filter(|trouble| trouble.group.source.is_none()).collect();
    let [coarse] = &coarse[..] else { panic!("{coarse:?}") };
    assert_eq!((coarse.group.key, coarse.seen.exports), (Some(id(1)), 490));
}

/// Keys that are made up take the room of those from the same address; others still have a group each.
#[test]
fn a_flood_of_random_keys_and_agents_leaves_room_for_others() {
    let refusals = Refusals::new(RefusalSettings { entries: 1_000, groups: 160 });
    let invalid = Refusal::new(Reason::KeyInvalid);
    for number in 0..10_000 {
        let agent = format!("agent/{number}");
        let refused = decided(5, Outcome::Refused(&invalid), None);
        refusals.decided(&Decided { claimed: Some(id(number)), agent: agent.as_bytes(), ..refused });
    }
    assert_eq!(refusals.len(), 11, "ten, and the rest");
    for number in 0..100 {
        let refused = decided(5, Outcome::Refused(&invalid), None);
        refusals.decided(&Decided { address: address(number), ..refused });
    }
    let taken = refusals.take();
    let others = taken.iter().filter(|trouble| trouble.group.key.is_none() && trouble.group.source.is_some());
    assert!(others.count() > 80);
    assert_eq!(exports(&taken), 10_100);
}

#[test]
fn there_is_a_bound_in_all_and_nothing_is_lost() {
    let refusals = Refusals::new(RefusalSettings { entries: 100, groups: 50 });
    let expired = Refusal::new(Reason::KeyExpired);
    for number in 0..2_000 {
        let of = identified(&format!("project-{}", number % 200), number);
        let refused = decided(5, Outcome::Refused(&expired), Some(&of));
        refusals.decided(&Decided { address: address(number), ..refused });
        refusals.decided(&Decided { address: address(number), identified: None, ..refused });
    }
    assert!(refusals.len() <= 100 + SHARDS, "{}", refusals.len());
    let taken = refusals.take();
    assert_eq!(exports(&taken), 4_000);
    assert!(refusals.is_empty());
    refusals.put_back(taken);
    assert!(refusals.len() <= 100 + SHARDS);
    assert_eq!(exports(&refusals.take()), 4_000);
}

#[test]
fn all_threads_count_every_refusal() {
    let refusals = Refusals::new(RefusalSettings { entries: 200, groups: 20 });
    let taken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (refusals, taken) = (&refusals, &taken);
            scope.spawn(move || {
                let invalid = Refusal::new(Reason::KeyInvalid);
                for number in 0..5_000 {
                    let refused = decided(5, Outcome::Refused(&invalid), None);
                    refusals.decided(&Decided { address: address(number * 7 + thread), ..refused });
                    if number % 1_000 == 0 {
                        taken.lock().expect("a list").extend(refusals.take());
                    }
                }
            });
        }
    });
    let mut taken = taken.into_inner().expect("a list");
    taken.extend(refusals.take());
    assert_eq!((exports(&taken), refusals.len()), (20_000, 0));
}
