//! zstd (RFC 8878) as a content coding (RFC 9659): any number of frames, skippable ones among them, each with a window of at
//! most 8 MiB and without a dictionary. Bytes after the last frame are refused, and checksums are verified where there are any.
//!
//! libzstd inflates frame after frame straight into the output and needs no window besides. What it would let through is found
//! before, by walking over the frames' headers.

use bytes::Bytes;
use zstd::bulk;
use zstd::zstd_safe::DCtx;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

use super::{GUESS, InflateError, MAX_MEMBERS, Stop, with_scratch};
use crate::domain::BudgetExceeded;

/// The largest window in bytes (RFC 9659, section 3).
pub(super) const MAX_WINDOW: u64 = 8 << 20;

/// The most that one block becomes (RFC 8878, section 3.1.1.2.4).
const MAX_BLOCK: u64 = 128 << 10;

const FRAME: u32 = 0xfd2f_b528;
/// Magic numbers of skippable frames differ in their lowest four bits.
const SKIPPABLE: u32 = 0x184d_2a50;

/// How large `payload` probably becomes.
///
/// # Errors
/// Where it is no sequence of frames, or of frames that are not supported, or declares more than `cap` bytes.
pub(super) fn guess(payload: &[u8], cap: usize) -> Result<usize, InflateError> {
    let mut rest = payload;
    let (mut declared, mut most) = (0_u64, 0_u64);
    let (mut all_declare, mut frames) = (true, 0);
    if rest.is_empty() {
        return Err(InflateError::Damaged);
    }
    while !rest.is_empty() {
        if frames == MAX_MEMBERS {
            return Err(InflateError::Members);
        }
        frames += 1;
        let frame = Frame::read(&mut rest)?;
        all_declare &= frame.declared.is_some();
        declared = declared.saturating_add(frame.declared.unwrap_or(0));
        most = most.saturating_add(frame.most);
    }
    if declared > cap as u64 {
        return Err(InflateError::TooLarge { cap });
    }
    let size = if all_declare { declared } else { declared.max(payload.len().saturating_mul(GUESS) as u64) };
    Ok(usize::try_from(size.min(most)).unwrap_or(usize::MAX).max(payload.len()))
}

/// What the headers of one frame and of its blocks say.
struct Frame {
    /// The size that it declares to have once decompressed.
    declared: Option<u64>,
    /// The size that it can have at the most, going by its blocks.
    most: u64,
}

impl Frame {
    /// Takes the frame at the beginning of `rest` off.
    fn read(rest: &mut &[u8]) -> Result<Self, InflateError> {
        let magic = number(rest, 4)?;
        if magic & !0xf == u64::from(SKIPPABLE) {
            let length = number(rest, 4)?;
            take(rest, length)?;
            return Ok(Self { declared: Some(0), most: 0 });
        }
        if magic != u64::from(FRAME) {
            return Err(InflateError::Damaged);
        }
        let descriptor = number(rest, 1)?;
        let is_single_segment = descriptor & 0x20 != 0;
        let window = if is_single_segment { None } else { Some(number(rest, 1)?) };
        let dictionary = number(rest, if descriptor & 3 == 3 { 4 } else { descriptor & 3 })?;
        let declared = match (descriptor >> 6, is_single_segment) {
            (0, false) => None,
            (0, true) => Some(number(rest, 1)?),
            (1, _) => Some(number(rest, 2)? + 256),
            (2, _) => Some(number(rest, 4)?),
            _ => Some(number(rest, 8)?),
        };
        if dictionary != 0 {
            return Err(InflateError::Dictionary);
        }
        let window = match window {
            Some(byte) => (8 + (byte & 7)) << (7 + (byte >> 3)),
            None => declared.unwrap_or(0),
        };
        if window > MAX_WINDOW {
            return Err(InflateError::Window);
        }
        let mut most = 0_u64;
        loop {
            let header = number(rest, 3)?;
            let size = header >> 3;
            let (length, becomes) = match header >> 1 & 3 {
                0 => (size, size),
                1 => (1, size),
                2 => (size, MAX_BLOCK),
                _ => return Err(InflateError::Damaged),
            };
            take(rest, length)?;
            most = most.saturating_add(becomes);
            if header & 1 != 0 {
                break;
            }
        }
        if descriptor & 4 != 0 {
            take(rest, 4)?;
        }
        Ok(Self { declared, most })
    }
}

/// Takes `length` bytes off.
fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], InflateError> {
    let taken = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (taken, after) = taken.ok_or(InflateError::Damaged)?;
    *rest = after;
    Ok(taken)
}

/// Takes a number of `length` bytes off, the lowest first.
fn number(rest: &mut &[u8], length: u64) -> Result<u64, InflateError> {
    Ok(take(rest, length)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Inflates `payload`, whose frames are good, into `output` and returns the length.
pub(super) fn inflate(context: &mut DCtx<'_>, payload: &[u8], output: &mut [u8]) -> Result<usize, Stop> {
    const TOO_SMALL: usize = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();
    context.decompress(output, payload).map_err(|code| if code == TOO_SMALL { Stop::Full } else { Stop::Damaged })
}

/// A payload below this size is written as it is: it shares its block on the disk with others anyway.
const MIN_COMPRESSED: usize = 4 << 10;

/// The fast end of zstd: measured on 100 spans, a quarter of the bytes for less time than writing the other three quarters.
const LOG_LEVEL: i32 = -3;

/// `payload` in zstd, where that saves at least a quarter of it and `reserve` grants the memory that it takes. `None`: write it
/// as it is.
pub fn for_log(payload: &[u8], reserve: impl FnOnce(usize) -> Result<(), BudgetExceeded>) -> Option<Bytes> {
    if payload.len() < MIN_COMPRESSED {
        return None;
    }
    let room = payload.len() / 4 * 3;
    // The buffer, and what is copied out of it.
    reserve(2 * room).ok()?;
    with_scratch(|scratch| {
        if scratch.compressor.is_none() {
            scratch.compressor = bulk::Compressor::new(LOG_LEVEL).ok();
        }
        if scratch.output.len() < room {
            scratch.output = Vec::new();
            scratch.output = vec![0; room];
        }
        // Too little room is an error, and means that too little would be saved.
        let length = scratch.compressor.as_mut()?.compress_to_buffer(payload, &mut scratch.output[..room]).ok()?;
        Some(Bytes::copy_from_slice(&scratch.output[..length]))
    })
}
