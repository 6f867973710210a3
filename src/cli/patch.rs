//! Edits: the fields to change and nothing else, of what still is as it was read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::{Exit, Failure};

/// The fields to change.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Patch(Map<String, Value>);

impl Patch {
    /// Those of `fields` that have a value; null removes what is there.
    pub(super) fn new(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Self {
        Self(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    /// Changes what is at `path` if it still has the version that was given, or else the one that `read` finds.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        client: &Client,
        path: &str,
        given: Option<u64>,
        read: impl AsyncFnOnce() -> Result<u64, Failure>,
    ) -> Result<T, Failure> {
        if self.0.is_empty() {
            return Err(Failure::new(Exit::Usage, "there is nothing to change").hint("--help says what can be"));
        }
        let version = match given {
            Some(version) => version,
            None => read().await?,
        };
        client.patch(path, self, Some(version)).await.map_err(|failure| {
            if failure.is(VERSION_CONFLICT) {
                failure.hint(format!(
                    "nothing was changed: somebody was faster than version {version}; look at what is there now, then edit again"
                ))
            } else {
                failure
            }
        })
    }
}

/// The code of an edit that came too late.
pub(super) const VERSION_CONFLICT: &str = "version_conflict";

/// A text, where one was given.
pub(super) fn text(value: Option<&String>) -> Option<Value> {
    value.map(|value| json!(value))
}

/// A list, where one was given.
pub(super) fn list(values: &[String]) -> Option<Value> {
    (!values.is_empty()).then(|| json!(values))
}
