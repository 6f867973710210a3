//! What each part of the gate is told, from the configuration.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use http::HeaderName;
use hyper_rustls::ConfigBuilderExt as _;
use rustls::{ClientConfig, RootCertStore};

use super::World;
use super::connections::ConnectionLimits;
use super::pem::read_authorities;
use super::tls::provider;
use crate::admin::leaks::{Leaks, PublicKeys};
use crate::admin::limits::LimitSettings;
use crate::catalog::CatalogSettings;
use crate::config::{Config, ForwardConfig, LeaksConfig};
use crate::domain::Clock;
use crate::domain::secret::Peppers;
use crate::ingest::ExportLimits;
use crate::ingest::cors::Cors;
use crate::ingest::failures::Failures;
use crate::ingest::key_cache::KeyCacheSettings;
use crate::observe::metrics::Metrics;
use crate::otlp::scan::ScanLimits;
use crate::storage::deliver::DeliverSettings;
use crate::storage::destination::otlp::{BackendSettings, BackendTls, OtlpBackend};
use crate::storage::forward::{ForwardSettings, Forwarding};
use crate::storage::log::LogSettings;
use crate::storage::open::StorageSettings;
use crate::storage::route::DestinationId;
use crate::upkeep::webhooks::send::Sender;
use crate::upkeep::webhooks::target::{Policy, SystemResolver};

/// How the catalog is reached.
#[must_use]
pub fn catalog_settings(config: &Config) -> CatalogSettings {
    CatalogSettings {
        url: config.catalog_url(),
        max_connections: config.catalog.connections,
        connect_timeout: config.catalog.connect_time.0,
        statement_timeout: config.catalog.statement_time.0,
        max_active_keys: config.keys.max_active_keys,
        purge_after: config.keys.purge_after.0,
        import_timeout: config.catalog.import_time.0,
    }
}

/// How much clients of the admin API may ask. The configuration has been checked: nothing is zero.
pub(super) fn admin_limits(config: &Config) -> LimitSettings {
    let count = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    LimitSettings {
        requests_per_second: count(config.admin.requests_per_second),
        burst: count(config.admin.burst),
        unauthenticated_per_minute: count(config.admin.unauthenticated_per_minute),
    }
}

/// Who may fail to authenticate how often.
pub(super) fn failures(config: &Config, clock: &Arc<dyn Clock>) -> Failures {
    let per_minute = NonZeroU32::new(config.limits.failed_authentications_per_minute);
    Failures::new(per_minute.unwrap_or(NonZeroU32::MIN), clock)
}

pub(super) fn credential_headers(config: &Config) -> Result<Vec<HeaderName>> {
    let name = |name: &String| name.parse().with_context(|| format!("keys.headers: {name:?} is not a header's name"));
    let headers = config.keys.headers.iter().map(name).collect::<Result<Vec<_>>>()?;
    if headers.is_empty() {
        bail!("keys.headers: without a header no export could carry its token");
    }
    Ok(headers)
}

/// Whose reports of leaked tokens are taken; `None`: nobody's.
pub(super) fn leaks(config: &Config) -> Result<Option<Arc<Leaks>>> {
    let LeaksConfig { keys_file, ingest, admin } = &config.leaks;
    if keys_file.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = || -> Result<_> { Ok(PublicKeys::parse(&std::fs::read_to_string(keys_file)?)?) };
    let keys = read().with_context(|| format!("leaks.keys_file: {}", keys_file.display()))?;
    Ok(Some(Arc::new(Leaks { keys, ingest: *ingest, admin: *admin })))
}

/// Which web pages may export; `None`: none.
pub(super) fn cors(config: &Config) -> Result<Option<Cors>> {
    let wanted = &config.cors;
    let name = |name: &String| name.parse().with_context(|| format!("cors.headers: {name:?} is not a header's name"));
    let headers = wanted.headers.iter().map(name).collect::<Result<Vec<HeaderName>>>()?;
    let headers = credential_headers(config)?.into_iter().chain(headers);
    Cors::new(&wanted.origins, headers, wanted.max_age.0).context("cors.origins")
}

pub(super) fn storage_settings(config: &Config) -> StorageSettings {
    StorageSettings {
        log_folder: config.log_folder(),
        lake_folder: config.lake_folder(),
        log: LogSettings {
            durability: config.log.durability,
            in_flight: config.log.in_flight,
            linger: config.log.linger.0,
            segment_bytes: config.log.segment.as_usize(),
        },
        deliver: DeliverSettings { interval: config.lake.interval.0, plan_bytes: config.lake.delivery.0 },
        backlog_bytes: config.log.backlog.0,
    }
}

