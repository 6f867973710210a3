//! Gridgate, the front door for OpenTelemetry.

pub mod catalog;
pub mod domain;
pub mod otlp;
pub mod storage;
