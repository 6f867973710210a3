//! Which addresses are reachable by everybody, and which only from inside of a network: what the gate is told to call by
//! others must not become a way to the machines around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of internal address `address` is; `None` where it is one of the public internet.
///
/// IPv6 that carries an IPv4 address (mapped, NAT64) is judged by that address. Of the rest of IPv6 only what is assigned as
/// global unicast is public.
#[must_use]
pub fn internal_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => internal_v4(address),
        IpAddr::V6(address) => internal_v6(address),
    }
}

/// Ranges of IPv4 that are not public: the registry of special-purpose addresses (RFC 6890), multicast, and the address at
/// which one cloud's machines find their metadata although it is a public one.
const INTERNAL_V4: [([u8; 4], u32, &str); 16] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, PRIVATE),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, LOOPBACK),
    ([169, 254, 0, 0], 16, LINK_LOCAL),
    ([172, 16, 0, 0], 12, PRIVATE),
    ([192, 0, 0, 0], 24, ASSIGNMENTS),
    ([192, 0, 2, 0], 24, DOCUMENTATION),
    ([192, 88, 99, 0], 24, "6to4"),
    ([192, 168, 0, 0], 16, PRIVATE),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, DOCUMENTATION),
    ([203, 0, 113, 0], 24, DOCUMENTATION),
    ([168, 63, 129, 16], 32, "cloud metadata"),
    ([224, 0, 0, 0], 4, MULTICAST),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// Ranges inside of IPv6's global unicast (`2000::/3`) that are not public.
const INTERNAL_V6: [([u16; 2], u32, &str); 4] = [
    // Teredo, benchmarking, ORCHID and others.
    ([0x2001, 0x0000], 23, ASSIGNMENTS),
    ([0x2001, 0x0db8], 32, DOCUMENTATION),
    ([0x2002, 0x0000], 16, "6to4"),
    ([0x3fff, 0x0000], 20, DOCUMENTATION),
];

const PRIVATE: &str = "private";
const LOOPBACK: &str = "loopback";
const LINK_LOCAL: &str = "link-local";
const MULTICAST: &str = "multicast";
const DOCUMENTATION: &str = "documentation";
const ASSIGNMENTS: &str = "protocol assignments";

fn internal_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let mut ranges = INTERNAL_V4.into_iter();
    let within = |network: [u8; 4], length: u32| (bits ^ u32::from_be_bytes(network)) >> (32 - length) == 0;
    ranges.find(|&(network, length, _)| within(network, length)).map(|(_, _, name)| name)
}

fn internal_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(LOOPBACK),
        // IPv4-mapped, and NAT64 by its well-known prefix (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            internal_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        [0xfe80..=0xfebf, ..] => Some(LINK_LOCAL),
        [0xfc00..=0xfdff, ..] => Some("unique local"),
        [0xff00..=0xffff, ..] => Some(MULTICAST),
        [first @ 0x2000..=0x3fff, second, ..] => {
            let bits = u32::from(first) << 16 | u32::from(second);
            let within = |[high, low]: [u16; 2], length: u32| {
                (bits ^ (u32::from(high) << 16 | u32::from(low))) >> (32 - length) == 0
            };
            let mut ranges = INTERNAL_V6.into_iter();
            ranges.find(|&(network, length, _)| within(network, length)).map(|(_, _, name)| name)
        }
        _ => Some("not global unicast"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn internal(text: &str) -> Option<&'static str> {
        internal_range(text.parse().expect(text))
    }

    #[test]
    fn internal_addresses_are_found_at_both_ends_of_their_ranges() {
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "this network"),
            ("10.0.0.0", "10.255.255.255", PRIVATE),
            ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0", "127.255.255.255", LOOPBACK),
            ("169.254.0.0", "169.254.255.255", LINK_LOCAL),
            ("169.254.169.254", "169.254.170.2", LINK_LOCAL),
            ("172.16.0.0", "172.31.255.255", PRIVATE),
            ("192.168.0.0", "192.168.255.255", PRIVATE),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("168.63.129.16", "168.63.129.16", "cloud metadata"),
            ("224.0.0.0", "239.255.255.255", MULTICAST),
            ("240.0.0.0", "255.255.255.255", "reserved"),
            ("::", "::", "unspecified"),
            ("::1", "::1", LOOPBACK),
            ("::2", "::ffff:ffff", "not global unicast"),
            ("::ffff:10.0.0.0", "::ffff:10.255.255.255", PRIVATE),
            ("64:ff9b::127.0.0.1", "64:ff9b::127.255.0.1", LOOPBACK),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "not global unicast"),
            ("100::", "100::ffff:ffff:ffff:ffff", "not global unicast"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", ASSIGNMENTS),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", DOCUMENTATION),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", DOCUMENTATION),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"),
            ("fd00:ec2::254", "fd00:ec2::254", "unique local"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LINK_LOCAL),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not global unicast"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", MULTICAST),
        ] {
            assert_eq!((internal(first), internal(last)), (Some(name), Some(name)), "{first} to {last}");
        }
    }

    #[test]
    fn what_lies_just_outside_of_a_range_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2001:4860:4860::8888",
            "2003::",
            "3ffe::",
            "3fff:1000::",
        ] {
            assert_eq!(internal(text), None, "{text}");
        }
    }

    proptest! {
        /// The standard library's own names for addresses are an independent list of what may not pass.
        #[test]
        fn nothing_passes_that_the_standard_library_calls_internal(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let known = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_unspecified();
            prop_assert!(!known || internal_range(address.into()).is_some(), "{}", address);
        }

        #[test]
        fn an_address_inside_of_ipv6_is_judged_as_itself(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let alone = internal_range(address.into());
            prop_assert_eq!(internal_range(address.to_ipv6_mapped().into()), alone);
            let nat64 = Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(bits));
            prop_assert_eq!(internal_range(nat64.into()), alone);
        }

        #[test]
        fn only_global_unicast_passes_of_ipv6(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let known = address.is_loopback()
                || address.is_multicast()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local();
            if internal_range(address.into()).is_none() {
                let carries_v4 = address.to_ipv4_mapped().is_some() || bits >> 32 == 0x64_ff9b << 64;
                prop_assert!(!known && (bits >> 125 == 1 || carries_v4), "{}", address);
            }
        }
    }
}
