//! The admin API over real sockets on a real SQLite catalog, with time and randomness under control.

mod audit;
mod authentication;
mod commit;
mod counts;
mod described;
mod diagnose;
mod edit;
mod hostile;
mod import;
mod input;
mod isolation;
mod keys;
mod lifecycle;
mod limits;
mod members;
mod once;
mod permissions;
mod projects;
mod refusals;
mod roles;
mod secrecy;
pub(crate) mod senders;
mod terms;
mod two_admins;
pub(crate) mod usage;
pub(crate) mod watched;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use gridgate::admin::limits::{LimitSettings, Limits};
use gridgate::admin::request::Peer;
use gridgate::admin::sessions::SessionSettings;
use gridgate::admin::{AdminState, router};
use gridgate::catalog::Catalog;
use gridgate::catalog::issue::{NewKey, issue_key};
use gridgate::domain::clock::ManualClock;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::secret::Peppers;
use gridgate::domain::uses::Uses;
use gridgate::domain::{Actor, Binding, Key, Pepper, Permissions, Timestamp};
use gridgate::metering::limiter::Limiter;
use gridgate::observe::jobs::{JobMetrics, Jobs};
use gridgate::observe::metrics::Metrics;
use gridgate::observe::webhooks::WebhookMetrics;
use gridgate::upkeep::alerts::Alerter;
use gridgate::upkeep::hygiene::Inspector;
use gridgate::upkeep::plans::Herald;
use gridgate::upkeep::webhooks::courier::Courier;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::catalog::{Fresh, slug};
use crate::webhooks::{Names, sender};
use watched::Watched;

/// 2026-11-21T10:22:00Z, where every test's clock begins.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_256_520_000_000);
/// The same as the API shows it.
pub(crate) const START_TEXT: &str = "2026-11-21T10:22:00.000000Z";

/// More than any test asks at one instant.
const PLENTY: LimitSettings = LimitSettings {
    requests_per_second: NonZeroU32::MAX,
    burst: NonZeroU32::MAX,
    unauthenticated_per_minute: NonZeroU32::MAX,
};

/// What happened in which order: commits, announcements, answers.
pub(crate) type Events = Arc<Mutex<Vec<String>>>;

/// A running admin API. Its owner is an admin key of the installation.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) owner: Admin,
    pub(crate) events: Events,
    watched: Arc<Watched>,
    pub(crate) names: Arc<Names>,
    state: AdminState,
    fresh: Fresh,
}

