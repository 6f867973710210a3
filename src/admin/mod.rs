//! The admin API under `/api/v1`: projects, grids, environments and keys, by admin key.
//!
//! Every handler reads the same way: the caller is known (or the request is refused before its body is read), the permission
//! is required, the path is looked up within what the caller may see, the body is checked as a whole, and then one call of
//! the catalog does the work. One verb, one file. `docs/api.md` describes it from outside.
//!
//! A handler carries its description, and `routes!` takes no handler without one:
//!
//! ```text
//! /// Revokes a key for ever.                            ← the summary; further lines are the description
//! #[utoipa::path(
//!     post, path = "/keys/{id}/revoke", tag = "keys", operation_id = "revoke_key",
//!     security(("bearer" = ["api.key.delete"])),         ← the permissions, in the order in which they are required
//!     params(("id" = schemas::KeyId, Path)),             ← and the structs of the query, such as PageQuery
//!     responses(
//!         (status = 200, body = KeyView, headers(("etag"))),
//!         (status = 404, description = "key_not_found"), ← problems: nothing but their codes
//!     ),
//! )]
//! ```
//!
//! Only the problems of its own are named. [`openapi`] adds what holds for all: the ways to present a token (`security(())` is for
//! routes that need none; without `security` any admin key will do), 401, 403 `permission_denied`, what can be wrong with a body,
//! 422, 429, 500 and 503, and the headers of every answer. Fields of bodies and views name their values by
//! `#[schema(value_type = schemas::Slug)]` and the like from [`openapi::schemas`], those that must be there without `Option`, so that
//! the description allows what the checks allow. `GRIDGATE_REGENERATE=1 cargo test --test generated` writes `docs/openapi.json` anew.

pub mod alerts;
pub mod audit;
mod body;
mod caller;
mod check;
pub mod environments;
mod faults;
mod grant;
pub mod grids;
pub mod jobs;
pub mod keys;
pub mod leaks;
pub mod limits;
mod me;
pub mod members;
mod once;
pub mod openapi;
pub mod page;
pub mod plans;
mod precondition;
pub mod problem;
pub mod projects;
pub mod refusals;
pub mod request;
pub mod requests;
pub mod roles;
pub mod senders;
pub mod sessions;
mod strict;
pub mod terms;
pub mod usage;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use http::{HeaderValue, header};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::catalog::Catalog;
use crate::domain::secret::Peppers;
use crate::domain::uses::Uses;
use crate::domain::{Clock, KeyId, Random, Slug, hexadecimal};
use crate::metering::Books;
use crate::metering::limiter::Limiter;
use crate::observe::jobs::Jobs;
use crate::upkeep::webhooks::send::Sender;
use leaks::Leaks;
use limits::{Anyone, Limits, Standing};
use problem::{Code, Problem};
use request::RequestId;
use sessions::SessionSettings;

