//! The filters of single exports, in a query.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::domain::origin::MAX_ORIGIN_LENGTH;
use crate::domain::request::{Outcome, RequestFilter};
use crate::domain::{Reason, Timestamp};

/// The filters of single exports. Those that are there have to be fulfilled together.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters, which are taken one by one")]
pub(in crate::admin) struct RequestQuery {
    /// Only exports of this project.
    #[param(value_type = Option<schemas::Slug>, nullable = false)]
    project: Option<String>,
    /// Only exports of this grid.
    #[param(value_type = Option<schemas::Slug>, nullable = false)]
    grid: Option<String>,
    /// Only exports of this environment.
    #[param(value_type = Option<schemas::Slug>, nullable = false)]
    environment: Option<String>,
    /// Only exports whose token names this key.
    #[param(value_type = Option<schemas::KeyId>, nullable = false)]
    key: Option<String>,
    /// Only exports of this signal.
    #[param(value_type = Option<schemas::Signal>, nullable = false)]
    signal: Option<String>,
    /// Only exports of which this became.
    #[param(value_type = Option<ExportOutcome>, nullable = false)]
    outcome: Option<String>,
    /// Only exports that were refused for this.
    #[param(value_type = Option<RefusalReason>, nullable = false)]
    reason: Option<String>,
    /// Only exports from this address.
    #[param(value_type = Option<schemas::Address>, nullable = false)]
    address: Option<String>,
    /// Only exports whose `service.name` is this.
    #[param(max_length = 128, nullable = false)]
    service: Option<String>,
    /// Only exports that arrived at this instant or later.
    #[param(value_type = Option<schemas::Instant>, nullable = false)]
    from: Option<String>,
    /// Only exports that arrived before this instant.
    #[param(value_type = Option<schemas::Instant>, nullable = false)]
    to: Option<String>,
    /// Only exports that took at least so many milliseconds.
    #[param(minimum = 0, maximum = 4_294_967_295_u64)]
    min_latency: Option<u32>,
}

/// What can become of an export.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes a text")]
pub(in crate::admin) enum ExportOutcome {
    /// It is durable.
    Accepted,
    /// It was turned away.
    Refused,
    /// Its client left.
    Gone,
}

/// Why an export can be refused.
pub(in crate::admin) struct RefusalReason;

impl PartialSchema for RefusalReason {
    fn schema() -> RefOr<Schema> {
        let names = Reason::ALL.iter().map(|reason| reason.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
    }
}

impl ToSchema for RefusalReason {}

/// The names of the parameters.
pub(super) const NAMES: [&str; 12] = [
    "project",
    "grid",
    "environment",
    "key",
    "signal",
    "outcome",
    "reason",
    "address",
    "service",
    "from",
    "to",
    "min_latency",
];

/// Takes the filters; what is wrong with them is noted.
pub(super) fn take(check: &mut Check, parameters: &mut Parameters) -> RequestFilter {
    let mut slug = |name: &str, parameters: &mut Parameters| {
        let text = parameters.take(name);
        check.slug(parameter(name), text.as_deref())
    };
    let (project, grid) = (slug("project", parameters), slug("grid", parameters));
    let environment = slug("environment", parameters);
    let key = parsed(check, parameters, "key", "the id of a key: key_ and 12 characters");
    let signal = parsed(check, parameters, "signal", "traces, metrics, logs or profiles");
    let outcome = named(check, parameters, "outcome", &Outcome::ALL, Outcome::as_str);
    let reason = named(check, parameters, "reason", Reason::ALL, Reason::as_str);
    let address = parsed(check, parameters, "address", "an address of IPv4 or IPv6");
    let service = parameters.take("service");
    if service.as_ref().is_some_and(|service| service.len() > MAX_ORIGIN_LENGTH) {
        let fix = format!("at most {MAX_ORIGIN_LENGTH} bytes, to which longer names are cut");
        check.refuse(parameter("service"), "it is too long", fix);
    }
    let instant = "an RFC 3339 instant, for example 2026-11-21T10:22:00Z";
    let from = parsed::<Timestamp>(check, parameters, "from", instant);
    let to = parsed::<Timestamp>(check, parameters, "to", instant);
    let millis = parsed::<u32>(check, parameters, "min_latency", "a whole number of milliseconds");
    let min_latency = millis.map(|millis| Duration::from_millis(millis.into()));
    RequestFilter { project, grid, environment, key, signal, outcome, reason, address, service, from, to, min_latency }
}

/// Looks the project up within what the caller may see, and narrows the filter to that. Without a project the installation's admins
/// see all; others see their own.
pub(super) async fn narrow(state: &AdminState, caller: &Caller, filter: &mut RequestFilter) -> Result<(), Problem> {
    match &filter.project {
        Some(project) => drop(projects::visible(state, caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(
    check: &mut Check,
    parameters: &mut Parameters,
    name: &str,
    fix: &str,
) -> Option<T> {
    match parameters.take(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            check.refuse(parameter(name), error.to_string(), fix);
            None
        }
    }
}

fn named<T: Copy>(
    check: &mut Check,
    parameters: &mut Parameters,
    name: &str,
    all: &[T],
    label: impl Fn(T) -> &'static str,
) -> Option<T> {
    let text = parameters.take(name)?;
    let found = all.iter().copied().find(|&one| label(one) == text);
    if found.is_none() {
        let labels: Vec<_> = all.iter().map(|&one| label(one)).collect();
        check.refuse(parameter(name), format!("there is no such {name}"), format!("one of {}", labels.join(", ")));
    }
    found
}
