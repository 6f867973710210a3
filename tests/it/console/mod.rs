//! The web console over real sockets: who gets in, for how long, and what a hostile page or program achieves.

mod answers;
mod edits;
mod forms;
mod places;
mod secrecy;
mod sessions;
mod strangers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use gridgate::admin::request::Peer;
use gridgate::console::{ConsoleSettings, Endpoint, router};
use http::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::admin::{Admin, Answer, Server};

const COOKIE: &str = "__Host-gridgate";

/// A server of the admin API and the console.
pub(crate) struct Console {
    pub(crate) server: Server,
    address: SocketAddr,
    /// Where requests are taken to come from.
    from: Arc<Mutex<IpAddr>>,
}

/// A browser on it, as browsers on loopback are: with the one cookie of its session, if it has one.
pub(crate) struct Browser<'a> {
    console: &'a Console,
    pub(crate) ticket: String,
}

impl Console {
    pub(crate) async fn start() -> Self {
        Self::of(Server::start().await, "").await
    }

    /// The console of `server`, behind a proxy that serves it under `prefix`.
    pub(crate) async fn of(server: Server, prefix: &str) -> Self {
        let told = Endpoint::At("http://gate.example:4317".to_owned());
        let settings = ConsoleSettings { prefix: prefix.to_owned(), tls: false, grpc: told.clone(), http: told };
        let api = gridgate::admin::router(server.state().clone());
        let routes = api.clone().merge(router(api, server.state().clone(), settings));
        let from = Arc::new(Mutex::new(IpAddr::from(Ipv4Addr::LOCALHOST)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, routes, Arc::clone(&from)));
        Self { server, address, from }
    }

    /// From now on requests come from there.
    fn comes_from(&self, address: &str) {
        *self.from.lock().expect("an address") = address.parse().expect("an address");
    }

    fn browser(&self) -> Browser<'_> {
        Browser { console: self, ticket: String::new() }
    }

    /// A browser in which the owner has signed in.
    async fn owner(&self) -> Browser<'_> {
        self.signed_in(&self.server.owner).await
    }

    async fn signed_in(&self, admin: &Admin) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in(&admin.token).await;
        browser
    }

    /// The beginning of a request, as a program makes it.
    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}{path}", self.address))
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        self.server.send(request, body.to_owned()).await
    }
}

impl Browser<'_> {
    /// The beginning of a request of a page of this console.
    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = self.console.request(method, path).header("sec-fetch-site", "same-origin");
        if self.ticket.is_empty() { request } else { request.header("cookie", format!("{COOKIE}={}", self.ticket)) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.console.send(self.request(Method::GET, path), "").await
    }

    /// Sends a form as its fields stand there.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        self.console.send(request, &form(fields)).await
    }

    /// Sends a form of this session's pages.
    async fn submit(&self, path: &str) -> Answer {
        self.post(path, &[("form_token", &self.form_token().await)]).await
    }

    /// What stands in the forms of this session's pages.
    async fn form_token(&self) -> String {
        let page = self.get("/console/settings").await;
        let (_, rest) = page.text.split_once("name=\"form_token\" value=\"").expect("a form");
        rest.split_once('"').expect("a value").0.to_owned()
    }

    async fn sign_in(&mut self, token: &str) {
        let answer = self.post("/console/sign-in", &[("key", token)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        self.ticket = ticket(&answer);
    }

    /// Whether it has a session that goes on.
    async fn is_in(&self) -> bool {
        let answer = self.get("/console/audit").await;
        match answer.status.as_u16() {
            200 => true,
            303 => {
                assert!(answer.header("location").expect("a place").starts_with("/console/sign-in?"));
                false
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
}

/// The ticket that an answer gives to the browser.
fn ticket(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    let (value, rest) = cookie.split_once(';').expect("attributes");
    assert_eq!(rest, " Path=/; Secure; HttpOnly; SameSite=Strict");
    value.strip_prefix("__Host-gridgate=").expect("the session's cookie").to_owned()
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields);
    text.finish()
}

async fn serve(listener: TcpListener, routes: axum::Router, from: Arc<Mutex<IpAddr>>) {
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let peer = Peer(*from.lock().expect("an address"));
        let service = TowerToHyperService::new(routes.clone().layer(axum::Extension(peer)));
        tokio::spawn(async move {
            // How a connection ends is the client's business.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
