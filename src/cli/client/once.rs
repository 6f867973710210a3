//! Requests that must be carried out once, although their answer may be lost.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use http::HeaderValue;

use crate::cli::{Exit, Failure};
use crate::domain::{OsRandom, Random};

/// How a request that shows a token can be told from a second one like it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Once {
    /// The Idempotency-Key of an earlier run whose answer was lost: within 15 minutes the same command gets the same answer
    /// again. A new one for each run unless told otherwise.
    #[arg(long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
}

impl Once {
    /// The key that was given, or a new one.
    pub(in crate::cli) fn key(&self) -> Result<IdempotencyKey, Failure> {
        if let Some(key) = &self.idempotency_key {
            return Ok(IdempotencyKey(key.clone()));
        }
        let mut bytes = [0; KEY_BYTES];
        OsRandom.fill(&mut bytes).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        Ok(IdempotencyKey(URL_SAFE_NO_PAD.encode(bytes)))
    }
}

/// 192 bits; the admin API asks for 128 at least, since the kept answer is encrypted under them.
const KEY_BYTES: usize = 24;

/// What ties a request to its earlier tries.
pub(in crate::cli) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The header's value; it is kept out of logs like a token.
    pub(super) fn header(&self) -> Result<HeaderValue, Failure> {
        let mut value = HeaderValue::from_str(&self.0)
            .map_err(|_| Failure::new(Exit::Usage, "--idempotency-key has other characters than a header may"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// What to do where the answer was lost for good.
    pub(in crate::cli) fn advice(&self) -> String {
        format!("within 15 minutes the same command with --idempotency-key {} gets the same answer", self.0)
    }
}

fn key(text: &str) -> Result<String, &'static str> {
    let fits = (22..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned()).ok_or("22 to 255 visible characters")
}
