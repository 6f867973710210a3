//! What an exporter would be told: by options, or by the `OTEL_EXPORTER_OTLP_` variables.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::endpoint::{Endpoint, EndpointError};
use super::{Doctor, Protocol};
use crate::cli::{Exit, Failure, Terminal};
use crate::domain::Transport;

/// Where to send, and what with.
pub(super) struct Settings {
    /// One endpoint for each transport that is tried.
    pub(super) targets: Vec<(Transport, Endpoint)>,
    /// One endpoint is tried over both transports.
    pub(super) either: bool,
    /// The token as it was found, before it is looked at.
    pub(super) token: Zeroizing<String>,
    /// The header that carries it.
    pub(super) token_header: HeaderName,
    /// What stands before the token there.
    pub(super) scheme: &'static str,
    /// The other headers.
    pub(super) headers: HeaderMap,
    /// The authorities to trust in place of the system's.
    pub(super) ca: Option<PathBuf>,
}

/// Where Gridgate listens unless told otherwise.
const DEFAULTS: [(Transport, &str); 2] =
    [(Transport::Grpc, "http://127.0.0.1:4317"), (Transport::Http, "http://127.0.0.1:4318")];

/// The headers that may carry a token.
const CARRIERS: [&str; 3] = ["api-key", "x-api-key", "authorization"];

impl Settings {
    pub(super) fn read(doctor: &Doctor, terminal: &mut Terminal<'_>) -> Result<Self, Failure> {
        let variable = |name: &str| if doctor.from_env { variable(terminal, name) } else { None };
        let transports = match doctor.protocol.or(protocol(&variable)?) {
            Some(protocol) => vec![protocol.transport()],
            None => Transport::ALL.to_vec(),
        };
        let endpoint = match &doctor.endpoint {
            Some(text) => Some(Endpoint::of_all(text).map_err(|error| wrong("--endpoint", error))?),
            None => endpoint(&variable)?,
        };
        let either = endpoint.is_some() && transports.len() > 1;
        let defaults = || DEFAULTS.iter().filter(|(transport, _)| transports.contains(transport));
        let targets = match endpoint {
            Some(endpoint) => transports.iter().map(|&transport| (transport, endpoint.clone())).collect(),
            None => defaults().filter_map(|&(of, text)| Some((of, Endpoint::of_all(text).ok()?))).collect(),
        };
        let mut headers = headers(&variable)?;
        let ca = doctor.ca.clone().or_else(|| {
            let own = variable("TRACES_CERTIFICATE").or_else(|| variable("CERTIFICATE"))?;
            Some(PathBuf::from(own.1.as_str()))
        });
        let given = match &doctor.token_file {
            None if carried(&headers).is_some() => None,
            path => Some(given(path.as_deref(), terminal)?),
        };
        let (token, token_header, scheme) = match given {
            Some(token) => {
                for name in CARRIERS {
                    headers.remove(name);
                }
                (token, HeaderName::from_static(CARRIERS[0]), "")
            }
            // What else carries a token is sent as it is: two different ones are something to be found.
            None => carried(&headers).map(|(name, token, scheme)| (token, name, scheme)).ok_or_else(no_token)?,
        };
        Ok(Self { targets, either, token, token_header, scheme, headers, ca })
    }
}

/// The token from a file, from `GRIDGATE_TOKEN` or from standard input, before it is looked at.
pub(in crate::cli) fn given(path: Option<&Path>, terminal: &mut Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
    match (path, &terminal.token) {
        (Some(path), _) => file(path),
        (None, Some(token)) => Ok(token.clone()),
        (None, None) => standard_input(terminal),
    }
}

/// The first header that carries a token: its name, the token, and what stands before it.
fn carried(headers: &HeaderMap) -> Option<(HeaderName, Zeroizing<String>, &'static str)> {
    let (name, value) = CARRIERS.iter().find_map(|&name| Some((name, headers.get(name)?.to_str().ok()?)))?;
    let bearer = value.get(..7).filter(|start| name == "authorization" && start.eq_ignore_ascii_case("bearer "));
    let (token, scheme) = bearer.map_or((value, ""), |start| (&value[start.len()..], "Bearer "));
    Some((HeaderName::from_static(name), Zeroizing::new(token.to_owned()), scheme))
}

fn file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read --token-file {}: {error}", path.display())))?;
    Ok(Zeroizing::new(text))
}

/// The longest line that is looked at, in bytes.
const MAX_LINE: u64 = 64 << 10;

fn standard_input(terminal: &mut Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
    if terminal.interactive {
        terminal.say("Paste the token that the exporter has, and press Enter:");
    }
    let mut line = Zeroizing::new(Vec::new());
    let mut input = std::io::Read::take(&mut terminal.input, MAX_LINE);
    input
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot read standard input: {error}")))?;
    if line.is_empty() {
        return Err(no_token());
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&line).into_owned()))
}

fn no_token() -> Failure {
    Failure::new(Exit::Usage, "there is no token to look at")
        .hint("give it on standard input, in GRIDGATE_TOKEN, with --token-file, or in the exporter's variables with --from-env")
}

