//! Addresses that a key may be used from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The most ranges that one key has.
pub const MAX_ALLOWED_ADDRESSES: usize = 50;

/// The ranges of addresses that a key may be used from, in the order in which they were given; none: any address. Its text form is
/// the ranges in CIDR notation with single spaces between them.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address everywhere: sockets of both families
/// show their IPv4 peers so.
///
/// ```
/// use gridgate::domain::AllowedAddresses;
/// let allowed: AllowedAddresses = "192.0.2.0/24 2001:db8::1".parse()?;
/// assert!(allowed.contains("::ffff:192.0.2.7".parse()?));
/// assert_eq!(allowed.to_string(), "192.0.2.0/24 2001:db8::1/128");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AllowedAddresses(Box<[IpNet]>);

impl AllowedAddresses {
    /// The ranges that `entries` name, each an address or a range in CIDR notation. What is named twice is kept once.
    ///
    /// # Errors
    /// Every entry that is wrong.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<AddressError>> {
        let (mut ranges, mut wrong) = (Vec::new(), Vec::new());
        for (index, entry) in entries.into_iter().enumerate() {
            match range(entry) {
                _ if index >= MAX_ALLOWED_ADDRESSES => {
                    wrong.push(AddressError { index, fault: AddressFault::TooMany });
                    break;
                }
                Ok(range) if ranges.contains(&range) => {}
                Ok(range) => ranges.push(range),
                Err(fault) => wrong.push(AddressError { index, fault }),
            }
        }
        if wrong.is_empty() { Ok(Self(ranges.into())) } else { Err(wrong) }
    }

    /// Whether a key with these ranges may be used from `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.is_empty() || self.0.iter().any(|range| range.contains(&address))
    }

    /// Whether any address is allowed.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges in CIDR notation.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }
}

/// An entry that is no range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry {} {fault}", index + 1)]
pub struct AddressError {
    /// The entry's place, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub fault: AddressFault,
}

/// Why an entry is no range of addresses. The message continues «entry 1 …».
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressFault {
    /// It cannot be read.
    #[error("is neither an IP address nor a range such as 192.0.2.0/24 or 2001:db8::/32")]
    Unreadable,
    /// It has bits beyond its prefix: an address where a range was meant, or the wrong prefix.
    #[error("has bits set beyond its prefix; the range with this prefix is {range}")]
    HostBits {
        /// The range in which the address is.
        range: IpNet,
    },
    /// There are more than [`MAX_ALLOWED_ADDRESSES`].
    #[error("is one too many; a key has at most {MAX_ALLOWED_ADDRESSES} addresses and ranges")]
    TooMany,
}

impl FromStr for AllowedAddresses {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let unreadable = AddressError { index: 0, fault: AddressFault::Unreadable };
        Self::new(text.split_ascii_whitespace()).map_err(|wrong| wrong.first().copied().unwrap_or(unreadable))
    }
}

impl fmt::Display for AllowedAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            write!(f, "{}{range}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// What counts as one client. Of IPv6 it is the /64, which is the least that a single network is given (RFC 6177).
#[must_use]
pub fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        four @ IpAddr::V4(_) => four,
    }
}

/// An address, or a range whose address ends with its prefix.
fn range(entry: &str) -> Result<IpNet, AddressFault> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let range = unmapped(entry.parse().map_err(|_| AddressFault::Unreadable)?);
    if range.trunc() == range { Ok(range) } else { Err(AddressFault::HostBits { range: range.trunc() }) }
}

