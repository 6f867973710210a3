//! The command line against a running admin API: what it prints where, and how it exits.

mod alerts;
mod audit;
mod ends;
mod forms;
mod hostile;
mod import;
mod lost;
mod people;
mod plans;
mod presented;
mod runbook;
mod senders;
mod sessions;
mod usage;
mod webhooks;

use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use gridgate::cli::{Cli, Exit, Terminal, run};
use gridgate::domain::Permissions;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::token::PresentedToken;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::admin::{Admin, START, START_TEXT, Server, ingest_view};

/// How a command ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A person or a script at a terminal.
pub(crate) struct Shell {
    pub(crate) url: String,
    pub(crate) admin_key: Option<String>,
    /// What a person answers; `None` is a script.
    pub(crate) answer: Option<&'static str>,
}

impl Shell {
    fn at(server: &Server) -> Self {
        Self::of(server, &server.owner)
    }

    fn of(server: &Server, admin: &Admin) -> Self {
        Self { url: format!("http://{}", server.address), admin_key: Some(admin.token.clone()), answer: None }
    }

    pub(crate) async fn run(&self, line: &str) -> Ended {
        self.words(&line.split_whitespace().collect::<Vec<_>>()).await
    }

    /// A command with white space in its words.
    pub(crate) async fn words(&self, words: &[&str]) -> Ended {
        self.bare(&[words, &["--admin-url", &self.url]].concat()).await
    }

    /// A command that is no client of the admin API.
    pub(crate) async fn bare(&self, words: &[&str]) -> Ended {
        let words = ["gridgate"].iter().chain(words);
        let cli = Cli::try_parse_from(words).expect("a command line");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run(
            cli.command,
            &mut Terminal {
                out: Box::new(&mut out),
                err: Box::new(&mut err),
                input: Box::new(self.answer.unwrap_or_default().as_bytes()),
                interactive: self.answer.is_some(),
                shown: false,
                admin_key: self.admin_key.clone().map(Zeroizing::new),
                token: None,
                exporter: Vec::new(),
                clock: Arc::new(ManualClock::new(START)),
            },
        )
        .await;
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ended { exit, out: text(out), err: text(err) }
    }

    /// What a command that must succeed wrote to stdout.
    async fn data(&self, line: &str) -> String {
        let ended = self.run(line).await;
        assert_eq!(ended.exit, Exit::Done, "{line}: {}", ended.err);
        ended.out
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.data(line).await).expect("JSON")
    }
}

const CREATE: &str = "keys create --name checkout --project shop --grid web --environment production";

#[tokio::test]
async fn projects_and_grids() {
    let server = Server::start().await;
    let shell = Shell::at(&server);
    let table = "PROJECT  NAME  PLAN  SUSPENDED  ACTIVE KEYS  CREATED\nshop     Shop  -     -          -            2026-11-21T10:22:00Z\n";
    assert_eq!(shell.data("projects create shop --name Shop").await, table);
    assert_eq!(shell.data("projects list").await, table);
    let grid = json!({"project": "shop", "slug": "web", "name": "web", "created_at": START_TEXT});
    assert_eq!(shell.json("grids create web --project shop --output json").await, grid);
    assert_eq!(shell.json("grids list --project shop --output json").await, json!([grid]));
}

#[tokio::test]
async fn a_new_keys_token_is_all_that_goes_to_stdout() {
    let server = Server::with_two_projects().await;
    let ended = Shell::at(&server).run(CREATE).await;
    let presented = PresentedToken::parse(&ended.out).expect("a token");
    assert_eq!(ended.out, format!("{}\n", presented.text));
    let talk = format!(
        "created {} (\"checkout\", ingest key of shop/web/production); its token is shown this once\n",
        presented.id
    );
    assert_eq!((ended.exit, ended.err), (Exit::Done, talk));
}

#[tokio::test]
async fn a_new_key_in_other_forms() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let env = shell.data(&format!("{CREATE} --output env --endpoint http://gate:4318")).await;
    let (head, token) = env.trim_end().rsplit_once("api-key=").expect("a token");
    assert!(PresentedToken::parse(token).is_ok());
    assert_eq!(
        head,
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://gate:4318\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nOTEL_EXPORTER_OTLP_HEADERS="
    );

    let json = shell.json(&format!("{} --output json", CREATE.replace("checkout", "second"))).await;
    let token = json["token"].as_str().expect("a token");
    let id = json!(PresentedToken::parse(token).expect("it is well-formed").id.to_string());
    assert_eq!(json, json!({"key": ingest_view(&server, &id, "shop", "second"), "token": token}));

    let permissions = "--permission api.key.view --permission api.key.create";
    let env =
        shell.data(&format!("keys create --name ops --kind admin --project shop {permissions} --output env")).await;
    let (head, token) = env.trim_end().rsplit_once('=').expect("a token");
    assert_eq!(head, format!("GRIDGATE_ADMIN_URL=http://{}\nGRIDGATE_ADMIN_KEY", server.address));
    let ops = Admin { id: String::new(), token: token.to_owned() };
    assert_eq!(Shell::of(&server, &ops).json("keys list --output json").await.as_array().map(Vec::len), Some(3));

    let table = shell.data(&format!("{} --output table", CREATE.replace("checkout", "third"))).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(PresentedToken::parse(lines[3]).is_ok(), "{table}");
}

