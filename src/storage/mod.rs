//! Telemetry at rest: the way of an accepted export from its record to its tenant's destination.

pub mod destination;
