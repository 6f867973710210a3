//! Where a tenant's data ends up.

pub mod lake;
