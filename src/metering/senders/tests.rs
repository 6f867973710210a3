use std::sync::Arc;

use super::*;
use crate::domain::{Origin, Reason, Refusal, Tenant, Transport};
use crate::metering::Identified;

fn id(number: u32) -> KeyId {
    KeyId::from_bare(&format!("key{number:09}")).expect("an id")
}

fn identified(key: u32, secret_version: u32) -> Identified {
    let slug = |text: &str| text.parse().expect("a slug");
    let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
    Identified { key: id(key), secret_version, rotating: false, tenant: Arc::new(tenant) }
}

fn origin(service: &str) -> Origin {
    Origin { service: Some(service.into()), ..Origin::default() }
}

/// An accepted export of `identified` in `second`.
fn export<'a>(identified: &'a Identified, origin: &'a Origin, second: i64) -> Decided<'a> {
    Decided {
        at: Timestamp::from_micros(second * 1_000_000),
        took: Duration::ZERO,
        transport: Transport::Http,
        signal: None,
        address: [192, 0, 2, 1].into(),
        agent: b"agent/1.0",
        claimed: Some(identified.key),
        identified: Some(identified),
        measured: None,
        origin: Some(origin),
        would_refuse: false,
        outcome: Outcome::Accepted,
    }
}

/// The service, first and last second, exports and refusals of each.
fn told(unwritten: &Unwritten) -> Vec<(Option<&str>, i64, i64, u64, u64)> {
    let told = |one: &SeenSender| {
        let (first, last) = (one.seen.first_at.micros() / 1_000_000, one.seen.last_at.micros() / 1_000_000);
        (first, last, one.seen.exports, one.seen.refused)
    };
    let with_service = |one| {
        let (first, last, exports, refused) = told(one);
        (one.sender.service.as_deref(), first, last, exports, refused)
    };
    unwritten.senders.iter().map(with_service).collect()
}

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

#[test]
fn every_sender_of_an_export_is_seen() {
    let senders = Senders::new(1000);
    let one = identified(1, 1);
    let both = Origin {
        others: vec![crate::domain::origin::Other { service: Some("b".into()), ..Default::default() }],
        ..origin("a")
    };
    senders.record(&export(&one, &both, 5));
    senders.record(&export(&one, &origin("a"), 3));
    let taken = senders.take(NOW);
    assert_eq!(told(&taken), [(Some("a"), 3, 5, 2, 0), (Some("b"), 5, 5, 1, 0)]);
    let SeenSender { project, sender, seen } = &taken.senders[0];
    assert_eq!((project.as_str(), sender.key, sender.secret_version), ("shop", id(1), 1));
    assert_eq!(sender.agent.as_deref(), Some("agent/1.0"));
    assert_eq!(seen.accepted_at, Some(Timestamp::from_micros(5_000_000)));
    assert_eq!(senders.take(NOW), Unwritten::default(), "it is taken once");
}

#[test]
fn what_tells_senders_apart() {
    let senders = Senders::new(1000);
    let (one, other_secret) = (identified(1, 1), identified(1, 2));
    let a = origin("a");
    let first = export(&one, &a, 1);
    let host = Origin { host: Some("h".into()), ..a.clone() };
    let sdk = Origin { sdk: Some("python".into()), ..a.clone() };
    let nothing = Origin::default();
    for decided in [
        first,
        Decided { identified: Some(&other_secret), ..first },
        Decided { origin: Some(&host), ..first },
        Decided { origin: Some(&sdk), ..first },
        Decided { origin: Some(&nothing), ..first },
        Decided { agent: b"agent/2.0", ..first },
        Decided { agent: b"", ..first },
        Decided { address: [192, 0, 2, 2].into(), ..first },
        first,
        Decided { identified: None, ..first },
    ] {
        senders.record(&decided);
    }
    let taken = senders.take(NOW);
    assert_eq!(taken.senders.len(), 8);
    assert_eq!(taken.senders.iter().map(|one| one.seen.exports).sum::<u64>(), 9);
}

/// Without a body it is whoever came the same way before.
#[test]
fn an_export_whose_body_was_not_read_is_of_who_came_the_same_way() {
    let senders = Senders::new(1000);
    let one = identified(1, 1);
    senders.record(&export(&one, &origin("a"), 1));
    senders.record(&export(&one, &origin("b"), 2));
    let refusal = Refusal::new(Reason::KeyRevoked);
    let nothing = Origin::default();
    let unread = Decided { origin: None, outcome: Outcome::Refused(&refusal), ..export(&one, &nothing, 3) };
    senders.record(&unread);
    senders.record(&Decided { address: [192, 0, 2, 9].into(), ..unread });
    let taken = senders.take(NOW);
    assert_eq!(told(&taken), [(None, 3, 3, 1, 1), (Some("a"), 1, 1, 1, 0), (Some("b"), 2, 3, 2, 1)]);
    assert_eq!(taken.senders[0].seen.accepted_at, None);
    assert_eq!(senders.likely_service(&id(1), [192, 0, 2, 1].into()).as_deref(), Some("b"));
    assert_eq!(senders.likely_service(&id(1), [192, 0, 2, 9].into()), None);
}

