//! `gridgate projects`

use clap::{Args, Subcommand};

use super::client::{Client, Target};
use super::output::{self, Output, Row};
use super::{Failure, Terminal};
use crate::admin::projects::ProjectView;
use crate::admin::projects::create::NewProject;
use crate::domain::Slug;

/// Create and list projects.
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
        }
    }
}

impl Row for ProjectView {
    const COLUMNS: &'static [&'static str] = &["PROJECT", "NAME", "CREATED"];

    fn values(&self) -> Vec<String> {
        vec![self.slug.clone(), self.name.clone(), self.created_at.clone()]
    }
}
