//! Randomness as a parameter.

use std::sync::Mutex;

use sha2::{Digest, Sha256};

/// Where random bytes come from.
pub trait Random: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    /// Where the source gives none; no weaker source is ever used in its place.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The source of randomness gave none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError;

/// The operating system's cryptographically secure generator.
#[derive(Clone, Copy, Default, Debug)]
pub struct OsRandom;

impl Random for OsRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(|_| RandomError)
    }
}

/// A reproducible sequence, for tests: SHA-256 of the seed and a counter.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let mut counter = self.counter.lock().map_err(|_| RandomError)?;
        for chunk in buffer.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(counter.to_le_bytes()).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            *counter += 1;
        }
        Ok(())
    }
}
