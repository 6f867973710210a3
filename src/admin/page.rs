//! Query parameters and pages of lists.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::check::Check;
use super::problem::{Place, Problem};
use crate::catalog::{Page, Paging};

/// The rows of a page unless told otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: u32 = 200;

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PageView<T> {
    /// The rows.
    pub data: Vec<T>,
    /// The `cursor` of the next page.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> PageView<T> {
    /// The page with each of its rows shown by `view`.
    pub(super) fn new<R>(page: Page<R>, view: impl FnMut(R) -> T) -> Self {
        Self { data: page.items.into_iter().map(view).collect(), has_more: page.next.is_some(), next_cursor: page.next }
    }
}

/// The query of a request. Each parameter is taken by name; what is left over at the end is refused.
pub(super) struct Parameters(Vec<(String, String)>);

impl FromRequestParts<AdminState> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        // Pairs of text are read from any query; bytes that are not UTF-8 become replacement characters.
        Query::try_from_uri(&parts.uri).map(|Query(pairs)| Self(pairs)).map_err(Problem::internal)
    }
}

impl Parameters {
    /// Takes the parameter `name`; a second one of that name stays behind and is refused.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.remove(position).1)
    }

    /// Takes `limit` and `cursor`.
    pub(super) fn paging(&mut self, check: &mut Check) -> Paging {
        self.paging_up_to(MAX_LIMIT, check)
    }

    /// The same of a list whose pages may have `most` rows.
    pub(super) fn paging_up_to(&mut self, most: u32, check: &mut Check) -> Paging {
        let limit = match self.take("limit").map(|text| text.parse()) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => {
                check.refuse(parameter("limit"), "it is out of range", format!("a whole number from 1 to {most}"));
                DEFAULT_LIMIT
            }
        };
        Paging { limit, after: self.take("cursor") }
    }

    /// Refuses what was not taken; `known` lists what there is.
    pub(super) fn finish(self, check: &mut Check, known: &[&str]) {
        for (name, _) in self.0 {
            let detail =
                if known.contains(&name.as_str()) { "it is there twice" } else { "there is no such parameter" };
            let fix = match known {
                [] => "this path has no parameters".to_owned(),
                _ => format!("each of {} at most once", known.join(", ")),
            };
            check.refuse(Place::Parameter(name), detail, fix);
        }
    }
}

/// The place of the parameter `name`.
pub(super) fn parameter(name: &str) -> Place {
    Place::Parameter(name.to_owned())
}