/// What the admin API works with.
#[derive(Clone)]
pub struct AdminState {
    /// Where everything is kept.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Ids, tokens and request ids come from here.
    pub random: Arc<dyn Random>,
    /// What digests are taken under.
    pub peppers: Arc<Peppers>,
    /// When keys were last used, until that is written down.
    pub uses: Arc<Uses>,
    /// What the gate remembers of exports.
    pub books: Arc<Books>,
    /// How long after its last use an ingest key counts as in use.
    pub in_use_within: Duration,
    /// Called with each key that was made or changed: after the commit and before the answer, so that what the answer says
    /// already holds at the gate.
    pub key_changed: Arc<dyn Fn(KeyId) + Send + Sync>,
    /// Called in the same way where a role, a project, its limits or a plan was changed, by which any key may have been.
    pub all_keys_changed: Arc<dyn Fn() + Send + Sync>,
    /// The same for what the keys of one project share.
    pub project_changed: Arc<dyn Fn(&Slug) + Send + Sync>,
    /// How long the body of a request may take to arrive.
    pub body_time: Duration,
    /// How much clients may ask.
    pub limits: Arc<Limits>,
    /// How long sessions of the console last.
    pub sessions: SessionSettings,
    /// What is used of the limits of exports, on this node.
    pub limiter: Arc<Limiter>,
    /// Whose reports of leaked tokens are taken; `None`: nobody's.
    pub leaks: Option<Arc<Leaks>>,
    /// Checks where webhooks lead, and tests them.
    pub webhooks: Arc<Sender>,
    /// The background jobs.
    pub jobs: Arc<Jobs>,
    /// Cancelled when the process begins to stop: answers without an end have to end.
    pub stopping: CancellationToken,
}

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The routes under `/api/v1`, with a problem for every other path and method below it.
pub fn router(state: AdminState) -> Router {
    let answer = middleware::from_fn_with_state(state.clone(), answer);
    let (routes, _) = routes().split_for_parts();
    let routes = routes
        .fallback(path_unknown)
        .method_not_allowed_fallback(async |_: Anyone| {
            Problem::new(Code::MethodNotAllowed, "this path has no such method; the allow header lists those it has")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(answer.clone());
    // Nesting leaves out the prefix with a slash and nothing behind it.
    Router::new().route("/api/v1/", any(path_unknown).layer(answer)).nest("/api/v1", routes).with_state(state)
}

/// The routes, each with its description.
fn routes() -> OpenApiRouter<AdminState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(openapi::handler))
        .routes(routes!(me::handler))
        .routes(routes!(environments::list::handler, environments::create::handler))
        .routes(routes!(environments::show::handler, environments::edit::handler))
        .routes(routes!(projects::list::handler, projects::create::handler))
        .routes(routes!(projects::show::handler, projects::edit::handler))
        .routes(routes!(projects::suspend::handler))
        .routes(routes!(projects::resume::handler))
        .routes(routes!(terms::of_project::handler))
        .routes(routes!(terms::show_tenant::handler, terms::of_tenant::handler))
        .routes(routes!(terms::of_key::handler))
        .routes(routes!(plans::list::handler, plans::create::handler))
        .routes(routes!(plans::show::handler, plans::edit::handler, plans::delete::handler))
        .routes(routes!(grids::list::handler, grids::create::handler))
        .routes(routes!(grids::show::handler))
        .routes(routes!(keys::list::handler, keys::create::handler))
        .routes(routes!(keys::counts::handler))
        .routes(routes!(keys::quarter::handler))
        .routes(routes!(keys::review::handler))
        .routes(routes!(keys::diagnose::handler))
        .routes(routes!(keys::verify::handler))
        .routes(routes!(keys::show::handler, keys::edit::handler, keys::delete::handler))
        .routes(routes!(keys::secrets::handler))
        .routes(routes!(senders::of_key::handler))
        .routes(routes!(senders::list::handler))
        .routes(routes!(keys::events::handler))
        .routes(routes!(keys::disable::handler))
        .routes(routes!(keys::enable::handler))
        .routes(routes!(keys::revoke::handler))
        .routes(routes!(leaks::handler))
        .routes(routes!(webhooks::list::handler, webhooks::create::handler))
        .routes(routes!(webhooks::show::handler, webhooks::edit::handler, webhooks::delete::handler))
        .routes(routes!(webhooks::rotate_secret::handler))
        .routes(routes!(webhooks::test::handler))
        .routes(routes!(webhooks::deliveries::handler))
        .routes(routes!(keys::purge::handler))
        .routes(routes!(keys::import::handler).layer(DefaultBodyLimit::max(keys::import::MAX_BYTES)))
        .routes(routes!(keys::regenerate::handler))
        .routes(routes!(keys::rotate::handler))
        .routes(routes!(keys::complete_rotation::handler))
        .routes(routes!(keys::cancel_rotation::handler))
        .routes(routes!(members::list::handler, members::create::handler))
        .routes(routes!(members::show::handler, members::edit::handler, members::remove::handler))
        .routes(routes!(sessions::list::handler, sessions::end::all))
        .routes(routes!(sessions::end::handler))
        .routes(routes!(roles::list::handler, roles::create::handler))
        .routes(routes!(roles::show::handler, roles::edit::handler, roles::delete::handler))
        .routes(routes!(audit::list::handler))
        .routes(routes!(audit::head::handler))
        .routes(routes!(audit::verify::handler))
        .routes(routes!(requests::list::handler))
        .routes(routes!(requests::live::handler))
        .routes(routes!(jobs::handler))
        .routes(routes!(alerts::handler))
        .routes(routes!(refusals::list::handler))
        .routes(routes!(usage::list::handler))
        .routes(routes!(usage::top::handler))
}

async fn path_unknown(_: Anyone) -> Problem {
    Problem::new(Code::PathUnknown, "the admin API has no such path; docs/api.md lists all")
}

/// The outermost layer: gives each request its id, writes the body of problems and logs each of them, once.
///
/// Neither path nor query is logged, but the route: a token that was pasted into a path by mistake stays out of the log.
async fn answer(State(state): State<AdminState>, mut request: Request, next: Next) -> Response {
    let request_id = request_id(&*state.random);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let standing = Standing::enter(request.extensions_mut());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        let (status, code) = (problem.code.status(), problem.code.as_str());
        if status.is_server_error() {
            let cause = problem.cause.as_deref().unwrap_or_default();
            tracing::error!(%method, route, status = status.as_u16(), code, request_id, cause, "admin request failed");
        } else {
            tracing::info!(%method, route, status = status.as_u16(), code, request_id, "admin request refused");
        }
        write_body(&mut response, &problem, &request_id);
    }
    let headers = response.headers_mut();
    standing.write(headers);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", id);
    }
    // Tokens are shown in answers, and what lists show is not for shared caches either.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn write_body(response: &mut Response, problem: &Problem, request_id: &str) {
    // A view holds nothing but text and numbers, which are always JSON.
    let body = serde_json::to_vec(&problem.view(request_id)).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::from(body);
}

/// 32 hexadecimal digits; all zero where there is no randomness, which must not keep an answer back.
fn request_id(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    if random.fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    hexadecimal(&bytes)
}
