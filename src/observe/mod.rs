//! Watching the gate itself: structured logs and metrics.

pub mod alerts;
pub mod forward;
pub mod hygiene;
pub mod jobs;
pub mod logging;
pub mod metrics;
pub mod tls;
pub mod webhooks;
