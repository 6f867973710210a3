//! Read: the body, bounded in size, time and memory. Nothing is inflated yet.

use std::error::Error;
use std::{io, iter};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::accept::{Format, is_grpc};
use super::authenticate::Authenticated;
use super::{Ended, Gate};
use crate::domain::Transport;
use crate::domain::{BudgetExceeded, Encoding, Reason, Refusal, Reservation};
use crate::otlp::frame;

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
    let declared = headers.get_all(header::CONTENT_ENCODING).iter().map(HeaderValue::as_bytes);
    let encoding = Encoding::of_content(declared).ok_or_else(unsupported)?;
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
    let mut declared = headers.get_all("grpc-encoding").iter();
    let encoding = match (declared.next(), declared.next()) {
        (None, _) => Encoding::Identity,
        (Some(one), None) => Encoding::of_grpc(one.as_bytes()).ok_or_else(unsupported)?,
        (Some(_), Some(_)) => return Err(unsupported().into()),
    };
    let (bytes, reservation) = collect(gate, body, gate.limits.wire_bytes + frame::PREFIX).await?;
    let frame = frame::only_message(&bytes).map_err(|error| Refusal::because(Reason::BodyUndecodable, error))?;
    let encoding = match (frame.is_compressed, encoding) {
        (false, _) => Encoding::Identity,
        // What is compressed by no compression is not declared (gRPC, «Compression», and so do its own servers).
        (true, Encoding::Identity) => return Err(Reason::CompressionUndeclared.into()),
        (true, encoding) => encoding,
    };
    let bytes = bytes.slice_ref(frame.message);
    Ok(Payload { format: Format::Protobuf, encoding, bytes, reservation })
}

fn unsupported() -> Refusal {
    Refusal::because(Reason::CompressionUnsupported, format_args!("supported are {}", Encoding::ACCEPTED))
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
    let claimed = usize::try_from(claimed).unwrap_or(cap);
    let mut collected = Collected { bytes: Vec::new(), reservation: gate.budget.reserve(0)?, claimed };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() + collected.bytes.len() > cap {
            return Err(too_large().into());
        }
        collected.push(&data)?;
    }
    Ok((collected.bytes.into(), collected.reservation))
}

/// The part of a body that has arrived, in memory of its own: a frame, however small, would hold on to the whole buffer that the
/// connection was read into. What is reserved is what is allocated.
struct Collected {
    bytes: Vec<u8>,
    reservation: Reservation,
    /// The length that the body has, if it told; or else less.
    claimed: usize,
}

/// The most that is allocated before bytes have arrived.
const MAX_GUESS: usize = 256 << 10;

impl Collected {
    fn push(&mut self, data: &[u8]) -> Result<(), BudgetExceeded> {
        let length = self.bytes.len() + data.len();
        if length > self.bytes.capacity() {
            let capacity = self.capacity(length);
            // While the bytes move, both the old and the new place are there.
            self.reservation.grow(capacity as u64)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
            self.reservation.shrink_to(self.bytes.capacity() as u64);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// How much to allocate for `length` bytes: about twice as much each time, and in the end just what is claimed.
    fn capacity(&self, length: usize) -> usize {
        if self.claimed < length {
            return length.max(2 * self.bytes.len());
        }
        let mut capacity = self.claimed;
        while capacity > MAX_GUESS && capacity / 2 >= length {
            capacity /= 2;
        }
        capacity
    }
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
