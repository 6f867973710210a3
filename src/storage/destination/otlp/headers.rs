//! The headers that a backend wants: templates, filled in for each record.
//!
//! `{project}`, `{grid}`, `{environment}` and `{signal}` are the record's, `{env:NAME}` is the environment variable as it was
//! at start-up, `{{` and `}}` are braces.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::BackendError;
use super::encode::Unsendable;
use crate::domain::{Signal, Tenant};

/// What is wrong with one configured header. The message follows «the header …»; it has nothing of the header's value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderFault {
    /// The name is not one of a header.
    #[error("has a name that no header can have")]
    Name,
    /// The header belongs to the transport.
    #[error("belongs to the transport and cannot be set")]
    Forbidden,
    /// The name is there twice; upper and lower case are the same.
    #[error("is set twice")]
    Twice,
    /// A brace alone.
    #[error("has a brace that is not closed or not opened: a brace itself is written twice")]
    Braces,
    /// Braces around something else than the names below.
    #[error("has a placeholder that is none of {{project}}, {{grid}}, {{environment}}, {{signal}} and {{env:NAME}}")]
    Placeholder,
    /// An environment variable is not set, or empty.
    #[error("wants the environment variable {0}, which is not set or empty")]
    Variable(String),
    /// Characters that a header cannot have.
    #[error("has a value with other characters than visible ASCII and spaces between them")]
    Value,
}

/// Headers that the transport sets itself, or that would change what the request is.
const FORBIDDEN: [&str; 15] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Shorter words of a header's value are no secrets, and stand in too many messages.
const MIN_SECRET: usize = 4;

/// The configured headers.
pub(super) struct Headers {
    templates: Vec<(HeaderName, Template)>,
    /// The words of their values which no record fills in, longest first.
    secrets: Vec<String>,
}

impl Headers {
    pub(super) fn new(configured: &[(String, String)]) -> Result<Self, BackendError> {
        Self::with_variables(configured, &|name| std::env::var(name).ok())
    }

    fn with_variables(
        configured: &[(String, String)],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, BackendError> {
        let mut templates: Vec<(HeaderName, Template)> = Vec::with_capacity(configured.len());
        for (name, value) in configured {
            let error = |fault| BackendError::Header { name: name.clone(), fault };
            let parsed: HeaderName = name.parse().map_err(|_| error(HeaderFault::Name))?;
            if FORBIDDEN.contains(&parsed.as_str()) || parsed.as_str().starts_with("grpc-") {
                return Err(error(HeaderFault::Forbidden));
            }
            if templates.iter().any(|(other, _)| *other == parsed) {
                return Err(error(HeaderFault::Twice));
            }
            templates.push((parsed, Template::parse(value, variable).map_err(error)?));
        }
        let mut secrets: Vec<String> = templates.iter().flat_map(|(_, template)| template.words()).collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Ok(Self { templates, secrets })
    }

    /// Sets them for a record of `tenant` and `signal`.
    pub(super) fn write(&self, headers: &mut HeaderMap, tenant: &Tenant, signal: Signal) -> Result<(), Unsendable> {
        for (name, template) in &self.templates {
            headers.insert(name.clone(), template.render(tenant, signal).ok_or(Unsendable::Header)?);
        }
        Ok(())
    }

    /// `text` without anything of their values: a backend may well repeat the credential that it does not like.
    pub(super) fn conceal(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.templates.iter().map(|(name, _)| name)).finish()
    }
}

/// The value of a header.
struct Template(Vec<Piece>);

#[derive(PartialEq, Eq)]
enum Piece {
    Text(String),
    Project,
    Grid,
    Environment,
    Signal,
}

