//! Signing in and out: an admin key is traded for a session, which the browser holds as a cookie.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::form::{Form, StrangersForm};
use super::guard::Fault;
use super::layout::{self, Frame};
use super::parts::icon::{Icon, icon};
use super::parts::note::{Severity, note};
use super::parts::sentence::sentence;
use super::visit::{COOKIE, Stranger, Visit, ticket};
use crate::admin::sessions::{self, EndedSessions};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/sign-in", get(page).post(enter))
        .route("/signed-in", get(arrived))
        .route("/sign-out", post(leave))
        .route("/sign-out-everywhere", post(leave_everywhere))
        .route("/theme", post(theme))
        .route("/shortcuts", post(shortcuts))
        // Who is nobody yet sends little.
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
}

/// The largest form here, in bytes: a key, and where to go then.
const MAX_FORM_BYTES: usize = 16 << 10;

#[derive(Deserialize)]
struct Wanted {
    /// Where to go then.
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
async fn page(
    State(console): State<Console>,
    Stranger(frame): Stranger,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Markup {
    let way = Way::of(&headers, console.0.settings.tls);
    sign_in_page(&frame, &wanted.next, None, way)
}

/// `POST /sign-in`
async fn enter(
    State(console): State<Console>,
    Stranger(frame): Stranger,
    mut parts: Parts,
    StrangersForm(form): StrangersForm,
) -> Result<Response, Response> {
    let way = Way::of(&parts.headers, console.0.settings.tls);
    let refused = |status: StatusCode, what: &str| {
        (status, sign_in_page(&frame, form.text("next"), Some(what), way)).into_response()
    };
    if way == Way::Plain {
        // The cookie would be dropped without a word.
        return Err(refused(StatusCode::BAD_REQUEST, "Nobody was signed in: this page did not come over TLS."));
    }
    let token = form.text("key");
    if token.starts_with("ggi_") {
        return Err(refused(
            StatusCode::UNAUTHORIZED,
            "This is an ingest key, which exports telemetry. Use an admin key, which starts with gga_.",
        ));
    }
    let Ok(mut credential) = HeaderValue::try_from(token) else {
        return Err(refused(StatusCode::UNAUTHORIZED, "An admin key has letters, digits and underscores only."));
    };
    // In the place where the API looks for it, and nowhere else.
    for name in ["authorization", "api-key", "x-api-key"] {
        parts.headers.remove(name);
    }
    if !token.is_empty() {
        credential.set_sensitive(true);
        parts.headers.insert("x-api-key", credential);
    }
    let (ticket, _) = sessions::begin(&console.0.admin, &parts).await.map_err(|problem| {
        let what = match problem.code.status() {
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN => {
                sentence(&problem.detail)
            }
            _ => return Fault::from(problem).into_response(),
        };
        refused(problem.code.status(), &what)
    })?;
    let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", ticket.reveal());
    let next = super::api::Query::default().with("next", form.optional("next"));
    let mut response = Redirect::to(&frame.href(&format!("/signed-in{}", next.as_str()))).into_response();
    let mut cookie = HeaderValue::try_from(cookie).map_err(|error| Fault::internal(error).into_response())?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `GET /signed-in`: whether the browser has kept the cookie.
async fn arrived(Stranger(frame): Stranger, headers: HeaderMap, Query(wanted): Query<Wanted>) -> Response {
    if ticket(&headers).is_some() {
        return Redirect::to(&local(&frame, &wanted.next)).into_response();
    }
    let content = html! {
        (mark())
        div.panel.sign-in {
            h1 { "Your browser did not keep the session" }
            p { "The key was right. The session's cookie is kept over TLS, or on this machine itself, and only where cookies are allowed for this site." }
            (how_to_set_tls())
            p { a.button.primary href=(frame.href("/sign-in")) { "Back to sign in" } }
        }
    };
    (StatusCode::BAD_REQUEST, layout::bare(&frame, "Not signed in", &html! {}, &content)).into_response()
}

/// `POST /sign-out`
async fn leave(visit: Visit, _form: Form) -> Result<Response, Fault> {
    let id = visit.api.session().to_string();
    visit.api.delete::<()>(&format!("/sessions/{id}"), None).await?;
    Ok(gone(&visit.frame))
}

/// `POST /sign-out-everywhere`
async fn leave_everywhere(visit: Visit, _form: Form) -> Result<Response, Fault> {
    visit.api.delete::<EndedSessions>("/sessions", None).await?;
    Ok(gone(&visit.frame))
}

fn gone(frame: &Frame) -> Response {
    let mut response = Redirect::to(&frame.href("/sign-in")).into_response();
    let cookie = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /theme`: light, dark, or what the system says. It needs no session: the page to sign in has it, too.
async fn theme(Stranger(frame): Stranger, StrangersForm(form): StrangersForm) -> Response {
    let chosen = ["light", "dark"].into_iter().find(|one| *one == form.text("theme"));
    chosen_by_browser(&frame, &form, layout::THEME, chosen)
}

/// `POST /shortcuts`: on or off.
async fn shortcuts(Stranger(frame): Stranger, StrangersForm(form): StrangersForm) -> Response {
    let off = (form.text("shortcuts") == "off").then_some("off");
    chosen_by_browser(&frame, &form, layout::SHORTCUTS, off)
}

/// Has the browser keep `value` in the cookie `name` for a year, or forget it, and leads back to where it was chosen.
fn chosen_by_browser(frame: &Frame, form: &Form, name: &str, value: Option<&str>) -> Response {
    let mut response = Redirect::to(&local(frame, form.text("next"))).into_response();
    let (value, seconds) = value.map_or(("", 0), |value| (value, 31_536_000));
    let cookie = format!("{name}={value}; Path=/; SameSite=Strict; Max-Age={seconds}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page `next` of this console, or its first one: never another site.
fn local(frame: &Frame, next: &str) -> String {
    let path = next.strip_prefix(&*frame.base).unwrap_or_default();
    let is_ours = path.is_empty() || path.starts_with(['/', '?']);
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && plain { frame.href(path) } else { frame.href("") }
}

/// How the page came to the browser.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over TLS, or from this machine: cookies of sessions are kept.
    Safe,
    /// As plain text over a network, as far as can be seen: they are dropped.
    Plain,
}

impl Way {
    /// Browsers send `sec-fetch-site` where they keep the cookie, and only there; those that never send it are known by what they asked
    /// for.
    fn of(headers: &HeaderMap, tls: bool) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let host = text("host");
        let bare = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = bare.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        let loopback = name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let at_a_proxy =
            text("x-forwarded-proto").eq_ignore_ascii_case("https") || text("origin").starts_with("https:");
        let safe = tls || loopback || at_a_proxy || headers.contains_key("sec-fetch-site");
        if safe { Self::Safe } else { Self::Plain }
    }
}

fn mark() -> Markup {
    html! { div.brand { (layout::logo()) span { "Gridgate" } } }
}

fn how_to_set_tls() -> Markup {
    html! {
        p {
            "Set " code { "certificate" } " and " code { "key" } " under " code { "[listen.admin_tls]" }
            ", put a proxy with TLS in front of it, or open the console through a tunnel: "
            code { "ssh -L 4319:localhost:4319 gate" } "."
        }
    }
}

fn sign_in_page(frame: &Frame, next: &str, wrong: Option<&str>, way: Way) -> Markup {
    let content = html! {
        (mark())
        div.panel.sign-in {
            h1 { "Sign in" }
            p { "Your admin key is traded for a session." }
            @if way == Way::Plain {
                (note(Severity::Warning, &html! {
                    strong { "This page came as plain text." }
                    " Your browser would drop the session, and everybody on the way could read the key. Do not enter one here."
                }))
                (how_to_set_tls())
            }
            form method="post" action=(frame.href("/sign-in")) {
                input type="hidden" name="next" value=(next);
                label for="key" { "Admin key" }
                div.reveal {
                    input #key type="password" name="key" placeholder="gga_…" required autofocus autocomplete="current-password"
                        spellcheck="false" autocapitalize="none" maxlength="128"
                        aria-describedby="key-help" aria-invalid=[wrong.map(|_| "true")];
                    button.icon-button type="button" data-reveal="key" aria-label="Show the key" aria-pressed="false" { (icon(Icon::Eye)) }
                }
                @if let Some(wrong) = wrong {
                    p #key-help .field-error role="alert" { (icon(Icon::Danger)) (wrong) }
                } @else {
                    p #key-help .help { "Starts with " code { "gga_" } ". Ingest keys, " code { "ggi_" } ", do not work here." }
                }
                button.primary.wide type="submit" { "Sign in" }
            }
        }
        div.panel.hint { (icon(Icon::Prompt)) span { "No key yet? " code { "gridgate bootstrap" } " prints one, once." } }
        p.meta { (frame.host) }
    };
    layout::bare(frame, "Sign in", &html! {}, &content)
}
