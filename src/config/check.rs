//! Values that can be read but not meant: each would panic, refuse every export, or let in what cannot be delivered.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Config;

/// No payload of the lake may be larger: what is acknowledged has to be deliverable.
const LARGEST_BODY: u64 = 128 << 20;

/// The largest window that HTTP/2 allows (RFC 9113 section 6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// The deepest nesting that the lake writes.
const DEEPEST: u64 = 32;

/// A map of header fields holds no more.
const MOST_FIELDS: u64 = 1 << 14;

/// A secret that waits to be drained retires after five minutes without a use at the earliest: every node has to have written its own
/// down by then.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// The groups of a project are counted each time that some of it are written.
const MOST_GROUPS: u64 = 10_000;
/// For so long it is remembered in memory who was silent since.
const LONGEST_USE: Duration = Duration::from_hours(1);

/// More would be a slip of the keyboard.
const MANY: u64 = 1_000_000;

/// What counts for an instant may still be on its way: it must not be taken away before it was told, nor a quota of a month begin anew.
const SHORTEST_KEPT: [(&str, Duration); 3] = [
    ("usage.keep_minutes", Duration::from_hours(1)),
    ("usage.keep_hours", Duration::from_hours(24)),
    ("usage.keep_days", Duration::from_hours(32 * 24)),
];

/// Longer, and a crash would lose more than anybody means.
const LONGEST_FLUSH: Duration = Duration::from_mins(5);