/// An admin key with its token.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(PLENTY).await
    }

    /// One whose clients may not ask more than this.
    pub(crate) async fn start_with(limits: LimitSettings) -> Self {
        let fresh = Fresh::sqlite();
        let events = Events::default();
        let watched = Arc::new(Watched::new(fresh.migrated().await, Arc::clone(&events)));
        let clock = Arc::new(ManualClock::new(START));
        let random = Arc::new(SeededRandom::new(7));
        let pepper = Pepper::random(1, &*random).expect("a pepper");
        let peppers = Arc::new(Peppers::new(vec![pepper]).expect("a ring"));
        let names = Arc::new(Names::default());
        let announced = Arc::clone(&events);
        let all_announced = Arc::clone(&events);
        let project_announced = Arc::clone(&events);
        let state = AdminState {
            catalog: Arc::clone(&watched) as Arc<dyn Catalog>,
            clock: Arc::clone(&clock) as _,
            random,
            webhooks: Arc::new(sender(&names, &peppers, Arc::clone(&clock) as _)),
            peppers,
            leaks: None,
            books: Arc::default(),
            jobs: Arc::new(Jobs::new(Arc::clone(&clock) as _, JobMetrics::default())),
            stopping: CancellationToken::new(),
            body_time: Duration::from_secs(30),
            limits: Arc::new(Limits::new(limits, &(Arc::clone(&clock) as _))),
            sessions: SessionSettings { idle: Duration::from_mins(30), most: Duration::from_hours(12) },
            limiter: Arc::new(Limiter::new(100)),
            uses: Arc::new(Uses::new(100)),
            in_use_within: Duration::from_mins(10),
            all_keys_changed: Arc::new(move || all_announced.lock().expect("events").push("announced all".to_owned())),
            project_changed: Arc::new(move |slug| {
                project_announced.lock().expect("events").push(format!("announced {slug}"));
            }),
            key_changed: Arc::new(move |id| announced.lock().expect("events").push(format!("announced {id}"))),
        };
        let owner = issue(&state, "owner", Binding::Installation, Permissions::owner()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, router(state.clone())));
        events.lock().expect("events").clear();
        watched.creating.forget_permits(usize::MAX);
        Self { address, clock, owner, events, watched, names, state, fresh }
    }

    /// The same with the projects `shop` and `bank`, each with the grid `web`.
    pub(crate) async fn with_two_projects() -> Self {
        let server = Self::start().await;
        for project in ["shop", "bank"] {
            server.post("/projects", &json!({"slug": project})).await.expect(201);
            server.post(&format!("/projects/{project}/grids"), &json!({"slug": "web"})).await.expect(201);
        }
        server
    }

    /// An admin key made past the API.
    pub(crate) async fn admin(&self, name: &str, project: Option<&str>, permissions: Permissions) -> Admin {
        let binding = project.map_or(Binding::Installation, |project| Binding::Project(slug(project)));
        issue(&self.state, name, binding, permissions).await
    }

    /// An ingest key of the grid `web` in production, made by the owner through the API: its answer's JSON.
    pub(crate) async fn ingest_key(&self, project: &str, name: &str) -> Value {
        self.post("/keys", &ingest(project, name)).await.expect(201)
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    /// A change in the form of a merge patch, meant for the version that `if_match` names.
    pub(crate) async fn patch(&self, path: &str, if_match: &str, body: &Value) -> Answer {
        self.edit(&self.owner, path, if_match, body).await
    }

    /// What the API works with.
    pub(crate) const fn state(&self) -> &AdminState {
        &self.state
    }

    /// A courier over the same catalog.
    pub(crate) fn courier(&self) -> Courier {
        let AdminState { catalog, webhooks, random, .. } = self.state.clone();
        Courier::new(catalog, webhooks, random, WebhookMetrics::default())
    }

    /// What looks the keys of the same catalog through.
    pub(crate) fn inspector(&self) -> Inspector {
        let AdminState { catalog, clock, random, .. } = self.state.clone();
        Inspector { catalog, clock, random, metrics: Metrics::new().hygiene.clone() }
    }

    /// What tells of the ends of plans in the same catalog.
    pub(crate) fn alerter(&self, limiter: &Arc<Limiter>) -> Alerter {
        let AdminState { catalog, clock, random, .. } = self.state.clone();
        let (limiter, metrics) = (Arc::clone(limiter), Metrics::new().alerts.clone());
        Alerter { catalog, clock, random, limiter, metrics, unwritten: Mutex::default() }
    }

    pub(crate) fn herald(&self) -> Herald {
        let AdminState { catalog, clock, random, .. } = self.state.clone();
        Herald { catalog, clock, random }
    }

    /// Where the catalog is.
    pub(crate) fn catalog_url(&self) -> &str {
        &self.fresh.settings.url
    }

    /// The number of rows in a table of the catalog.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.fresh.count(table).await
    }

    /// A connection past the catalog.
    pub(crate) async fn raw(&self) -> sqlx::AnyConnection {
        self.fresh.raw().await
    }

    /// From now on every call of the catalog fails.
    pub(crate) fn take_database_away(&self) {
        self.watched.down.store(true, Ordering::SeqCst);
    }

    /// Whether imports take too long from now on.
    pub(crate) fn slow_down(&self, slow: bool) {
        self.watched.slow.store(slow, Ordering::SeqCst);
    }

    /// From now on they succeed again.
    pub(crate) fn give_database_back(&self) {
        self.watched.down.store(false, Ordering::SeqCst);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(&self.owner, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(&self.owner, Method::POST, path, Some(body)).await
    }

    /// A request under `/api/v1` by `admin`.
    pub(crate) async fn call(&self, admin: &Admin, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path).header("authorization", format!("Bearer {}", admin.token));
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        self.send(request, body.map(Value::to_string).unwrap_or_default()).await
    }

    /// A merge patch by `admin` for a version.
    pub(crate) async fn edit(&self, admin: &Admin, path: &str, if_match: &str, body: &Value) -> Answer {
        let request = self.request(Method::PATCH, path).header("authorization", format!("Bearer {}", admin.token));
        let request = request.header("content-type", "application/merge-patch+json").header("if-match", if_match);
        self.send(request, body.to_string()).await
    }

    /// The owner's merge patch of the key `id`.
    pub(crate) async fn patch_key(&self, id: &str, if_match: &str, body: &Value) -> Answer {
        self.patch(&format!("/keys/{id}"), if_match, body).await
    }

    /// The beginning of a request under `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}/api/v1{path}", self.address))
    }

    /// The status of the answer to a request from `peer`.
    pub(crate) async fn status_from(&self, peer: IpAddr, request: http::request::Builder) -> u16 {
        let request = request.extension(Peer(peer)).body(Body::empty()).expect("a request");
        router(self.state.clone()).oneshot(request).await.expect("an answer").status().as_u16()
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::new(body.into())).expect("a request");
        let (parts, body) = client.request(request).await.expect("an answer").into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a text"))
    }

    /// The problem of an answer that must have this status and code, without its request id, which is checked here.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let mut problem = self.expect(status);
        assert_eq!(problem["code"], code, "{}", self.text);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:gridgate:problem:{code}"));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let request_id = problem.as_object_mut().expect("an object").remove("request_id").expect("a request id");
        assert_eq!(request_id.as_str(), self.header("x-request-id"));
        problem
    }
}

