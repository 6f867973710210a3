//! How payloads are compressed.

use std::fmt;

/// How a payload is compressed, on the wire and in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// The zlib form of deflate, RFC 1950: both HTTP and gRPC call it `deflate`.
    Deflate,
    /// RFC 8878, with windows as RFC 9659 allows. The log, too, compresses so what was sent plainly.
    Zstd,
}

impl Encoding {
    /// Every encoding that is accepted, over HTTP as over gRPC, in the form of `Accept-Encoding` and `grpc-accept-encoding`.
    pub const ACCEPTED: &str = "identity,gzip,deflate,zstd";

    /// The encoding that the values of `Content-Encoding` declare: a list in which `identity` and empty elements mean nothing
    /// (RFC 9110, sections 5.6.1 and 8.4). `None` where it is not supported, or several are stacked.
    #[must_use]
    pub fn of_content<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut found = Self::Identity;
        for name in values.into_iter().flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii) {
            let encoding = match name {
                b"" => Self::Identity,
                // RFC 9110, section 8.4.1.3.
                _ if name.eq_ignore_ascii_case(b"x-gzip") => Self::Gzip,
                _ => Self::named(name)?,
            };
            if encoding != Self::Identity {
                if found != Self::Identity {
                    return None;
                }
                found = encoding;
            }
        }
        Some(found)
    }

    /// The encoding that the value of `grpc-encoding` names; an empty one is identity. `None` where it is not supported.
    #[must_use]
    pub fn of_grpc(value: &[u8]) -> Option<Self> {
        let name = value.trim_ascii();
        if name.is_empty() { Some(Self::Identity) } else { Self::named(name) }
    }

    fn named(name: &[u8]) -> Option<Self> {
        [Self::Identity, Self::Gzip, Self::Deflate, Self::Zstd]
            .into_iter()
            .find(|encoding| name.eq_ignore_ascii_case(encoding.as_str().as_bytes()))
    }

    /// The name in headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_encodings() {
        let of = |values: &[&str]| Encoding::of_content(values.iter().map(|value| value.as_bytes()));
        for (values, expected) in [
            (&[][..], Encoding::Identity),
            (&[""], Encoding::Identity),
            (&["identity"], Encoding::Identity),
            (&[" GZip "], Encoding::Gzip),
            (&["x-gzip"], Encoding::Gzip),
            (&["deflate"], Encoding::Deflate),
            (&["zstd"], Encoding::Zstd),
            (&["identity, gzip"], Encoding::Gzip),
            (&["zstd,, identity ,"], Encoding::Zstd),
            (&["identity", "deflate"], Encoding::Deflate),
        ] {
            assert_eq!(of(values), Some(expected), "{values:?}");
        }
        for values in [&["br"][..], &["gzip, gzip"], &["gzip", "zstd"], &["gzip, br"], &["gzip;q=1"], &["\u{ff}"]] {
            assert_eq!(of(values), None, "{values:?}");
        }
    }

    #[test]
    fn grpc_encodings() {
        for (value, expected) in [
            ("", Some(Encoding::Identity)),
            ("identity", Some(Encoding::Identity)),
            ("gzip", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("zstd", Some(Encoding::Zstd)),
            ("x-gzip", None),
            ("snappy", None),
            ("identity,gzip", None),
        ] {
            assert_eq!(Encoding::of_grpc(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_accepted_is_told() {
        for name in Encoding::ACCEPTED.split(',') {
            assert_eq!(Encoding::of_grpc(name.as_bytes()).map(Encoding::as_str), Some(name));
        }
    }
}
