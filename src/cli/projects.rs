//! `gridgate projects`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::limits::{replaced, texts};
use super::output::{self, Card, Output, Row, brief, moment, moment_or_dash, or_dash};
use super::patch::{Patch, text};
use super::{Failure, Terminal};
use crate::admin::projects::ProjectView;
use crate::admin::projects::create::NewProject;
use crate::admin::projects::suspend::Why;
use crate::domain::Slug;
use crate::domain::limit::Limit;

/// Create, list, change, suspend and resume projects.
#[derive(Debug, Args)]
pub struct Projects {
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
    /// Create a project.
    Create {
        /// Its slug: 1 to 40 characters of a-z, 0-9 and single '-' between them. It never changes.
        slug: Slug,
        /// Its name for people; the slug unless told otherwise.
        #[arg(long)]
        name: Option<String>,
        /// The plan that it has from the beginning.
        #[arg(long, value_name = "PLAN")]
        plan: Option<Slug>,
    },
    /// List the projects that the admin key may see.
    List,
    /// Show one project.
    Show {
        /// Its slug.
        slug: Slug,
    },
    /// Change a project: its name, its plan, its limits.
    Edit(Box<Edit>),
    /// Refuse every export of a project until it is resumed.
    Suspend {
        /// Its slug.
        slug: Slug,
        /// Why, for people who see the project.
        #[arg(long)]
        reason: String,
    },
    /// Take exports of a suspended project again.
    Resume {
        /// Its slug.
        slug: Slug,
    },
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
struct Edit {
    /// Its slug.
    slug: Slug,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// The plan that it has from now on.
    #[arg(long, value_name = "PLAN", conflicts_with = "no_plan")]
    plan: Option<Slug>,
    /// Take its plan away, and the plan's end with it.
    #[arg(long)]
    no_plan: bool,
    /// When its plan ends, which suspends it; RFC 3339, such as 2036-11-21T10:22:00Z.
    #[arg(long, value_name = "INSTANT", conflicts_with = "no_plan_end")]
    plan_ends_at: Option<String>,
    /// Let its plan go on for ever.
    #[arg(long)]
    no_plan_end: bool,
    /// A limit of its own, in place of those it has, once for each, such as "5000000000 bytes/month warn".
    #[arg(long = "limit", value_name = "LIMIT", conflicts_with = "no_limits")]
    limits: Vec<Limit>,
    /// Remove the limits of its own; those of its plan remain.
    #[arg(long)]
    no_limits: bool,
    /// How many keys of the project may be active in one environment of one grid at a time.
    #[arg(long, value_name = "NUMBER", conflicts_with = "default_max_active_keys")]
    max_active_keys: Option<u32>,
    /// Go back to the plan's or the installation's limit of active keys.
    #[arg(long)]
    default_max_active_keys: bool,
}

impl Projects {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::Create { slug, name, plan } => {
                let plan = plan.map(|plan| plan.to_string());
                let new = NewProject { slug: Some(slug.to_string()), name, plan };
                let project: ProjectView = client.post("/projects", &new).await?;
                output::one(terminal, self.output, &project)
            }
            Verb::List => {
                let projects: Vec<ProjectView> = client.list("/projects", &[]).await?;
                output::rows(terminal, self.output, &projects)
            }
            Verb::Show { slug } => {
                output::whole(terminal, self.output, &client.get::<ProjectView>(&format!("/projects/{slug}")).await?)
            }
            Verb::Edit(edit) => {
                let path = format!("/projects/{}", edit.slug);
                let project: ProjectView = client.patch(&path, &edit.patch(), None).await?;
                output::whole(terminal, self.output, &project)
            }
            Verb::Suspend { slug, reason } => {
                let why = Why { reason: Some(reason) };
                let project: ProjectView = client.post(&format!("/projects/{slug}/suspend"), &why).await?;
                terminal.say(&format!("{slug} is suspended; its exports are refused"));
                output::whole(terminal, self.output, &project)
            }
            Verb::Resume { slug } => {
                let project: ProjectView = client.command(&format!("/projects/{slug}/resume")).await?;
                terminal.say(&format!("{slug} is not suspended"));
                output::whole(terminal, self.output, &project)
            }
        }
    }
}

impl Edit {
    fn patch(&self) -> Patch {
        let null = |is: bool, value: Option<Value>| if is { Some(Value::Null) } else { value };
        Patch::new([
            ("name", text(self.name.as_ref())),
            ("plan", null(self.no_plan, self.plan.as_ref().map(|plan| json!(plan.as_str())))),
            ("plan_ends_at", null(self.no_plan_end, text(self.plan_ends_at.as_ref()))),
            ("limits", replaced(&self.limits, self.no_limits)),
            ("max_active_keys", null(self.default_max_active_keys, self.max_active_keys.map(|most| json!(most)))),
        ])
    }
}

impl Row for ProjectView {
    const COLUMNS: &'static [&'static str] = &["PROJECT", "NAME", "PLAN", "SUSPENDED", "ACTIVE KEYS", "CREATED"];

    fn values(&self) -> Vec<String> {
        let most = self.max_active_keys.map(|most| format!("at most {most}"));
        vec![
            self.slug.clone(),
            brief(&self.name),
            or_dash(self.plan.as_deref()),
            moment_or_dash(self.suspended.as_ref().map(|suspended| suspended.since.as_str())),
            or_dash(most.as_deref()),
            moment(&self.created_at),
        ]
    }
}

impl Card for ProjectView {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let most = self.max_active_keys.map(|most| format!("at most {most}"));
        let suspended = self.suspended.as_ref();
        vec![
            ("PROJECT", self.slug.clone()),
            ("NAME", self.name.clone()),
            ("PLAN", or_dash(self.plan.as_deref())),
            ("PLAN ENDS", moment_or_dash(self.plan_ends_at.as_deref())),
            ("LIMITS", texts(&self.limits)),
            ("ACTIVE KEYS", or_dash(most.as_deref())),
            ("SUSPENDED", moment_or_dash(suspended.map(|suspended| suspended.since.as_str()))),
            ("BECAUSE", or_dash(suspended.map(|suspended| suspended.reason.as_str()))),
            ("VERSION", self.version.to_string()),
            ("CREATED", moment(&self.created_at)),
        ]
    }
}
