//! `GET /keys/review`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{self, PageQuery, ReviewQuery};
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::{Paging, Review};
use crate::domain::hygiene::{Quarter, RotationPolicy, attention};
use crate::domain::{Binding, Key, Permission, Slug, Timestamp};

/// A key on the list that is gone through every quarter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// The key's public id.
    #[schema(value_type = schemas::KeyId)]
    pub id: String,
    /// `ingest` or `admin`.
    #[schema(value_type = schemas::KeyKind)]
    pub kind: String,
    /// Free text for people.
    pub name: String,
    /// The customer or owner that it is for.
    pub owner: Option<String>,
    /// The project it belongs to.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The grid of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The environment of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// `expired`, `disabled` or `active`.
    #[schema(value_type = schemas::KeyStatus)]
    pub status: String,
    /// When it was created.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// Its age, in whole days.
    pub age_days: u64,
    /// The age of its current secret, in whole days.
    pub secret_age_days: Option<u64>,
    /// When it was last used.
    #[schema(value_type = Option<schemas::Instant>)]
    pub last_used_at: Option<String>,
    /// Why it needs attention.
    #[schema(value_type = Vec<schemas::Flag>)]
    pub attention: Vec<String>,
    /// The quarter that the list is of.
    #[schema(value_type = schemas::Quarter)]
    pub quarter: String,
    /// When somebody last confirmed in that quarter that it is needed.
    #[schema(value_type = Option<schemas::Instant>)]
    pub reviewed_at: Option<String>,
    /// The admin key that did so.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub reviewed_by: Option<String>,
}

/// Every key that is not revoked, by id, and whether somebody has confirmed in a quarter that it is still needed.
#[utoipa::path(
    get, path = "/keys/review", tag = "keys", operation_id = "list_keys_to_review",
    security(("bearer" = ["api.key.view"])),
    params(ReviewQuery, PageQuery),
    responses((status = 200, body = PageView<ReviewView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<ReviewView>>, Problem> {
    caller.require(Permission::KeyView)?;
    let now = state.clock.now();
    let (quarter, mut project, paging) = read(parameters, now)?;
    match &project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => project = caller.binding.project().cloned(),
    }
    let policy = RotationPolicy::new(&state.catalog.environments().await?);
    let page = state.catalog.living_keys(project.as_ref(), &paging).await?;
    let reviews = state.catalog.reviews(project.as_ref(), &paging, quarter.begin(), quarter.end()).await?;
    Ok(Json(PageView::new(page, |key| {
        let review = reviews.iter().find(|review| review.key == key.id);
        ReviewView::new(&key, review, quarter, &policy, now)
    })))
}

fn read(mut parameters: Parameters, now: Timestamp) -> Result<(Quarter, Option<Slug>, Paging), Problem> {
    let mut check = Check::default();
    let fix = "a quarter that has begun, like 2026-Q4, or leave it out for the present one";
    let quarter = match parameters.take("quarter").map(|text| text.parse::<Quarter>()) {
        None => Quarter::of(now),
        Some(Ok(quarter)) if quarter.begin() <= now => quarter,
        Some(wrong) => {
            let detail = wrong.err().map_or("the quarter has not begun".to_owned(), |error| error.to_string());
            check.refuse(parameter("quarter"), detail, fix);
            Quarter::of(now)
        }
    };
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["quarter", "project", "limit", "cursor"]);
    check.finish(Some((quarter, project, paging)))
}

impl ReviewView {
    fn new(key: &Key, review: Option<&Review>, quarter: Quarter, policy: &RotationPolicy, now: Timestamp) -> Self {
        let tenant = match &key.binding {
            Binding::Tenant(tenant) => Some(tenant),
            Binding::Project(_) | Binding::Installation => None,
        };
        let days = |since: Timestamp| now.since(since).as_secs() / (24 * 3600);
        let current = key.secrets.iter().find(|secret| secret.retires_at.is_none());
        Self {
            id: key.id.to_string(),
            kind: key.binding.kind().as_str().to_owned(),
            name: key.name.clone(),
            owner: key.owner.clone(),
            project: key.binding.project().map(Slug::to_string),
            grid: tenant.map(|tenant| tenant.grid.to_string()),
            environment: tenant.map(|tenant| tenant.environment.to_string()),
            status: key.status(now).to_string(),
            created_at: key.created_at.to_string(),
            age_days: days(key.created_at),
            secret_age_days: current.map(|secret| days(secret.created_at)),
            last_used_at: key.last_used().map(|used| used.last_at.to_string()),
            attention: attention(key, policy, now).iter().map(ToString::to_string).collect(),
            quarter: quarter.to_string(),
            reviewed_at: review.map(|review| review.at.to_string()),
            reviewed_by: review.and_then(|review| review.by.clone()),
        }
    }
}
