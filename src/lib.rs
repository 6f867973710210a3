//! Gridgate, the front door for OpenTelemetry.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod observe;
pub mod otlp;
pub mod server;
pub mod shutdown;
pub mod storage;