/// The first option whose value is out of its range, and the range.
pub(super) fn out_of_range(config: &Config) -> Option<(&'static str, String)> {
    let (keys, limits, log) = (&config.keys, &config.limits, &config.log);
    let requests = &config.requests;
    let count = |number: usize| number as u64;
    let numbers: [(&str, u64, RangeInclusive<u64>); 28] = [
        ("catalog.connections", config.catalog.connections.into(), 1..=MANY),
        ("keys.cache_keys", keys.cache_keys, 1..=u64::MAX),
        ("keys.lookups", count(keys.lookups), 1..=MANY),
        ("admin.requests_per_second", config.admin.requests_per_second.into(), 1..=MANY),
        ("admin.burst", config.admin.burst.into(), 1..=MANY),
        ("admin.unauthenticated_per_minute", config.admin.unauthenticated_per_minute.into(), 1..=MANY),
        ("keys.max_active_keys", keys.max_active_keys.into(), 1..=MANY),
        ("keys.last_used_entries", count(keys.last_used_entries), 1..=MANY),
        ("limits.wire_body", limits.wire_body.0, 1..=LARGEST_BODY),
        ("limits.body", limits.body.0, 1..=LARGEST_BODY),
        ("limits.items", limits.items, 1..=u64::MAX),
        ("limits.depth", limits.depth.into(), 1..=DEEPEST),
        ("limits.headers", limits.headers.0, 1..=LARGEST_BODY),
        ("limits.header_fields", count(limits.header_fields), 1..=MOST_FIELDS),
        ("limits.connections", count(limits.connections), 1..=MANY),
        ("limits.connections_per_address", count(limits.connections_per_address), 1..=MANY),
        ("limits.failed_authentications_per_minute", limits.failed_authentications_per_minute.into(), 1..=MANY),
        ("limits.streams", limits.streams.into(), 1..=MANY),
        ("limits.stream_window", limits.stream_window.0, 1..=LARGEST_WINDOW),
        ("limits.connection_window", limits.connection_window.0, 1..=LARGEST_WINDOW),
        ("senders.entries", count(config.senders.entries), 1..=MANY),
        ("log.in_flight", count(log.in_flight), 1..=MANY),
        ("usage.entries", count(config.usage.entries), 1..=MANY),
        ("log.backlog", log.backlog.0, 1..=u64::MAX),
        ("requests.entries", count(requests.entries), 1..=MANY),
        ("requests.keep_rows", requests.keep_rows, 1..=100 * MANY),
        ("refusals.entries", count(config.refusals.entries), 1..=MANY),
        ("refusals.groups", config.refusals.groups.into(), 1..=MOST_GROUPS),
    ];
    let number = numbers.into_iter().find(|(_, value, range)| !range.contains(value)).map(|(option, value, range)| {
        let most = if *range.end() == u64::MAX { String::new() } else { format!(" and at most {}", range.end()) };
        (option, format!("it has to be at least {}{most}, not {value}", range.start()))
    });
    let lengths = [
        ("catalog.connect_time", config.catalog.connect_time),
        ("catalog.statement_time", config.catalog.statement_time),
        ("catalog.import_time", config.catalog.import_time),
        ("keys.lookup_time", keys.lookup_time),
        ("keys.last_used_interval", keys.last_used_interval),
        ("limits.body_time", limits.body_time),
        ("limits.header_time", limits.header_time),
        ("limits.idle_time", limits.idle_time),
        ("limits.answer_time", limits.answer_time),
        ("limits.stream_time", limits.stream_time),
        ("console.session_idle", config.console.session_idle),
        ("console.session_time", config.console.session_time),
        ("lake.interval", config.lake.interval),
        ("senders.flush_interval", config.senders.flush_interval),
        ("senders.keep", config.senders.keep),
        ("listen.reload", config.listen.reload),
        ("usage.flush_interval", config.usage.flush_interval),
        ("webhooks.timeout", config.webhooks.timeout),
        ("requests.interval", requests.interval),
        ("requests.keep", requests.keep),
        ("refusals.flush_interval", config.refusals.flush_interval),
        ("refusals.keep", config.refusals.keep),
    ];
    let length = lengths.into_iter().find(|(_, length)| length.0.is_zero());
    let late = keys.last_used_interval.0 > LONGEST_INTERVAL;
    let late = late.then(|| ("keys.last_used_interval", "it has to be at most one minute".to_owned()));
    let late = late.or_else(|| {
        let remembered = keys.in_use_within.0 <= LONGEST_USE;
        (!remembered).then(|| ("keys.in_use_within", "it has to be at most one hour".to_owned()))
    });
    let usage = &config.usage;
    let slow = usage.flush_interval.0 > LONGEST_FLUSH;
    let slow = slow.then(|| ("usage.flush_interval", "it has to be at most five minutes".to_owned()));
    let kept = [usage.keep_minutes.0, usage.keep_hours.0, usage.keep_days.0];
    let mut kept = SHORTEST_KEPT.into_iter().zip(kept).filter(|((_, shortest), kept)| kept < shortest);
    let short = kept.next().map(|((option, shortest), _)| {
        (option, format!("it has to be at least {}", humantime::format_duration(shortest)))
    });
    let length = length.map(|(option, _)| (option, "it has to be longer than zero".to_owned()));
    number.or(length).or(late).or(slow).or(short)
}

