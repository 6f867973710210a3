//! `gridgate members`

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, Target};
use super::confirm::{Question, Sure};
use super::expiry::Expiry;
use super::issued::Showing;
use super::keys::{described, last_use, scope};
use super::output::{self, Output, Row, brief, moment, moment_or_dash, or_dash};
use super::patch::{Patch, text};
use super::{Exit, Failure, Terminal};
use crate::admin::keys::KeyView;
use crate::admin::keys::create::IssuedKey;
use crate::admin::members::create::{InvitedMember, NewMember};
use crate::domain::{KeyId, Slug};

/// List, invite, change and remove the people that administer.
#[derive(Debug, Args)]
pub struct Members {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the members that the admin key may see.
    List {
        /// Only members of this project.
        #[arg(long)]
        project: Option<Slug>,
        /// The form of the output.
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Invite a person: print the token of an admin key that is theirs, which is shown once.
    Invite(Invite),
    /// Show everything about one member.
    Show(One),
    /// Change a member, unless somebody else changes it meanwhile.
    Edit(Edit),
    /// Remove a member: their key is refused for ever.
    Remove {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The id of the member's key, `key_` and 12 characters.
    #[arg(value_name = "MEMBER_ID")]
    id: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Args)]
struct Invite {
    /// The person's name.
    #[arg(long)]
    name: String,
    /// What they may do: owner, admin, operator, viewer, auditor, or a role of your own for admin keys.
    #[arg(long)]
    role: String,
    /// The only project that they see. Without it they are a member of the whole installation.
    #[arg(long)]
    project: Option<Slug>,
    /// Whatever else people should know.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    showing: Showing,
}

#[derive(Debug, Args)]
struct Edit {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new role.
    #[arg(long)]
    role: Option<String>,
    /// A new note; an empty one removes it.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
    /// Let the member's key live for ever.
    #[arg(long, conflicts_with_all = ["expires_at", "expires_in"])]
    no_expiry: bool,
    /// Change the member only if it still has this version, which `members show` tells; without it, the version it has now.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// A row of the list of members.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Member(KeyView);

impl Members {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (client, target) = (Client::new(&self.target, terminal)?, &self.target);
        match self.verb {
            Verb::List { project, output } => {
                let filters = [("project", project.as_ref().map(Slug::as_str))];
                let members = client.list::<KeyView>("/members", &filters).await?;
                output::rows(terminal, output, &members.into_iter().map(Member).collect::<Vec<_>>())
            }
            Verb::Invite(invite) => invite.run(&client, target, terminal).await,
            Verb::Show(one) => output::whole(terminal, one.output, &client.get::<KeyView>(&one.path()?).await?),
            Verb::Edit(edit) => edit.run(&client, terminal).await,
            Verb::Remove { one, sure } => remove(&one, &sure, &client, terminal).await,
        }
    }
}

impl One {
    /// The error does not repeat the text, which may be a token that was pasted by mistake.
    fn path(&self) -> Result<String, Failure> {
        let id: KeyId = self.id.parse().map_err(|error| Failure::new(Exit::Usage, format!("MEMBER_ID: {error}")))?;
        Ok(format!("/members/{id}"))
    }
}

impl Invite {
    async fn run(self, client: &Client, target: &Target, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let new = NewMember {
            name: Some(self.name),
            role: Some(self.role),
            project: self.project.as_ref().map(Slug::to_string),
            expires_at: self.expiry.instant(terminal),
            note: self.note,
        };
        let once = self.showing.once.key()?;
        let invited: InvitedMember = client.post_once("/members", &new, &once).await?;
        let issued = IssuedKey { key: invited.member, token: invited.token };
        self.showing.show(&issued, &format!("invited {}", described(&issued.key)), target, &once, terminal)
    }
}

impl Edit {
    async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.one.path()?;
        let expires_at = self.expiry.instant(terminal);
        let changes = Patch::new([
            ("name", text(self.name.as_ref())),
            ("role", text(self.role.as_ref())),
            ("note", text(self.note.as_ref())),
            ("expires_at", if self.no_expiry { Some(Value::Null) } else { text(expires_at.as_ref()) }),
        ]);
        let version = async || Ok(client.get::<KeyView>(&path).await?.version);
        let member: KeyView = changes.send(client, &path, self.if_version, version).await?;
        terminal.say(&format!("changed {}; it has version {} now", described(&member), member.version));
        output::whole(terminal, self.one.output, &member)
    }
}

async fn remove(one: &One, sure: &Sure, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let path = one.path()?;
    let question = async || {
        let member: KeyView = client.get(&path).await?;
        let mut consequences = vec!["Their key is refused from now on. This cannot be undone.".to_owned()];
        consequences.extend(last_use(&member));
        Ok(Question { consequences, text: format!("Remove {}?", described(&member)) })
    };
    sure.or_ask(terminal, Some("give them another role with `members edit`"), question).await?;
    let member: KeyView = client.delete(&path).await?;
    terminal.say(&format!("removed {}", described(&member)));
    output::one(terminal, one.output, &Member(member))
}

impl Row for Member {
    const COLUMNS: &'static [&'static str] = &["MEMBER", "NAME", "ROLE", "SCOPE", "STATUS", "LAST USED", "EXPIRES"];

    fn values(&self) -> Vec<String> {
        let Self(key) = self;
        vec![
            key.id.clone(),
            brief(&key.name),
            or_dash(key.role.as_deref()),
            scope(key),
            key.status.clone(),
            key.last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment),
            moment_or_dash(key.expires_at.as_deref()),
        ]
    }
}