/// Where records go beside the lake.
pub(super) fn forwarding(config: &Config, metrics: &Metrics, world: &World) -> Result<Forwarding> {
    let routes = config.routes()?;
    let names: Vec<_> = config.forward.iter().map(|forward| forward.name.to_string()).collect();
    let mut forwards = Vec::new();
    for ((place, forward), metrics) in config.forward.iter().enumerate().zip(metrics.forwards(&names)) {
        let name = &forward.name;
        let backend = OtlpBackend::new(backend_settings(forward), Arc::clone(&world.clock));
        forwards.push(ForwardSettings {
            name: name.clone(),
            backend: Arc::new(backend.with_context(|| format!("forward[{place}]"))?),
            in_flight: forward.in_flight,
            patience: forward.patience.0,
            backlog_bytes: forward.backlog.0,
            tenant_backlog_bytes: forward.tenant_backlog.0,
            metrics,
        });
        if !routes.reaches(DestinationId::forward(place)) {
            tracing::warn!(destination = %name, "no route leads to this forward; nothing new is sent to it");
        }
    }
    let (clock, random) = (Arc::clone(&world.clock), Arc::clone(&world.random));
    Ok(Forwarding { routes: config.route.clone(), forwards, clock, random })
}

fn backend_settings(forward: &ForwardConfig) -> BackendSettings {
    let file = |path: &PathBuf| (!path.as_os_str().is_empty()).then(|| path.clone());
    BackendSettings {
        endpoint: forward.endpoint.clone(),
        protocol: forward.protocol,
        compression: forward.compression,
        headers: forward.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        timeout: forward.timeout.0,
        stamp: forward.stamp,
        tls: BackendTls { ca: file(&forward.ca), certificate: file(&forward.certificate), key: file(&forward.key) },
    }
}

/// What sends the messages of webhooks.
pub(super) fn webhook_sender(config: &Config, peppers: &Arc<Peppers>, clock: &Arc<dyn Clock>) -> Result<Sender> {
    let webhooks = &config.webhooks;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if webhooks.ca.as_os_str().is_empty() {
        // A machine without authorities can do without webhooks.
        builder.clone().with_native_roots().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine trusts no authority; webhooks need webhooks.ca");
            builder.with_root_certificates(RootCertStore::empty())
        })
    } else {
        builder.with_root_certificates(read_authorities(&webhooks.ca).context("webhooks.ca")?)
    };
    Ok(Sender {
        policy: Policy { allow_http: webhooks.allow_http, allow_networks: webhooks.allow_networks.clone() },
        resolver: Arc::new(SystemResolver),
        tls: Arc::new(builder.with_no_client_auth()),
        timeout: webhooks.timeout.0,
        peppers: Arc::clone(peppers),
        clock: Arc::clone(clock),
    })
}

pub(super) fn key_cache_settings(config: &Config) -> KeyCacheSettings {
    KeyCacheSettings {
        ttl: config.keys.cache_ttl.0,
        grace: config.keys.cache_grace.0,
        capacity: config.keys.cache_keys,
        unknown_ttl: config.keys.unknown_ttl.0,
        unknown_capacity: config.keys.unknown_keys,
        lookup_time: config.keys.lookup_time.0,
        lookups: config.keys.lookups,
    }
}

pub(super) fn export_limits(config: &Config) -> ExportLimits {
    let limits = &config.limits;
    ExportLimits {
        header_bytes: limits.headers.as_usize(),
        header_fields: limits.header_fields,
        wire_bytes: limits.wire_body.as_usize(),
        body_bytes: limits.body.as_usize(),
        body_time: limits.body_time.0,
        scan: ScanLimits {
            items: limits.items,
            submessages: limits.submessages,
            depth: limits.depth,
            ..ScanLimits::default()
        },
    }
}

/// The protocol layer lets this many times `limits.headers` through, so that headers which are too large get an answer of OTLP.
const HEADROOM: u32 = 4;

pub(super) fn connection_limits(config: &Config) -> ConnectionLimits {
    let limits = &config.limits;
    ConnectionLimits {
        header_time: limits.header_time.0,
        idle_time: limits.idle_time.0,
        answer_time: limits.answer_time.0,
        stream_time: limits.stream_time.0,
        header_bytes: limits.headers.as_u32().saturating_mul(HEADROOM),
        header_fields: limits.header_fields,
        streams: limits.streams,
        stream_window: limits.stream_window.as_u32(),
        connection_window: limits.connection_window.as_u32(),
    }
}
