//! Tests of the crate through its public interfaces, one module for each part.

mod lake;
