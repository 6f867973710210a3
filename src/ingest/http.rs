//! OTLP/HTTP: the first and the last step of an export that comes over HTTP/1.1 or HTTP/2.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::Gate;
use super::accept::{Entrance, Format};
use super::acknowledge::{self, Answer};
use super::cors;

/// Answers one request of a client at `peer`.
pub async fn answer<B>(gate: &Gate, entrance: &Entrance, peer: IpAddr, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let (parts, mut body) = request.into_parts();
    if let Some(cors) = &gate.cors
        && cors::is_preflight(&parts)
    {
        return cors.preflight(&parts.headers);
    }
    let result = super::answer(gate, entrance, peer, &parts, &mut body).await;
    let mut response = acknowledge::http(result.as_ref().copied(), Format::of(&parts.headers));
    if let Some(cors) = &gate.cors {
        cors.admit(&parts.headers, response.headers_mut());
    }
    // HTTP/2 ends the stream by itself.
    if result.is_err() && parts.version < Version::HTTP_2 && !body.is_end_stream() {
        if parts.headers.contains_key(header::EXPECT) {
            // Perhaps the body never comes. What comes next must not be taken for it (RFC 9110 section 10.1.1).
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        } else {
            tokio::spawn(drain(body, gate.limits.wire_bytes));
        }
    }
    response
}

/// How long a refused body is read on.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Reads a refused body on, and forgets it, so that a client which sends everything before it reads finds the answer instead of a
/// reset connection. After `most` bytes no body could have been accepted, and its client has to notice by itself.
async fn drain<B>(mut body: B, most: usize)
where
    B: Body<Data = Bytes> + Unpin,
{
    let _ = tokio::time::timeout(DRAIN_TIME, async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > most {
                break;
            }
        }
    })
    .await;
}
