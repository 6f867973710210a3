//! `POST /keys/verify`

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::presented::{Found, good_address, is_ingest, look_up, terms};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::domain::judge::Use;
use crate::domain::{Binding, Key, Permission, Permissions, Reason, Refusal, Slug};

/// The body. It has no `Debug` form, because it holds a token.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenToVerify)]
pub struct Question {
    /// The token that somebody sent to a service of the deployment.
    #[schema(value_type = String)]
    pub token: Option<String>,
    /// The permission that is needed there; none unless told otherwise.
    #[schema(value_type = Option<schemas::Permission>)]
    pub permission: Option<String>,
    /// The address that it came from; where none is given, the key's addresses are not judged.
    #[schema(value_type = Option<schemas::Address>)]
    pub address: Option<String>,
}

/// Whether the token is good, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// Whether the sender may be served.
    pub valid: bool,
    /// Why not, as the gate calls it.
    pub reason: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// The key, once possession of a secret of it is proved.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// The key's name.
    pub name: Option<String>,
    /// The tenant of an ingest key.
    pub tenant: Option<TenantView>,
    /// The role that it has, if its permissions are not its own.
    #[schema(value_type = Option<schemas::Slug>)]
    pub role: Option<String>,
    /// What it may do, names of the deployment's own included.
    pub permissions: Vec<String>,
    /// From this instant on it is refused.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
}

/// A tenant in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TenantView {
    /// The project.
    #[schema(value_type = schemas::Slug)]
    pub project: String,
    /// The grid.
    #[schema(value_type = schemas::Slug)]
    pub grid: String,
    /// The environment.
    #[schema(value_type = schemas::Slug)]
    pub environment: String,
}

/// Says whether a token is good, for services that take the same keys.
#[utoipa::path(
    post, path = "/keys/verify", tag = "keys", operation_id = "verify_token",
    security(("bearer" = ["api.key.view"])),
    request_body = Question,
    responses((status = 200, body = Verified)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(question): body::Json<Question>,
) -> Result<Json<Verified>, Problem> {
    caller.require(Permission::KeyView)?;
    let (token, permission, address) = read(question)?;
    let refusal = |reason| Refusal::new(reason);
    let found = look_up(&state, Some(&caller), &token).await?;
    let terms = &terms(&state, &found).await?;
    Ok(Json(match found {
        Found::Malformed(error, _) => verified(None, Err(Refusal::because(Reason::KeyMalformed, error))),
        Found::Unknown | Found::Wrong(_) => verified(None, Err(refusal(Reason::KeyInvalid))),
        Found::Proved { key, version } => {
            let address = address.unwrap_or_else(|| good_address(&key));
            let at = state.clock.now();
            let used = Use { key: &key, terms, secret_version: version, environment: None, address, at };
            let judged = if is_ingest(&key) { used.judge().map(|_| ()) } else { used.judge_admin() };
            let lacking = permission.filter(|name| !key.permissions.contains_name(name));
            let judged = judged.and_then(|()| match lacking {
                Some(name) => Err(Refusal::because(Reason::PermissionDenied, format!("the key lacks {name}"))),
                None => Ok(()),
            });
            verified(Some(&key), judged)
        }
    }))
}

fn read(question: Question) -> Result<(String, Option<String>, Option<IpAddr>), Problem> {
    let mut check = Check::default();
    if question.token.is_none() {
        check.missing(Place::field("token"));
    }
    if let Some(Err(error)) = question.permission.as_deref().map(|name| Permissions::default().insert(name)) {
        let fix = "the name of a permission, or leave it out";
        check.refuse(Place::field("permission"), error.to_string(), fix);
    }
    let address = question.address.as_deref().map(str::parse::<IpAddr>);
    if matches!(address, Some(Err(_))) {
        let fix = "an address such as 192.0.2.1 or 2001:db8::1, or leave it out";
        check.refuse(Place::field("address"), "it is not an IP address", fix);
    }
    let (permission, address) = (question.permission, address.and_then(Result::ok));
    check.finish(question.token.map(|token| (token, permission, address)))
}

fn verified(key: Option<&Key>, judged: Result<(), Refusal>) -> Verified {
    let refusal = judged.err();
    let tenant = key.and_then(|key| match &key.binding {
        Binding::Tenant(tenant) => Some(TenantView {
            project: tenant.project.to_string(),
            grid: tenant.grid.to_string(),
            environment: tenant.environment.to_string(),
        }),
        Binding::Project(_) | Binding::Installation => None,
    });
    Verified {
        valid: refusal.is_none(),
        reason: refusal.as_ref().map(|refusal| refusal.reason.to_string()),
        detail: refusal.as_ref().map(Refusal::message),
        key: key.map(|key| key.id.to_string()),
        name: key.map(|key| key.name.clone()),
        tenant,
        role: key.and_then(|key| key.role.as_ref()).map(Slug::to_string),
        permissions: key.map(|key| key.permissions.names().map(str::to_owned).collect()).unwrap_or_default(),
        expires_at: key.and_then(|key| key.expires_at).map(|at| at.to_string()),
    }
}
