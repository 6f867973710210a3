//! `GET /usage/top`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UsageView;
use super::list;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::UsageQuery;
use crate::admin::page::{MAX_LIMIT, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::Rank;
use crate::domain::Permission;

/// The groups with the most.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageTopView {
    /// That with the most first; `at` is the beginning of the range.
    pub data: Vec<UsageView>,
    /// How many groups there are in all, without that of which nobody proved anything.
    pub groups: u64,
}

/// By what groups are ranked, and how many are shown.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query")]
pub(in crate::admin) struct RankQuery {
    /// By what they are ranked: `items` unless told otherwise.
    #[param(pattern = "^(items|bytes|received)$", nullable = false)]
    rank_by: Option<String>,
    /// The most groups.
    #[param(minimum = 1, maximum = 200, default = 10, nullable = false)]
    limit: Option<u32>,
}

/// Who has used the most in a range: all of it in one row for each group. Without groups that is the sum of everything.
#[utoipa::path(
    get, path = "/usage/top", tag = "usage", operation_id = "top_usage",
    security(("bearer" = ["usage.view"])),
    params(UsageQuery, RankQuery),
    responses((status = 200, body = UsageTopView), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<UsageTopView>, Problem> {
    caller.require(Permission::UsageView)?;
    let mut check = Check::default();
    let rank = rank(&mut check, parameters.take("rank_by").as_deref());
    let most = most(&mut check, parameters.take("limit").as_deref());
    let (mut filter, grouping) = list::range(&mut check, &mut parameters, state.clock.now());
    parameters.finish(&mut check, &[&list::RANGE[..], &["rank_by", "limit"]].concat());
    check.finish(Some(()))?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let top = state.catalog.top_usage(&filter, rank, most).await?;
    let data = top.rows.iter().flat_map(|row| grouping.views(row)).collect();
    Ok(Json(UsageTopView { data, groups: top.groups }))
}

/// The groups that are shown unless told otherwise.
const DEFAULT_GROUPS: u32 = 10;

fn rank(check: &mut Check, text: Option<&str>) -> Rank {
    let Some(text) = text else { return Rank::Items };
    let found = Rank::ALL.into_iter().find(|rank| rank.as_str() == text);
    found.unwrap_or_else(|| {
        let names = Rank::ALL.map(Rank::as_str).join(", ");
        check.refuse(parameter("rank_by"), "there is no such rank", format!("one of {names}"));
        Rank::Items
    })
}

fn most(check: &mut Check, text: Option<&str>) -> u32 {
    match text.map(str::parse) {
        None => DEFAULT_GROUPS,
        Some(Ok(most @ 1..=MAX_LIMIT)) => most,
        Some(_) => {
            check.refuse(parameter("limit"), "it is out of range", format!("a whole number from 1 to {MAX_LIMIT}"));
            DEFAULT_GROUPS
        }
    }
}
