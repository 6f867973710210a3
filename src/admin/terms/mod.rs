//! Limits in bodies and answers, and what holds in the end for a project, a tenant and a key.

pub(super) mod live;
pub(super) mod of_key;
pub(super) mod of_project;
pub mod of_tenant;
pub(super) mod show_tenant;

use std::fmt;

use axum::Json;
use http::HeaderName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::AdminState;
use super::check::Check;
use super::openapi::schemas;
use super::precondition::etag;
use super::problem::Place;
use crate::catalog::CatalogError;
use crate::domain::limit::{Limit, LimitError, MAX_AMOUNT, Mode, Per, Unit};
use crate::domain::{Limits, Plan, Project, Signal};

/// One limit of a body.
#[derive(Clone, Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLimit {
    /// What is counted. Only limits per second count requests.
    #[schema(value_type = schemas::LimitUnit)]
    pub unit: Option<String>,
    /// For how long the amount is.
    #[schema(value_type = schemas::LimitPeriod)]
    pub per: Option<String>,
    /// How much.
    #[schema(value_type = u64, minimum = 1, maximum = 1_000_000_000_000u64)]
    pub amount: Option<Value>,
    /// How much may come at once after a pause, of a limit per second; the amount unless told otherwise, and never less.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 1_000_000_000_000u64)]
    pub burst: Option<Value>,
    /// Of which signal; of all together unless told otherwise.
    #[schema(value_type = Option<schemas::Signal>)]
    pub signal: Option<String>,
    /// What happens over it; `enforce` unless told otherwise.
    #[schema(value_type = Option<schemas::LimitMode>)]
    pub mode: Option<String>,
}

/// One limit in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Limit)]
pub struct LimitView {
    /// What is counted.
    #[schema(value_type = schemas::LimitUnit)]
    pub unit: String,
    /// For how long the amount is.
    #[schema(value_type = schemas::LimitPeriod)]
    pub per: String,
    /// How much.
    pub amount: u64,
    /// How much may come at once after a pause; none of a limit per day or month.
    pub burst: Option<u64>,
    /// Of which signal; none: of all together.
    #[schema(value_type = Option<schemas::Signal>)]
    pub signal: Option<String>,
    /// What happens over it.
    #[schema(value_type = schemas::LimitMode)]
    pub mode: String,
}

/// What a project, a tenant or a key is limited to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitsView {
    /// The limits of its own.
    pub limits: Vec<LimitView>,
    /// Every limit that its exports have to keep to: what is its own, what comes from the plan, and those of the tenant and of the
    /// project around it.
    pub effective: Vec<EffectiveLimit>,
}

/// A limit that holds, and how it stands on the node that answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EffectiveLimit {
    /// What it is about: what is counted together.
    #[schema(value_type = schemas::LimitScope)]
    pub scope: String,
    /// Where it comes from.
    #[schema(value_type = schemas::LimitSource)]
    pub source: String,
    /// The limit.
    pub limit: LimitView,
    /// How much is used: of the burst, or of the amount for the present day or month.
    pub used: u64,
    /// How much is left.
    pub remaining: u64,
    /// When all of it is left again: of a limit per second, if nothing else comes.
    #[schema(value_type = schemas::Instant)]
    pub resets_at: String,
    /// Of a limit that is not enforced: the part of yesterday's exports (UTC) that all such limits over them would have refused, from 0
    /// to 1; none where there were no exports.
    #[schema(minimum = 0, maximum = 1)]
    pub would_have_refused: Option<f64>,
}

impl From<&Limit> for LimitView {
    fn from(limit: &Limit) -> Self {
        Self {
            unit: limit.unit.to_string(),
            per: limit.per.to_string(),
            amount: limit.amount.get(),
            burst: (limit.per == Per::Second).then_some(limit.burst.get()),
            signal: limit.signal.map(|signal| signal.to_string()),
            mode: limit.mode.to_string(),
        }
    }
}

/// The text form of a limit.
impl fmt::Display for LimitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, per, amount, burst, signal, mode } = self;
        if let Some(signal) = signal {
            write!(f, "{signal} ")?;
        }
        write!(f, "{amount} {unit}/{per}")?;
        if let Some(burst) = burst.filter(|burst| burst != amount) {
            write!(f, " burst {burst}")?;
        }
        if mode == Mode::Enforce.as_str() { Ok(()) } else { write!(f, " {mode}") }
    }
}

impl From<&Limit> for NewLimit {
    fn from(limit: &Limit) -> Self {
        let LimitView { unit, per, amount, burst, signal, mode } = limit.into();
        let (amount, burst) = (Some(amount.into()), burst.map(Value::from));
        Self { unit: Some(unit), per: Some(per), amount, burst, signal, mode: Some(mode) }
    }
}

/// An answer about limits: the version of what they belong to, and what is shown.
type Answer = ([(HeaderName, String); 1], Json<LimitsView>);

fn answer(version: u64, limits: &Limits, effective: Vec<EffectiveLimit>) -> Answer {
    (etag(version), Json(LimitsView { limits: views(limits), effective }))
}

