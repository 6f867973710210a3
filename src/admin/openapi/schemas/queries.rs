//! What lists are asked by.

use utoipa::IntoParams;

use super::{Action, Address, FlagOrAny, Instant, KeyId, KeyKind, RefusalReason, Signal, Slug, UsageStep};

/// The filters of the list of keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeyQuery {
    /// Only keys of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
    /// Only ingest keys of this grid.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub grid: Option<String>,
    /// Only ingest keys of this environment.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub environment: Option<String>,
    /// Only keys of this kind.
    #[param(value_type = Option<KeyKind>, nullable = false)]
    pub kind: Option<String>,
    /// `all`, or statuses separated by commas; all but `revoked` unless told otherwise.
    #[param(
        pattern = "^(all|(active|disabled|expired|revoked)(,(active|disabled|expired|revoked))*)$",
        nullable = false
    )]
    pub status: Option<String>,
    /// Only keys with this role.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub role: Option<String>,
    /// Only keys with this tag.
    #[param(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$", nullable = false)]
    pub tag: Option<String>,
    /// Only keys of this customer or owner.
    #[param(min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub owner: Option<String>,
    /// Only keys of members, or only others.
    #[param(nullable = false)]
    pub member: Option<bool>,
    /// Only active keys that need attention for this reason, or for any.
    #[param(value_type = Option<FlagOrAny>, nullable = false)]
    pub attention: Option<String>,
    /// Only keys with two secrets that are let in, or only others.
    #[param(nullable = false)]
    pub rotating: Option<bool>,
    /// The beginning of a name, in any case, or a whole key id.
    #[param(min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub q: Option<String>,
    /// Only keys that were last used before this instant, or never.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub last_used_before: Option<String>,
    /// Only keys that expire before this instant.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub expires_before: Option<String>,
    /// The order, descending with `-`; the newest first unless told otherwise, with `q` by name, with `attention` by that. Never used is
    /// before every use, never expiring behind every expiry.
    #[param(pattern = "^-?(created_at|name|last_used_at|expires_at|attention)$", nullable = false)]
    pub sort: Option<String>,
}

/// What is counted of keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountQuery {
    /// Only keys of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
    /// Views separated by commas; all unless told otherwise.
    #[param(nullable = false, pattern = "^[a-z0-9_]+(,[a-z0-9_]+)*$")]
    pub view: Option<String>,
}

/// The filters of the audit log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what was done to things of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
    /// Only what this admin key did.
    #[param(value_type = Option<KeyId>, nullable = false)]
    pub actor: Option<String>,
    /// Only this action.
    #[param(value_type = Option<Action>, nullable = false)]
    pub action: Option<String>,
    /// Only what was done to this: the id of a key or a webhook, or a kind, a colon and its slug.
    #[param(nullable = false, pattern = "^((key_|whk_).*|(key|role|project|grid|environment|webhook):.*)$")]
    pub target: Option<String>,
    /// Only from this instant on.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub since: Option<String>,
    /// Only before this instant.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub until: Option<String>,
}

/// The filters of what was turned away.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RefusalQuery {
    /// Only what is of this project, or claims a key of it.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
    /// Only what names this key, proved or claimed.
    #[param(value_type = Option<KeyId>, nullable = false)]
    pub key: Option<String>,
    /// Only this reason.
    #[param(value_type = Option<RefusalReason>, nullable = false)]
    pub reason: Option<String>,
    /// Only what comes from this address.
    #[param(value_type = Option<Address>, nullable = false)]
    pub address: Option<String>,
    /// Only what holds this text, in any case: in its detail, user agent, service, address, reason, or the key's id or name.
    #[param(min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", nullable = false)]
    pub q: Option<String>,
    /// Only groups with an export at this instant or later.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub from: Option<String>,
    /// Only groups whose first export was before this instant.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub to: Option<String>,
}

/// Which usage, and how it is grouped.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// From the step on that this instant is in; 24 steps before `to` unless told otherwise.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub from: Option<String>,
    /// Only steps that begin before this instant; now unless told otherwise.
    #[param(value_type = Option<Instant>, nullable = false)]
    pub to: Option<String>,
    /// How finely; by hour unless told otherwise.
    #[param(value_type = Option<UsageStep>, nullable = false)]
    pub step: Option<String>,
    /// A row for each of these: `project`, `grid`, `environment`, `key`, `signal` and `outcome`, with commas between them.
    #[param(nullable = false, pattern = "^[a-z,]+$")]
    pub group_by: Option<String>,
    /// Only of this project.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub project: Option<String>,
    /// Only of this grid.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub grid: Option<String>,
    /// Only of this environment.
    #[param(value_type = Option<Slug>, nullable = false)]
    pub environment: Option<String>,
    /// Only of these keys: 1 to 200 ids, separated by commas.
    #[param(nullable = false, pattern = "^key_[0-9A-Za-z]{12}(,key_[0-9A-Za-z]{12}){0,199}$")]
    pub key: Option<String>,
    /// Only of this signal.
    #[param(value_type = Option<Signal>, nullable = false)]
    pub signal: Option<String>,
}

/// The page of usage, which may be longer than those of other lists.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsagePageQuery {
    /// The most rows of the page; 50 unless told otherwise.
    #[param(minimum = 1, maximum = 5_000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before, unchanged.
    #[param(nullable = false)]
    pub cursor: Option<String>,
}
