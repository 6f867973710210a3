//! `POST /webhooks`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{WebhookWithSecret, events, url};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::projects;
use crate::domain::Permission;
use crate::domain::webhook::{Disabled, SigningSecret, Webhook, WebhookId};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where messages are sent.
    #[schema(value_type = schemas::WebhookUrl)]
    pub url: Option<String>,
    /// What it is told of, by name; at least one.
    #[schema(value_type = Vec<schemas::Event>, min_items = 1)]
    pub events: Option<Vec<String>>,
    /// The project whose keys it is told of. Without one it is every project's, and the installation's.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// Free text for people.
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<String>,
    /// Whether nothing is sent until it is enabled.
    pub disabled: Option<bool>,
}

/// Creates a webhook and shows its signing secret, once.
#[utoipa::path(
    post, path = "/webhooks", tag = "webhooks", operation_id = "create_webhook",
    security(("bearer" = ["webhook.create"])),
    params(schemas::OnceHeader),
    request_body = NewWebhook,
    responses(
        (status = 201, body = WebhookWithSecret, headers(("location"), ("etag"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "project_not_found"),
        (status = 409, description = "webhook_limit_reached"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    once: Once,
    body::Json(new): body::Json<NewWebhook>,
) -> Result<Response, Problem> {
    caller.require(Permission::WebhookCreate)?;
    once.answer(state, caller, new, create).await
}

async fn create(state: AdminState, caller: Caller, new: NewWebhook) -> Result<impl IntoResponse, Problem> {
    let webhook = read(&new, &caller, &state).await?;
    state.catalog.create_webhook(&webhook, &caller.actor).await?;
    let location = [(header::LOCATION, format!("/api/v1/webhooks/{}", webhook.id))];
    Ok((StatusCode::CREATED, location, etag(webhook.version), Json(WebhookWithSecret::new(&webhook, &state)?)))
}

async fn read(new: &NewWebhook, caller: &Caller, state: &AdminState) -> Result<Webhook, Problem> {
    let mut check = Check::default();
    let project = check.slug(Place::field("project"), new.project.as_deref());
    match &project {
        Some(project) => {
            let fix = "the slug of a project that exists; create it first, or list those there are";
            let visible = projects::visible(state, caller, project).await;
            visible.map_err(|problem| problem.at(Place::field("project"), fix))?;
        }
        None if new.project.is_none() => caller.require_installation()?,
        None => {}
    }
    let events = if let Some(names) = &new.events {
        events(&mut check, names)
    } else {
        check.missing(Place::field("events"));
        None
    };
    let note = check.note(Place::field("note"), Some(new.note.as_deref().unwrap_or_default()));
    let url = if let Some(text) = &new.url {
        url(&mut check, state, text).await
    } else {
        check.missing(Place::field("url"));
        None
    };
    let ((url, events), note) = check.finish(url.zip(events).zip(note))?;
    let now = state.clock.now();
    Ok(Webhook {
        id: WebhookId::random(&*state.random)?,
        project,
        url,
        note,
        events,
        secret: SigningSecret { version: 1, pepper: state.peppers.newest().version() },
        previous: None,
        version: 1,
        created_at: now,
        created_by: caller.key,
        updated_at: now,
        disabled: new.disabled.unwrap_or_default().then_some((now, Disabled::Asked)),
        failing_since: None,
    })
}