/// The body that creates an ingest key.
pub(crate) fn ingest(project: &str, name: &str) -> Value {
    json!({"name": name, "project": project, "grid": "web", "environment": "production"})
}

/// What an ingest key of `web` in production looks like right after the owner created it.
pub(crate) fn ingest_view(server: &Server, id: &Value, project: &str, name: &str) -> Value {
    json!({
        "id": id,
        "kind": "ingest",
        "name": name,
        "note": "",
        "tags": [],
        "owner": null,
        "project": project,
        "grid": "web",
        "environment": "production",
        "role": "ingest",
        "permissions": [
            "telemetry.logs.write", "telemetry.metrics.write", "telemetry.profiles.write", "telemetry.traces.write",
        ],
        "allowed_addresses": [],
        "limits": [],
        "member": false,
        "masked": id.as_str().map(|id| format!("ggi_prd_{}_…", &id["key_".len()..])),
        "status": "active",
        "version": 1,
        "created_at": START_TEXT,
        "created_by": server.owner.id,
        "updated_at": START_TEXT,
        "expires_at": null,
        "disabled_at": null,
        "revoked_at": null,
        "rotation": null,
        "last_used_at": null,
        "last_used_address": null,
        "last_used_user_agent": null,
        "attention": [],
        "secrets": [secret_view(1, "current", START_TEXT, &Value::Null)],
    })
}

/// What a secret looks like that was not used.
pub(crate) fn secret_view(version: u32, state: &str, created_at: &str, retires_at: &Value) -> Value {
    json!({
        "version": version,
        "state": state,
        "format": "token",
        "created_at": created_at,
        "retires_at": retires_at,
        "first_used_at": null,
        "last_used_at": null,
        "last_used_address": null,
        "last_used_user_agent": null,
    })
}

async fn serve(listener: TcpListener, service: axum::Router) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // How a connection ends is the client's business.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn issue(state: &AdminState, name: &str, binding: Binding, permissions: Permissions) -> Admin {
    let new = NewKey::with(name, binding, permissions);
    let by = Actor::system("test", state.clock.now());
    let issued = issue_key(&*state.catalog, &*state.random, &state.peppers, new, &by).await;
    let (key, token): (Key, _) = issued.expect("a key");
    Admin { id: key.id.to_string(), token: token.reveal().to_owned() }
}
