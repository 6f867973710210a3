//! Webhooks, to receivers on real sockets, with time, randomness and names under control.

mod addresses;
mod alerts;
mod api;
mod hygiene;
mod lasting;
mod plans;
pub(crate) mod receiver;
mod review;
mod sending;
mod usage;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gridgate::domain::Clock;
use gridgate::domain::secret::Peppers;
use gridgate::upkeep::webhooks::courier::Courier;
use gridgate::upkeep::webhooks::send::Sender;
use gridgate::upkeep::webhooks::target::{Policy, Resolver};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};

use crate::admin::Server;

/// What names stand for; a name that is not there cannot be resolved. Addresses stand for themselves.
#[derive(Default)]
pub(crate) struct Names {
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        self.addresses.lock().expect("names").insert(name.to_owned(), addresses);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("names").clone()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().expect("names").push(host.to_owned());
        let known = self.addresses.lock().expect("names").get(host).cloned();
        let addresses = known.or_else(|| Some(vec![host.parse().ok()?])).ok_or(io::ErrorKind::NotFound)?;
        Ok(addresses.into_iter().map(|address| (address, port).into()).collect())
    }
}

/// What sends in tests: to loopback, too, and by plain http.
pub(crate) fn sender(names: &Arc<Names>, peppers: &Arc<Peppers>, clock: Arc<dyn Clock>) -> Sender {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Sender {
        policy: Policy { allow_http: true, allow_networks: vec!["127.0.0.1/32".parse().expect("a network")] },
        resolver: Arc::clone(names) as Arc<dyn Resolver>,
        tls: Arc::new(tls),
        timeout: Duration::from_secs(30),
        peppers: Arc::clone(peppers),
        clock,
    }
}

/// Creates a webhook by the API and returns the answer: `{webhook, secret}`.
async fn create(server: &Server, url: &str, events: &[&str], project: Option<&str>) -> Value {
    let body = json!({"url": url, "events": events, "project": project});
    server.post("/webhooks", &body).await.expect(201)
}

/// One round of the courier, with everything that it began.
async fn round(courier: &mut Courier) {
    courier.round().await.expect("a round");
    courier.settle().await;
}

/// The deliveries of a webhook, newest first.
async fn deliveries(server: &Server, webhook: &Value) -> Vec<Value> {
    let id = webhook["webhook"]["id"].as_str().expect("an id");
    let page = server.get(&format!("/webhooks/{id}/deliveries")).await.expect(200);
    page["data"].as_array().expect("a list").clone()
}

/// The path of a webhook.
fn path(webhook: &Value) -> String {
    format!("/webhooks/{}", webhook["webhook"]["id"].as_str().expect("an id"))
}
