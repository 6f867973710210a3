//! OTLP/gRPC: the first and the last step of an export that comes over gRPC.
//!
//! Export is a service of our own, not one that tonic generates: tonic inflates and refuses a message before a codec sees it,
//! with codes that are not OTLP's, and before anybody is authenticated.

use std::convert::Infallible;
use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body::Body;
use http_body_util::Either;
use tonic::service::Routes;
use tower::ServiceExt;

use super::Gate;
use super::accept::Entrance;
use super::acknowledge::{self, Answer};
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
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if OTHERS.into_iter().any(|service| request.uri().path().starts_with(service)) {
        let response = others.oneshot(request.map(tonic::body::Body::new)).await?;
        return Ok(response.map(|body| Either::Right(UntilStopped::new(body, gate.stopping.clone()))));
    }
    let (parts, body) = request.into_parts();
    let result = super::answer(gate, entrance, peer, &parts, body).await;
    Ok(acknowledge::grpc(result.as_ref().copied()).map(Either::Left))
}

/// Whether a request to a port of both transports is gRPC, by its content type or its path. Over HTTP/1.1 nothing is: its answers
/// have trailers, which such a client does not read.
#[must_use]
pub fn is_meant<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let declared = content_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC));
    let path = request.uri().path();
    let named = Signal::ALL.into_iter().any(|signal| signal.grpc_path() == path)
        || OTHERS.into_iter().any(|service| path.starts_with(service));
    request.version() == Version::HTTP_2 && (declared || named)
}

/// Every content type of gRPC begins like this.
const GRPC: &[u8] = b"application/grpc";

/// The services for health checks and reflection. They need no key: a load balancer has none.
const OTHERS: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/"];
