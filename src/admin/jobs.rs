//! `GET /jobs`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::openapi::schemas;
use super::problem::Problem;
use crate::domain::{Permission, Timestamp};
use crate::observe::jobs::Shown;

/// The background jobs of a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobsView {
    /// The jobs.
    pub data: Vec<JobView>,
}

/// A background job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// `new`: it has not ended yet; `running`, `idle`, or `failing`: the last time it went wrong.
    #[schema(value_type = JobState)]
    pub state: String,
    /// How often it has ended since the process started.
    pub runs: u64,
    /// How often it has failed.
    pub failures: u64,
    /// When it last began.
    #[schema(value_type = Option<schemas::Instant>)]
    pub started_at: Option<String>,
    /// When it last ended.
    #[schema(value_type = Option<schemas::Instant>)]
    pub ended_at: Option<String>,
    /// When it last ended well.
    #[schema(value_type = Option<schemas::Instant>)]
    pub succeeded_at: Option<String>,
    /// When it last failed.
    #[schema(value_type = Option<schemas::Instant>)]
    pub failed_at: Option<String>,
    /// What was wrong then.
    pub last_error: Option<String>,
    /// What is still to be done, where that can be said.
    pub lag: Option<LagView>,
}

/// What a job is doing.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes a text")]
enum JobState {
    /// It has not ended yet.
    New,
    /// It is at work.
    Running,
    /// It ended well, and waits.
    Idle,
    /// It went wrong the last time.
    Failing,
}

/// What is still to be done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LagView {
    /// How much.
    pub amount: u64,
    /// Of what, such as `bytes`.
    pub unit: String,
}

/// The background jobs of the process that answers, with how they do. Only keys of the whole installation may see them.
#[utoipa::path(
    get, path = "/jobs", tag = "requests", operation_id = "list_jobs",
    security(("bearer" = ["usage.view"])),
    responses((status = 200, body = JobsView), (status = 403, description = "installation_only")),
)]
pub(super) async fn handler(State(state): State<AdminState>, caller: Caller) -> Result<Json<JobsView>, Problem> {
    caller.require(Permission::UsageView)?;
    caller.require_installation()?;
    Ok(Json(JobsView { data: state.jobs.list().into_iter().map(JobView::from).collect() }))
}

impl From<Shown> for JobView {
    fn from(Shown { name, progress, lag }: Shown) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            name,
            state: progress.state().to_owned(),
            runs: progress.runs,
            failures: progress.failures,
            started_at: text(progress.started_at),
            ended_at: text(progress.ended_at),
            succeeded_at: text(progress.succeeded_at),
            failed_at: text(progress.failed_at),
            last_error: progress.error,
            lag: lag.map(|(amount, unit)| LagView { amount, unit: unit.to_owned() }),
        }
    }
}
