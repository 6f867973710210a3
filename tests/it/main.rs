//! Tests of the crate through its public interfaces, one module for each part.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do; clippy exempts only the functions that bear the attribute"
)]

mod lake;
