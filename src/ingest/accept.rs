//! Accept: what is known of an export when its headers have arrived, and nothing else.

use std::net::IpAddr;

use http::{HeaderMap, Method, header};

use crate::domain::Transport;
use crate::domain::{Reason, Refusal, Signal, Slug, Timestamp};

/// Where an export comes in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entrance {
    /// What the client speaks.
    pub transport: Transport,
    /// Whether the listener serves it. Who speaks the other transport is told so in its own form, and nothing of it is stored.
    pub served: bool,
    /// The one environment whose keys are let in; `None`: any.
    pub environment: Option<Slug>,
    /// What stands before the paths of OTLP/HTTP; empty, or segments that each begin with a slash.
    pub prefix: String,
}

/// An export whose headers have arrived. Its body has not been touched.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The signal that its path names.
    pub signal: Signal,
    /// Where it came in.
    pub entrance: &'a Entrance,
    /// The address it came from.
    pub peer: IpAddr,
    /// When its headers had arrived.
    pub at: Timestamp,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// The signal whose export `path` is on a listener. Paths are compared as they are: no case folding, decoding or clean-up, so that no two
/// parts of the system can disagree about what a path means.
///
/// # Errors
/// [`Reason::PathUnknown`] for any other path, [`Reason::WrongPort`] for every path where the transport is not served.
pub fn signal(entrance: &Entrance, path: &str) -> Result<Signal, Refusal> {
    served(entrance)?;
    let prefix = &*entrance.prefix;
    let named = |path: &str, path_of: fn(Signal) -> &'static str| {
        Signal::ALL.into_iter().find(|&signal| path_of(signal) == path)
    };
    let found = match entrance.transport {
        Transport::Grpc => named(path, Signal::grpc_path),
        Transport::Http => path.strip_prefix(prefix).and_then(|path| named(path, Signal::http_path)),
    };
    found.ok_or_else(|| {
        let because = |detail: &str| Refusal::because(Reason::PathUnknown, detail);
        match entrance.transport {
            Transport::Grpc if named(path, Signal::http_path).is_some() => {
                because("this is OTLP/gRPC, and the path one of OTLP/HTTP")
            }
            Transport::Http if named(path, Signal::grpc_path).is_some() => {
                because("this is OTLP/HTTP, and the path one of OTLP/gRPC")
            }
            _ if !prefix.is_empty() => {
                because(&format!("every path here begins with {prefix}, as in {prefix}/v1/traces"))
            }
            _ => Reason::PathUnknown.into(),
        }
    })
}

/// Whether the listener serves the client's transport.
///
/// # Errors
/// [`Reason::WrongPort`].
pub fn served(entrance: &Entrance) -> Result<(), Refusal> {
    if entrance.served {
        return Ok(());
    }
    let detail = match entrance.transport {
        Transport::Grpc => "this port serves OTLP/HTTP, not OTLP/gRPC",
        Transport::Http => "this port serves OTLP/gRPC, not OTLP/HTTP",
    };
    Err(Refusal::because(Reason::WrongPort, detail))
}

/// Exports are sent with POST.
///
/// # Errors
/// [`Reason::MethodNotAllowed`] for any other method.
pub fn method(method: &Method) -> Result<(), Refusal> {
    if method == Method::POST { Ok(()) } else { Err(Reason::MethodNotAllowed.into()) }
}

/// What header fields count: names, values, and 32 bytes for each field (RFC 9113 section 6.5.2).
#[must_use]
pub fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// The forms of an OTLP/HTTP body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Format {
    /// The content type, as it is answered.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The form that the `Content-Type` header names, whatever its case and parameters.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.as_bytes();
        let essence = value.split(|&byte| byte == b';').next()?.trim_ascii();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|form| essence.eq_ignore_ascii_case(form.content_type().as_bytes()))
    }
}

/// Whether the `Content-Type` is one of gRPC, whatever its messages are (gRPC over HTTP/2, «Content-Type»).
#[must_use]
pub fn speaks_grpc(headers: &HeaderMap) -> bool {
    const START: &[u8] = b"application/grpc";
    let start = headers.get(header::CONTENT_TYPE).and_then(|value| value.as_bytes().get(..START.len()));
    start.is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// Whether the `Content-Type` of a gRPC request names protobuf messages (gRPC over HTTP/2, «Content-Type»).
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/grpc") || essence.eq_ignore_ascii_case(b"application/grpc+proto")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn paths_are_taken_literally() {
        let of = |transport, prefix: &str| {
            let prefix = prefix.to_owned();
            Entrance { transport, served: true, environment: None, prefix }
        };
        let (grpc, http, prefixed) = (of(Transport::Grpc, ""), of(Transport::Http, ""), of(Transport::Http, "/otlp"));
        assert_eq!(signal(&http, "/v1/traces"), Ok(Signal::Traces));
        assert_eq!(signal(&http, "/v1development/profiles"), Ok(Signal::Profiles));
        assert_eq!(signal(&prefixed, "/otlp/v1/traces"), Ok(Signal::Traces));
        assert_eq!(signal(&grpc, Signal::Logs.grpc_path()), Ok(Signal::Logs));
        for path in
            ["/", "", "/v1/traces/", "//v1/traces", "/V1/traces", "/v1/%74races", "/v1/spans", Signal::Logs.grpc_path()]
        {
            assert_eq!(signal(&http, path).map_err(|refusal| refusal.reason), Err(Reason::PathUnknown), "{path}");
        }
        for path in ["/v1/traces", "/otlp", "/otlp/", "/otlpv1/traces", "/OTLP/v1/traces", "/otlp/otlp/v1/traces"] {
            assert!(signal(&prefixed, path).is_err(), "{path}");
        }
    }

    /// OTLP specification, «OTLP/HTTP Request»; parameters and case as RFC 9110 section 8.3.1 allows.
    #[test]
    fn content_types() {
        for (value, expected) in [
            (&b"application/x-protobuf"[..], Some(Format::Protobuf)),
            (b"APPLICATION/JSON", Some(Format::Json)),
            (b"application/json; charset=utf-8", Some(Format::Json)),
            (b"text/plain", None),
            (b"application/jsonx", None),
            (b"\xff", None),
            (b"", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_bytes(value).expect("a header value"));
            assert_eq!(Format::of(&headers), expected);
        }
        assert_eq!(Format::of(&HeaderMap::new()), None);
    }
}