/// The IPv4 range that an IPv6 one stands for, where it lies within the mapped addresses (RFC 4291 section 2.5.5.2).
fn unmapped(range: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let IpNet::V6(six) = range else { return range };
    let four = |six: Ipv6Net, address: Ipv6Addr| {
        let prefix = six.prefix_len().checked_sub(MAPPED)?;
        Ipv4Net::new(address.to_ipv4_mapped()?, prefix).ok()
    };
    four(six, six.addr()).map_or(range, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allowed(text: &str) -> AllowedAddresses {
        text.parse().expect("ranges")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_of_ipv6_and_a_mapped_address_are_one() {
        assert_eq!(origin(address("2001:db8:1:2:3:4:5:6")), origin(address("2001:db8:1:2::1")));
        assert_ne!(origin(address("2001:db8:1:2::1")), origin(address("2001:db8:1:3::1")));
        assert_eq!(origin(address("::ffff:192.0.2.1")), origin(address("192.0.2.1")));
        assert_ne!(origin(address("192.0.2.1")), origin(address("192.0.2.2")));
    }

    #[test]
    fn a_range_contains_what_is_in_it() {
        for (ranges, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("10.0.0.0/8 192.0.2.1/32", "192.0.2.1", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "fe80::1", "127.0.0.1"),
        ] {
            let ranges = allowed(ranges);
            assert!(ranges.contains(address(inside)) && !ranges.contains(address(outside)), "{ranges}");
        }
    }

    #[test]
    fn without_a_range_any_address_is_allowed() {
        let any = AllowedAddresses::default();
        assert!(any.is_any() && any.contains(address("192.0.2.1")) && any.contains(address("::1")));
        assert_eq!(any.to_string().parse(), Ok(any));
    }

    /// A listener of both families shows an IPv4 peer as an IPv6 address; an admin may write either.
    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let mapped = address("::ffff:192.0.2.7");
        assert!(allowed("192.0.2.0/24").contains(mapped));
        assert!(!allowed("::/0").contains(mapped));
        for (written, read) in [
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(allowed(written).to_string(), read);
        }
    }

    #[test]
    fn every_wrong_entry_is_named() {
        let entries = ["10.0.0.0/8", "10.0.0.1/8", "", "::ffff:192.0.2.7/120", "::ffff:192.0.2.0/95", "010.0.0.1"];
        let wrong = AllowedAddresses::new(entries).expect_err("errors");
        let host_bits = |range: &str| AddressFault::HostBits { range: range.parse().expect("a range") };
        let expected = [
            (1, host_bits("10.0.0.0/8")),
            (2, AddressFault::Unreadable),
            (3, host_bits("192.0.2.0/24")),
            (4, host_bits("::fffe:0:0/95")),
            (5, AddressFault::Unreadable),
        ];
        assert_eq!(wrong, expected.map(|(index, fault)| AddressError { index, fault }));
        assert_eq!(
            wrong[0].to_string(),
            "entry 2 has bits set beyond its prefix; the range with this prefix is 10.0.0.0/8"
        );
        for entry in ["1.2.3", "1.2.3.4/33", "::1/129", "fe80::1%eth0", "localhost", "1.2.3.4 /8", "1.2.3.4/-1", "/8"] {
            let wrong = AllowedAddresses::new([entry]).expect_err(entry);
            assert_eq!(wrong, [AddressError { index: 0, fault: AddressFault::Unreadable }], "{entry}");
        }
    }

    #[test]
    fn there_are_at_most_fifty_entries() {
        let entries: Vec<_> = (0..60).map(|number| format!("10.0.0.{number}")).collect();
        let of = |count| AllowedAddresses::new(entries.iter().take(count).map(String::as_str));
        assert_eq!(of(50).expect("ranges").iter().count(), 50);
        assert_eq!(of(60), Err(vec![AddressError { index: 50, fault: AddressFault::TooMany }]));
    }

    #[test]
    fn what_is_named_twice_is_kept_once() {
        assert_eq!(allowed(" 10.0.0.1  ::ffff:10.0.0.1 10.0.0.1/32\t").to_string(), "10.0.0.1/32");
    }

    proptest! {
        /// Whatever is read contains its own addresses, and is read from its text form as the same.
        #[test]
        fn ranges_survive_their_text_form(addresses: Vec<(IpAddr, u8)>) {
            let ranges = addresses.into_iter().take(MAX_ALLOWED_ADDRESSES).map(|(address, prefix)| {
                let longest = if address.is_ipv4() { 33 } else { 129 };
                IpNet::new(address, prefix % longest).expect("a range").trunc().to_string()
            });
            let ranges: Vec<_> = ranges.collect();
            let allowed = AllowedAddresses::new(ranges.iter().map(String::as_str)).expect("ranges");
            for range in allowed.iter() {
                prop_assert!(allowed.contains(range.parse::<IpNet>().expect("a range").addr()));
            }
            prop_assert_eq!(allowed.to_string().parse(), Ok(allowed));
        }

        #[test]
        fn any_text_is_ranges_or_an_error(text in "[0-9a-f:./ ]{0,60}|\\PC*") {
            if let Ok(allowed) = text.parse::<AllowedAddresses>() {
                prop_assert_eq!(allowed.to_string().parse(), Ok(allowed));
            }
        }
    }
}
