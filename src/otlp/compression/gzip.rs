//! gzip (RFC 1952). A gzip file may have several members; all of them count, and bytes after the last are refused.

use std::io::Read;

use flate2::bufread::GzDecoder;
use libdeflater::{DecompressionError, Decompressor};

use super::{MAX_MEMBERS, Stop};

/// The most that deflate makes of one byte: 258 bytes of two bits each.
const MAX_RATIO: usize = 1032;

/// How large `payload` probably becomes; `None` where it is too short to be gzip. The sender wrote the size that it ends with,
/// modulo 2^32 and of the last member only.
pub(super) fn guess(payload: &[u8]) -> Option<usize> {
    let (_, size) = payload.split_last_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
    Some(size.clamp(payload.len(), payload.len().saturating_mul(MAX_RATIO)))
}

/// Inflates `payload` into `output` and returns the length.
pub(super) fn inflate(decompressor: &mut Decompressor, payload: &[u8], output: &mut [u8]) -> Result<usize, Stop> {
    match decompressor.gzip_decompress(payload, output) {
        Ok(length) if is_whole(payload, &output[..length]) => Ok(length),
        Ok(_) => inflate_members(payload, output),
        Err(DecompressionError::BadData) => Err(Stop::Damaged),
        Err(DecompressionError::InsufficientSpace) => Err(Stop::Full),
    }
}

/// Whether the member that `output` came from is all of `payload`: libdeflate stops after the first and does not say where. It
/// has seen the trailer of the member there, so that this trailer is found earlier if anything follows the member.
fn is_whole(payload: &[u8], output: &[u8]) -> bool {
    let Ok(size) = u32::try_from(output.len()) else { return false };
    let trailer = u64::from(size) << 32 | u64::from(crc32fast::hash(output));
    let found = memchr::memmem::find(payload, &trailer.to_le_bytes());
    found.is_some_and(|at| at + size_of_val(&trailer) == payload.len())
}

/// The slow way for what is rare: several members one after the other.
fn inflate_members(payload: &[u8], output: &mut [u8]) -> Result<usize, Stop> {
    let mut rest = payload;
    let mut length = 0;
    for _ in 0..MAX_MEMBERS {
        let mut decoder = GzDecoder::new(rest);
        loop {
            // Whether a full output holds everything only one byte more can tell.
            let mut probe = [0];
            let is_full = length == output.len();
            let room = if is_full { &mut probe[..] } else { &mut output[length..] };
            match decoder.read(room) {
                Ok(0) => break,
                Ok(_) if is_full => return Err(Stop::Full),
                Ok(read) => length += read,
                Err(_) => return Err(Stop::Damaged),
            }
        }
        rest = decoder.into_inner();
        if rest.is_empty() {
            return Ok(length);
        }
    }
    Err(Stop::Members)
}
