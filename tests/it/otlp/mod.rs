//! OTLP payloads: what is accepted, what is counted, what is refused.

mod arbitrary;
mod json;
mod json_rules;
mod reference;
mod scan;

#[path = "../../../benches/bodies/mod.rs"]
mod bodies;
