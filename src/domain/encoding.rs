//! How payloads are compressed.

use std::fmt;

/// How a payload is compressed, on the wire and in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878. Only in the log, which compresses what was sent plainly.
    Zstd,
}

impl Encoding {
    /// Every encoding that is accepted, in the form of `Accept-Encoding` and `grpc-accept-encoding`.
    pub const ACCEPTED: &str = "identity,gzip";

    /// The encoding of a `Content-Encoding` or `grpc-encoding` header; an empty value means identity.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        if value.is_empty() || value.eq_ignore_ascii_case(b"identity") {
            Some(Self::Identity)
        } else if value.eq_ignore_ascii_case(b"gzip") {
            Some(Self::Gzip)
        } else {
            None
        }
    }

    /// The name in headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