/// Limits in answers.
pub(super) fn views(limits: &Limits) -> Vec<LimitView> {
    limits.iter().map(LimitView::from).collect()
}

/// The plan of a project.
async fn plan_of(state: &AdminState, project: &Project) -> Result<Option<Plan>, CatalogError> {
    match &project.plan {
        Some(plan) => state.catalog.plan(plan).await,
        None => Ok(None),
    }
}

/// How many limits one scope can have: one for each period, unit and signal, and for all signals together.
const MAX_LIMITS: usize = 35;

/// The limits of the list at `place`; what is wrong with it is noted.
pub(super) fn limits(check: &mut Check, place: &str, limits: &[NewLimit]) -> Option<Limits> {
    if limits.len() > MAX_LIMITS {
        check.refuse(
            Place::Pointer(place.to_owned()),
            format!("there are {}", limits.len()),
            format!("at most {MAX_LIMITS}"),
        );
        return None;
    }
    let mut all: Vec<Limit> = Vec::new();
    let mut wrong = false;
    for (index, new) in limits.iter().enumerate() {
        let at = format!("{place}/{index}");
        let Some(limit) = limit(check, &at, new) else {
            wrong = true;
            continue;
        };
        if all.iter().any(|one| one.slot() == limit.slot()) {
            wrong = true;
            check.refuse(
                Place::Pointer(at),
                LimitError::Twice.to_string(),
                "one limit for each period, unit and signal",
            );
        } else {
            all.push(limit);
        }
    }
    if wrong { None } else { Limits::new(all).ok() }
}

fn limit(check: &mut Check, at: &str, new: &NewLimit) -> Option<Limit> {
    let place = |field: &str| Place::Pointer(format!("{at}/{field}"));
    let unit = required(check, place("unit"), new.unit.as_deref(), "unit", Unit::ALL, Unit::named);
    let per = required(check, place("per"), new.per.as_deref(), "period", Per::ALL, Per::named);
    let signal = word(check, place("signal"), new.signal.as_deref(), "signal", &Signal::ALL, |name| name.parse().ok());
    let mode = word(check, place("mode"), new.mode.as_deref(), "mode", Mode::ALL, Mode::named);
    let amount = number(check, place("amount"), new.amount.as_ref(), LimitError::Amount);
    if new.amount.is_none() {
        check.missing(place("amount"));
    }
    let burst = number(check, place("burst"), new.burst.as_ref(), LimitError::Burst);
    let (Ok(signal), Ok(mode), Ok(amount), Ok(burst)) = (signal, mode, amount, burst) else { return None };
    let limit = Limit::new(per?, unit?, signal, amount?, burst, mode.unwrap_or(Mode::Enforce));
    let error = match limit {
        Ok(limit) => return Some(limit),
        Err(error) => error,
    };
    let (field, fix) = match error {
        LimitError::Amount => ("amount", format!("a whole number from 1 to {MAX_AMOUNT}")),
        LimitError::Burst => ("burst", format!("a whole number from the amount to {MAX_AMOUNT}, or leave it out")),
        LimitError::QuotaBurst => ("burst", "leave it out, or send per: second".to_owned()),
        LimitError::QuotaRequests => ("unit", "items or bytes, or send per: second".to_owned()),
        LimitError::Twice | LimitError::Form => return None,
    };
    check.refuse(place(field), error.to_string(), fix);
    None
}

/// A word of a closed list that must be there.
fn required<T: Copy + ToString>(
    check: &mut Check,
    place: Place,
    text: Option<&str>,
    what: &str,
    all: &[T],
    named: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if text.is_none() {
        check.missing(place.clone());
    }
    word(check, place, text, what, all, named).ok()?
}

/// What is wrong has been noted.
struct Noted;

/// A word of a closed list, `None` where there is none.
fn word<T: Copy + ToString>(
    check: &mut Check,
    place: Place,
    text: Option<&str>,
    what: &str,
    all: &[T],
    named: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Noted> {
    let Some(text) = text else { return Ok(None) };
    let found = named(text);
    if found.is_none() {
        let words: Vec<_> = all.iter().map(T::to_string).collect();
        check.refuse(place, format!("there is no such {what}"), format!("one of {}", words.join(", ")));
    }
    found.map(Some).ok_or(Noted)
}

/// A number in range, `None` where there is none.
fn number(check: &mut Check, place: Place, value: Option<&Value>, error: LimitError) -> Result<Option<u64>, Noted> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_u64().filter(|number| (1..=MAX_AMOUNT).contains(number));
    if number.is_none() {
        check.refuse(place, error.to_string(), format!("a whole number from 1 to {MAX_AMOUNT}"));
    }
    number.map(Some).ok_or(Noted)
}

/// The largest number of active keys.
const MAX_ACTIVE_KEYS: u32 = 1_000_000;

/// The field `max_active_keys`.
pub(super) fn max_active_keys(check: &mut Check, most: Option<u32>) {
    if most.is_some_and(|most| !(1..=MAX_ACTIVE_KEYS).contains(&most)) {
        let fix = format!("a whole number from 1 to {MAX_ACTIVE_KEYS}, or null");
        check.refuse(Place::field("max_active_keys"), "it is out of range", fix);
    }
}
