//! CORS: exports from web pages of other origins (Fetch standard, «CORS protocol»).
//!
//! Browsers ask first, without a key, and then show a page only the answers that name its origin, refusals included. Nothing
//! here lets anybody in: an export is judged by its key, whatever page it comes from. Credentials that a browser adds by itself
//! (cookies) are never allowed, since none are ever read.

use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request};

use super::acknowledge::Answer;

/// Which web pages may export, and what they are told.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<Origins>,
    /// The headers that a page may send.
    headers: HeaderValue,
    /// Seconds for which a browser may remember it.
    max_age: HeaderValue,
}

/// Why an origin cannot be meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{origin:?} is no origin: {why}")]
pub struct OriginError {
    origin: String,
    why: &'static str,
}

/// Which headers of an answer a page may read besides the few that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static("ratelimit, ratelimit-policy, retry-after, www-authenticate");

impl Cors {
    /// Lets the pages of `origins` send `headers`; `None` where there are no origins. An origin is `*`, or scheme, host and port
    /// as browsers write them, in which `*.` may stand for one or more labels before the host.
    ///
    /// # Errors
    /// The first origin that no page could have.
    pub fn new(
        origins: &[String],
        headers: impl Iterator<Item = HeaderName>,
        max_age: Duration,
    ) -> Result<Option<Self>, OriginError> {
        if origins.is_empty() {
            return Ok(None);
        }
        let origins = origins.iter().map(|text| Origins::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut names = vec![header::CONTENT_TYPE, header::CONTENT_ENCODING];
        for name in headers {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
        // Names of headers and digits are always good values.
        let headers = HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("content-type"));
        Ok(Some(Self { origins, headers, max_age: HeaderValue::from(max_age.as_secs()) }))
    }

    /// The answer to a preflight request. It is the same for every path: what is wrong with a path is told to the export itself.
    /// Pages of other origins get it without the headers that would let them go on.
    #[must_use]
    pub fn preflight(&self, asked: &HeaderMap) -> Response<Answer> {
        let mut response = Response::new(Answer::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed(asked) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        response
    }

    /// Lets the page that sent a request read the answer with these headers.
    pub fn admit(&self, asked: &HeaderMap, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.allowed(asked) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The origin of a request, if its pages may export.
    fn allowed(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        let origin = asked.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.origins.iter().any(|origins| origins.include(text)).then(|| origin.clone())
    }
}

/// Whether a browser asks what a page may send (Fetch standard, «CORS-preflight request»).
#[must_use]
pub fn is_preflight(parts: &request::Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Origins of one form.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Origins {
    Any,
    One(String),
    /// `https://`, then any labels, then `.example.com`.
    Below {
        scheme: String,
        domain: String,
    },
}

impl Origins {
    fn parse(text: &str) -> Result<Self, OriginError> {
        let wrong = |why| OriginError { origin: text.to_owned(), why };
        if text == "*" {
            return Ok(Self::Any);
        }
        // Browsers write both in lower case.
        let lower = text.to_ascii_lowercase();
        let parts =
            lower.split_once("://").filter(|(scheme, _)| !scheme.is_empty() && scheme.parse::<Scheme>().is_ok());
        let (scheme, host) = parts.ok_or_else(|| wrong("it looks like https://app.example.com"))?;
        let wildcard = host.strip_prefix("*.");
        let authority = wildcard.unwrap_or(host).parse::<Authority>().ok();
        let authority = authority
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or_else(|| wrong("after the scheme come a host and perhaps a port, and nothing else"))?;
        if authority.as_str().contains('*') {
            return Err(wrong("* stands alone, or for the labels before a host, as in https://*.example.com"));
        }
        if matches!((scheme, authority.port_u16()), ("https", Some(443)) | ("http", Some(80))) {
            return Err(wrong("browsers leave out the scheme's own port"));
        }
        Ok(match wildcard {
            Some(domain) => Self::Below { scheme: format!("{scheme}://"), domain: format!(".{domain}") },
            None => Self::One(lower),
        })
    }

    fn include(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => origin == one,
            Self::Below { scheme, domain } => {
                let labels = origin.strip_prefix(&**scheme).and_then(|host| host.strip_suffix(&**domain));
                labels.is_some_and(|labels| {
                    let label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                    labels.split('.').all(|part| !part.is_empty() && part.chars().all(label))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reason;
    use crate::ingest::accept::Format;
    use crate::ingest::acknowledge;
    use proptest::prelude::*;

    #[test]
    fn origins_are_compared_whole() {
        for (pattern, origin, expected) in [
            ("*", "https://anything.at", true),
            ("*", "null", true),
            ("https://app.example.com", "https://app.example.com", true),
            ("HTTPS://App.Example.com", "https://app.example.com", true),
            ("https://app.example.com", "http://app.example.com", false),
            ("https://app.example.com", "https://app.example.com:8443", false),
            ("https://app.example.com", "https://app.example.com.evil.net", false),
            ("https://app.example.com", "null", false),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "https://evil.net/.example.com", false),
            ("https://*.example.com", "https://evil.net:1.example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", true),
            ("https://*.example.com:8443", "https://a.example.com", false),
        ] {
            let origins = Origins::parse(pattern).expect(pattern);
            assert_eq!(origins.include(origin), expected, "{pattern} {origin}");
        }
    }

    #[test]
    fn what_no_page_has_is_refused() {
        for text in [
            "",
            "app.example.com",
            "https://",
            "://app.example.com",
            " https://app.example.com",
            "https://app.example.com?query",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://user@app.example.com",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://*",
            "https://app.*.com",
            "https://*example.com",
            "null",
        ] {
            assert!(Origins::parse(text).is_err(), "{text}");
        }
    }

    /// Browsers' exporters wait as long as an answer says, if they may read it.
    /// Clause T56 of docs/otlp.md.
    #[test]
    fn the_hint_of_a_429_can_be_read() {
        let cors = Cors::new(&["*".to_owned()], std::iter::empty(), Duration::ZERO).expect("an origin").expect("CORS");
        let refusal = Reason::RateLimited.into();
        let (mut head, _) = acknowledge::http(Err(&refusal), Some(Format::Json)).into_parts();
        let asked = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("https://app.example.com"))]);
        cors.admit(&asked, &mut head.headers);
        assert_eq!((head.status.as_u16(), &head.headers[header::RETRY_AFTER]), (429, &HeaderValue::from_static("1")));
        assert_eq!(head.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], asked[header::ORIGIN]);
        assert_eq!(head.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS], EXPOSED);
    }

    proptest! {
        /// What stands for labels is no way around the rest: a match is the scheme, then labels, then the domain.
        #[test]
        fn a_wildcard_stands_for_labels_only(labels in "[a-z0-9.:/@-]{0,20}", any: String) {
            let origins = Origins::parse("https://*.example.com").expect("a pattern");
            let origin = format!("https://{labels}.example.com");
            let host = origin.parse::<http::Uri>().ok();
            if origins.include(&origin) {
                prop_assert_eq!(host.and_then(|uri| uri.host().map(str::to_owned)), Some(format!("{labels}.example.com")));
            }
            if let Ok(origins) = Origins::parse(&any) {
                prop_assert!(any == "*" || any.contains("*.") || origins.include(&any.to_ascii_lowercase()));
            }
        }
    }
}
