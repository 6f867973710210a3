//! Work over the catalog that nobody waits for: usage, uses of keys and what was turned away are written down, keys are looked
//! through, ends of plans are told, alerts are given, webhooks are sent, and kept answers and sessions are forgotten.

pub mod alerts;
pub mod hygiene;
pub mod plans;
pub mod refusals;
pub mod requests;
pub mod senders;
pub mod sweep;
pub mod usage;
pub mod uses;
pub mod webhooks;

use crate::catalog::CatalogError;
use crate::domain::random::RandomError;
use crate::observe::jobs::Fault;

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

/// What the database says may name its address, which is for the log.
impl Fault for CatalogError {
    fn shown(&self) -> String {
        match self {
            Self::Unavailable(_) => "the catalog's database is unavailable".to_owned(),
            other => other.to_string(),
        }
    }
}

impl Fault for UpkeepError {
    fn shown(&self) -> String {
        match self {
            Self::Catalog(error) => error.shown(),
            Self::Random(error) => error.to_string(),
        }
    }
}
