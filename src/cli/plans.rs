//! `gridgate plans`

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::{Client, Target};
use super::confirm::{Question, Sure};
use super::limits::{bodies, texts};
use super::output::{self, Card, Output, Row, brief, moment, or_dash};
use super::patch::{Patch, text};
use super::{Failure, Terminal};
use crate::admin::plans::create::NewPlan;
use crate::admin::plans::{NewPlanLimits, PlanView};
use crate::domain::Slug;
use crate::domain::limit::Limit;

/// List, create, change and delete plans: named sets of limits that projects have.
#[derive(Debug, Args)]
pub struct Plans {
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
    /// List the plans.
    List,
    /// Show everything about one plan.
    Show {
        /// Its slug.
        slug: Slug,
    },
    /// Create a plan.
    Create(Create),
    /// Change a plan, and with it what every project has that has the plan, unless somebody else changes it meanwhile.
    Edit(Edit),
    /// Delete a plan that no project has.
    Delete {
        /// Its slug.
        slug: Slug,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Its slug: 1 to 40 characters of a-z, 0-9 and single '-' between them. It never changes.
    slug: Slug,
    /// Its name for people; the slug unless told otherwise.
    #[arg(long)]
    name: Option<String>,
    /// Whatever else people should know.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    limits: PlanLimits,
    /// How many keys may be active in one environment of one grid at a time.
    #[arg(long, value_name = "NUMBER")]
    max_active_keys: Option<u32>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
struct Edit {
    /// Its slug.
    slug: Slug,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new note; an empty one removes it.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    limits: PlanLimits,
    /// Limit projects to nothing.
    #[arg(long, conflicts_with = "project")]
    no_project_limits: bool,
    /// Limit tenants to nothing.
    #[arg(long, conflicts_with = "tenant")]
    no_tenant_limits: bool,
    /// Limit keys to nothing.
    #[arg(long, conflicts_with = "key")]
    no_key_limits: bool,
    /// How many keys may be active in one environment of one grid at a time.
    #[arg(long, value_name = "NUMBER", conflicts_with = "default_max_active_keys")]
    max_active_keys: Option<u32>,
    /// Go back to the installation's limit of active keys.
    #[arg(long)]
    default_max_active_keys: bool,
    /// Change the plan only if it still has this version, which `plans show` tells; without it, the version it has now.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// The limits of each scope, all of them.
#[derive(Debug, Args)]
struct PlanLimits {
    /// A limit of each whole project, once for each, such as "5000000000 bytes/month".
    #[arg(long = "project-limit", value_name = "LIMIT")]
    project: Vec<Limit>,
    /// A limit of each environment of each grid, once for each, such as "1000 items/second burst 5000".
    #[arg(long = "tenant-limit", value_name = "LIMIT")]
    tenant: Vec<Limit>,
    /// A limit of each key, once for each, such as "traces 50 requests/second observe".
    #[arg(long = "key-limit", value_name = "LIMIT")]
    key: Vec<Limit>,
}

impl Plans {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (client, output) = (Client::new(&self.target, terminal)?, self.output);
        match self.verb {
            Verb::List => output::rows(terminal, output, &client.list::<PlanView>("/plans", &[]).await?),
            Verb::Show { slug } => {
                output::whole(terminal, output, &client.get::<PlanView>(&format!("/plans/{slug}")).await?)
            }
            Verb::Create(create) => {
                let plan: PlanView = client.post("/plans", &create.body()).await?;
                output::whole(terminal, output, &plan)
            }
            Verb::Edit(edit) => {
                let path = format!("/plans/{}", edit.slug);
                let version = async || Ok(client.get::<PlanView>(&path).await?.version);
                let plan: PlanView = edit.patch().send(&client, &path, edit.if_version, version).await?;
                output::whole(terminal, output, &plan)
            }
            Verb::Delete { slug, sure } => {
                let text = format!("Delete the plan {slug}?");
                let consequences = vec!["This cannot be undone. No project has the plan.".to_owned()];
                sure.or_ask(terminal, None, async || Ok(Question { consequences, text })).await?;
                client.delete::<()>(&format!("/plans/{slug}")).await?;
                terminal.say(&format!("the plan {slug} is deleted"));
                Ok(())
            }
        }
    }
}

impl Create {
    fn body(self) -> NewPlan {
        let PlanLimits { project, tenant, key } = self.limits;
        NewPlan {
            slug: Some(self.slug.to_string()),
            name: self.name,
            note: self.note,
            limits: Some(NewPlanLimits {
                project: Some(bodies(&project)),
                tenant: Some(bodies(&tenant)),
                key: Some(bodies(&key)),
            }),
            max_active_keys: self.max_active_keys,
        }
    }
}

impl Edit {
    fn patch(&self) -> Patch {
        let scopes = [
            ("project", &self.limits.project, self.no_project_limits),
            ("tenant", &self.limits.tenant, self.no_tenant_limits),
            ("key", &self.limits.key, self.no_key_limits),
        ];
        let said = scopes.into_iter().filter(|(_, limits, none)| *none || !limits.is_empty());
        let limits: Map<_, _> = said.map(|(scope, limits, _)| (scope.to_owned(), json!(bodies(limits)))).collect();
        let most = self.max_active_keys.map(|most| json!(most));
        Patch::new([
            ("name", text(self.name.as_ref())),
            ("note", text(self.note.as_ref())),
            ("limits", (!limits.is_empty()).then_some(Value::Object(limits))),
            ("max_active_keys", if self.default_max_active_keys { Some(Value::Null) } else { most }),
        ])
    }
}

impl Row for PlanView {
    const COLUMNS: &'static [&'static str] = &["PLAN", "NAME", "PROJECTS", "TENANTS", "KEYS", "ACTIVE KEYS"];

    fn values(&self) -> Vec<String> {
        let most = self.max_active_keys.map(|most| format!("at most {most}"));
        vec![
            self.slug.clone(),
            brief(&self.name),
            brief(&texts(&self.limits.project)),
            brief(&texts(&self.limits.tenant)),
            brief(&texts(&self.limits.key)),
            or_dash(most.as_deref()),
        ]
    }
}

impl Card for PlanView {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let most = self.max_active_keys.map(|most| format!("at most {most}"));
        vec![
            ("PLAN", self.slug.clone()),
            ("NAME", self.name.clone()),
            ("NOTE", self.note.clone()),
            ("PROJECT LIMITS", texts(&self.limits.project)),
            ("TENANT LIMITS", texts(&self.limits.tenant)),
            ("KEY LIMITS", texts(&self.limits.key)),
            ("ACTIVE KEYS", or_dash(most.as_deref())),
            ("VERSION", self.version.to_string()),
            ("CREATED", moment(&self.created_at)),
            ("CHANGED", moment(&self.updated_at)),
        ]
    }
}
