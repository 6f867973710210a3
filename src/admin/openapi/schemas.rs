//! The values that bodies, parameters and answers are made of, as the description has them: each is told once and referred to.
//!
//! Fields are text in the code, because the checks tell more of a fault than types do; `value_type` puts these in their place.
//! What a value may be is in the domain and in the checks; schemathesis holds both against these.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::domain::webhook::EventKind;
use crate::domain::{audit, hygiene, trouble};

/// 1 to 40 characters of `a-z`, `0-9` and single `-` between them. Immutable.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 40, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
pub struct Slug(pub String);

/// Text for people: 1 to 100 characters without control characters. White space around it is cut off.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 100,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029][^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$"
)]
pub struct Name(pub String);

/// More text for people: at most 1000 characters without control characters other than line feeds.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 1000, pattern = "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*$")]
pub struct Note(pub String);

/// A label: 1 to 40 characters of `a-z` and `0-9`, with `.`, `_`, `:`, `/` and `-` between them.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 40, pattern = "^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$")]
pub struct Tag(pub String);

/// An RFC 3339 instant. Answers have it in UTC with microseconds.
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Instant(pub String);

/// The public id of a key, safe to log.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^key_[0-9A-Za-z]{12}$")]
pub struct KeyId(pub String);

/// The public id of a webhook.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^whk_[0-9A-Za-z]{12}$")]
pub struct WebhookId(pub String);

/// The public id of a session of the console, safe to log.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^ses_[0-9A-Za-z]{12}$")]
pub struct SessionId(pub String);

/// The short form of an environment in tokens.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9]{2,8}$")]
pub struct EnvironmentCode(pub String);

/// The name of a permission: a built-in one, `*` for all of them, or one of the deployment's own such as `customer.read`.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 100)]
pub struct PermissionName(pub String);

/// A SHA-256 in hexadecimal digits.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
pub struct Hash(pub String);

/// The end of the audit log's chain: the number of an entry, and its hash.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[0-9]{1,18}:[0-9a-f]{64}$")]
pub struct NotedHead(pub String);

/// An address of IPv4 or IPv6.
#[derive(ToSchema)]
#[schema(value_type = String)]
pub struct Address(pub String);

/// Where messages are sent: `https`, to a host that is no internal one, without credentials and fragment.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 2048, pattern = "^https?://[^#]+$")]
pub struct WebhookUrl(pub String);

/// What a webhook can be told of.
#[derive(ToSchema)]
#[schema(value_type = String)]
pub struct EventName(pub String);

/// A token in the clear. It is shown once and kept nowhere.
#[derive(ToSchema)]
#[schema(value_type = String)]
pub struct Token(pub String);

/// A kind of telemetry.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
    /// Profile samples.
    Profiles,
}

/// The name of a permission: one of Gridgate's, one of the deployment's own, or `*`.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 64, pattern = "^([*]|[a-z][a-z0-9_-]*([.][a-z][a-z0-9_-]*){1,7})$")]
pub struct Permission(pub String);

/// What a key is for: to export telemetry, or to administer.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum KeyKind {
    /// It exports telemetry.
    Ingest,
    /// It calls this API.
    Admin,
}

/// The first that holds.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum KeyStatus {
    /// For ever.
    Revoked,
    /// Its time is over.
    Expired,
    /// Until it is enabled.
    Disabled,
    /// It is let in.
    Active,
}

/// Whether a secret is let in.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum SecretState {
    /// It is.
    Current,
    /// It is until `retires_at`.
    Retiring,
    /// It is not.
    Retired,
}

/// The form of a token.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum SecretFormat {
    /// Gridgate's own, which names its key.
    Token,
    /// A UUID, which does not.
    Uuid,
}

/// The parameter of what belongs to a project or to the installation.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProjectQuery {
    /// The project; the caller's own, or the installation, unless told otherwise.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
}

/// How finely usage is told.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum UsageStep {
    /// By minute.
    Minute,
    /// By hour.
    Hour,
    /// By UTC day.
    Day,
}

