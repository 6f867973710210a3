//! Work over the catalog that nobody waits for: usage and uses of keys are written down, keys are looked through, ends of plans are
//! told, webhooks are sent, and kept answers are forgotten.

pub mod hygiene;
pub mod plans;
pub mod senders;
pub mod sweep;
pub mod usage;
pub mod uses;
pub mod webhooks;

use crate::catalog::CatalogError;
use crate::domain::random::RandomError;

/// Why a piece of work was not finished. The next time it goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// There were no ids to be had.
    #[error(transparent)]
    Random(#[from] RandomError),
}