impl Template {
    fn parse(value: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, HeaderFault> {
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), value);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                text.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let (name, after) =
                from.strip_prefix('{').and_then(|from| from.split_once('}')).ok_or(HeaderFault::Braces)?;
            rest = after;
            let piece = match name {
                "project" => Piece::Project,
                "grid" => Piece::Grid,
                "environment" => Piece::Environment,
                "signal" => Piece::Signal,
                _ => {
                    let name = name.strip_prefix("env:").filter(|name| is_variable(name));
                    let name = name.ok_or(HeaderFault::Placeholder)?;
                    let value = variable(name).filter(|value| !value.is_empty());
                    text.push_str(&value.ok_or_else(|| HeaderFault::Variable(name.to_owned()))?);
                    continue;
                }
            };
            pieces.extend([Piece::Text(std::mem::take(&mut text)), piece]);
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        let template = Self(pieces);
        // A slug and the name of a signal are visible ASCII, so any will do to check the rest and both ends.
        let sample = template.fill("a", "a", "a", "a");
        let trimmed = sample.trim_ascii();
        let fits = sample.bytes().all(|byte| matches!(byte, b' '..=b'~')) && trimmed.len() == sample.len();
        if fits { Ok(template) } else { Err(HeaderFault::Value) }
    }

    fn render(&self, tenant: &Tenant, signal: Signal) -> Option<HeaderValue> {
        let Tenant { project, grid, environment } = tenant;
        let text = self.fill(project.as_str(), grid.as_str(), environment.as_str(), signal.as_str());
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn fill(&self, project: &str, grid: &str, environment: &str, signal: &str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Project => project,
            Piece::Grid => grid,
            Piece::Environment => environment,
            Piece::Signal => signal,
        });
        pieces.collect()
    }

    /// The words that are the same for every record, long enough to be secrets.
    fn words(&self) -> impl Iterator<Item = String> {
        let texts = self.0.iter().filter_map(|piece| if let Piece::Text(text) = piece { Some(text) } else { None });
        texts.flat_map(|text| text.split(' ')).filter(|word| word.len() >= MIN_SECRET).map(str::to_owned)
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<String, HeaderFault> {
        let variable = |name: &str| match name {
            "TOKEN" => Some("s3cret".to_owned()),
            "EMPTY" => Some(String::new()),
            "BRACES" => Some("{grid}".to_owned()),
            "LINE" => Some("s3cret\n".to_owned()),
            _ => None,
        };
        Template::parse(value, &variable).map(|template| template.fill("shop", "web", "production", "traces"))
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(parse("{project}-{grid}-{environment}"), Ok("shop-web-production".to_owned()));
        assert_eq!(parse("Bearer {env:TOKEN}"), Ok("Bearer s3cret".to_owned()));
        assert_eq!(parse("{{{signal}}} }}{{"), Ok("{traces} }{".to_owned()));
        assert_eq!(parse(""), Ok(String::new()));
        // What a variable holds is not a template.
        assert_eq!(parse("{env:BRACES}"), Ok("{grid}".to_owned()));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for value in ["{", "}", "{project", "project}", "{project}}", "{{project}"] {
            assert_eq!(parse(value), Err(HeaderFault::Braces), "{value}");
        }
        for value in ["{tenant}", "{}", "{Project}", "{ project }", "{env:}", "{env:a b}", "{project{grid}"] {
            assert_eq!(parse(value), Err(HeaderFault::Placeholder), "{value}");
        }
        assert_eq!(parse("{env:ABSENT}"), Err(HeaderFault::Variable("ABSENT".to_owned())));
        assert_eq!(parse("{env:EMPTY}"), Err(HeaderFault::Variable("EMPTY".to_owned())));
        for value in ["{env:LINE}", "a\r\nb", " a", "a ", "grün", "{grid} "] {
            assert_eq!(parse(value), Err(HeaderFault::Value), "{value}");
        }
    }

    #[test]
    fn a_message_has_nothing_of_a_value() {
        let variable = |_: &str| Some("abcd1234".to_owned());
        let configured = [
            ("authorization".to_owned(), "Bearer {env:TOKEN}".to_owned()),
            ("x-key".to_owned(), "abcd1234-and-more".to_owned()),
            ("x-short".to_owned(), "1".to_owned()),
        ];
        let headers = Headers::with_variables(&configured, &variable).expect("headers");
        let text = "token 'abcd1234' and key abcd1234-and-more, 1 of 1, are not known";
        assert_eq!(headers.conceal(text), "token '***' and key ***, 1 of 1, are not known");
        assert!(!format!("{headers:?}").contains("abcd"));
    }
}