/// A variable of exporters by the end of its name: its whole name and its value. An empty one counts as absent (OpenTelemetry
/// environment variable specification, «Parsing empty value»).
fn variable(terminal: &Terminal<'_>, end: &str) -> Option<(String, Zeroizing<String>)> {
    let name = format!("OTEL_EXPORTER_OTLP_{end}");
    let found = terminal.exporter.iter().find(|(other, value)| *other == name && !value.trim().is_empty())?;
    Some((name, found.1.clone()))
}

type Variable<'a> = dyn Fn(&str) -> Option<(String, Zeroizing<String>)> + 'a;

fn protocol(variable: &Variable<'_>) -> Result<Option<Protocol>, Failure> {
    let Some((name, value)) = variable("TRACES_PROTOCOL").or_else(|| variable("PROTOCOL")) else { return Ok(None) };
    match value.trim() {
        "grpc" => Ok(Some(Protocol::Grpc)),
        "http/protobuf" | "http/json" => Ok(Some(Protocol::Http)),
        _ => Err(Failure::new(Exit::Usage, format!("{name} names no protocol"))
            .hint("write grpc, http/protobuf or http/json")),
    }
}

fn endpoint(variable: &Variable<'_>) -> Result<Option<Endpoint>, Failure> {
    let read = |(name, value): (String, Zeroizing<String>), of: fn(&str) -> Result<Endpoint, EndpointError>| {
        of(&value).map(Some).map_err(|error| wrong(&name, error))
    };
    match (variable("TRACES_ENDPOINT"), variable("ENDPOINT")) {
        (Some(of_traces), _) => read(of_traces, Endpoint::of_traces),
        (None, Some(of_all)) => read(of_all, Endpoint::of_all),
        (None, None) => Ok(None),
    }
}

fn wrong(what: &str, error: EndpointError) -> Failure {
    Failure::new(Exit::Usage, format!("{what} is no endpoint: {error}"))
        .hint("it looks like http://127.0.0.1:4318, or https://gate.example.com")
}

/// The headers of traces and those of all signals, of which those of traces win. No value is ever repeated in a message.
fn headers(variable: &Variable<'_>) -> Result<HeaderMap, Failure> {
    let mut all = HeaderMap::new();
    for (name, list) in [variable("HEADERS"), variable("TRACES_HEADERS")].into_iter().flatten() {
        for (place, pair) in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
            let wrong = |what: &str| {
                Failure::new(Exit::Usage, format!("{name}: entry {} {what}", place + 1))
                    .hint("write name=value, with commas between them: api-key=<token>")
            };
            let (key, value) = pair.split_once('=').ok_or_else(|| wrong("has no ="))?;
            let key = key.trim().parse::<HeaderName>().map_err(|_| wrong("does not begin with a header's name"))?;
            let value = Zeroizing::new(decoded(value.trim()));
            let mut value =
                HeaderValue::from_bytes(&value).map_err(|_| wrong("has a value that no header can have"))?;
            value.set_sensitive(true);
            all.insert(key, value);
        }
    }
    Ok(all)
}

/// `text` without its percent-encoding (W3C Baggage, «value»); what is not properly so stays as it is.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let encoded = digit(0).zip(digit(1)).filter(|_| first == b'%');
        let (byte, length) = encoded.map_or((first, 0), |(high, low)| (high << 4 | low, 2));
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(pairs: &[(&str, &str)]) -> Result<HeaderMap, Vec<String>> {
        let found = |end: &str| {
            let (name, value) = pairs.iter().find(|(name, _)| *name == end)?;
            Some((format!("OTEL_EXPORTER_OTLP_{name}"), Zeroizing::new((*value).to_owned())))
        };
        headers(&found).map_err(|failure| failure.lines)
    }

    #[test]
    fn headers_are_pairs_that_may_be_encoded() {
        let all = of(&[("HEADERS", "Authorization=Bearer%20ggi_x, x-tenant=a,"), ("TRACES_HEADERS", "x-tenant=b")]);
        let all = all.expect("headers");
        assert_eq!(
            (&all["authorization"], &all["x-tenant"]),
            (&HeaderValue::from_static("Bearer ggi_x"), &HeaderValue::from_static("b"))
        );
        let (name, token, scheme) = carried(&all).expect("a token");
        assert_eq!((name.as_str(), token.as_str(), scheme), ("authorization", "ggi_x", "Bearer "));
        for (list, told) in [
            ("ggi_secret", "OTEL_EXPORTER_OTLP_HEADERS: entry 1 has no ="),
            ("a=b,ap i-key=ggi_secret", "OTEL_EXPORTER_OTLP_HEADERS: entry 2 does not begin with a header's name"),
            ("a=ggi_secret%0A", "OTEL_EXPORTER_OTLP_HEADERS: entry 1 has a value that no header can have"),
        ] {
            assert_eq!(of(&[("HEADERS", list)]).expect_err(list)[0], told);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(bytes: Vec<u8>, any: String) {
            let encoded = bytes.iter().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
            prop_assert_eq!(decoded(&encoded), bytes);
            prop_assert!(decoded(&any).len() <= any.len());
        }
    }
}
