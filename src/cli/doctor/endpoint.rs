//! The endpoint of an exporter, taken apart.

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::domain::Signal;

/// Where exports of traces go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    pub(super) is_tls: bool,
    /// The name or address, without the brackets of an IPv6 one.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as they were written.
    pub(super) authority: Authority,
    /// What stands before the paths of OTLP/HTTP, without a final slash.
    pub(super) prefix: String,
    /// The path of exports of traces over OTLP/HTTP.
    pub(super) traces: String,
}

/// Why a text is no endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum EndpointError {
    #[error("it is not a URL")]
    Url,
    #[error("it does not begin with http:// or https://")]
    Scheme,
    #[error("it has a query")]
    Query,
    #[error("it has a user or a password; the key goes into a header")]
    User,
}

impl Endpoint {
    /// The endpoint of all signals, to which the path of each is added (OTLP exporter, «Endpoint URLs for OTLP/HTTP»).
    pub(super) fn of_all(text: &str) -> Result<Self, EndpointError> {
        let uri = uri(text)?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let traces = format!("{prefix}{}", Signal::Traces.http_path());
        Self::new(&uri, prefix, traces)
    }

    /// The endpoint of traces alone, which is used as it is.
    pub(super) fn of_traces(text: &str) -> Result<Self, EndpointError> {
        let uri = uri(text)?;
        let traces = uri.path().to_owned();
        let prefix = traces.strip_suffix(Signal::Traces.http_path()).unwrap_or_default().to_owned();
        Self::new(&uri, prefix, traces)
    }

    fn new(uri: &Uri, prefix: String, traces: String) -> Result<Self, EndpointError> {
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(EndpointError::Scheme),
        };
        if uri.query().is_some() {
            return Err(EndpointError::Query);
        }
        let authority = uri.authority().cloned().ok_or(EndpointError::Url)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::User);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(EndpointError::Url);
        }
        let port = match authority.port_u16() {
            Some(port) => port,
            // Something stands behind the colon.
            None if authority.as_str() != authority.host() => return Err(EndpointError::Url),
            None => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
        };
        Ok(Self { is_tls, host, port, authority, prefix, traces })
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

fn uri(text: &str) -> Result<Uri, EndpointError> {
    let text = text.trim();
    if !text.contains("://") {
        return Err(EndpointError::Scheme);
    }
    text.parse().map_err(|_| EndpointError::Url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_endpoint_is_taken_apart() {
        let all = |text| Endpoint::of_all(text).map(|it| (it.is_tls, it.host, it.port, it.prefix, it.traces));
        let expected = |tls, host: &str, port, prefix: &str, traces: &str| {
            Ok((tls, host.to_owned(), port, prefix.to_owned(), traces.to_owned()))
        };
        assert_eq!(all("http://gate:4318"), expected(false, "gate", 4318, "", "/v1/traces"));
        assert_eq!(all("https://gate/otlp/"), expected(true, "gate", 443, "/otlp", "/otlp/v1/traces"));
        assert_eq!(all("http://[::1]"), expected(false, "::1", 80, "", "/v1/traces"));
        let traces = Endpoint::of_traces("http://gate:4318/otlp/v1/traces").expect("an endpoint");
        assert_eq!((&*traces.prefix, &*traces.traces), ("/otlp", "/otlp/v1/traces"));
        for (text, error) in [
            ("gate:4318", EndpointError::Scheme),
            ("", EndpointError::Scheme),
            ("grpc://gate:4317", EndpointError::Scheme),
            ("http://", EndpointError::Url),
            ("http://gate:port", EndpointError::Url),
            ("http://gate:70000", EndpointError::Url),
            ("http://a b", EndpointError::Url),
            ("http://gate?x=y", EndpointError::Query),
            ("http://key:secret@gate", EndpointError::User),
        ] {
            assert_eq!(Endpoint::of_all(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(http://|https://)?\\PC{0,40}") {
            if let Ok(endpoint) = Endpoint::of_all(&text) {
                prop_assert!(endpoint.traces.ends_with("/v1/traces"));
            }
            let _ = Endpoint::of_traces(&text);
        }
    }
}
