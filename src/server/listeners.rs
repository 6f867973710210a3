//! Listeners: bound as the configuration says, each with what it serves and how its connections begin.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use http::Request;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::service::Routes;

use super::connections::{Connections, Port};
use super::opening::Opening;
use super::tls::{self, Tls};
use crate::catalog::Catalog;
use crate::config::{Admitted, Config, ListenerConfig, Serves, TlsConfig};
use crate::domain::Clock;
use crate::domain::Transport;
use crate::ingest::accept::Entrance;
use crate::ingest::{self, Gate};
use crate::observe::jobs::Jobs;
use crate::observe::metrics::Metrics;

/// Every listener of a process, bound.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) ingest: Vec<IngestListener>,
    pub(super) admin: Port,
    pub(super) certificates: Certificates,
}

/// A listener for exports.
#[derive(Debug)]
pub(super) struct IngestListener {
    /// The option that names it.
    option: &'static str,
    serves: Serves,
    port: Port,
    grpc: Entrance,
    http: Entrance,
}

/// The certificates of all listeners, and the signal that makes the process look at them again.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Arc<Tls>>,
    /// Taken only where there are certificates: otherwise SIGHUP ends a process, as it does when its terminal is closed.
    hangups: Option<Signal>,
}

impl Listeners {
    /// Binds every listener.
    ///
    /// # Errors
    /// Where an address or a file is not good; the message names the option.
    pub(super) async fn bind(config: &Config, clock: &Arc<dyn Clock>, metrics: &Arc<Metrics>) -> Result<Self> {
        let mut all = Vec::new();
        let mut opening = |option: String, paths: &TlsConfig| -> Result<Opening> {
            let metrics = Arc::clone(metrics);
            if !paths.is_on() {
                return Ok(Opening { tls: None, metrics });
            }
            // Those of grpc and http.
            let shared = all.iter().find(|tls: &&Arc<Tls>| tls.option() == option).cloned();
            let tls = if let Some(tls) = shared {
                tls
            } else {
                let tls = Tls::open(option.clone(), paths.clone(), Arc::clone(clock), Arc::clone(&metrics));
                let tls = Arc::new(tls.context(option)?);
                all.push(Arc::clone(&tls));
                tls
            };
            Ok(Opening { tls: Some(tls), metrics })
        };
        let mut ingest = Vec::new();
        for Wanted { option, tls_option, config } in wanted(config) {
            let ListenerConfig { address, transport: serves, environment: Admitted(environment), prefix, tls } = config;
            let opening = opening(tls_option, &tls)?;
            let port = Port { listener: bind(option, address).await?, opening };
            let entrance = |transport, prefix| Entrance {
                transport,
                served: serves.includes(transport),
                environment: environment.clone(),
                prefix,
            };
            let grpc = entrance(Transport::Grpc, String::new());
            let http = entrance(Transport::Http, prefix.as_str().to_owned());
            ingest.push(IngestListener { option, serves, port, grpc, http });
        }
        let opening = opening("listen.admin_tls".to_owned(), &config.listen.admin_tls)?;
        let admin = Port { listener: bind("listen.admin", config.listen.admin).await?, opening };
        let hangups = (!all.is_empty()).then(|| signal(SignalKind::hangup())).transpose().context("signals")?;
        Ok(Self { ingest, admin, certificates: Certificates { all, hangups } })
    }

    /// The first listener that serves `transport`.
    pub(super) fn serving(&self, transport: Transport) -> Result<&IngestListener> {
        self.ingest.iter().find(|listener| listener.serves.includes(transport)).context("there is no such listener")
    }

    /// The listeners of `listen.more`, in their order.
    pub(super) fn more(&self) -> impl Iterator<Item = &IngestListener> {
        self.ingest.iter().filter(|listener| listener.option == MORE)
    }
}

impl Port {
    /// The address that was really bound.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Scheme, host and port.
    pub(super) fn url(&self) -> Result<String> {
        let scheme = if self.opening.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.address()?))
    }
}

impl IngestListener {
    /// The address that was really bound.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        self.port.address()
    }

    /// What clients of `transport` have to be given as endpoint.
    pub(super) fn endpoint(&self, transport: Transport) -> Result<String> {
        let prefix = if transport == Transport::Http { &*self.http.prefix } else { "" };
        Ok(format!("{}{prefix}", self.port.url()?))
    }

    /// Serves exports until the process stops.
    pub(super) async fn serve(self, connections: Connections, gate: Arc<Gate>, others: Routes) {
        let Self { port, grpc, http, .. } = self;
        let all = Arc::new((gate, grpc, http, others));
        let service = move |peer: IpAddr| {
            let all = Arc::clone(&all);
            service_fn(move |request: Request<Incoming>| {
                let all = Arc::clone(&all);
                async move {
                    let (gate, grpc, http, others) = &*all;
                    // Also where only one of both is served: who is wrong here has to understand what is said.
                    if ingest::grpc::is_meant(&request) {
                        return ingest::grpc::route(gate, grpc, peer, request, others.clone()).await;
                    }
                    Ok::<_, Infallible>(ingest::http::answer(gate, http, peer, request).await.map(Either::Left))
                }
            })
        };
        connections.accept(port, service).await;
    }
}

impl Certificates {
    /// Replaces certificates whose files have changed, without end.
    pub(super) async fn reload(self, config: Config, jobs: Arc<Jobs>) {
        if let Some(hangups) = self.hangups {
            tls::reload(self.all, config.listen.reload.0, hangups, &jobs.add("certificates")).await;
        }
    }
}

/// A listener for exports that the configuration asks for.
struct Wanted {
    option: &'static str,
    /// The option that holds its TLS.
    tls_option: String,
    config: ListenerConfig,
}

const MORE: &str = "listen.more";

fn wanted(config: &Config) -> Vec<Wanted> {
    let listen = &config.listen;
    let of = |option, address, transport| {
        let (environment, prefix, tls) = (listen.environment.clone(), listen.prefix.clone(), listen.tls.clone());
        let config = ListenerConfig { address, transport, environment, prefix, tls };
        Wanted { option, tls_option: "listen.tls".to_owned(), config }
    };
    // Port 0 is a port of its own each time.
    let mut all = if listen.grpc == listen.http && listen.grpc.port() != 0 {
        vec![of("listen.grpc", listen.grpc, Serves::Any)]
    } else {
        vec![of("listen.grpc", listen.grpc, Serves::Grpc), of("listen.http", listen.http, Serves::Http)]
    };
    all.extend(listen.more.iter().enumerate().map(|(index, config)| Wanted {
        option: MORE,
        tls_option: format!("{MORE}[{index}].tls"),
        config: config.clone(),
    }));
    all
}

async fn bind(option: &'static str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{option}: cannot listen on {address}"))
}

/// A listener that is bound to an environment which does not exist would refuse every key.
///
/// # Errors
/// The first such listener.
pub(super) async fn check_environments(config: &Config, catalog: &dyn Catalog) -> Result<()> {
    let known = catalog.environments().await.context("catalog.url")?;
    let more = config.listen.more.iter().map(|listener| (MORE, &listener.environment));
    for (option, environment) in std::iter::once(("listen.environment", &config.listen.environment)).chain(more) {
        if let Some(slug) = &environment.0
            && !known.iter().any(|environment| environment.slug == *slug)
        {
            let known: Vec<_> = known.iter().map(|environment| environment.slug.as_str()).collect();
            bail!("{option}: there is no environment {slug}; there are {}", known.join(", "));
        }
    }
    Ok(())
}
