//! The web console on the admin listener, under `/console`: what the admin API can do, for people who would rather look than type.
//!
//! It is a client of that API, in the same process: a page asks `api` for what it shows and for what it changes, as the command line
//! does over the network. No rule of keys stands here, and nothing can be done here that the API would refuse.
//!
//! A request goes through these steps, each in the file that bears its name:
//!
//! 1. `guard`: every answer gets its headers, and a fault becomes a page.
//! 2. `visit`: the session of the cookie is looked up, or the visitor is sent to `sign_in`.
//! 3. `form`: a form is taken only from a page of this session.
//! 4. `pages`: one file or folder for each; made of `parts`, inside of `layout`.
//!
//! Everything works without script. The script (`assets/`) lifts what is a page of its own (`data-dialog`) into a dialog, copies, and
//! keeps numbers fresh (`data-fresh`).

mod api;
mod assets;
mod form;
mod guard;
mod layout;
mod pages;
mod parts;
mod sign_in;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::get;

use crate::admin::AdminState;
use assets::Assets;
use guard::Fault;

/// What the console is told of where it runs.
#[derive(Clone, Debug)]
pub struct ConsoleSettings {
    /// What stands before its paths at the proxy in front of it: empty, or segments that each begin with a slash.
    pub prefix: String,
    /// Whether the admin listener speaks TLS.
    pub tls: bool,
    /// The OTLP/gRPC endpoint that senders are told.
    pub grpc: Endpoint,
    /// The OTLP/HTTP endpoint that senders are told.
    pub http: Endpoint,
}

/// Where senders are told to send to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// There.
    At(String),
    /// At the name that the console was opened by, since the listener takes any.
    Here {
        /// `http` or `https`.
        scheme: &'static str,
        /// The port.
        port: u16,
        /// What stands before the paths of OTLP/HTTP.
        prefix: String,
    },
}

/// What every page works with.
#[derive(Clone)]
struct Console(Arc<Inner>);

struct Inner {
    api: Router,
    admin: AdminState,
    settings: ConsoleSettings,
    /// The prefix and `/console`: what every link begins with.
    base: String,
    assets: Assets,
}

/// The largest form, in bytes: an import may be as large as the API lets it be.
const MAX_FORM_BYTES: usize = 8 << 20;

/// The console's routes. `api` is the admin API, with `admin` as its state.
pub fn router(api: Router, admin: AdminState, settings: ConsoleSettings) -> Router {
    let base = format!("{}/console", settings.prefix);
    let prefix = settings.prefix.clone();
    let assets = Assets::new(&base);
    let console = Console(Arc::new(Inner { api, admin, settings, base: base.clone(), assets }));
    let guard = middleware::from_fn_with_state(console.clone(), guard::guard);
    let pages = pages::routes()
        .merge(sign_in::routes())
        .route("/assets/{file}", get(assets::handler))
        .fallback(async || Fault::NotFound)
        .method_not_allowed_fallback(async || Fault::NotFound)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(guard.clone())
        .with_state(console);
    let home = |path: &str| Router::new().route(path, get(Redirect::to(&base))).layer(guard.clone());
    let here = home("/").merge(home("/console/")).nest("/console", pages);
    // A proxy may take the prefix off, or leave it.
    if prefix.is_empty() { here } else { here.clone().merge(home(&format!("{prefix}/"))).nest(&prefix, here) }
}
