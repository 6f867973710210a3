//! `gridgate limits`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::output::{self, Output, Row};
use super::patch::Patch;
use super::{Failure, Terminal};
use crate::admin::keys::KeyView;
use crate::admin::projects::ProjectView;
use crate::admin::terms::{EffectiveLimit, LimitView, LimitsView, NewLimit};
use crate::domain::limit::Limit;
use crate::domain::{KeyId, Slug};

/// Show and change what projects, tenants and keys are limited to.
#[derive(Debug, Args)]
pub struct Limits {
    #[command(flatten)]
    target: Target,
    /// The form of the output.
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show every limit that holds, where it comes from, and how it stands.
    Show(Of),
    /// Replace the limits of its own, which come before those of the plan.
    #[command(after_help = "\
gridgate limits set --tenant shop/web/production '1000 items/second burst 5000' 'traces 5000000000 bytes/day observe'
gridgate limits set --key key_7Hq2mZxK9wPa '50 requests/second' '10000000 items/month warn'")]
    Set {
        #[command(flatten)]
        of: Of,
        /// All of the limits: [<signal>] <amount> requests|items|bytes/second|day|month [burst <burst>] [enforce|warn|observe].
        #[arg(value_name = "LIMIT", required = true)]
        limits: Vec<Limit>,
    },
    /// Remove the limits of its own; those of the plan remain.
    Clear(Of),
}

/// What is limited.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// One key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// One environment of one grid: all of its keys together.
    #[arg(long, value_name = "PROJECT/GRID/ENVIRONMENT", value_parser = tenant)]
    tenant: Option<String>,
    /// One project: all of its keys together.
    #[arg(long, value_name = "PROJECT")]
    project: Option<Slug>,
}

impl Limits {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let of = match self.verb {
            Verb::Show(of) => of,
            Verb::Set { of, limits } => {
                of.replace(&client, &limits).await?;
                of
            }
            Verb::Clear(of) => {
                of.replace(&client, &[]).await?;
                of
            }
        };
        let view: LimitsView = client.get(&format!("{}/limits", of.path())).await?;
        match self.output {
            Output::Table => output::rows(terminal, Output::Table, &view.effective),
            Output::Json => output::json(terminal, &view),
        }
    }
}

impl Of {
    fn path(&self) -> String {
        match (&self.key, &self.tenant, &self.project) {
            (Some(key), ..) => format!("/keys/{key}"),
            (None, Some(tenant), _) => tenant.clone(),
            (None, None, project) => format!("/projects/{}", project.as_ref().map_or("", Slug::as_str)),
        }
    }

    async fn replace(&self, client: &Client, limits: &[Limit]) -> Result<(), Failure> {
        let (path, edit) = (self.path(), Patch::new([("limits", Some(json!(bodies(limits))))]));
        if self.key.is_some() {
            let version = async || Ok(client.get::<KeyView>(&path).await?.version);
            edit.send::<KeyView>(client, &path, None, version).await?;
        } else if self.project.is_some() {
            client.patch::<ProjectView>(&path, &edit, None).await?;
        } else {
            client.patch::<LimitsView>(&format!("{path}/limits"), &edit, None).await?;
        }
        Ok(())
    }
}

/// The path of `project/grid/environment`.
fn tenant(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('/').map(str::parse::<Slug>).collect();
    match parts.as_slice() {
        [Ok(project), Ok(grid), Ok(environment)] => {
            Ok(format!("/projects/{project}/grids/{grid}/environments/{environment}"))
        }
        _ => {
            Err("a tenant is named by the slugs of its project, grid and environment, as in shop/web/production".into())
        }
    }
}

/// Limits as the admin API takes them.
pub(super) fn bodies(limits: &[Limit]) -> Vec<NewLimit> {
    limits.iter().map(NewLimit::from).collect()
}

/// The field of a merge patch that replaces limits, where there is something to replace them by.
pub(super) fn replaced(limits: &[Limit], none: bool) -> Option<Value> {
    (none || !limits.is_empty()).then(|| json!(bodies(limits)))
}

/// Limits in one cell.
pub(super) fn texts(limits: &[LimitView]) -> String {
    let texts: Vec<_> = limits.iter().map(LimitView::to_string).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
}

impl Row for EffectiveLimit {
    const COLUMNS: &'static [&'static str] = &["SCOPE", "LIMIT", "FROM", "USED", "LEFT", "RESETS", "YESTERDAY"];

    fn values(&self) -> Vec<String> {
        let yesterday = self.would_have_refused.map(|share| format!("would have refused {:.2} %", share * 100.0));
        vec![
            self.scope.clone(),
            self.limit.to_string(),
            self.source.clone(),
            self.used.to_string(),
            self.remaining.to_string(),
            self.resets_at.clone(),
            yesterday.unwrap_or_else(|| "-".to_owned()),
        ]
    }
}
