//! `gridgate roles`

use clap::{Args, Subcommand, ValueEnum};

use super::client::{Client, Target};
use super::confirm::{Question, Sure};
use super::output::{self, Card, Output, Row, brief, joined, moment_or_dash, or_dash};
use super::patch::{Patch, list, text};
use super::{Failure, Terminal};
use crate::admin::roles::RoleView;
use crate::admin::roles::create::NewRole;
use crate::domain::Slug;

/// List, create, change and delete roles: names for what keys may do.
#[derive(Debug, Args)]
pub struct Roles {
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
    /// List the roles, those that are built in too.
    List {
        /// The roles that keys of this project can have; without it those of the installation.
        #[arg(long)]
        project: Option<Slug>,
    },
    /// Create a role.
    Create(Create),
    /// Show everything about one role.
    Show(One),
    /// Change a role, and with it what every key that has it may do, unless somebody else changes it meanwhile.
    Edit(Edit),
    /// Delete a role that no key has.
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The role's slug.
    slug: Slug,
    /// The project that the role belongs to; without it the installation.
    #[arg(long)]
    project: Option<Slug>,
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    one: One,
    /// The kind of key that it is for.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Its name for people; the slug unless told otherwise.
    #[arg(long)]
    name: Option<String>,
    /// Whatever else people should know.
    #[arg(long)]
    note: Option<String>,
    /// What it holds, once per permission: those of Gridgate, and names of your own such as `customer.read`.
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Keys that export telemetry.
    Ingest,
    /// Keys that administer.
    Admin,
}

#[derive(Debug, Args)]
struct Edit {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new note; an empty one removes it.
    #[arg(long)]
    note: Option<String>,
    /// What it holds, in place of what it holds now, once per permission.
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Change the role only if it still has this version, which `roles show` tells; without it, the version it has now.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Roles {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (client, output) = (Client::new(&self.target, terminal)?, self.output);
        match self.verb {
            Verb::List { project } => {
                let filters = [("project", project.as_ref().map(Slug::as_str))];
                output::rows(terminal, output, &client.list::<RoleView>("/roles", &filters).await?)
            }
            Verb::Create(create) => {
                let role: RoleView = client.post("/roles", &create.body()).await?;
                output::one(terminal, output, &role)
            }
            Verb::Show(one) => output::whole(terminal, output, &client.get::<RoleView>(&one.path()).await?),
            Verb::Edit(edit) => edit.run(&client, output, terminal).await,
            Verb::Delete { one, sure } => {
                let text = format!("Delete the role {}?", one.slug);
                let consequences = vec!["This cannot be undone. No key has the role.".to_owned()];
                sure.or_ask(terminal, None, async || Ok(Question { consequences, text })).await?;
                client.delete::<()>(&one.path()).await?;
                terminal.say(&format!("the role {} is deleted", one.slug));
                Ok(())
            }
        }
    }
}

impl One {
    fn path(&self) -> String {
        let project = self.project.as_ref().map(|project| format!("?project={project}")).unwrap_or_default();
        format!("/roles/{}{project}", self.slug)
    }
}

impl Create {
    fn body(self) -> NewRole {
        let kind = match self.kind {
            Kind::Ingest => "ingest",
            Kind::Admin => "admin",
        };
        NewRole {
            slug: Some(self.one.slug.to_string()),
            name: self.name,
            note: self.note,
            kind: Some(kind.to_owned()),
            project: self.one.project.as_ref().map(Slug::to_string),
            permissions: Some(self.permissions),
        }
    }
}

impl Edit {
    async fn run(self, client: &Client, output: Output, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.one.path();
        let changes = Patch::new([
            ("name", text(self.name.as_ref())),
            ("note", text(self.note.as_ref())),
            ("permissions", list(&self.permissions)),
        ]);
        let version = async || Ok(client.get::<RoleView>(&path).await?.version.unwrap_or(0));
        let role: RoleView = changes.send(client, &path, self.if_version, version).await?;
        output::whole(terminal, output, &role)
    }
}

impl Row for RoleView {
    const COLUMNS: &'static [&'static str] = &["ROLE", "NAME", "KIND", "SCOPE", "PERMISSIONS"];

    fn values(&self) -> Vec<String> {
        vec![self.slug.clone(), brief(&self.name), self.kind.clone(), scope(self), brief(&joined(&self.permissions))]
    }
}

impl Card for RoleView {
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ROLE", self.slug.clone()),
            ("NAME", self.name.clone()),
            ("NOTE", self.note.clone()),
            ("KIND", self.kind.clone()),
            ("SCOPE", scope(self)),
            ("PERMISSIONS", joined(&self.permissions)),
            ("VERSION", or_dash(self.version.map(|version| version.to_string()).as_deref())),
            ("CREATED", moment_or_dash(self.created_at.as_deref())),
            ("CHANGED", moment_or_dash(self.updated_at.as_deref())),
        ]
    }
}

/// Who can use it.
fn scope(role: &RoleView) -> String {
    match (&role.project, role.built_in) {
        (_, true) => "built in".to_owned(),
        (Some(project), false) => project.clone(),
        (None, false) => "the installation".to_owned(),
    }
}
