//! Tokens that were found in public.

/// What happens to a key whose token was found in public.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeakPolicy {
    /// It is marked as exposed, and goes on to be good.
    Alert,
    /// It is marked, and revoked.
    Revoke,
}
