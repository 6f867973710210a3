//! Work over the catalog that nobody waits for: uses of keys are written down, webhooks are sent.

pub mod uses;
pub mod webhooks;
