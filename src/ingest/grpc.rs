//! OTLP/gRPC: the first and the last step of an export that comes over gRPC.
//!
//! Export is a service of our own, not one that tonic generates: tonic inflates and refuses a message before a codec sees it,
//! with codes that are not OTLP's, and before anybody is authenticated.

use std::convert::Infallible;
use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Either;
use tonic::service::Routes;
use tower::ServiceExt;

use super::accept::{self, Arrival, Entrance};
use super::acknowledge::{self, Answer};
use super::http::outcome;
use super::others::UntilStopped;
use super::{Gate, export};
use crate::observe::metrics::Transport;

/// Answers one call: exports here, everything else that gRPC clients ask for (health, reflection) by `others`.
///
/// # Errors
/// Never: what goes wrong is an answer.
pub async fn route<B>(
    gate: &Gate,
    entrance: &Entrance,
    peer: IpAddr,
    request: Request<B>,
    others: Routes,
) -> Result<Response<Either<Answer, UntilStopped<tonic::body::Body>>>, Infallible>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if OTHERS.into_iter().any(|service| request.uri().path().starts_with(service)) {
        let response = others.oneshot(request.map(tonic::body::Body::new)).await?;
        return Ok(response.map(|body| Either::Right(UntilStopped::new(body, gate.stopping.clone()))));
    }
    Ok(answer(gate, entrance, peer, request).await.map(Either::Left))
}

/// The services for health checks and reflection. They need no key: a load balancer has none.
const OTHERS: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];

/// Answers one call of a client at `peer`.
async fn answer<B>(gate: &Gate, entrance: &Entrance, peer: IpAddr, request: Request<B>) -> Response<Answer>
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
