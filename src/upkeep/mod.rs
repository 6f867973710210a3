//! Work over the catalog that nobody waits for: webhooks are sent.

pub mod webhooks;
