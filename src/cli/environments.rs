//! `gridgate environments`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Data, Target};
use super::output::{self, Output, Row, brief, moment, or_dash};
use super::patch::{Patch, text};
use super::{Failure, Terminal};
use crate::admin::environments::EnvironmentView;
use crate::admin::environments::create::NewEnvironment;
use crate::domain::Slug;

/// List, show, create and change environments.
#[derive(Debug, Args)]
pub struct Environments {
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
    /// List the environments.
    List,
    /// Show one environment.
    Show {
        /// Its slug.
        slug: Slug,
    },
    /// Create an environment.
    Create {
        /// Its slug: 1 to 40 characters of a-z, 0-9 and single '-' between them. It never changes.
        slug: Slug,
        /// What stands for it in tokens: 2 to 8 characters of a-z and 0-9. It never changes.
        #[arg(long)]
        code: String,
        /// Its name for people; the slug unless told otherwise.
        #[arg(long)]
        name: Option<String>,
        /// After how many days a key of this environment should have a new secret: 90 unless told otherwise.
        #[arg(long, value_name = "DAYS", conflicts_with = "no_rotation")]
        rotation_days: Option<u32>,
        /// Let keys of this environment have their secrets for ever.
        #[arg(long)]
        no_rotation: bool,
    },
    /// Change an environment.
    Edit {
        /// Its slug.
        slug: Slug,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// After how many days a key of this environment should have a new secret.
        #[arg(long, value_name = "DAYS", conflicts_with = "no_rotation")]
        rotation_days: Option<u32>,
        /// Let keys of this environment have their secrets for ever.
        #[arg(long)]
        no_rotation: bool,
    },
}

impl Environments {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::List => {
                let environments: Data<EnvironmentView> = client.get("/environments").await?;
                output::rows(terminal, self.output, &environments.data)
            }
            Verb::Show { slug } => {
                let environment: EnvironmentView = client.get(&format!("/environments/{slug}")).await?;
                output::one(terminal, self.output, &environment)
            }
            Verb::Create { slug, code, name, rotation_days, no_rotation } => {
                let rotation_days = if no_rotation { Some(None) } else { rotation_days.map(Some) };
                let new = NewEnvironment { slug: Some(slug.to_string()), code: Some(code), name, rotation_days };
                let environment: EnvironmentView = client.post("/environments", &new).await?;
                output::one(terminal, self.output, &environment)
            }
            Verb::Edit { slug, name, rotation_days, no_rotation } => {
                let days = rotation_days.map(|days| json!(days));
                let edit = Patch::new([
                    ("name", text(name.as_ref())),
                    ("rotation_days", if no_rotation { Some(Value::Null) } else { days }),
                ]);
                let environment: EnvironmentView = client.patch(&format!("/environments/{slug}"), &edit, None).await?;
                output::one(terminal, self.output, &environment)
            }
        }
    }
}

impl Row for EnvironmentView {
    const COLUMNS: &'static [&'static str] = &["ENVIRONMENT", "CODE", "NAME", "ROTATION", "CREATED"];

    fn values(&self) -> Vec<String> {
        let days = self.rotation_days.map(|days| format!("{days} days"));
        vec![
            self.slug.clone(),
            self.code.clone(),
            brief(&self.name),
            or_dash(days.as_deref()),
            moment(&self.created_at),
        ]
    }
}
