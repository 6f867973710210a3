//! `gridgate bootstrap`: a new installation's pepper, catalog and first admin key. There is no default credential.

use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;

use super::serve::{Installation, world};
use super::{Exit, Failure, Terminal};
use crate::catalog::issue::{NewKey, issue_key};
use crate::catalog::{self, Catalog, KeyFilter, Paging};
use crate::config::Config;
use crate::config::pepper::{self, PepperError};
use crate::domain::secret::Peppers;
use crate::domain::{Actor, Binding, Key, KeyStatus, Pepper, Random, Timestamp, Token, TokenKind, hexadecimal, role};
use crate::server::{World, catalog_settings, make_data_folder};

/// What to bootstrap.
#[derive(Debug, Args)]
pub struct Bootstrap {
    #[command(flatten)]
    installation: Installation,
    /// Make one more admin key of the whole installation where there is one already: for when the first is lost.
    #[arg(long)]
    another: bool,
}

/// Makes what is missing, and prints the admin key.
pub(super) async fn run(bootstrap: &Bootstrap, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let config = bootstrap.installation.config()?;
    let world = world();
    let opened = open(&config, &*world.random).await?;
    let now = world.clock.now();
    if !bootstrap.another && has_admin(&*opened.catalog, now).await? {
        let refused = Failure::new(Exit::Refused, "this installation has an admin key already");
        return Err(refused.hint("if it is lost, `gridgate bootstrap --another` makes one more"));
    }
    let (key, token) = opened.first_admin(&world, now).await?;
    terminal.say(&format!("the admin key {} of the whole installation; it is shown this once:", key.id));
    terminal.data(token.reveal())?;
    Ok(())
}

/// An installation whose pepper and catalog are there.
pub(super) struct Opened {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) peppers: Peppers,
}

/// Makes data folder, catalog and pepper where they are missing. A missing pepper is made only while there are no keys: to those
/// that are there it would be useless.
pub(super) async fn open(config: &Config, random: &dyn Random) -> Result<Opened> {
    make_data_folder(config)?;
    let settings = catalog_settings(config);
    catalog::migrate(&settings).await.context("catalog.url")?;
    let catalog = catalog::connect(&settings).await.context("catalog.url")?;
    let path = config.pepper_file();
    let peppers = match pepper::read(&path) {
        Err(PepperError::Missing(_)) if !has_keys(&*catalog).await? => {
            pepper::create(&path, &Pepper::random(1, random)?).context("keys.pepper_file")?;
            pepper::read(&path)
        }
        read => read,
    };
    Ok(Opened { catalog, peppers: peppers.context("keys.pepper_file")? })
}

impl Opened {
    /// Issues an admin key of the whole installation.
    pub(super) async fn first_admin(&self, world: &World, now: Timestamp) -> Result<(Key, Token)> {
        // Names of keys are unique, and there may be one already: that which was lost.
        let mut digits = [0; 3];
        world.random.fill(&mut digits)?;
        let name = format!("owner {}", hexadecimal(&digits));
        let new = NewKey::with_role(name, Binding::Installation, role::OWNER)?;
        self.issue(world, new, &Actor::command("bootstrap", now)).await
    }

    /// Issues a key.
    pub(super) async fn issue(&self, world: &World, new: NewKey, by: &Actor) -> Result<(Key, Token)> {
        Ok(issue_key(&*self.catalog, &*world.random, &self.peppers, new, by).await?)
    }
}

/// Whether there is any key at all, whatever its status.
pub(super) async fn has_keys(catalog: &dyn Catalog) -> Result<bool> {
    let one = Paging { limit: 1, after: None };
    let found = catalog.keys(&KeyFilter::default(), Timestamp::from_micros(0), &one).await.context("catalog.url")?;
    Ok(!found.items.is_empty())
}

/// Whether somebody can administer the whole installation.
async fn has_admin(catalog: &dyn Catalog, now: Timestamp) -> Result<bool> {
    let filter = KeyFilter { kind: Some(TokenKind::Admin), statuses: vec![KeyStatus::Active], ..KeyFilter::default() };
    let mut paging = Paging { limit: 200, after: None };
    loop {
        let page = catalog.keys(&filter, now, &paging).await.context("catalog.url")?;
        if page.items.iter().any(|key| key.binding == Binding::Installation) {
            return Ok(true);
        }
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return Ok(false),
        }
    }
}
