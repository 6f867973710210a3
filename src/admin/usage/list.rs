//! `GET /usage`

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, header};

use super::{CSV_HEAD, Grouping, UsageView};
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::{Catalog, CatalogError, Dimension, Page, Paging, UsageFilter, UsageRow};
use crate::domain::usage::Step;
use crate::domain::{KeyId, Permission, Timestamp};

/// How much came in and what became of it, by minute, hour or day, oldest first.
///
/// With `Accept: text/csv` the whole range comes as CSV, without `limit` and `cursor`.
#[utoipa::path(
    get, path = "/usage", tag = "usage", operation_id = "list_usage",
    security(("bearer" = ["usage.view"])),
    params(schemas::UsageQuery, schemas::UsagePageQuery),
    responses(
        (status = 200, content((PageView<UsageView> = "application/json"), (String = "text/csv"))),
        (status = 404, description = "project_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(Permission::UsageView)?;
    let csv = wants_csv(&headers);
    let (mut filter, grouping, paging) = read(parameters, state.clock.now(), csv)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let page = state.catalog.usage(&filter, &paging).await?;
    if csv {
        return Ok(whole(Arc::clone(&state.catalog), filter, grouping, page));
    }
    let data = page.items.iter().flat_map(|row| grouping.views(row)).collect();
    Ok(Json(PageView { data, has_more: page.next.is_some(), next_cursor: page.next }).into_response())
}

/// Rows that are read at once for CSV.
const CSV_PAGE: u32 = 1_000;

/// The most rows of a page: as many keys as may be asked for at once, each with the hours of a day and the one that has begun.
const MAX_ROWS: u32 = 5_000;

/// The most keys that may be asked for at once: those of a page of the list of keys.
const MAX_KEYS: usize = 200;

/// What is read for each time of the answer where the query does not say from when on: a day of hours.
const DEFAULT_STEPS: u32 = 24;

fn wants_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    ranges.any(|range| range.trim().eq_ignore_ascii_case("text/csv"))
}

/// Everything from `first` on, page by page. Where the catalog fails on the way the answer breaks off, which its client sees.
fn whole(catalog: Arc<dyn Catalog>, filter: UsageFilter, grouping: Grouping, first: Page<UsageRow>) -> Response {
    let head = stream::once(async { Ok::<_, CatalogError>(CSV_HEAD.to_owned()) });
    let pages = stream::try_unfold(Some(Next::Page(first)), move |next| {
        let (catalog, filter, grouping) = (Arc::clone(&catalog), filter.clone(), grouping.clone());
        async move {
            let page = match next {
                None => return Ok(None),
                Some(Next::Page(page)) => page,
                Some(Next::After(cursor)) => {
                    let paging = Paging { limit: CSV_PAGE, after: Some(cursor) };
                    let page = catalog.usage(&filter, &paging).await;
                    page.inspect_err(|error| tracing::error!(%error, "usage as CSV breaks off"))?
                }
            };
            let lines: String =
                page.items.iter().flat_map(|row| grouping.views(row)).map(|view| view.csv_line()).collect();
            Ok(Some((lines, page.next.map(Next::After))))
        }
    });
    let body = Body::from_stream(stream::StreamExt::chain(head, pages));
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], body).into_response()
}

/// What comes next.
enum Next {
    Page(Page<UsageRow>),
    After(String),
}

fn read(mut parameters: Parameters, now: Timestamp, csv: bool) -> Result<(UsageFilter, Grouping, Paging), Problem> {
    let mut check = Check::default();
    let (filter, grouping) = range(&mut check, &mut parameters, now);
    let mut known = RANGE.to_vec();
    let paging = if csv {
        Paging { limit: CSV_PAGE, after: None }
    } else {
        known.extend(["limit", "cursor"]);
        parameters.paging_up_to(MAX_ROWS, &mut check)
    };
    parameters.finish(&mut check, &known);
    check.finish(Some((filter, grouping, paging)))
}

/// The parameters that [`range`] takes.
pub(super) const RANGE: [&str; 9] =
    ["from", "to", "step", "group_by", "project", "grid", "environment", "key", "signal"];

/// Which usage is asked for, and in which groups.
pub(super) fn range(check: &mut Check, parameters: &mut Parameters, now: Timestamp) -> (UsageFilter, Grouping) {
    let step = parsed(check, parameters, "step", "minute, hour or day").unwrap_or(Step::Hour);
    let instant = "an RFC 3339 instant, for example 2026-11-21T10:00:00Z";
    let from = parsed::<Timestamp>(check, parameters, "from", instant);
    let to = parsed::<Timestamp>(check, parameters, "to", instant).unwrap_or(now);
    let from = from.unwrap_or_else(|| to.before(step.length() * DEFAULT_STEPS));
    if from >= to {
        check.refuse(
            parameter("from"),
            "it is not before to",
            "an instant before that of to, which is now where it is left out",
        );
    }
    let grouping = grouping(check, parameters.take("group_by").as_deref());
    let mut slug = |name| check.slug(parameter(name), parameters.take(name).as_deref());
    let (project, grid, environment) = (slug("project"), slug("grid"), slug("environment"));
    let keys = keys(check, parameters.take("key").as_deref());
    let signal = parsed(check, parameters, "signal", "traces, metrics, logs or profiles");
    let by = grouping.by.clone();
    let filter = UsageFilter { step, from: step.start(from), to, by, project, grid, environment, keys, signal };
    (filter, grouping)
}

/// The ids of the parameter, which separates them by commas.
fn keys(check: &mut Check, text: Option<&str>) -> Vec<KeyId> {
    let Some(text) = text else { return Vec::new() };
    let keys: Result<Vec<KeyId>, _> = text.split(',').map(str::parse).collect();
    let refused = match keys {
        Ok(keys) if keys.len() <= MAX_KEYS => return keys,
        Ok(keys) => format!("there are {}", keys.len()),
        Err(error) => format!("{error}"),
    };
    let fix = format!("1 to {MAX_KEYS} ids of ingest keys, key_ and 12 characters each, with commas between them");
    check.refuse(parameter("key"), refused, fix);
    Vec::new()
}

fn grouping(check: &mut Check, text: Option<&str>) -> Grouping {
    let mut grouping = Grouping { by: Vec::new(), by_outcome: false };
    for name in text.into_iter().flat_map(|text| text.split(',')) {
        let known = Dimension::ALL.into_iter().find(|by| by.as_str() == name);
        match known {
            Some(by) if !grouping.by.contains(&by) => grouping.by.push(by),
            None if name == OUTCOME && !grouping.by_outcome => grouping.by_outcome = true,
            _ => {
                let detail =
                    if known.is_some() || name == OUTCOME { "it is there twice" } else { "there is no such group" };
                let fix =
                    "project, grid, environment, key, signal and outcome, each at most once, with commas between them";
                check.refuse(parameter("group_by"), detail, fix);
                break;
            }
        }
    }
    grouping
}

const OUTCOME: &str = "outcome";

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    check: &mut Check,
    parameters: &mut Parameters,
    name: &str,
    fix: &str,
) -> Option<T> {
    match parameters.take(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            check.refuse(parameter(name), format!("{error}"), fix);
            None
        }
    }
}
