//! Failures: how often an address may fail to authenticate before nothing is looked up for it any more.
//!
//! Only what fails is counted, and only look-ups are withheld: whoever shares an address with somebody who guesses, or who has a
//! wrong token in every process, goes on with a key that the gate knows. What can be refused without a look-up is refused with
//! its own reason, so that nobody is told to retry what will never succeed.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::address::origin;
use crate::domain::{Clock, Reason, Refusal};
use crate::metering::buckets::Buckets;

/// Who has failed to authenticate, and how often.
#[derive(Debug)]
pub struct Failures {
    addresses: Buckets<IpAddr>,
}

impl Failures {
    /// Nobody has failed yet; each address may do so `per_minute` times.
    #[must_use]
    pub fn new(per_minute: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        Self { addresses: Buckets::new(Duration::from_mins(1) / per_minute.get(), per_minute, clock) }
    }

    /// Counts a refusal where it says that nothing was proved.
    pub(super) async fn count(&self, peer: IpAddr, refusal: &Refusal) {
        use Reason as R;
        if matches!(refusal.reason, R::CredentialsMissing | R::CredentialsAmbiguous | R::KeyMalformed | R::KeyInvalid) {
            self.addresses.take(&origin(peer)).await;
        }
    }

    /// Whether something may be looked up for the address.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] where too much of it has failed.
    pub(super) async fn check(&self, peer: IpAddr) -> Result<(), Refusal> {
        match self.addresses.wait(&origin(peer)).await {
            None => Ok(()),
            Some(wait) => {
                let detail = format!(
                    "more than {} exports from {} failed to authenticate in a minute, and keys that are not known yet are not looked up for it",
                    self.addresses.burst(),
                    peer.to_canonical()
                );
                Err(Refusal::because(Reason::RateLimited, detail).retry_in(wait))
            }
        }
    }
}
