//! Values that can be read but not meant: each would panic, refuse every export, or let in what cannot be delivered.

use std::ops::RangeInclusive;

use super::Config;

/// No payload of the lake may be larger: what is acknowledged has to be deliverable.
const LARGEST_BODY: u64 = 128 << 20;

/// The largest window that HTTP/2 allows (RFC 9113 section 6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// The deepest nesting that the lake writes.
const DEEPEST: u64 = 32;

/// More would be a slip of the keyboard.
const MANY: u64 = 1_000_000;

/// The first option whose value is out of its range, and the range.
pub(super) fn out_of_range(config: &Config) -> Option<(&'static str, String)> {
    let (keys, limits, log) = (&config.keys, &config.limits, &config.log);
    let count = |number: usize| number as u64;
    let numbers: [(&str, u64, RangeInclusive<u64>); 14] = [
        ("catalog.connections", config.catalog.connections.into(), 1..=MANY),
        ("keys.cache_keys", keys.cache_keys, 1..=u64::MAX),
        ("keys.lookups", count(keys.lookups), 1..=MANY),
        ("limits.wire_body", limits.wire_body.0, 1..=LARGEST_BODY),
        ("limits.body", limits.body.0, 1..=LARGEST_BODY),
        ("limits.items", limits.items, 1..=u64::MAX),
        ("limits.depth", limits.depth.into(), 1..=DEEPEST),
        ("limits.headers", limits.headers.0, 1..=LARGEST_BODY),
        ("limits.connections", count(limits.connections), 1..=MANY),
        ("limits.streams", limits.streams.into(), 1..=MANY),
        ("limits.stream_window", limits.stream_window.0, 1..=LARGEST_WINDOW),
        ("limits.connection_window", limits.connection_window.0, 1..=LARGEST_WINDOW),
        ("log.in_flight", count(log.in_flight), 1..=MANY),
        ("log.backlog", log.backlog.0, 1..=u64::MAX),
    ];
    let number = numbers.into_iter().find(|(_, value, range)| !range.contains(value)).map(|(option, value, range)| {
        let most = if *range.end() == u64::MAX { String::new() } else { format!(" and at most {}", range.end()) };
        (option, format!("it has to be at least {}{most}, not {value}", range.start()))
    });
    let lengths = [
        ("catalog.connect_time", config.catalog.connect_time),
        ("catalog.statement_time", config.catalog.statement_time),
        ("keys.lookup_time", keys.lookup_time),
        ("limits.body_time", limits.body_time),
        ("limits.header_time", limits.header_time),
        ("limits.idle_time", limits.idle_time),
        ("lake.interval", config.lake.interval),
        ("listen.reload", config.listen.reload),
    ];
    let length = lengths.into_iter().find(|(_, length)| length.0.is_zero());
    number
        .or_else(|| length.map(|(option, _)| (option, "it has to be longer than zero".to_owned())))
        .or_else(|| half_set_tls(config))
}

/// The first TLS that lacks a file.
fn half_set_tls(config: &Config) -> Option<(&'static str, String)> {
    let listen = &config.listen;
    let more = listen.more.iter().map(|listener| ("listen.more", &listener.tls));
    let all = [("listen.tls", &listen.tls), ("listen.admin_tls", &listen.admin_tls)].into_iter().chain(more);
    all.filter_map(|(option, tls)| Some((option, tls.half_set()?)))
        .map(|(option, (set, lacks))| (option, format!("{set} is set and {lacks} is not")))
        .next()
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
            ("limits.wire_body", "20EiB"),
            ("limits.body", "129MiB"),
            ("limits.depth", "33"),
            ("limits.connections", "9000000000000000000"),
            ("limits.streams", "0"),
            ("limits.stream_window", "2GiB"),
            ("log.in_flight", "0"),
            ("log.backlog", "0"),
            ("limits.body_time", "0s"),
            ("lake.interval", "0s"),
            ("keys.cache_ttl", "18446744073709551615s"),
        ] {
            let message = refused(option, value).unwrap_or_default();
            assert!(message.starts_with(&format!("{option} (set by GRIDGATE_")), "{option} = {value}: {message}");
        }
    }

    #[test]
    fn the_ends_of_a_range_are_in_it() {
        for (option, value) in [
            ("limits.body", "128MiB"),
            ("limits.depth", "32"),
            ("limits.stream_window", "2147483647"),
            ("log.linger", "0s"),
            ("keys.cache_grace", "0s"),
            ("shutdown.grace", "365d"),
        ] {
            assert_eq!(refused(option, value), None, "{option} = {value}");
        }
    }
}
