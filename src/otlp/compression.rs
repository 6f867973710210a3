//! Inflating payloads, whole and bounded: the one way that HTTP, gRPC and delivery share. And compressing for the log what was
//! sent plainly, because writing bytes to a disk costs more than making them fewer.
//!
//! Source: RFC 1952 (gzip). A gzip file may have several members; all of them count, and bytes after the last are refused.

use std::cell::RefCell;
use std::io::Read;

use bytes::Bytes;
use libdeflater::{DecompressionError, Decompressor};
use zstd::bulk;

use crate::domain::{BudgetExceeded, Encoding};

/// Why a payload cannot be inflated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InflateError {
    /// The compressed bytes are damaged, cut off, or followed by something else.
    #[error("the compressed bytes are damaged, cut off or followed by something else")]
    Damaged,
    /// More than the cap once decompressed.
    #[error("the body has more than {cap} bytes once decompressed")]
    TooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// The memory budget has no room for the output.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
}

/// A scratch buffer up to this size stays with its thread; a larger one is freed after use.
const KEPT_SCRATCH: usize = 1 << 20;

/// How every member begins (RFC 1952, section 2.3.1): two bytes of identification and the compression method.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// The smallest output buffer.
const MIN_OUTPUT: usize = 4 << 10;

struct Scratch {
    decompressor: Decompressor,
    /// Made when first used.
    compressor: Option<bulk::Compressor<'static>>,
    output: Vec<u8>,
}

impl Scratch {
    fn shrink(&mut self) {
        if self.output.len() > KEPT_SCRATCH {
            self.output = Vec::new();
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { decompressor: Decompressor::new(), compressor: None, output: Vec::new() });
}

/// Gives `payload`, inflated, to `then`. An identity payload is passed on as it is; the output of another lives in a buffer of
/// this thread and is gone afterwards. `reserve(bytes)` is asked before the output may take `bytes` in all.
///
/// # Errors
/// [`InflateError`]; then `then` is not called.
pub fn with_inflated<T>(
    encoding: Encoding,
    payload: &[u8],
    cap: usize,
    mut reserve: impl FnMut(usize) -> Result<(), BudgetExceeded>,
    then: impl FnOnce(&[u8]) -> T,
) -> Result<T, InflateError> {
    match encoding {
        Encoding::Identity if payload.len() > cap => Err(InflateError::TooLarge { cap }),
        Encoding::Identity => Ok(then(payload)),
        Encoding::Gzip | Encoding::Zstd => SCRATCH.with_borrow_mut(|scratch| {
            let length = match encoding {
                Encoding::Zstd => unzstd(scratch, payload, cap, &mut reserve)?,
                _ => gunzip(scratch, payload, cap, &mut reserve)?,
            };
            let result = then(&scratch.output[..length]);
            scratch.shrink();
            Ok(result)
        }),
    }
}

/// A payload below this size is written as it is: it shares its block on the disk with others anyway.
const MIN_COMPRESSED: usize = 4 << 10;

/// The fast end of zstd: measured on 100 spans, a quarter of the bytes for less time than writing the other three quarters.
const LOG_LEVEL: i32 = -3;

/// `payload` in zstd, where that saves at least a quarter of it. `None`: write it as it is.
#[must_use]
pub fn for_log(payload: &[u8]) -> Option<Bytes> {
    if payload.len() < MIN_COMPRESSED {
        return None;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.compressor.is_none() {
            scratch.compressor = bulk::Compressor::new(LOG_LEVEL).ok();
        }
        let room = payload.len() / 4 * 3;
        if scratch.output.len() < room {
            scratch.output.resize(room, 0);
        }
        // Too little room is an error, and means that too little would be saved.
        let length = scratch.compressor.as_mut()?.compress_to_buffer(payload, &mut scratch.output[..room]).ok()?;
        let compressed = Bytes::copy_from_slice(&scratch.output[..length]);
        scratch.shrink();
        Some(compressed)
    })
}

