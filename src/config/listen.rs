//! `[listen]` and `[cors]`: where exports and admins come in, and from which web pages.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Span;
use crate::domain::Slug;
use crate::domain::Transport;

/// `[listen]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenConfig {
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// OTLP/HTTP; the address of `grpc` (with a port other than 0) makes one listener for both.
    pub http: SocketAddr,
    /// Admin API, health and metrics.
    pub admin: SocketAddr,
    /// What stands before the paths of OTLP/HTTP on `http`.
    pub prefix: Prefix,
    /// The environment whose keys `grpc` and `http` let in.
    pub environment: Admitted,
    /// How often the files of certificates are looked at.
    pub reload: Span,
    /// TLS of `grpc` and `http`.
    pub tls: TlsConfig,
    /// TLS of `admin`.
    pub admin_tls: TlsConfig,
    /// Further ingest listeners.
    pub more: Vec<ListenerConfig>,
}

/// `[[listen.more]]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Its address.
    pub address: SocketAddr,
    /// What it serves.
    pub transport: Serves,
    /// The environment whose keys it lets in.
    pub environment: Admitted,
    /// What stands before the paths of OTLP/HTTP.
    #[serde(default)]
    pub prefix: Prefix,
    /// Its TLS.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// What an ingest listener serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serves {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP.
    Http,
    /// Both on one port.
    Any,
}

impl Serves {
    /// Whether exports over `transport` are served.
    #[must_use]
    pub const fn includes(self, transport: Transport) -> bool {
        matches!((self, transport), (Self::Any, _) | (Self::Grpc, Transport::Grpc) | (Self::Http, Transport::Http))
    }
}

/// The PEM files of one listener's TLS. Without a certificate it speaks plain text.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The certificate and what leads from it to its authority, in this order.
    pub certificate: PathBuf,
    /// The certificate's private key, not encrypted.
    pub key: PathBuf,
    /// The authorities of clients' certificates; empty: clients need none.
    pub client_ca: PathBuf,
}

impl TlsConfig {
    /// Whether the listener speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty()
    }

    /// The file that is named without one that it needs, and that one.
    pub(super) fn half_set(&self) -> Option<(&'static str, &'static str)> {
        let set = |path: &PathBuf| !path.as_os_str().is_empty();
        match (set(&self.certificate), set(&self.key), set(&self.client_ca)) {
            (true, false, _) => Some(("certificate", "key")),
            (false, true, _) => Some(("key", "certificate")),
            (false, false, true) => Some(("client_ca", "certificate")),
            (true, true, _) | (false, false, false) => None,
        }
    }
}

/// What stands before the paths of OTLP/HTTP: nothing, or segments that each begin with a slash, like `/otlp`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix(String);

impl Prefix {
    /// The text, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Paths are compared as they are, so that only characters may stand here which no client writes in two ways.
impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inner = text.trim_matches('/');
        if inner.is_empty() {
            return Ok(Self::default());
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(plain);
        if !inner.split('/').all(segment) {
            return Err("write a path like \"/otlp\", of letters, digits, \"-\", \".\", \"_\" and \"~\"".to_owned());
        }
        Ok(Self(format!("/{inner}")))
    }
}

/// Whose keys a listener lets in: `any`, or the slug of an environment.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Admitted(pub Option<Slug>);

impl TryFrom<String> for Admitted {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|slug| Self(Some(slug)))
            .map_err(|error| format!("write \"any\" or the slug of an environment: {error}"))
    }
}

/// `[cors]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// The origins of web pages that may export; empty: none.
    pub origins: Vec<String>,
    /// Headers that they may send besides those of OTLP and `keys.headers`.
    pub headers: Vec<String>,
    /// How long browsers may remember what they were told.
    pub max_age: Span,
}

impl Default for ListenConfig {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            grpc: loopback(4317),
            http: loopback(4318),
            admin: loopback(4319),
            prefix: Prefix::default(),
            environment: Admitted(None),
            reload: Span::seconds(60),
            tls: TlsConfig::default(),
            admin_tls: TlsConfig::default(),
            more: Vec::new(),
        }
    }
}

impl Default for CorsConfig {
    fn default() -> Self {
        let headers = ["user-agent", "traceparent", "tracestate", "baggage"];
        Self { origins: Vec::new(), headers: headers.map(str::to_owned).into(), max_age: Span::seconds(7200) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_have_one_form() {
        for (text, expected) in
            [("", ""), ("/", ""), ("otlp", "/otlp"), ("/otlp/", "/otlp"), ("/a/b.c/d-e_f~", "/a/b.c/d-e_f~")]
        {
            assert_eq!(Prefix::try_from(text.to_owned()).map(|prefix| prefix.to_string()), Ok(expected.to_owned()));
        }
        for text in ["/a//b", "/..", "/a/./b", "/a b", "/%41", "/a?b", "/ä", "http://gate/otlp"] {
            assert!(Prefix::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_has_its_form_already(text in "[/a.%~ -]{0,12}|.*") {
            if let Ok(prefix) = Prefix::try_from(text) {
                prop_assert_eq!(Prefix::try_from(prefix.to_string()), Ok(prefix.clone()));
                prop_assert!(prefix.as_str().is_empty() || prefix.as_str().starts_with('/'));
                prop_assert!(!prefix.as_str().ends_with('/') && !prefix.as_str().contains("//"));
            }
        }
    }
}
