//! Read: the body, bounded in size, time and memory. Nothing is inflated yet.

use std::error::Error;
use std::{io, iter};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::accept::{Format, is_grpc};
use super::authenticate::Authenticated;
use super::{Ended, Gate};
use crate::domain::{Encoding, Reason, Refusal, Reservation};
use crate::observe::metrics::Transport;

/// An export whose body has arrived.
#[derive(Debug)]
pub struct Received<'a> {
    /// Whose it is.
    pub authenticated: Authenticated<'a>,
    /// Its body.
    pub payload: Payload,
}

/// A body as it was sent, without gRPC's frame.
#[derive(Debug)]
pub struct Payload {
    /// The form of the message inside.
    pub format: Format,
    /// How it is compressed.
    pub encoding: Encoding,
    /// Its bytes.
    pub bytes: Bytes,
    /// The memory it holds.
    pub reservation: Reservation,
}

/// The frame around a gRPC message: one byte of flags and the length of the message (gRPC over HTTP/2, «Length-Prefixed-Message»).
const GRPC_PREFIX: usize = 5;

/// Reads the body of an authenticated export.
///
/// # Errors
/// The refusal, or that the client left.
pub async fn read<'a, B>(gate: &Gate, authenticated: Authenticated<'a>, body: B) -> Result<Received<'a>, Ended>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let reading = async {
        match authenticated.arrival.entrance.transport {
            Transport::Http => read_http(gate, authenticated.arrival.headers, body).await,
            Transport::Grpc => read_grpc(gate, authenticated.arrival.headers, body).await,
        }
    };
    let read = tokio::time::timeout(gate.limits.body_time, reading).await;
    let payload = read.unwrap_or(Err(Ended::Refused(Reason::RequestTimeout.into()))).map_err(|ended| match ended {
        Ended::Refused(refusal) => Ended::Refused(refusal.of_key(authenticated.cached.key.id)),
        Ended::Gone => Ended::Gone,
    })?;
    Ok(Received { authenticated, payload })
}

async fn read_http<B>(gate: &Gate, headers: &HeaderMap, body: B) -> Result<Payload, Ended>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let format = Format::of(headers).ok_or(Refusal::new(Reason::ContentTypeUnsupported))?;
    let encoding = encoding(headers, &header::CONTENT_ENCODING)?.unwrap_or(Encoding::Identity);
    let (bytes, reservation) = collect(gate, body, gate.limits.wire_bytes).await?;
    Ok(Payload { format, encoding, bytes, reservation })
}

async fn read_grpc<B>(gate: &Gate, headers: &HeaderMap, body: B) -> Result<Payload, Ended>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    if !is_grpc(headers) {
        return Err(Reason::ContentTypeUnsupported.into());
    }
    let declared = encoding(headers, &HeaderName::from_static("grpc-encoding"))?;
    let (mut bytes, mut reservation) = collect(gate, body, gate.limits.wire_bytes + GRPC_PREFIX).await?;
    let undecodable = |detail: &str| Refusal::because(Reason::BodyUndecodable, detail);
    let Some(&[flags, a, b, c, d]) = bytes.first_chunk::<GRPC_PREFIX>() else {
        return Err(undecodable("the gRPC message is cut off before its length").into());
    };
    let encoding = match (flags, declared) {
        (0, _) => Encoding::Identity,
        (1, Some(encoding)) => encoding,
        (1, None) => return Err(Reason::CompressionUndeclared.into()),
        _ => return Err(undecodable("the gRPC message has unknown flags").into()),
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    bytes.advance(GRPC_PREFIX);
    if bytes.len() < length {
        return Err(undecodable("the gRPC message is shorter than its length says").into());
    }
    if bytes.len() > length {
        return Err(undecodable("an export has exactly one gRPC message; more bytes follow it").into());
    }
    reservation.shrink_to(length as u64);
    Ok(Payload { format: Format::Protobuf, encoding, bytes, reservation })
}

/// The encoding that the header `name` declares, if it does.
fn encoding(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Encoding>, Refusal> {
    let mut declared = headers.get_all(name).iter();
    let encoding = declared.next().map(|value| Encoding::from_header(value.as_bytes()));
    match (encoding, declared.next()) {
        (None, _) => Ok(None),
        (Some(Some(encoding)), None) => Ok(Some(encoding)),
        (Some(_), _) => {
            Err(Refusal::because(Reason::CompressionUnsupported, format_args!("supported are {}", Encoding::ACCEPTED)))
        }
    }
}

/// All bytes of the body, up to `cap`. Memory is reserved as they arrive, so that a length which is claimed but never sent
/// takes none; a claim over what is left of the budget is refused before anything is read.
async fn collect<B>(gate: &Gate, mut body: B, cap: usize) -> Result<(Bytes, Reservation), Ended>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let too_large = || Refusal::because(Reason::BodyTooLarge, format_args!("the body has more than {cap} bytes"));
    let claimed = body.size_hint().lower();
    if claimed > cap as u64 {
        return Err(too_large().into());
    }
    gate.budget.check(claimed)?;
    let mut reservation = gate.budget.reserve(0)?;
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() + rest.as_ref().map_or(first.len(), BytesMut::len) > cap {
            return Err(too_large().into());
        }
        reservation.grow(data.len() as u64)?;
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                // What is claimed is a guess; no more than this is allocated on its word.
                let guess = usize::try_from(claimed).unwrap_or(0).min(MAX_GUESS).max(first.len() + data.len());
                let mut all = BytesMut::with_capacity(guess);
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                rest = Some(all);
            }
        }
    }
    Ok((rest.map_or(first, BytesMut::freeze), reservation))
}

/// What has happened to a body that could not be read on. Where its framing is wrong (RFC 9112 section 7.1), its client is still
/// there and can be told; otherwise it left.
fn broken(error: &(dyn Error + 'static)) -> Ended {
    let mut causes = iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let kind = causes.find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            Refusal::because(Reason::BodyUndecodable, "the chunks of the body are damaged").into()
        }
        _ => Ended::Gone,
    }
}

/// The most that is allocated before bytes have arrived.
const MAX_GUESS: usize = 256 << 10;
