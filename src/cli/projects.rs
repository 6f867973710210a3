//! `gridgate projects`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Target};
use super::output::{self, Output, Row, brief, moment, or_dash};
use super::patch::{Patch, text};
use super::{Failure, Terminal};
use crate::admin::projects::ProjectView;
use crate::admin::projects::create::NewProject;
use crate::domain::Slug;

/// Create, list and change projects.
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
    },
    /// List the projects that the admin key may see.
    List,
    /// Show one project.
    Show {
        /// Its slug.
        slug: Slug,
    },
    /// Change a project.
    Edit {
        /// Its slug.
        slug: Slug,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// How many keys of the project may be active in one environment of one grid at a time.
        #[arg(long, value_name = "NUMBER", conflicts_with = "default_max_active_keys")]
        max_active_keys: Option<u32>,
        /// Go back to the installation's limit of active keys.
        #[arg(long)]
        default_max_active_keys: bool,
    },
}

impl Projects {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::Create { slug, name } => {
                let new = NewProject { slug: Some(slug.to_string()), name };
                let project: ProjectView = client.post("/projects", &new).await?;
                output::one(terminal, self.output, &project)
            }
            Verb::List => {
                let projects: Vec<ProjectView> = client.list("/projects", &[]).await?;
                output::rows(terminal, self.output, &projects)
            }
            Verb::Show { slug } => {
                output::one(terminal, self.output, &client.get::<ProjectView>(&format!("/projects/{slug}")).await?)
            }
            Verb::Edit { slug, name, max_active_keys, default_max_active_keys } => {
                let most = max_active_keys.map(|most| json!(most));
                let edit = Patch::new([
                    ("name", text(name.as_ref())),
                    ("max_active_keys", if default_max_active_keys { Some(Value::Null) } else { most }),
                ]);
                let project: ProjectView = client.patch(&format!("/projects/{slug}"), &edit, None).await?;
                output::one(terminal, self.output, &project)
            }
        }
    }
}

impl Row for ProjectView {
    const COLUMNS: &'static [&'static str] = &["PROJECT", "NAME", "ACTIVE KEYS", "CREATED"];

    fn values(&self) -> Vec<String> {
        let most = self.max_active_keys.map(|most| format!("at most {most}"));
        vec![self.slug.clone(), brief(&self.name), or_dash(most.as_deref()), moment(&self.created_at)]
    }
}
