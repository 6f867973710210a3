//! The description of the admin API in OpenAPI 3.1, made from the handlers: a route without one does not compile.
//!
//! A handler's annotation says what is particular to it; `common` adds what holds for all. `docs/openapi.json` is the
//! committed copy, which `tests/generated.rs` holds against the code.

mod common;
pub mod schemas;

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{Method, header};
use serde_json::Value;
use utoipa::OpenApi as _;

use super::limits::Anyone;
use super::problem::ProblemView;
use crate::domain::{Permission, Permissions};

/// What is said once of the whole API.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Gridgate admin API", description = "docs/api.md describes it in words."),
    servers((url = "/api/v1")),
    components(schemas(ProblemView, schemas::Action, schemas::FlagOrAny, schemas::UsageStep)),
    tags(
        (name = "projects", description = "Projects, their grids, and environments"),
        (name = "plans", description = "Named sets of limits that projects have"),
        (name = "limits", description = "What projects, tenants and keys are limited to"),
        (name = "keys", description = "Keys and their whole life"),
        (name = "webhooks", description = "Who is told of what happens to keys"),
        (name = "members", description = "People"),
        (name = "sessions", description = "Where an admin key is signed in to the console"),
        (name = "roles", description = "Named sets of permissions"),
        (name = "audit", description = "Who did what"),
        (name = "requests", description = "Single exports, and the work behind"),
        (name = "refusals", description = "What was turned away, and why"),
        (name = "usage", description = "How much came in and what became of it"),
        (name = "description", description = "This description"),
    ),
)]
struct Api;

/// The description of every route.
#[must_use]
pub fn document() -> Value {
    let (_, api) = super::routes().split_for_parts();
    // What it is made of has text for keys only, so that it is always JSON.
    common::complete(serde_json::to_value(api).unwrap_or_default())
}

/// Whether the operation at `path`, as its route has it, takes parameters in its query.
pub(super) fn takes_query(method: &Method, path: &str) -> bool {
    operation(method, path).is_some_and(|operation| operation.takes_query)
}

/// What callers need for the operation at `path`, as its route has it.
pub(super) fn permissions(method: &Method, path: &str) -> Permissions {
    operation(method, path).map(|operation| operation.permissions.clone()).unwrap_or_default()
}

/// An operation, as far as what comes before its handler needs to know.
struct Operation {
    takes_query: bool,
    permissions: Permissions,
}

fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    static OPERATIONS: LazyLock<HashMap<String, Operation>> = LazyLock::new(|| {
        let document = document();
        let items = document["paths"].as_object().into_iter().flatten();
        let operations = items.flat_map(|(path, item)| {
            let operations = item.as_object().into_iter().flatten();
            operations.map(move |(method, operation)| {
                let parameters = operation["parameters"].as_array();
                let takes_query = parameters.is_some_and(|all| all.iter().any(|one| one["in"] == "query"));
                let names = operation["security"][0]["bearer"].as_array().into_iter().flatten();
                let needed = |name: &Permission| names.clone().any(|needed| *needed == name.as_str());
                let permissions = Permission::ALL.iter().copied().filter(needed).collect();
                let at = format!("{} /api/v1{path}", method.to_ascii_uppercase());
                (at, Operation { takes_query, permissions })
            })
        });
        operations.collect()
    });
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    OPERATIONS.get(&format!("{method} {path}"))
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "description", operation_id = "show_description",
    security(()),
    responses((status = 200, body = Object)),
)]
pub(super) async fn handler(_: Anyone) -> impl IntoResponse {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The part of it that does not come from handlers.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    Api::openapi()
}
