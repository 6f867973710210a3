//! Where a webhook's messages may be sent: no address from inside of the gate's own network, unless that is allowed.

use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use ipnet::IpNet;

use crate::domain::reach::internal_range;

/// The longest URL of a webhook, in bytes.
pub const MAX_URL: usize = 2048;

/// What the installation allows beyond https to public addresses.
#[derive(Clone, Default, Debug)]
pub struct Policy {
    /// Plain http, too.
    pub allow_http: bool,
    /// These addresses, although they are internal.
    pub allow_networks: Vec<IpNet>,
}

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Every address of `host`, which is a name or itself an address, with `port`.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Why a URL is none that messages are sent to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// It is not `https://host/…`.
    #[error("it is not of the form https://host/path")]
    Form,
    /// It is longer than [`MAX_URL`].
    #[error("it is longer than {MAX_URL} bytes")]
    TooLong,
    /// It is `http://…`.
    #[error("only https is allowed here (webhooks.allow_http)")]
    Http,
    /// It holds a name or password, which would end up in lists and logs.
    #[error("it holds credentials; messages are signed instead")]
    Credentials,
    /// It has a fragment, which is never sent.
    #[error("it has a fragment, which no server gets to see")]
    Fragment,
    /// The host's name has no address.
    #[error("the host's name cannot be resolved")]
    Unresolved,
    /// One of the host's addresses is internal. Which it is is not told: names inside of a network are nobody else's business.
    #[error("the host has an address that is not public ({0}), which is not allowed here (webhooks.allow_networks)")]
    Internal(&'static str),
}

/// A URL, understood.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whether TLS is spoken.
    pub is_secure: bool,
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What the `host` header says.
    pub authority: Authority,
    /// What is asked for.
    pub path: PathAndQuery,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`TargetError`], but for those of resolving.
    pub fn parse(url: &str, policy: &Policy) -> Result<Self, TargetError> {
        if url.len() > MAX_URL {
            return Err(TargetError::TooLong);
        }
        if url.contains('#') {
            return Err(TargetError::Fragment);
        }
        let parts = url.parse::<Uri>().map_err(|_| TargetError::Form)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(TargetError::Form) };
        let is_secure = scheme == Scheme::HTTPS;
        if !is_secure && scheme != Scheme::HTTP {
            return Err(TargetError::Form);
        }
        if !is_secure && !policy.allow_http {
            return Err(TargetError::Http);
        }
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str().ends_with(authority.host()) => {
                if is_secure {
                    443
                } else {
                    80
                }
            }
            // A colon with something else than a port behind it.
            None => return Err(TargetError::Form),
        };
        if host.is_empty() || port == 0 {
            return Err(TargetError::Form);
        }
        let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        Ok(Self { is_secure, host, port, authority, path })
    }

    /// The host's addresses, every one of which may be called. Who calls must call one of these, and not resolve the name again.
    ///
    /// # Errors
    /// [`TargetError::Unresolved`] and [`TargetError::Internal`].
    pub async fn addresses(&self, resolver: &dyn Resolver, policy: &Policy) -> Result<Vec<SocketAddr>, TargetError> {
        let found = resolver.resolve(&self.host, self.port).await.map_err(|_| TargetError::Unresolved)?;
        match found.iter().find_map(|address| policy.refuses(address.ip())) {
            Some(range) => Err(TargetError::Internal(range)),
            None if found.is_empty() => Err(TargetError::Unresolved),
            None => Ok(found),
        }
    }
}

impl Policy {
    /// The kind of address that `address` is, where it may not be called.
    #[must_use]
    pub fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        let range = internal_range(address)?;
        let canonical = address.to_canonical();
        (!self.allow_networks.iter().any(|network| network.contains(&canonical))).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(url: &str) -> Result<Target, TargetError> {
        Target::parse(url, &Policy::default())
    }

    #[test]
    fn urls_are_read() {
        for (url, host, port, path) in [
            ("https://example.com", "example.com", 443, "/"),
            ("https://example.com:8443/a?b=c", "example.com", 8443, "/a?b=c"),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x"),
            ("https://192.0.2.1/", "192.0.2.1", 443, "/"),
        ] {
            let target = parse(url).expect(url);
            assert_eq!((&*target.host, target.port, target.path.as_str()), (host, port, path), "{url}");
            assert!(target.is_secure);
        }
        let plain = Policy { allow_http: true, ..Policy::default() };
        let target = Target::parse("http://example.com/", &plain).expect("it is allowed");
        assert_eq!((target.port, target.is_secure), (80, false));
    }

    #[test]
    fn what_is_no_target_is_told() {
        for (url, error) in [
            ("", TargetError::Form),
            ("example.com", TargetError::Form),
            ("/path", TargetError::Form),
            ("ftp://example.com/", TargetError::Form),
            ("https:///path", TargetError::Form),
            ("https://example.com:0/", TargetError::Form),
            ("https://example.com:99999/", TargetError::Form),
            ("https://example.com:/", TargetError::Form),
            ("https://exa mple.com/", TargetError::Form),
            ("https://ex\u{e4}mple.com/", TargetError::Form),
            ("http://example.com/", TargetError::Http),
            ("https://user:pass@example.com/", TargetError::Credentials),
            ("https://example.com/#here", TargetError::Fragment),
        ] {
            assert_eq!(parse(url).map(|target| target.host), Err(error), "{url}");
        }
        assert_eq!(parse(&format!("https://example.com/{}", "a".repeat(MAX_URL))).err(), Some(TargetError::TooLong));
    }

    #[test]
    fn a_network_that_is_allowed_may_be_called() {
        let policy = Policy { allow_networks: vec!["10.1.0.0/16".parse().expect("a network")], ..Policy::default() };
        let refuses = |address: &str| policy.refuses(address.parse().expect("an address"));
        assert_eq!(refuses("10.1.2.3"), None);
        assert_eq!(refuses("::ffff:10.1.2.3"), None);
        assert_eq!(refuses("10.2.0.1"), Some("private"));
        assert_eq!(refuses("8.8.8.8"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_target_or_an_error(text in "\\PC*|https?://[-a-z0-9.:@\\[\\]/#%?]{0,30}") {
            if let Ok(target) = parse(&text) {
                prop_assert!(text.starts_with("https://") || text.to_ascii_lowercase().starts_with("https://"));
                prop_assert!(!target.host.is_empty() && target.port > 0);
                prop_assert!(!target.authority.as_str().contains('@'));
            }
        }
    }
}
