//! OTLP/HTTP: the first and the last step of an export that comes over HTTP/1.1 or HTTP/2.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Version, header, request};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::accept::{Entrance, Format};
use super::acknowledge::{self, Answer};
use super::append::Stored;
use super::{cors, whoami};
use crate::domain::Refusal;

/// Answers one request of a client at `peer`.
pub async fn answer<B>(gate: &Gate, entrance: &Entrance, peer: IpAddr, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Error + Send + 'static,
{
    let (parts, mut body) = request.into_parts();
    if let Some(cors) = &gate.cors
        && cors::is_preflight(&parts)
    {
        return cors.preflight(&parts.headers);
    }
    if whoami::is_meant(entrance, parts.uri.path()) {
        return whoami::answer(gate, entrance, peer, &parts, body.is_end_stream()).await;
    }
    let arrived = Instant::now();
    let result = super::answer(gate, entrance, peer, &parts, &mut body).await;
    let mut response = acknowledged(result.as_ref(), &parts);
    if let Some(cors) = &gate.cors {
        cors.admit(&parts.headers, response.headers_mut());
    }
    // HTTP/2 ends the stream by itself.
    if result.is_err() && parts.version < Version::HTTP_2 && !body.is_end_stream() {
        if parts.headers.contains_key(header::EXPECT) {
            // Perhaps the body never comes. What comes next must not be taken for it (RFC 9110 section 10.1.1).
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else {
            let until = arrived + gate.limits.body_time.max(arrived.elapsed() + LEAST_DRAIN_TIME);
            // One at a time for each connection, so that there are no more of them than connections.
            tokio::spawn(drain(body, gate.limits.wire_bytes, until, gate.stopping.clone()));
        }
    }
    response
}

/// The answer to the request whose head is `parts`.
pub(super) fn acknowledged(result: Result<&Stored, &Refusal>, parts: &request::Parts) -> Response<Answer> {
    let mut response = acknowledge::http(result, Format::of(&parts.headers));
    if parts.method == Method::HEAD {
        // RFC 9110 section 9.3.2. hyper leaves the body out over HTTP/1.1 only.
        *response.body_mut() = Answer::default();
    }
    response
}

/// How long a refused body is read on at least: where it was refused for having taken too long, and at the end of the process.
const LEAST_DRAIN_TIME: Duration = Duration::from_secs(2);

/// Reads a refused body on, and forgets it, so that a client which sends everything before it reads finds the answer instead of a
/// reset connection. It may take as long as a body that is accepted, and be as large; after `most` bytes or at `until` no body
/// could have been accepted, and its client has to notice by itself.
async fn drain<B>(mut body: B, most: usize, until: Instant, stopping: CancellationToken)
where
    B: Body<Data = Bytes> + Unpin,
{
    let draining = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > most {
                break;
            }
        }
    };
    // The end of the process does not wait for what nobody wants.
    let stopped = async {
        stopping.cancelled().await;
        tokio::time::sleep(LEAST_DRAIN_TIME).await;
    };
    tokio::select! {
        () = draining => {}
        () = tokio::time::sleep_until(until) => {}
        () = stopped => {}
    }
}
