//! The integration tests, as one binary.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod otlp;
