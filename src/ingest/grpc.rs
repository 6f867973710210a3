//! OTLP/gRPC: the first and the last step of an export that comes over gRPC.
//!
//! Export is a service of our own, not one that tonic generates: tonic inflates and refuses a message before a codec sees it,
//! with codes that are not OTLP's, and before anybody is authenticated.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;

use ::http::{Request, Response, Version};
use bytes::Bytes;
use http_body::Body;
use http_body_util::Either;
use tonic::service::Routes;
use tower::ServiceExt;

use super::Gate;
use super::accept::{Entrance, speaks_grpc};
use super::acknowledge::{self, Answer};
use super::http;
use super::others::UntilStopped;
use crate::domain::Signal;

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
    B::Error: Error + Send + Sync + 'static,
{
    if entrance.served && is_other(request.uri().path()) {
        let response = others.oneshot(request.map(tonic::body::Body::new)).await?;
        return Ok(response.map(|body| Either::Right(UntilStopped::new(body, gate.stopping.clone()))));
    }
    let (parts, body) = request.into_parts();
    let result = super::answer(gate, entrance, peer, &parts, body).await;
    let response = if speaks_grpc(&parts.headers) {
        acknowledge::grpc(result.as_ref())
    } else {
        // To who does not speak gRPC its refusals look like a success: their status of HTTP is 200.
        http::acknowledged(result.as_ref(), &parts)
    };
    Ok(response.map(Either::Left))
}

/// Whether a request is gRPC, by its content type or its path. Over HTTP/1.1 nothing is: its answers have trailers, which such a
/// client does not read.
#[must_use]
pub fn is_meant<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let named = Signal::ALL.into_iter().any(|signal| signal.grpc_path() == path) || is_other(path);
    request.version() == Version::HTTP_2 && (speaks_grpc(request.headers()) || named)
}

/// The services for health checks and reflection. They need no key: a load balancer has none.
const OTHERS: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];

fn is_other(path: &str) -> bool {
    OTHERS.into_iter().any(|service| path.starts_with(service))
}
