//! OTLP payloads: what is accepted, what is counted, what is refused.

mod arbitrary;
mod json;
mod json_rules;
mod reference;
mod scan;
mod stamp;

#[path = "../../../benches/bodies/mod.rs"]
mod bodies;
