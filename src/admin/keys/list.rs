//! `GET /keys`

use axum::Json;
use axum::extract::State;

use super::KeyView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{KeyQuery, PageQuery};
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::Paging;
use crate::catalog::keys::list::{KeyFilter, Order, OrderBy, Search};
use crate::domain::hygiene::Flag;
use crate::domain::tags::{TagError, is_tag};
use crate::domain::{KeyStatus, Permission, Timestamp, TokenKind};

/// The keys that the caller may see; without revoked ones unless the filter names them.
#[utoipa::path(
    get, path = "/keys", tag = "keys", operation_id = "list_keys",
    security(("bearer" = ["api.key.view"])),
    params(KeyQuery, PageQuery),
    responses((status = 200, body = PageView<KeyView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<KeyView>>, Problem> {
    caller.require(Permission::KeyView)?;
    let (mut filter, paging) = read(parameters)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let now = state.clock.now();
    let page = state.catalog.keys(&filter, now, &paging).await?;
    let environments = state.catalog.environments().await?;
    Ok(Json(PageView::new(page, |key| KeyView::new(&key, &environments, now))))
}

fn read(mut parameters: Parameters) -> Result<(KeyFilter, Paging), Problem> {
    let mut check = Check::default();
    let mut slug = |name| check.slug(parameter(name), parameters.take(name).as_deref());
    let (project, grid, environment, role) = (slug("project"), slug("grid"), slug("environment"), slug("role"));
    let kinds = [("ingest", TokenKind::Ingest), ("admin", TokenKind::Admin)];
    let kind = one_of(&mut check, "kind", parameters.take("kind").as_deref(), &kinds);
    let member =
        one_of(&mut check, "member", parameters.take("member").as_deref(), &[("true", true), ("false", false)]);
    let statuses = statuses(&mut check, parameters.take("status").as_deref());
    let tag = parameters.take("tag").filter(|tag| {
        let good = is_tag(tag);
        if !good {
            check.refuse(parameter("tag"), "it is no tag", TagError::Form.to_string());
        }
        good
    });
    let owner = text(&mut check, "owner", parameters.take("owner"));
    let (needs_attention, attention) = flag(&mut check, parameters.take("attention").as_deref());
    let rotating =
        one_of(&mut check, "rotating", parameters.take("rotating").as_deref(), &[("true", true), ("false", false)]);
    let search = text(&mut check, "q", parameters.take("q"))
        .map(|text| text.parse().map_or_else(|_| Search::Name(text), Search::Id));
    let last_used_before = instant(&mut check, "last_used_before", parameters.take("last_used_before").as_deref());
    let expires_before = instant(&mut check, "expires_before", parameters.take("expires_before").as_deref());
    let order = order(&mut check, parameters.take("sort").as_deref(), search.as_ref(), attention);
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &KNOWN);
    let filter = KeyFilter {
        project,
        grid,
        environment,
        kind,
        statuses,
        role,
        tag,
        owner,
        member,
        attention,
        needs_attention,
        rotating,
        search,
        last_used_before,
        expires_before,
        order,
    };
    check.finish(Some((filter, paging)))
}

const KNOWN: [&str; 17] = [
    "project",
    "grid",
    "environment",
    "kind",
    "status",
    "role",
    "tag",
    "owner",
    "member",
    "attention",
    "rotating",
    "q",
    "last_used_before",
    "expires_before",
    "sort",
    "limit",
    "cursor",
];

/// The longest text that is looked for, in characters: that of the longest name and owner.
const MAX_TEXT_LENGTH: usize = 100;

/// The value with the name that the parameter has.
fn one_of<T: Copy>(check: &mut Check, name: &str, text: Option<&str>, all: &[(&str, T)]) -> Option<T> {
    let text = text?;
    let found = all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        check.refuse(parameter(name), format!("there is no such {name}"), names.join(" or "));
    }
    found
}

/// Whether any flag is asked for, or which.
fn flag(check: &mut Check, text: Option<&str>) -> (bool, Option<Flag>) {
    let Some(text) = text else { return (false, None) };
    if text == ANY {
        return (true, None);
    }
    let found: Result<Flag, _> = text.parse();
    if let Err(error) = &found {
        let names: Vec<_> = Flag::ALL.iter().map(|flag| flag.as_str()).collect();
        check.refuse(parameter("attention"), error.to_string(), format!("any, or one of {}", names.join(", ")));
    }
    (false, found.ok())
}

const ANY: &str = "any";

fn text(check: &mut Check, name: &str, text: Option<String>) -> Option<String> {
    let text = text?;
    let fix = "1 to 100 characters without control characters";
    if text.is_empty() || text.chars().count() > MAX_TEXT_LENGTH {
        check.refuse(parameter(name), "it is empty or too long", fix);
    } else if text.chars().any(char::is_control) {
        check.refuse(parameter(name), "it has a control character", fix);
    } else {
        return Some(text);
    }
    None
}

fn instant(check: &mut Check, name: &str, text: Option<&str>) -> Option<Timestamp> {
    match text?.parse() {
        Ok(instant) => Some(instant),
        Err(error) => {
            let error: crate::domain::clock::TimestampError = error;
            check.refuse(parameter(name), error.to_string(), "an RFC 3339 instant, for example 2026-11-21T10:22:00Z");
            None
        }
    }
}

/// The newest first unless told otherwise; what is searched by name is found in the order of names, and what needs attention with
/// the longest due first.
fn order(check: &mut Check, text: Option<&str>, search: Option<&Search>, attention: Option<Flag>) -> Order {
    let Some(text) = text else {
        return match (search, attention) {
            (Some(Search::Name(_)), _) => Order { by: OrderBy::Name, descending: false },
            (_, Some(_)) => Order { by: OrderBy::Attention, descending: false },
            (_, None) => Order::default(),
        };
    };
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let found = OrderBy::ALL.into_iter().find(|by| by.as_str() == name);
    let Some(by) = found else {
        let names = OrderBy::ALL.map(OrderBy::as_str).join(", ");
        check.refuse(parameter("sort"), "there is no such order", format!("one of {names}, or with '-' before it"));
        return Order::default();
    };
    Order { by, descending }
}

/// The statuses of the parameter, which separates them by commas; `all` shows every key.
fn statuses(check: &mut Check, text: Option<&str>) -> Vec<KeyStatus> {
    let shown = match text {
        None => Some(KeyStatus::ALL.into_iter().filter(|status| *status != KeyStatus::Revoked).collect()),
        Some("all") => Some(Vec::new()),
        Some(text) => text
            .split(',')
            .map(|name| KeyStatus::ALL.into_iter().find(|status| status.as_str() == name))
            .collect::<Option<Vec<_>>>(),
    };
    shown.unwrap_or_else(|| {
        let names = KeyStatus::ALL.map(KeyStatus::as_str).join(", ");
        check.refuse(parameter("status"), "there is no such status", format!("all, or one or more of {names}"));
        Vec::new()
    })
}
