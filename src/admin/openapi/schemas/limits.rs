//! The words of limits.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::limit;

named! {
    /// What a limit counts: exports, items, or bytes of payloads.
    LimitUnit = limit::Unit
}

named! {
    /// For how long the amount of a limit is: a rate, or a quota for a calendar day or month in UTC.
    LimitPeriod = limit::Per
}

named! {
    /// What happens over a limit: exports are refused, accepted with a warning, or only counted.
    LimitMode = limit::Mode
}

named! {
    /// What a limit is about.
    LimitScope = limit::Scope
}

/// Where a limit comes from.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum LimitSource {
    /// It was given to the very project, tenant or key.
    Own,
    /// From the plan of the project.
    Plan,
}