#[tokio::test]
async fn a_key_is_listed_shown_and_changed() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].clone();
    let id = id.as_str().expect("an id");
    let row =
        |status: &str| format!("{id}  checkout  ingest  shop/web/production  ingest  {status}  never      -        -");
    let head = "KEY               NAME      KIND    SCOPE                ROLE    STATUS";

    let list = shell.data("keys list --project shop").await;
    assert_eq!(list, format!("{head}  LAST USED  EXPIRES  ATTENTION\n{}\n", row("active")));
    let card = shell.data(&format!("keys show {id}")).await;
    for line in [
        format!("KEY             {id}"),
        "SCOPE           shop/web/production".to_owned(),
        "STATUS          active".to_owned(),
        "CREATED         2026-11-21T10:22:00Z".to_owned(),
        "ALLOWED FROM    everywhere".to_owned(),
        "SECRETS         1 current".to_owned(),
    ] {
        assert!(card.lines().any(|found| found == line), "{line}: {card}");
    }
    let disabled = shell.run(&format!("keys disable {id}")).await;
    assert_eq!(disabled.err, format!("{id} (\"checkout\", ingest key of shop/web/production) is disabled\n"));
    assert!(disabled.out.ends_with(&format!("{}\n", row("disabled"))));
    assert_eq!(shell.json(&format!("keys enable {id} --output json")).await["status"], "active");
    assert_eq!(shell.json(&format!("keys revoke {id} --temporary --output json")).await["status"], "disabled");
    assert_eq!(shell.json(&format!("keys revoke {id} --yes --output json")).await["status"], "revoked");
    assert_eq!(shell.json("keys list --project shop --output json").await, json!([]));
    assert_eq!(shell.json("keys list --project shop --status all --output json").await[0]["id"], id);
}

/// More keys than one page holds.
#[tokio::test]
async fn a_list_is_followed_to_its_end() {
    let server = Server::with_two_projects().await;
    for number in 0..201 {
        server.admin(&format!("admin {number}"), Some("shop"), Permissions::default()).await;
    }
    let keys = Shell::at(&server).json("keys list --kind admin --project shop --output json").await;
    let mut ids: Vec<_> = keys.as_array().expect("rows").iter().map(|key| key["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 201);
}

#[tokio::test]
async fn revoking_asks_first() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let line = format!("keys revoke {id}");
    let status = async || server.get(&format!("/keys/{id}")).await.expect(200)["status"].clone();

    let script = Shell::at(&server).run(&line).await;
    assert_eq!((script.exit, script.out.as_str()), (Exit::Usage, ""));
    assert!(script.err.contains("--yes"), "{}", script.err);
    for answer in ["n\n", "\n", "", "revoke\n"] {
        let no = Shell { answer: Some(answer), ..Shell::at(&server) }.run(&line).await;
        assert_eq!((no.exit, no.out.as_str()), (Exit::Refused, ""));
        assert!(no.err.contains("nothing was changed"), "{}", no.err);
    }
    assert_eq!(status().await, "active");
    let yes = Shell { answer: Some("y\n"), ..Shell::at(&server) }.run(&line).await;
    assert_eq!(yes.exit, Exit::Done, "{}", yes.err);
    assert_eq!(status().await, "revoked");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_fix() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let ended = shell.run(&format!("{CREATE} --permission api.key.view --expires-at 2020-01-01T00:00:00Z")).await;
    let expected = "\
error: 2 fields or parameters are not as they must be (invalid)
  /permissions/0: ingest keys have no such permission; allowed: one or more of telemetry.traces.write, telemetry.metrics.write, telemetry.logs.write, telemetry.profiles.write, or names of your own such as customer.read
  /expires_at: the instant is not in the future; allowed: an RFC 3339 instant in the future, for example 2036-11-21T10:22:00Z, or leave it out
";
    assert_eq!(ended, Ended { exit: Exit::Refused, out: String::new(), err: expected.to_owned() });

    let taken = shell.run("projects create shop").await;
    let expected = "error: the project exists already (project_exists)\n".to_owned();
    assert_eq!(taken, Ended { exit: Exit::Conflict, out: String::new(), err: expected });
    assert_eq!(shell.run("keys show key_000000000000").await.exit, Exit::Missing);
}

#[tokio::test]
async fn a_wrong_environment_is_told_before_anything_is_sent() {
    let server = Server::with_two_projects().await;
    let ingest = server.ingest_key("shop", "checkout").await["token"].as_str().expect("a token").to_owned();
    let url = format!("http://{}", server.address);
    let key = Some(server.owner.token.clone());
    for (url, admin_key, line, told) in [
        (url.as_str(), None, "projects list", "set GRIDGATE_ADMIN_KEY or give --admin-key-file"),
        (&url, Some(String::new()), "projects list", "the admin key is no token: it is empty"),
        (&url, Some(ingest.clone()), "projects list", "the admin key is an ingest token"),
        (&url, key.clone(), "projects list --admin-key-file /nowhere/key", "cannot read --admin-key-file /nowhere/key"),
        (
            "https://gate",
            key.clone(),
            "projects list --admin-ca /nowhere.pem",
            "--admin-ca: /nowhere.pem: No such file",
        ),
        ("gate:4319", key.clone(), "projects list", "does not begin with http:// or https://"),
        ("http://", key.clone(), "projects list", "is not a URL"),
        (&url, key, &format!("keys show {ingest}"), "KEY_ID: a key id is key_ and 12 characters of 0-9A-Za-z"),
    ] {
        let ended = Shell { url: url.to_owned(), admin_key, answer: None }.run(line).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Usage, ""), "{}", ended.err);
        assert!(ended.err.contains(told), "{}", ended.err);
        assert!(!ended.err.contains(&ingest), "{}", ended.err);
    }
    for line in ["projects create Shop", "keys create --name a --project shop", "keys", "nothing"] {
        let words = ["gridgate"].into_iter().chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()), "{line}");
    }
}

