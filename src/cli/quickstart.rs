//! `gridgate quickstart`: the whole product in one command, on an embedded default.

use anyhow::{Context, Result};

use super::bootstrap::{self, Opened};
use super::serve::{self, Begun, Installation};
use super::{Failure, Terminal};
use crate::catalog::issue::NewKey;
use crate::catalog::{CatalogError, Grid, Project};
use crate::domain::Transport;
use crate::domain::{Actor, Binding, Slug, Tenant, Timestamp, Token, role};
use crate::server::{Server, World};

/// The project and the grid that it makes.
const DEMO: &str = "demo";
/// The environment of its ingest key.
const DEVELOPMENT: &str = "development";

/// Makes what is missing, prints the keys once, and serves.
pub(super) async fn run(installation: &Installation, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Begun { config, world, lock, stop } = serve::begin(installation)?;
    let opened = bootstrap::open(&config, &*world.random).await?;
    let first = !bootstrap::has_keys(&*opened.catalog).await?;
    let (data, lake) = (config.data.folder.display().to_string(), config.lake_folder().display().to_string());
    let has_console = config.console.enabled;
    // The listeners are bound before the keys are made: a token that is shown once must not be lost to a port in use.
    let server = Server::start(config, lock, world.clone(), stop).await?;
    let (admin, grpc) = (server.admin_url()?, server.ingest_endpoint(Transport::Grpc)?);
    let http = server.ingest_endpoint(Transport::Http)?;
    let console = if has_console { format!("console     {admin}/console\n") } else { String::new() };
    let keys = if first { Some(demo(&opened, &world).await?) } else { None };
    drop(opened);

    terminal.data(&format!("GRIDGATE_ADMIN_URL={admin}"))?;
    if let Some(keys) = &keys {
        terminal.data(&format!("GRIDGATE_ADMIN_KEY={}", keys.admin.reveal()))?;
    }
    terminal.data(&format!("OTEL_EXPORTER_OTLP_ENDPOINT={grpc}"))?;
    terminal.data("OTEL_EXPORTER_OTLP_PROTOCOL=grpc")?;
    if let Some(keys) = &keys {
        terminal.data(&format!("OTEL_EXPORTER_OTLP_HEADERS=api-key={}", keys.ingest.reveal()))?;
    }
    terminal.say(&format!(
        "\n\
         data        {data}\n\
         OTLP/gRPC   {grpc}\n\
         OTLP/HTTP   {http}   (OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)\n\
         admin API   {admin}\n\
         {console}\
         your data   {lake}/{DEMO}/{DEMO}/{DEVELOPMENT}/   (Parquet, a few seconds after each export)\n"
    ));
    terminal.say(if keys.is_some() {
        "The two keys above are shown this once. Paste the OTEL_ lines where your service starts; the admin key signs you in to the\n\
         console. Ctrl-C stops the gate.\n"
    } else {
        "The keys were shown at the first start. `gridgate keys create` makes another; where the admin key is lost, too,\n\
         `gridgate bootstrap --another` makes one. Ctrl-C stops the gate.\n"
    });
    Ok(server.run().await?)
}

/// The tokens of the demo.
struct Keys {
    admin: Token,
    ingest: Token,
}

async fn demo(opened: &Opened, world: &World) -> Result<Keys> {
    let demo: Slug = DEMO.parse()?;
    let now = world.clock.now();
    make(opened, &demo, now).await.context("the demo project")?;
    let (_, admin) = opened.first_admin(world, now).await?;
    let tenant = Tenant { project: demo.clone(), grid: demo, environment: DEVELOPMENT.parse()? };
    let new = NewKey::with_role("quickstart", Binding::Tenant(tenant), role::INGEST)?;
    let (_, ingest) = opened.issue(world, new, &Actor::command("quickstart", now)).await?;
    Ok(Keys { admin, ingest })
}

/// The demo's project and grid; what is there from a start that was cut short stays.
async fn make(opened: &Opened, demo: &Slug, now: Timestamp) -> Result<(), CatalogError> {
    let project = Project::new(demo.clone(), "Demo", now);
    let grid = Grid { project: demo.clone(), slug: demo.clone(), name: "Demo".to_owned(), created_at: now };
    let by = Actor::command("quickstart", now);
    for made in [opened.catalog.create_project(&project, &by).await, opened.catalog.create_grid(&grid, &by).await] {
        match made {
            Ok(()) | Err(CatalogError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
