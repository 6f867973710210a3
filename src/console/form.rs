//! Forms: taken only from a page of the same session, so that no other site can send one in a visitor's name.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use super::Console;
use super::guard::Fault;
use super::visit::ticket;

/// The field that proves from which page a form comes.
pub(super) const TOKEN: &str = "form_token";

/// The fields of a form that was sent from a page of this session, in the order in which they stand there. It must be an extractor's
/// last place.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The field `name`, without white space around it; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
    }

    /// Whether the form asked for the field `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// The same as [`Self::text`]; `None` where it is empty.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every field `name` that is not empty, such as those of boxes that are ticked.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(found, value)| found == name && !value.trim().is_empty())
            .map(|(_, v)| v.trim())
            .collect()
    }

    /// The words and lines of the field `name`, such as addresses: separated by commas, white space or line ends.
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        self.text(name).split([',', '\n', '\r', ' ', '\t']).filter(|word| !word.is_empty()).collect()
    }

    /// The whole number in the field `name`; `None` where it is empty or none.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}

impl FromRequest<Console> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        let headers = request.headers().clone();
        if !is_from_here(&headers) {
            return Err(Fault::Foreign.into_response());
        }
        let expected = ticket(&headers).map(|ticket| ticket.form_token()).unwrap_or_default();
        let fields = read(request, console).await.map_err(IntoResponse::into_response)?;
        let form = Self(fields);
        let presented = form.text(TOKEN);
        let is_ours = !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(presented.as_bytes()));
        if is_ours { Ok(form) } else { Err(Fault::Foreign.into_response()) }
    }
}

/// The form of who has no session yet: from a page of this site all the same.
pub(super) struct StrangersForm(pub(super) Form);

impl FromRequest<Console> for StrangersForm {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        if !is_from_here(request.headers()) {
            return Err(Fault::Foreign.into_response());
        }
        let fields = read(request, console).await.map_err(IntoResponse::into_response)?;
        Ok(Self(Form(fields)))
    }
}

/// Whether a browser says that a page of this origin has sent it. Browsers say it in `sec-fetch-site`, where TLS or loopback is; and
/// otherwise in `origin`, whose host has to be the one that was asked.
fn is_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.zip(host).is_some_and(|((_, of), host)| of == host)
}

async fn read(request: Request, console: &Console) -> Result<Vec<(String, String)>, Fault> {
    let declared =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Fault::Unreadable("It is declared as something else than application/x-www-form-urlencoded."));
    }
    let body = tokio::time::timeout(console.0.admin.body_time, Bytes::from_request(request, console)).await;
    let Ok(Ok(body)) = body else { return Err(Fault::Unreadable("It did not arrive whole, or is too large.")) };
    Ok(form_urlencoded::parse(&body).into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_form_comes_from_the_same_origin() {
        for good in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://gate:4319"), ("host", "gate:4319")],
            &[],
        ] {
            assert!(is_from_here(&headers(good)), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://gate"), ("host", "gate")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://evil"), ("host", "gate")],
            &[("origin", "null"), ("host", "gate")],
            &[("origin", "http://evil")],
            &[("origin", "http://"), ("host", "")],
            &[("origin", "http://gate:1"), ("host", "gate")],
        ] {
            assert!(!is_from_here(&headers(bad)), "{bad:?}");
        }
    }

    #[test]
    fn fields_are_read_by_name() {
        let pairs = [("a", " x "), ("b", ""), ("c", "1, 2\r\n3"), ("d", "one"), ("d", "two"), ("n", "12")];
        let form = Form(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect());
        assert_eq!((form.text("a"), form.optional("b"), form.optional("z")), ("x", None, None));
        assert_eq!(form.words("c"), ["1", "2", "3"]);
        assert_eq!(form.all("d"), ["one", "two"]);
        assert_eq!((form.number("n"), form.number("a")), (Some(12), None));
    }
}
