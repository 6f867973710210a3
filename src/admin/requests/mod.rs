//! The request log: single exports, those that were and those that are under way to their end.

pub(super) mod list;
pub(super) mod live;
mod query;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::catalog::Logged;
use crate::domain::Tenant;
use crate::domain::request::{Ended, Ending};

/// A single export. What its sender says of itself proves nothing, and may hold any character.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// Names it in the log; none in the live feed.
    pub id: Option<String>,
    /// When its headers had arrived, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub at: String,
    /// From its headers to its end, in microseconds.
    pub duration_us: u64,
    /// `grpc` or `http`.
    pub transport: String,
    /// The signal that its path names; none where that is no path of OTLP's.
    #[schema(value_type = Option<schemas::Signal>)]
    pub signal: Option<String>,
    /// Its project; none where nobody proved whose it is.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// Its grid.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// Its environment.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// Its key; none where nobody proved possession of one.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// The version of the key's secret.
    pub secret_version: Option<u32>,
    /// The key that its token names, where nothing was proved.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub claimed_key: Option<String>,
    /// `accepted`, `refused`, or `gone`: its client left.
    #[schema(value_type = query::ExportOutcome)]
    pub outcome: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// What its sender was told besides.
    pub detail: Option<String>,
    /// What its sender can do about it.
    pub advice: Option<String>,
    /// Spans, data points, log records or profile samples; none where they were not counted.
    pub items: Option<u64>,
    /// Bytes as they were sent; none where the body was not read.
    pub wire_bytes: Option<u64>,
    /// Bytes of the payload in protobuf, decompressed.
    pub bytes: Option<u64>,
    /// From which address it came.
    pub address: String,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// `service.name` of its first resource.
    pub service: Option<String>,
    /// `host.name` of its first resource.
    pub host: Option<String>,
    /// `deployment.environment.name` of its first resource.
    pub claimed_environment: Option<String>,
}

impl RequestView {
    fn new(id: Option<String>, ended: &Ended) -> Self {
        let tenant = ended.tenant.as_deref();
        let part = |part: fn(&Tenant) -> &crate::domain::Slug| tenant.map(|tenant| part(tenant).to_string());
        let key = ended.key.map(|key| key.to_string());
        let (key, claimed_key) = if tenant.is_some() { (key, None) } else { (None, key) };
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let reason = ended.ending.reason();
        let detail = match &ended.ending {
            Ending::Refused { detail, .. } => detail.clone(),
            Ending::Accepted | Ending::Gone => None,
        };
        Self {
            id,
            at: ended.at.to_string(),
            duration_us: u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
            transport: ended.transport.as_str().to_owned(),
            signal: ended.signal.map(|signal| signal.as_str().to_owned()),
            project: part(|tenant| &tenant.project),
            grid: part(|tenant| &tenant.grid),
            environment: part(|tenant| &tenant.environment),
            key,
            secret_version: ended.secret_version,
            claimed_key,
            outcome: ended.ending.outcome().as_str().to_owned(),
            reason: reason.map(|reason| reason.as_str().to_owned()),
            detail,
            advice: reason.map(|reason| reason.advice().to_owned()),
            items: ended.items,
            wire_bytes: ended.wire_bytes,
            bytes: ended.bytes,
            address: ended.address.to_string(),
            user_agent: ended.agent.clone(),
            service: text(&ended.origin.service),
            host: text(&ended.origin.host),
            claimed_environment: text(&ended.origin.environment),
        }
    }
}

impl From<Logged> for RequestView {
    fn from(logged: Logged) -> Self {
        Self::new(Some(logged.id), &logged.ended)
    }
}

/// A page of the request log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestsView {
    /// The exports, newest first.
    pub data: Vec<RequestView>,
    /// The `cursor` of the next page.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
    /// How many exports of the project (of all, without one) from `from` to `to` there was no room for, whatever else is filtered by.
    pub not_logged: u64,
}
