//! What was turned away, and why: read only.

pub(super) mod list;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::catalog::Refused;
use crate::domain::trouble::{Cause, Trouble};
use crate::domain::{Reason, Signal, Slug, Transport};

/// Exports with the same trouble, in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Refusals)]
pub struct RefusalView {
    /// Names the group for as long as it is kept.
    pub id: String,
    /// `refusal`, or `warning` where they were accepted all the same.
    pub kind: String,
    /// Why.
    #[schema(value_type = schemas::RefusalReason)]
    pub reason: String,
    /// What was wrong with the latest one that tells, in words.
    pub detail: Option<String>,
    /// What to do about it.
    pub advice: String,
    /// The earliest, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub first_seen: String,
    /// The latest.
    #[schema(value_type = schemas::Instant)]
    pub last_seen: String,
    /// How many there were.
    pub count: u64,
    /// The project of the key; none where nobody named a key that there is.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The key's grid.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The key's environment.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// The key whose secret was proved.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// The key that the token names, where nothing was proved: anybody can write that.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub claimed_key: Option<String>,
    /// The name of either.
    pub key_name: Option<String>,
    /// Where they came from; none where there are more sources than have a group of their own.
    #[schema(value_type = Option<schemas::Address>)]
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The `service.name`; none where the body was not read.
    pub service: Option<String>,
    /// The `service.name` that the same key was seen with at the same address, where there is none.
    pub likely_service: Option<String>,
    /// The signals; none of a path that is none of OTLP's, and of whoami.
    #[schema(value_type = Vec<schemas::Signal>)]
    pub signals: Vec<String>,
    /// `grpc`, `http` or both.
    pub transports: Vec<String>,
    /// The status that they got over HTTP; none of a warning.
    pub http_status: Option<u16>,
    /// The status that they got over gRPC, by name; none of a warning.
    pub grpc_status: Option<String>,
}

impl From<Refused> for RefusalView {
    fn from(refused: Refused) -> Self {
        let Refused { id, trouble: Trouble { group, seen }, key, likely_service } = refused;
        let text = |text: Option<Box<str>>| text.map(String::from);
        let is_proved = group.project.is_some();
        let id_of_key = group.key.map(|key| key.to_string());
        let (proved, claimed) = if is_proved { (id_of_key, None) } else { (None, id_of_key) };
        let (key_name, of_key, grid, environment) =
            key.map_or((None, None, None, None), |key| (Some(key.name), key.project, key.grid, key.environment));
        let (address, user_agent, service) = group.source.map_or((None, None, None), |source| {
            (Some(source.address.to_string()), text(source.agent), text(source.service))
        });
        let reason = match group.cause {
            Cause::Refused(reason) => Some(reason),
            Cause::EnvironmentDrift => None,
        };
        let slug = |slug: Option<Slug>| slug.map(|slug| slug.to_string());
        Self {
            id,
            kind: group.cause.kind().to_owned(),
            reason: group.cause.as_str().to_owned(),
            detail: text(seen.detail),
            advice: group.cause.advice().to_owned(),
            first_seen: seen.first_at.to_string(),
            last_seen: seen.last_at.to_string(),
            count: seen.exports,
            project: slug(group.project.or(of_key)),
            grid: slug(grid),
            environment: slug(environment),
            key: proved,
            claimed_key: claimed,
            key_name,
            address,
            user_agent,
            service,
            likely_service,
            signals: seen.signals.iter().map(Signal::as_str).map(str::to_owned).collect(),
            transports: seen.transports.iter().map(Transport::as_str).map(str::to_owned).collect(),
            http_status: reason.map(Reason::http_status),
            grpc_status: reason.map(|reason| reason.grpc_code().as_str().to_owned()),
        }
    }
}