/// The first option that names a file of TLS without another that it needs.
pub(super) fn half_set_tls(config: &Config) -> Option<(String, String)> {
    let listen = &config.listen;
    let more = listen.more.iter().enumerate().map(|(index, more)| (format!("listen.more[{index}].tls"), &more.tls));
    let own = [("listen.tls", &listen.tls), ("listen.admin_tls", &listen.admin_tls)];
    let mut all = own.into_iter().map(|(option, tls)| (option.to_owned(), tls)).chain(more);
    all.find_map(|(option, tls)| {
        let (set, lacks) = tls.half_set()?;
        Some((format!("{option}.{set}"), format!("it needs {option}.{lacks}, which is not set")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a configuration with `option` set to `value` is refused for.
    fn refused(option: &str, value: &str) -> Option<String> {
        let variable = format!("GRIDGATE_{}", option.replace('.', "__").to_ascii_uppercase());
        Config::load(None, [(variable, value.to_owned())], &[]).err().map(|error| error.to_string())
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_by_name() {
        for (option, value) in [
            ("catalog.connections", "0"),
            ("keys.lookups", "9000000000000000000"),
            ("admin.requests_per_second", "0"),
            ("admin.burst", "0"),
            ("admin.unauthenticated_per_minute", "1000001"),
            ("keys.last_used_interval", "61s"),
            ("keys.last_used_interval", "0s"),
            ("keys.last_used_entries", "0"),
            ("keys.max_active_keys", "0"),
            ("keys.in_use_within", "61m"),
            ("senders.entries", "0"),
            ("senders.flush_interval", "0s"),
            ("senders.keep", "0s"),
            ("usage.entries", "0"),
            ("usage.flush_interval", "0s"),
            ("usage.flush_interval", "6m"),
            ("usage.keep_minutes", "59m"),
            ("usage.keep_hours", "0s"),
            ("usage.keep_days", "31d"),
            ("limits.wire_body", "20EiB"),
            ("limits.body", "129MiB"),
            ("limits.depth", "33"),
            ("limits.connections", "9000000000000000000"),
            ("limits.connections_per_address", "0"),
            ("limits.failed_authentications_per_minute", "0"),
            ("limits.header_fields", "0"),
            ("limits.stream_time", "0s"),
            ("limits.streams", "0"),
            ("limits.stream_window", "2GiB"),
            ("log.in_flight", "0"),
            ("log.backlog", "0"),
            ("refusals.flush_interval", "0s"),
            ("refusals.entries", "0"),
            ("refusals.groups", "0"),
            ("refusals.groups", "10001"),
            ("refusals.keep", "0s"),
            ("limits.body_time", "0s"),
            ("lake.interval", "0s"),
            ("requests.sample", "1.1"),
            ("requests.sample", "-1"),
            ("requests.sample", "0.0000001"),
            ("requests.entries", "0"),
            ("requests.interval", "0s"),
            ("requests.keep_rows", "0"),
            ("requests.keep", "0s"),
            ("keys.cache_ttl", "18446744073709551615s"),
        ] {
            let message = refused(option, value).unwrap_or_default();
            assert!(message.starts_with(&format!("{option} (set by GRIDGATE_")), "{option} = {value}: {message}");
        }
    }

    #[test]
    fn a_file_of_tls_alone_is_refused_by_name() {
        for (option, lacks) in [
            ("listen.tls.certificate", "listen.tls.key"),
            ("listen.tls.key", "listen.tls.certificate"),
            ("listen.tls.client_ca", "listen.tls.certificate"),
            ("listen.admin_tls.key", "listen.admin_tls.certificate"),
        ] {
            let variable = format!("GRIDGATE_{}", option.replace('.', "__").to_ascii_uppercase());
            let expected = format!("{option} (set by {variable}): it needs {lacks}, which is not set");
            assert_eq!(refused(option, "some.pem"), Some(expected));
        }
        let more = "[{ address = \"127.0.0.1:1\", transport = \"any\", environment = \"any\", tls = { key = \"k\" } }]";
        let message = refused("listen.more", more).unwrap_or_default();
        assert!(message.starts_with("listen.more[0].tls.key (set by "), "{message}");
        assert!(message.ends_with(": it needs listen.more[0].tls.certificate, which is not set"), "{message}");
    }

    #[test]
    fn the_ends_of_a_range_are_in_it() {
        for (option, value) in [
            ("limits.body", "128MiB"),
            ("limits.depth", "32"),
            ("keys.last_used_interval", "1m"),
            ("limits.stream_window", "2147483647"),
            ("log.linger", "0s"),
            ("requests.sample", "0"),
            ("requests.sample", "0.000001"),
            ("requests.sample", "1.0"),
            ("usage.keep_days", "32d"),
            ("keys.cache_grace", "0s"),
            ("keys.in_use_within", "0s"),
            ("keys.in_use_within", "1h"),
            ("shutdown.grace", "365d"),
        ] {
            assert_eq!(refused(option, value), None, "{option} = {value}");
        }
    }
}