/// Inflates `payload` into the scratch buffer and returns the output's length.
fn gunzip(
    scratch: &mut Scratch,
    payload: &[u8],
    cap: usize,
    reserve: &mut impl FnMut(usize) -> Result<(), BudgetExceeded>,
) -> Result<usize, InflateError> {
    // The last eight bytes of a member are the CRC-32 and the size, modulo 2^32, of what it inflates to. The sender wrote
    // them, so the size is only a first guess within the cap.
    let Some((_, trailer)) = payload.split_last_chunk::<8>() else { return Err(InflateError::Damaged) };
    let (crc, size) = trailer.split_at(4);
    let (crc, size) = (u32_of(crc), u32_of(size) as usize);
    let mut room = size.clamp(MIN_OUTPUT, cap.max(MIN_OUTPUT));
    loop {
        reserve(room)?;
        if scratch.output.len() < room {
            scratch.output.resize(room, 0);
        }
        match scratch.decompressor.gzip_decompress(payload, &mut scratch.output[..room]) {
            Ok(length) if length > cap => return Err(InflateError::TooLarge { cap }),
            // libdeflate stops silently after the first member, and does not say where. That one was all if the trailer
            // fits its output and no further member begins anywhere: the trailer of a second, equal member fits too.
            Ok(length)
                if length == size
                    && crc32fast::hash(&scratch.output[..length]) == crc
                    && memchr::memmem::find(&payload[1..], &MEMBER).is_none() =>
            {
                return Ok(length);
            }
            Ok(_) => return gunzip_members(scratch, payload, cap, reserve),
            Err(DecompressionError::BadData) => return Err(InflateError::Damaged),
            Err(DecompressionError::InsufficientSpace) if room >= cap => return Err(InflateError::TooLarge { cap }),
            Err(DecompressionError::InsufficientSpace) => room = room.saturating_mul(2).min(cap),
        }
    }
}

/// The slow way for what is rare: several members one after the other.
fn gunzip_members(
    scratch: &mut Scratch,
    payload: &[u8],
    cap: usize,
    reserve: &mut impl FnMut(usize) -> Result<(), BudgetExceeded>,
) -> Result<usize, InflateError> {
    let mut decoder = flate2::bufread::MultiGzDecoder::new(payload);
    let mut length = 0;
    loop {
        if length == scratch.output.len() {
            let room = scratch.output.len().saturating_mul(2).clamp(MIN_OUTPUT, cap + 1);
            reserve(room)?;
            scratch.output.resize(room, 0);
        }
        match decoder.read(&mut scratch.output[length..]) {
            Ok(0) => return Ok(length),
            Ok(read) => length += read,
            Err(_) => return Err(InflateError::Damaged),
        }
        if length > cap {
            return Err(InflateError::TooLarge { cap });
        }
    }
}