#[tokio::test]
async fn the_admin_key_can_come_from_a_file() {
    let server = Server::with_two_projects().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("admin-key");
    std::fs::write(&file, format!("{}\n", server.owner.token)).expect("the file is written");
    let shell = Shell { admin_key: None, ..Shell::at(&server) };
    let list = shell.json(&format!("projects list --output json --admin-key-file {}", file.display())).await;
    assert_eq!(list.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_unreachable_server_and_a_foreign_one_are_told_apart() {
    let server = Server::with_two_projects().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let ended = Shell { url: url.clone(), ..Shell::at(&server) }.run("projects list").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Unreachable, ""), "{}", ended.err);
    assert!(ended.err.starts_with(&format!("error: cannot reach the admin API at {url}: ")), "{}", ended.err);

    // A path that is not the admin API's.
    let elsewhere = Shell { url: format!("http://{}/elsewhere", server.address), ..Shell::at(&server) };
    let ended = elsewhere.run("projects list").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Failed, ""), "{}", ended.err);
    assert!(ended.err.contains("no problem details"), "{}", ended.err);
}

#[tokio::test]
async fn a_server_without_its_database_is_to_be_tried_again() {
    let server = Server::with_two_projects().await;
    server.take_database_away();
    let ended = Shell::at(&server).run("projects list").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Unreachable, ""));
    assert!(ended.err.starts_with("error: the catalog's database does not answer"), "{}", ended.err);
    assert!(ended.err.contains("request id "), "{}", ended.err);
}

#[test]
fn exit_codes_are_those_documented() {
    let document = include_str!("../../../docs/cli.md");
    for exit in Exit::ALL {
        assert!(document.contains(&format!("\n| {} | ", exit.code())), "{exit:?}");
    }
}

#[test]
fn the_definitions_contradict_nothing() {
    Cli::command().debug_assert();
}

#[tokio::test]
async fn a_shell_learns_the_commands() {
    let shell = Shell { url: String::new(), admin_key: None, answer: None };
    for (name, begin) in [
        ("bash", "_gridgate() {"),
        ("zsh", "#compdef gridgate"),
        ("fish", "# Print an optspec"),
        ("elvish", "\nuse builtin;"),
        ("powershell", "\nusing namespace"),
    ] {
        let script = shell.bare(&["completion", name]).await.out;
        assert!(script.starts_with(begin), "{name}: {}", script.lines().next().unwrap_or_default());
        for word in ["keys", "complete-rotation", "collector-yaml"] {
            assert!(script.contains(word), "{name} lacks {word}");
        }
    }
}
