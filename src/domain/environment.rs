//! Environments: the third coordinate of a tenant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Slug, Timestamp};

/// One environment of the installation. `production`, `staging` and `development` are there from the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Environment {
    /// Used in paths, headers, API and configuration; unique and immutable.
    pub slug: Slug,
    /// Used in tokens; unique and immutable.
    pub code: EnvironmentCode,
    /// Free text for people.
    pub name: String,
    /// After how many days its keys are due for a new secret; `None`: never.
    pub rotation_days: Option<u32>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The environments every installation starts with: slug, code and display name.
pub const BUILT_IN: [(&str, &str, &str); 3] =
    [("production", "prd", "Production"), ("staging", "stg", "Staging"), ("development", "dev", "Development")];

/// The short form of an environment in tokens: 2 to 8 of `[a-z0-9]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentCode(Arc<str>);

impl EnvironmentCode {
    /// The code's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` has the form of a code.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        (2..=8).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
    }
}

/// The text is not 2 to 8 characters of `a-z` and `0-9`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an environment's code has 2 to 8 characters of a-z and 0-9")]
pub struct EnvironmentCodeError;

impl FromStr for EnvironmentCode {
    type Err = EnvironmentCodeError;

    fn from_str(text: &str) -> Result<Self, EnvironmentCodeError> {
        if Self::is_valid(text) { Ok(Self(Arc::from(text))) } else { Err(EnvironmentCodeError) }
    }
}

impl fmt::Display for EnvironmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EnvironmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
