//! OTLP/gRPC: the first and the last step of an export that comes over gRPC.
//!
//! Export is a service of our own, not one that tonic generates: tonic inflates and refuses a message before a codec sees it,
//! with codes that are not OTLP's, and before anybody is authenticated.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::accept::{self, Arrival, Entrance};
use super::acknowledge::{self, Answer};
use super::http::outcome;
use super::{Gate, export};
use crate::observe::metrics::Transport;

/// Whether `path` is one that [`answer`] serves, rather than another gRPC service.
#[must_use]
pub fn is_export(path: &str) -> bool {
    accept::signal(Transport::Grpc, path).is_ok()
}

/// Answers one call of a client at `peer`.
pub async fn answer<B>(gate: &Gate, entrance: &Entrance, peer: IpAddr, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Unpin,
{
    let at = gate.clock.now();
    let (parts, body) = request.into_parts();
    let signal = accept::signal(Transport::Grpc, parts.uri.path());
    let tally = gate.metrics.begin(Transport::Grpc, signal.as_ref().ok().copied());
    let result = match signal.and_then(|signal| accept::method(&parts.method).map(|()| signal)) {
        Ok(signal) => export(gate, Arrival { signal, entrance, peer, at, headers: &parts.headers }, body).await,
        Err(refusal) => Err(refusal.into()),
    };
    acknowledge::grpc(outcome(gate, tally, at, &result))
}
