//! Gridgate, the front door for OpenTelemetry.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod domain;
pub mod otlp;
