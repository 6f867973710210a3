//! OTLP on the wire: reading, validating and translating payloads without building structs of them.

pub mod compression;
pub mod json;
pub mod scan;
pub mod schema;
pub mod stamp;
pub mod wire;
