//! `gridgate grids`

use clap::{Args, Subcommand};

use super::client::{Client, Target};
use super::output::{self, Output, Row, brief, moment};
use super::{Failure, Terminal};
use crate::admin::grids::GridView;
use crate::admin::grids::create::NewGrid;
use crate::domain::Slug;

/// Create, list and show grids, the applications of a project.
#[derive(Debug, Args)]
pub struct Grids {
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
    /// Create a grid.
    Create {
        /// Its slug: 1 to 40 characters of a-z, 0-9 and single '-' between them. It never changes.
        slug: Slug,
        /// The project it belongs to.
        #[arg(long)]
        project: Slug,
        /// Its name for people; the slug unless told otherwise.
        #[arg(long)]
        name: Option<String>,
    },
    /// List the grids of a project.
    List {
        /// The project.
        #[arg(long)]
        project: Slug,
    },
    /// Show one grid.
    Show {
        /// Its slug.
        slug: Slug,
        /// The project it belongs to.
        #[arg(long)]
        project: Slug,
    },
}

impl Grids {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::Create { slug, project, name } => {
                let new = NewGrid { slug: Some(slug.to_string()), name };
                let grid: GridView = client.post(&format!("/projects/{project}/grids"), &new).await?;
                output::one(terminal, self.output, &grid)
            }
            Verb::List { project } => {
                let grids: Vec<GridView> = client.list(&format!("/projects/{project}/grids"), &[]).await?;
                output::rows(terminal, self.output, &grids)
            }
            Verb::Show { slug, project } => {
                let grid: GridView = client.get(&format!("/projects/{project}/grids/{slug}")).await?;
                output::one(terminal, self.output, &grid)
            }
        }
    }
}

impl Row for GridView {
    const COLUMNS: &'static [&'static str] = &["PROJECT", "GRID", "NAME", "CREATED"];

    fn values(&self) -> Vec<String> {
        vec![self.project.clone(), self.slug.clone(), brief(&self.name), moment(&self.created_at)]
    }
}