/// Inflates what the log has compressed into the scratch buffer. Such a payload says its size.
fn unzstd(
    scratch: &mut Scratch,
    payload: &[u8],
    cap: usize,
    reserve: &mut impl FnMut(usize) -> Result<(), BudgetExceeded>,
) -> Result<usize, InflateError> {
    let size = bulk::Decompressor::upper_bound(payload).ok_or(InflateError::Damaged)?;
    if size > cap {
        return Err(InflateError::TooLarge { cap });
    }
    reserve(size)?;
    if scratch.output.len() < size {
        scratch.output.resize(size, 0);
    }
    bulk::decompress_to_buffer(payload, &mut scratch.output[..size]).map_err(|_| InflateError::Damaged)
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    fn inflate(payload: &[u8], cap: usize) -> Result<Vec<u8>, InflateError> {
        with_inflated(Encoding::Gzip, payload, cap, |_| Ok(()), <[u8]>::to_vec)
    }

    #[test]
    fn every_member_counts() {
        let members = [gzip(b"one"), gzip(b""), gzip(&vec![7; 100_000])].concat();
        let mut expected = b"one".to_vec();
        expected.extend(vec![7; 100_000]);
        assert_eq!(inflate(&members, 1 << 20), Ok(expected));
    }

    /// Two equal members: the trailer of the last fits the output of the first, so that only the size of the whole could tell.
    #[test]
    fn two_equal_members_are_both_kept() {
        let members = [gzip(b"again"), gzip(b"again")].concat();
        assert_eq!(inflate(&members, 1 << 20), Ok(b"againagain".to_vec()));
    }

    #[test]
    fn damaged_cut_off_and_trailing_bytes_are_refused() {
        let good = gzip(&[1, 2, 3].repeat(1000));
        assert_eq!(inflate(&[], 100), Err(InflateError::Damaged));
        assert_eq!(inflate(b"not gzip at all", 100), Err(InflateError::Damaged));
        assert_eq!(inflate(&good[..good.len() - 1], 10_000), Err(InflateError::Damaged));
        assert_eq!(inflate(&[good.as_slice(), b"garbage!!"].concat(), 10_000), Err(InflateError::Damaged));
        let mut damaged = good;
        let crc = damaged.len() - 8;
        damaged[crc] ^= 1;
        assert_eq!(inflate(&damaged, 10_000), Err(InflateError::Damaged));
    }

    #[test]
    fn the_cap_is_exact_for_bodies_and_bombs() {
        assert_eq!(inflate(&gzip(&[0; 5000]), 5000).map(|body| body.len()), Ok(5000));
        assert_eq!(inflate(&gzip(&[0; 5001]), 5000), Err(InflateError::TooLarge { cap: 5000 }));
        assert_eq!(inflate(&gzip(&[0; 100]), 50), Err(InflateError::TooLarge { cap: 50 }));
        let bomb = gzip(&vec![0; 10 << 20]);
        assert_eq!(inflate(&bomb, 1 << 20), Err(InflateError::TooLarge { cap: 1 << 20 }));
        // A sender that lies about the size gains nothing.
        let mut liar = bomb;
        let size = liar.len() - 4;
        liar[size..].copy_from_slice(&[1, 0, 0, 0]);
        assert!(inflate(&liar, 1 << 20).is_err());
    }

    #[test]
    fn memory_is_reserved_before_it_is_taken() {
        let payload = gzip(&vec![0; 100_000]);
        let mut asked = Vec::new();
        let reserve = |bytes| {
            asked.push(bytes);
            Ok(())
        };
        let result = with_inflated(Encoding::Gzip, &payload, 1 << 20, reserve, <[u8]>::len);
        assert_eq!(result, Ok(100_000));
        assert_eq!(asked, [100_000]);
        let refused = with_inflated(Encoding::Gzip, &payload, 1 << 20, |_| Err(BudgetExceeded::Now), <[u8]>::len);
        assert_eq!(refused, Err(InflateError::Budget(BudgetExceeded::Now)));
    }

    fn unzstd(payload: &[u8], cap: usize) -> Result<Vec<u8>, InflateError> {
        with_inflated(Encoding::Zstd, payload, cap, |_| Ok(()), <[u8]>::to_vec)
    }

    #[test]
    fn the_log_compresses_what_it_is_worth_and_gets_it_back() {
        let worth = b"http.request.method GET ".repeat(1000);
        let compressed = for_log(&worth).expect("it repeats itself");
        assert!(compressed.len() < worth.len() / 4);
        assert_eq!(unzstd(&compressed, worth.len()), Ok(worth.clone()));
        assert_eq!(unzstd(&compressed, worth.len() - 1), Err(InflateError::TooLarge { cap: worth.len() - 1 }));
        assert_eq!(unzstd(&compressed[..compressed.len() - 1], worth.len()), Err(InflateError::Damaged));
        assert_eq!(unzstd(b"nothing of the kind", 100), Err(InflateError::Damaged));
        assert_eq!(for_log(&worth[..1000]), None);
        let mut noise: u32 = 1;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .take(10_000)
        .collect();
        assert_eq!(for_log(&noise), None);
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..4)) {
            let compressed: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
            prop_assert_eq!(inflate(&compressed, 1 << 20), Ok(parts.concat()));
        }

        #[test]
        fn any_bytes_at_all_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _: Result<_, _> = inflate(&[&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat(), 1000);
        }
    }
}
