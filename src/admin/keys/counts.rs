//! `GET /keys/counts`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::CountQuery;
use crate::admin::page::{Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::KeyFilter;
use crate::catalog::keys::list::{Order, OrderBy};
use crate::domain::hygiene::Flag;
use crate::domain::{KeyStatus, Permission, Slug};

/// What is counted of keys: lists that are often asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyCountOf {
    /// Keys that are not revoked.
    NotRevoked,
    /// Keys that need attention, for whatever reason.
    Attention,
    /// Keys in the overlap of two secrets.
    Rotating,
    /// Keys that expire within seven days.
    ExpiringSoon,
    /// Keys that nobody has used for 45 days.
    #[serde(rename = "unused_45")]
    Unused45,
    /// Keys that are revoked.
    Revoked,
}

/// How many keys there are of a view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyCountView {
    /// The view.
    pub view: KeyCountOf,
    /// How many, up to 1000.
    #[schema(maximum = 1000)]
    pub count: u64,
    /// Whether there are more than that.
    pub more: bool,
}

/// How many keys there are of each view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyCountsView {
    /// One for each view that was asked for.
    pub data: Vec<KeyCountView>,
}

/// How many keys the caller may see of each view, up to 1000.
#[utoipa::path(
    get, path = "/keys/counts", tag = "keys", operation_id = "count_keys",
    security(("bearer" = ["api.key.view"])),
    params(CountQuery),
    responses((status = 200, body = KeyCountsView), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<KeyCountsView>, Problem> {
    caller.require(Permission::KeyView)?;
    let (mut project, views) = read(parameters)?;
    match &project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => project = caller.binding.project().cloned(),
    }
    let now = state.clock.now();
    let mut data = Vec::with_capacity(views.len());
    for view in views {
        let found = state.catalog.count_keys(&view.filters(project.as_ref()), now, MOST + 1).await?;
        data.push(KeyCountView { view, count: found.min(MOST.into()), more: found > MOST.into() });
    }
    Ok(Json(KeyCountsView { data }))
}

/// So far is counted, so that a count costs no more than a few pages, however many keys there are.
const MOST: u32 = 1_000;

fn read(mut parameters: Parameters) -> Result<(Option<Slug>, Vec<KeyCountOf>), Problem> {
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let views = views(&mut check, parameters.take("view").as_deref());
    parameters.finish(&mut check, &["project", "view"]);
    check.finish(Some((project, views)))
}

fn views(check: &mut Check, text: Option<&str>) -> Vec<KeyCountOf> {
    let Some(text) = text else { return KeyCountOf::ALL.to_vec() };
    let mut views = Vec::new();
    for name in text.split(',') {
        match KeyCountOf::ALL.into_iter().find(|view| view.as_str() == name) {
            Some(view) if !views.contains(&view) => views.push(view),
            found => {
                let detail = if found.is_some() { "it is there twice" } else { "there is no such view" };
                let names = KeyCountOf::ALL.map(KeyCountOf::as_str).join(", ");
                check.refuse(
                    parameter("view"),
                    detail,
                    format!("{names}, each at most once, with commas between them"),
                );
                break;
            }
        }
    }
    views
}

impl KeyCountOf {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::NotRevoked, Self::Attention, Self::Rotating, Self::ExpiringSoon, Self::Unused45, Self::Revoked];

    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRevoked => "not_revoked",
            Self::Attention => "attention",
            Self::Rotating => "rotating",
            Self::ExpiringSoon => Flag::ExpiringSoon.as_str(),
            Self::Unused45 => Flag::Unused45.as_str(),
            Self::Revoked => KeyStatus::Revoked.as_str(),
        }
    }

    /// The lists that its keys are in one or more of, each in the order of an index.
    fn filters(self, project: Option<&Slug>) -> Vec<KeyFilter> {
        let living = || KeyFilter {
            project: project.cloned(),
            statuses: KeyStatus::ALL.into_iter().filter(|status| *status != KeyStatus::Revoked).collect(),
            ..KeyFilter::default()
        };
        let flagged = |flag| KeyFilter {
            attention: Some(flag),
            order: Order { by: OrderBy::Attention, descending: false },
            ..living()
        };
        match self {
            Self::NotRevoked => vec![living()],
            // The others imply one of these.
            Self::Attention => {
                use Flag::{Expiring, Exposed, NeverUsed, RotationDue, Unused45, Weak};
                [RotationDue, Expiring, Unused45, NeverUsed, Weak, Exposed].map(flagged).to_vec()
            }
            Self::Rotating => vec![KeyFilter { rotating: Some(true), ..living() }],
            Self::ExpiringSoon => vec![flagged(Flag::ExpiringSoon)],
            Self::Unused45 => vec![flagged(Flag::Unused45)],
            Self::Revoked => vec![KeyFilter { statuses: vec![KeyStatus::Revoked], ..living() }],
        }
    }
}