#[test]
fn a_key_has_room_for_so_many_and_the_rest_is_counted() {
    let senders = Senders::new(100_000);
    let one = identified(1, 1);
    for number in 0..10_000 {
        senders.record(&export(&one, &origin(&format!("s{number}")), number));
        // One that goes on sending is not crowded out.
        senders.record(&export(&one, &origin("steady"), number));
    }
    assert_eq!(senders.len(), MAX_SENDERS);
    let taken = senders.take(NOW);
    assert_eq!(taken.senders.len(), MAX_SENDERS);
    assert!(told(&taken).contains(&(Some("steady"), 0, 9999, 10_000, 0)));
    let [(key, others)] = taken.others[..] else { panic!("one key: {:?}", taken.others) };
    assert_eq!((key, others.senders, others.exports), (id(1), 9951, 9951));
    let all: u64 = taken.senders.iter().map(|one| one.seen.exports).sum();
    assert_eq!(all + others.exports, 20_000, "every export is somewhere");
}

#[test]
fn all_keys_together_have_room_for_so_many() {
    let senders = Senders::new(SHARDS * 2);
    for key in 0..1000 {
        for service in ["a", "b", "c"] {
            senders.record(&export(&identified(key, 1), &origin(service), 1));
        }
    }
    assert!(senders.len() <= SHARDS * 2);
    let taken = senders.take(NOW);
    let known: u64 = taken.senders.iter().map(|one| one.seen.exports).sum();
    let others: u64 = taken.others.iter().map(|(_, others)| others.exports).sum();
    assert_eq!(known + others + senders.passed_over(), 3000);
    assert!(senders.passed_over() > 0 && others > 0);
    // Once they are written down they make room.
    let _ = senders.take(NOW);
    assert!(senders.is_empty());
    senders.record(&export(&identified(2000, 1), &origin("a"), 1));
    assert_eq!(senders.len(), 1);
}

#[test]
fn who_was_silent_for_long_is_forgotten_here() {
    let senders = Senders::new(1000);
    let one = identified(1, 1);
    senders.record(&export(&one, &origin("a"), 1));
    let late = Timestamp::from_micros(1_000_000).after(IDLE);
    assert_eq!(senders.take(late).senders.len(), 1, "it is not lost before it is written");
    assert_eq!(senders.len(), 1);
    let _ = senders.take(late);
    assert!(senders.is_empty());
}

#[test]
fn what_could_not_be_written_is_added_to_what_came_after_it() {
    let senders = Senders::new(1000);
    let one = identified(1, 1);
    let nothing = Origin::default();
    let odd = Decided { agent: b"b\xffd \"agent\"\x1b[2J", ..export(&one, &nothing, 2) };
    senders.record(&export(&one, &origin("a"), 1));
    senders.record(&odd);
    let failed = senders.take(NOW);
    senders.record(&export(&one, &origin("a"), 4));
    senders.record(&odd);
    senders.put_back(&failed);
    let taken = senders.take(NOW);
    assert_eq!(told(&taken), [(None, 2, 2, 2, 0), (Some("a"), 1, 4, 2, 0)]);
    assert_eq!(taken.senders[0].sender.agent.as_deref(), Some(r#"b\xffd \"agent\"\x1b[2J"#));
}

/// Also of what was taken, and is perhaps being written right now.
#[test]
fn the_senders_of_one_key_can_be_looked_at() {
    let senders = Senders::new(1000);
    let (one, other) = (identified(1, 1), identified(2, 1));
    senders.record(&export(&one, &origin("a"), 5));
    senders.record(&export(&other, &origin("b"), 6));
    assert_eq!(told(&senders.of(&id(1))), [(Some("a"), 5, 5, 1, 0)]);
    let _ = senders.take(NOW);
    assert_eq!(told(&senders.of(&id(1))), [(Some("a"), 5, 5, 0, 0)]);
    senders.record(&export(&one, &origin("a"), 7));
    let looked = senders.of(&id(1));
    assert_eq!(told(&looked), [(Some("a"), 5, 7, 1, 0)].map(|(name, _, last, n, r)| (name, last, last, n, r)));
    assert_eq!(senders.of(&id(3)), Unwritten::default());
}