/// The header of a change that can be meant for one version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// The `ETag` of the version that the change is meant for; without it, or with `*`, it is made to any.
    #[param(rename = "If-Match", nullable = false, pattern = "^(\\*|(W/)?\"[!#-~]*\"( ?, ?(W/)?\"[!#-~]*\")*)$")]
    pub if_match: Option<String>,
}

/// The header of a change that has to be meant for one version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct RequiredIfMatch {
    /// The `ETag` of the version that the change is meant for; with `*` it is made to any.
    #[param(rename = "If-Match", pattern = "^(\\*|(W/)?\"[!#-~]*\"( ?, ?(W/)?\"[!#-~]*\")*)$")]
    pub if_match: String,
}

/// The parameters of every list with pages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The most rows of the page; 50 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before, unchanged.
    #[param(nullable = false)]
    pub cursor: Option<String>,
}

/// Whether a webhook is told of events.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// It is.
    Active,
    /// It is not.
    Disabled,
}

/// Why a webhook is told of nothing.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum WebhookDisabled {
    /// Somebody asked for it.
    Asked,
    /// Nothing arrived for days.
    Failing,
    /// The receiver answered 410.
    Gone,
}

/// Where a message is on its way.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is sent, again or for the first time.
    Pending,
    /// The receiver has it.
    Delivered,
    /// Every attempt failed.
    Failed,
}

/// Declares a schema of the names that the domain has.
macro_rules! named {
    ($(#[$doc:meta])* $schema:ident = $words:ty) => {
        $(#[$doc])*
        pub struct $schema;

        impl PartialSchema for $schema {
            fn schema() -> RefOr<Schema> {
                let names = <$words>::ALL.iter().map(|word| word.as_str());
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
            }
        }

        impl ToSchema for $schema {}
    };
}

named! {
    /// What a webhook can be told of.
    Event = EventKind
}

named! {
    /// What was done.
    Action = audit::Action
}

named! {
    /// Why a key needs attention.
    Flag = hygiene::Flag
}

/// Why a key needs attention, or any reason.
pub struct FlagOrAny;

impl PartialSchema for FlagOrAny {
    fn schema() -> RefOr<Schema> {
        let names = hygiene::Flag::ALL.iter().map(|flag| flag.as_str()).chain(["any"]);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
    }
}

impl ToSchema for FlagOrAny {}

named! {
    /// Why exports are turned away, or what they are warned of.
    RefusalReason = trouble::Cause
}

// Behind the macro that it uses.
mod limits;
mod queries;
pub use limits::{LimitMode, LimitPeriod, LimitScope, LimitSource, LimitUnit};
pub use queries::{AuditQuery, CountQuery, KeyQuery, RefusalQuery, UsagePageQuery, UsageQuery};

/// A quarter of a year, in UTC.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^(19[7-9][0-9]|[2-9][0-9]{3})-Q[1-4]$")]
pub struct Quarter(pub String);

/// The filter of the list of webhooks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WebhookQuery {
    /// Only webhooks of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
}

/// Permissions: Gridgate's own, names of the deployment's own, or `*`.
#[derive(ToSchema)]
#[schema(value_type = Vec<Permission>, min_items = 1, max_items = 100)]
pub struct Permissions(pub Vec<String>);

/// The quarter and the filter of the list of keys to review.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReviewQuery {
    /// A quarter that has begun; the present one unless told otherwise.
    #[param(value_type = Option<Quarter>, nullable = false)]
    pub quarter: Option<String>,
    /// Only keys of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
}

/// The parameters of a verification.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// An end of the chain that was noted earlier: the number of an entry, a colon and its hash.
    #[param(pattern = "^[0-9]+:[0-9a-f]{64}$", nullable = false)]
    pub expect: Option<String>,
}

/// The header of requests that are done once although they are repeated.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct OnceHeader {
    /// At least 128 random bits, for example a new UUID. Within 15 minutes the same request with the same key gets the same answer.
    #[param(rename = "Idempotency-Key", nullable = false, pattern = "^[!-~]{22,255}$")]
    pub idempotency_key: Option<String>,
}
