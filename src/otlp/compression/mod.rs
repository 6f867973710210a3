//! Inflating payloads, whole and bounded: the one way that HTTP, gRPC and delivery share. And compressing for the log what was
//! sent plainly, because writing bytes to a disk costs more than making them fewer.
//!
//! A payload is inflated into one buffer in one go. How large it will become is guessed from what it says of itself, within what
//! its form can make of so many bytes; where the guess is too small it is inflated again into one of twice the size. A guess is
//! never less than the payload, which takes time to read even where nothing comes of it: so there are few attempts at a large
//! one, whatever it claims. A payload that lies about its size takes no more memory than one that does not, a bomb ends at the
//! cap, and there are no other buffers besides the one that was reserved.

mod gzip;
mod zlib;
mod zstd;

use std::cell::RefCell;

use ::zstd::bulk;
use ::zstd::zstd_safe::DCtx;
use libdeflater::Decompressor;

use crate::domain::{BudgetExceeded, Encoding};

pub use self::zstd::for_log;

/// Why a payload cannot be inflated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InflateError {
    /// The compressed bytes are damaged, cut off, or followed by something else.
    #[error("the compressed bytes are damaged, cut off or followed by something else")]
    Damaged,
    /// A zstd frame whose window is larger than RFC 9659 allows.
    #[error("a zstd frame needs a window of more than {} bytes (RFC 9659)", zstd::MAX_WINDOW)]
    Window,
    /// A zstd frame that needs a dictionary.
    #[error("a zstd frame needs a dictionary, and there is none")]
    Dictionary,
    /// More parts than any sender makes; each costs time, however small it is.
    #[error("more than {MAX_MEMBERS} gzip members or zstd frames")]
    Members,
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

/// The smallest output buffer.
const MIN_OUTPUT: usize = 4 << 10;

/// How many times larger a payload is guessed to become that does not say its size: most of OTLP is below.
const GUESS: usize = 8;

/// How many gzip members or zstd frames a payload may have: 64 MiB in blocks of 16 KiB.
const MAX_MEMBERS: usize = 4096;

/// What a thread keeps for the next payload. Each part is made when first used.
#[derive(Default)]
struct Scratch {
    deflate: Option<Decompressor>,
    zstd: Option<DCtx<'static>>,
    compressor: Option<bulk::Compressor<'static>>,
    output: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Lends this thread's scratch to `then`, and frees its output afterwards where it has become large.
fn with_scratch<T>(then: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        let result = then(scratch);
        if scratch.output.len() > KEPT_SCRATCH {
            scratch.output = Vec::new();
        }
        result
    })
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
    reserve: impl FnMut(usize) -> Result<(), BudgetExceeded>,
    then: impl FnOnce(&[u8]) -> T,
) -> Result<T, InflateError> {
    if encoding == Encoding::Identity {
        return if payload.len() > cap { Err(InflateError::TooLarge { cap }) } else { Ok(then(payload)) };
    }
    with_scratch(|scratch| {
        let Scratch { deflate, zstd, output, .. } = scratch;
        let length = match encoding {
            Encoding::Zstd => {
                let guess = zstd::guess(payload, cap)?;
                let context = zstd.get_or_insert_with(DCtx::create);
                inflate(output, guess, cap, reserve, |output| zstd::inflate(context, payload, output))?
            }
            Encoding::Deflate => {
                let guess = payload.len().saturating_mul(GUESS);
                inflate(output, guess, cap, reserve, |output| zlib::inflate(payload, output))?
            }
            Encoding::Gzip | Encoding::Identity => {
                let guess = gzip::guess(payload).ok_or(InflateError::Damaged)?;
                let deflate = deflate.get_or_insert_with(Decompressor::new);
                inflate(output, guess, cap, reserve, |output| gzip::inflate(deflate, payload, output))?
            }
        };
        Ok(then(&output[..length]))
    })
}

/// Why a payload did not become the whole of an output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    /// The output is too small for it.
    Full,
    /// The compressed bytes are damaged, cut off, or followed by something else.
    Damaged,
    /// It has too many parts.
    Members,
}

/// Has `output` filled by `decode`, which is given a larger part of it until all fits, and returns the length.
fn inflate(
    output: &mut Vec<u8>,
    guess: usize,
    cap: usize,
    mut reserve: impl FnMut(usize) -> Result<(), BudgetExceeded>,
    mut decode: impl FnMut(&mut [u8]) -> Result<usize, Stop>,
) -> Result<usize, InflateError> {
    let most = cap.max(MIN_OUTPUT);
    let mut room = guess.clamp(MIN_OUTPUT, most);
    loop {
        reserve(room)?;
        if output.len() < room {
            // The old one goes before the new one comes, which the system hands out page by page as it is written to.
            *output = Vec::new();
            *output = vec![0; room];
        }
        match decode(&mut output[..room]) {
            Ok(length) if length <= cap => return Ok(length),
            Err(Stop::Damaged) => return Err(InflateError::Damaged),
            Err(Stop::Members) => return Err(InflateError::Members),
            Err(Stop::Full) if room < most => room = room.saturating_mul(2).min(most),
            Ok(_) | Err(Stop::Full) => return Err(InflateError::TooLarge { cap }),
        }
    }
}

#[cfg(test)]
mod tests;
