//! What the admin listener serves: the admin API, and beside it the console, if there is one.

use std::net::SocketAddr;

use anyhow::Result;
use axum::Router;

use super::listeners::Listeners;
use crate::admin::sessions::SessionSettings;
use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::console::{self, ConsoleSettings, Endpoint};
use crate::domain::Transport;

/// How long sessions last.
pub(super) fn sessions(config: &Config) -> SessionSettings {
    SessionSettings { idle: config.console.session_idle.0, most: config.console.session_time.0 }
}

/// The routes of the API and the console.
pub(super) fn routes(state: AdminState, settings: Option<ConsoleSettings>) -> Router {
    let api = admin::router(state.clone());
    match settings {
        Some(settings) => api.clone().merge(console::router(api, state, settings)),
        None => api,
    }
}

/// What the console is told; `None`: there is none.
pub(super) fn settings(config: &Config, listeners: &Listeners) -> Result<Option<ConsoleSettings>> {
    if !config.console.enabled {
        return Ok(None);
    }
    let endpoint = |told: &str, transport| -> Result<Endpoint> {
        if !told.is_empty() {
            return Ok(Endpoint::At(told.trim_end_matches('/').to_owned()));
        }
        let listener = listeners.serving(transport)?;
        Ok(reached(listener.address()?, listener.endpoint(transport)?))
    };
    Ok(Some(ConsoleSettings {
        prefix: config.console.prefix.as_str().to_owned(),
        tls: config.listen.admin_tls.is_on(),
        grpc: endpoint(&config.console.grpc_endpoint, Transport::Grpc)?,
        http: endpoint(&config.console.http_endpoint, Transport::Http)?,
    }))
}

/// How senders reach the listener at `address` with this `url`: one that listens on every address has none of its own.
fn reached(address: SocketAddr, url: String) -> Endpoint {
    if !address.ip().is_unspecified() {
        return Endpoint::At(url);
    }
    let scheme = if url.starts_with("https:") { "https" } else { "http" };
    let authority = format!("{scheme}://{address}");
    let prefix = url.strip_prefix(&authority).unwrap_or_default().to_owned();
    Endpoint::Here { scheme, port: address.port(), prefix }
}
