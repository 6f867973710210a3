//! The path of an export without sockets: bodies that count how often they are asked, and a log that writes when it is told to.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gridgate::catalog::Catalog;
use gridgate::config::pepper;
use gridgate::domain::Budget;
use gridgate::domain::Transport;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::uses::Uses;
use gridgate::ingest::accept::Entrance;
use gridgate::ingest::acknowledge::Answer;
use gridgate::ingest::failures::Failures;
use gridgate::ingest::key_cache::{KeyCache, KeyCacheSettings};
use gridgate::ingest::{self, ExportLimits};
use gridgate::observe::metrics::Metrics;
use gridgate::otlp::scan::ScanLimits;
use gridgate::storage::forward::Forwarding;
use gridgate::storage::log::Committer;
use gridgate::storage::open::assemble;
use http::{Response, Version};
use http_body::Frame;
use object_store::memory::InMemory;
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::client::Export;
use crate::storage::{Silent, settings};

/// The gate of a server, which shares its keys, and has a log of its own that nobody writes yet.
pub(super) struct Bare {
    pub(super) gate: ingest::Gate,
    pub(super) committer: Committer,
}

impl Bare {
    pub(super) async fn of(server: &Gate) -> Self {
        Self::over(server, Arc::clone(&server.catalog)).await
    }

    /// The same, whose keys are looked up in `catalog`.
    pub(super) async fn over(server: &Gate, catalog: Arc<dyn Catalog>) -> Self {
        let store = Arc::new(InMemory::new());
        let report = Arc::new(Silent);
        let storage =
            assemble(store.clone(), store, &settings(), Forwarding::default(), &SeededRandom::new(3), report).await;
        let storage = storage.expect("storage");
        let cache = KeyCacheSettings {
            ttl: Duration::from_mins(1),
            grace: Duration::ZERO,
            capacity: 100,
            unknown_ttl: Duration::from_mins(1),
            unknown_capacity: 100,
            lookup_time: Duration::from_mins(1),
            lookups: 1,
        };
        let gate = ingest::Gate {
            keys: Arc::new(KeyCache::new(catalog, server.clock.clone(), cache)),
            peppers: Arc::new(pepper::read(&server.config.pepper_file()).expect("the pepper")),
            failures: Failures::new(NonZeroU32::MAX, &(server.clock.clone() as _)),
            uses: Arc::new(Uses::new(100)),
            cors: None,
            credential_headers: vec![http::HeaderName::from_static("api-key")],
            log: storage.log,
            budget: Budget::new(1 << 20),
            limits: ExportLimits {
                header_bytes: 1 << 14,
                header_fields: 64,
                wire_bytes: 1 << 20,
                body_bytes: 1 << 20,
                body_time: Duration::from_mins(1),
                scan: ScanLimits::default(),
            },
            clock: server.clock.clone(),
            random: Arc::new(SeededRandom::new(4)),
            metrics: Arc::new(Metrics::new()),
            books: Arc::default(),
            stopping: CancellationToken::new(),
        };
        Self { gate, committer: storage.committer }
    }
}

/// Sends `export` over HTTP/2, whose body counts in `polls`.
pub(super) async fn answer(gate: &ingest::Gate, export: &Export, polls: &Arc<AtomicUsize>) -> Response<Answer> {
    let body = Counted { polls: Arc::clone(polls), data: Some(export.body.clone()) };
    let mut request = export.builder().body(body).expect("a request");
    *request.version_mut() = Version::HTTP_2;
    let entrance = Entrance { transport: Transport::Http, served: true, environment: None, prefix: String::new() };
    ingest::http::answer(gate, &entrance, IpAddr::V4(Ipv4Addr::LOCALHOST), request).await
}

/// A body in one piece.
struct Counted {
    polls: Arc<AtomicUsize>,
    data: Option<Bytes>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }
}
