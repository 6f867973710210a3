//! Records that are sent on: from one whole gate to another, which is the backend and says in its lake what has arrived.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use gridgate::cli::{Cli, Exit, Terminal, run};
use gridgate::config::{Bytes, Config};
use gridgate::domain::SystemClock;
use gridgate::storage::route::Route;
use serde_json::Value;

use super::client::{Export, Form};
use super::told::told;
use super::{Gate, eventually};

/// `[[forward]]` named `vendor`, to gRPC at `address` with `token`.
fn forward(config: &mut Config, address: &str, token: &str) {
    let toml = format!(
        "[[forward]]\nname = \"vendor\"\nendpoint = \"http://{address}\"\nheaders = {{ \"api-key\" = \"{token}\" }}\n"
    );
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), toml).expect("it is written");
    config.forward = Config::load(Some(file.path()), [], &[]).expect("it is good").forward;
}

fn route(project: &str, to: &[&str]) -> Route {
    let to = to.iter().map(|&name| name.to_owned()).collect();
    Route { project: Some(project.to_owned()), to, ..Route::default() }
}

/// A port that nobody listens on.
fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

const DELIVERED: &str = "gridgate_forward_records_total{destination=\"vendor\",outcome=\"delivered\"}";
const QUARANTINED: &str = "gridgate_forward_records_total{destination=\"vendor\",outcome=\"quarantined\"}";
const RETRIED: &str = "gridgate_forward_records_total{destination=\"vendor\",outcome=\"retried\"}";

#[tokio::test]
async fn an_export_reaches_the_lake_and_the_backend_as_it_was_sent() {
    let vendor = Gate::start().await;
    let own = vendor.key("bank").await;
    let gate = Gate::with(|config| {
        forward(config, &vendor.grpc.to_string(), &own.token);
        config.route = vec![route("shop", &["lake", "vendor"])];
    })
    .await;
    let (routed, other) = (gate.key("shop").await, gate.key("bank").await);
    for form in Form::ALL {
        Export::traces(form, &routed.token).send(&gate).await.assert_success(form);
        Export::traces(form, &other.token).send(&gate).await.assert_success(form);
    }
    gate.until(DELIVERED, |count| count == 3).await;
    gate.until("gridgate_forward_backlog_bytes{destination=\"vendor\"}", |bytes| bytes == 0).await;
    gate.until("gridgate_backlog_bytes", |bytes| bytes == 0).await;
    let here = gate.stop().await.lake();
    assert_eq!(here["shop/web/production/traces"], ["marker"; 3]);
    assert_eq!(here["bank/web/production/traces"], ["marker"; 3]);
    // It came with the gate's key of the vendor's, not with the client's.
    let there = vendor.stop().await.lake();
    assert_eq!(
        there.into_iter().collect::<Vec<_>>(),
        [("bank/web/production/traces".to_owned(), vec!["marker".to_owned(); 3])]
    );
}

/// The backend is down, and the gate is started anew before it comes back.
#[tokio::test]
async fn an_outage_of_the_backend_and_of_the_gate_loses_nothing() {
    let address = free();
    let vendor = Gate::with(|config| config.listen.grpc = address.parse().expect("an address")).await;
    let token = vendor.key("bank").await.token;
    let clock = Arc::clone(&vendor.clock);
    let vendor = vendor.stop().await;
    let gate = Gate::with(|config| {
        forward(config, &address, &token);
        config.route = vec![route("shop", &["vendor"])];
    })
    .await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.until(RETRIED, |count| count > 0).await;
    let gate_clock = Arc::clone(&gate.clock);
    let stopped = gate.stop().await;
    assert!(stopped.lake().is_empty());

    let (server, stop_vendor) = super::serve(&vendor.config, &clock).await;
    let vendor_runs = tokio::spawn(server.run());
    let (server, stop_gate) = super::serve(&stopped.config, &gate_clock).await;
    let admin = server.admin_address().expect("an address");
    let gate_runs = tokio::spawn(server.run());
    eventually("everything is delivered", async || {
        gate_clock.advance(Duration::from_secs(1));
        let metrics = super::client::exchange(admin, false, http::Request::get("/metrics"), "").await.text();
        metrics.contains(&format!("{DELIVERED} 3"))
    })
    .await;
    for (stop, running) in [(stop_gate, gate_runs), (stop_vendor, vendor_runs)] {
        stop.cancel();
        running.await.expect("it does not panic").expect("it stops in good order");
    }
    assert_eq!(vendor.lake()["bank/web/production/traces"], ["marker"; 3]);
    assert!(super::files(&stopped.config.log_folder().join("segments")).is_empty());
    assert!(super::files(&stopped.config.log_folder().join("forward")).is_empty());
}

#[tokio::test]
async fn a_backend_that_is_full_refuses_only_those_who_are_routed_to_it() {
    let gate = Gate::with(|config| {
        forward(config, &free(), "ggi_nothing");
        config.forward[0].backlog = Bytes(1);
        config.route = vec![route("shop", &["lake", "vendor"])];
    })
    .await;
    let (routed, other) = (gate.key("shop").await, gate.key("bank").await);
    Export::traces(Form::Grpc, &routed.token).send(&gate).await.assert_success(Form::Grpc);
    gate.until("gridgate_forward_backlog_bytes{destination=\"vendor\"}", |bytes| bytes > 0).await;
    for form in Form::ALL {
        told("backlog_full").key(&routed.id).check(&Export::traces(form, &routed.token).send(&gate).await, form);
        Export::traces(form, &other.token).send(&gate).await.assert_success(form);
    }
    assert_eq!(gate.get("/readyz").await.status, 200);
    // The lake has what it was given all the same.
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"]);
}

/// A command on the data folder of a gate, as a script gives it; `shown`: with its output on a terminal.
async fn command_to(shown: bool, data: &Path, line: &str) -> (Exit, String, String) {
    let words = ["gridgate"].into_iter().chain(line.split_whitespace());
    let folder = data.display().to_string();
    let cli = Cli::try_parse_from(words.chain(["--data", &folder])).expect("a command line");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: Box::new(&mut out),
        err: Box::new(&mut err),
        input: Box::new(&b""[..]),
        interactive: false,
        shown,
        admin_key: None,
        token: None,
        exporter: Vec::new(),
        clock: Arc::new(SystemClock),
    };
    let exit = run(cli.command, &mut terminal).await;
    drop(terminal);
    (exit, String::from_utf8_lossy(&out).into_owned(), String::from_utf8(err).expect("text"))
}

async fn command(data: &Path, line: &str) -> (Exit, String, String) {
    command_to(false, data, line).await
}

#[tokio::test]
async fn what_the_backend_refuses_for_good_is_listed_shown_sent_again_and_removed() {
    // To this one every export has too many items.
    let strict = Gate::with(|config| config.limits.items = 1).await;
    let token = strict.key("bank").await.token;
    let gate = Gate::with(|config| {
        forward(config, &strict.grpc.to_string(), &token);
        config.route = vec![route("shop", &["vendor"])];
    })
    .await;
    let key = gate.key("shop").await;
    for form in [Form::Protobuf, Form::Grpc] {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.until(QUARANTINED, |count| count == 2).await;
    let data = gate.config.data.folder.clone();

    // While the gate runs.
    let (exit, out, _) = command(&data, "quarantine list --output json").await;
    assert_eq!(exit, Exit::Done);
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an id");
    assert_eq!((&listed[0]["destination"], &listed[0]["tenant"]), (&"vendor".into(), &"shop/web/production".into()));
    assert_eq!((&listed[0]["key"], &listed[0]["items"]), (&key.id.clone().into(), &1.into()));
    assert!(listed[0]["reason"].as_str().expect("a reason").contains("items"), "{listed}");
    let (_, table, _) = command(&data, "quarantine list").await;
    assert!(table.starts_with("ID ") && table.lines().count() == 3 && table.contains(id), "{table}");
    let (exit, payload, _) = command(&data, &format!("quarantine show {id}")).await;
    assert_eq!(exit, Exit::Done);
    assert!(payload.contains("marker"));
    // A terminal would take some of its bytes for commands.
    let (exit, out, err) = command_to(true, &data, &format!("quarantine show {id}")).await;
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.starts_with("error: a payload is protobuf and not for a terminal\n"), "{err}");

    let (exit, out, err) = command(&data, "quarantine show vendor/nothing").await;
    assert_eq!((exit, out.as_str()), (Exit::Refused, ""));
    assert!(err.starts_with("error: there is no vendor/nothing in quarantine\n"), "{err}");
    let (exit, _, err) = command(&data, "quarantine remove --all").await;
    assert_eq!(exit, Exit::Usage);
    assert!(err.starts_with("error: removing cannot be undone and nobody is there to confirm it\n"), "{err}");
    let (exit, _, err) = command(&data, &format!("quarantine remove {id} --yes")).await;
    assert_eq!((exit, err.as_str()), (Exit::Done, "removed: 1\n"));
    let (exit, _, err) = command(&data, "quarantine retry --all").await;
    assert_eq!((exit, err.as_str()), (Exit::Done, "sent again after the next start of the gate: 1\n"));
    let (_, out, _) = command(&data, "quarantine list --output json").await;
    assert_eq!(out, "[]\n");

    // The forward is put right, and the next start sends what was taken back.
    let vendor = Gate::start().await;
    let token = vendor.key("bank").await.token;
    let clock = Arc::clone(&gate.clock);
    let mut stopped = gate.stop().await;
    strict.stop().await;
    forward(&mut stopped.config, &vendor.grpc.to_string(), &token);
    let (server, stop) = super::serve(&stopped.config, &clock).await;
    let running = tokio::spawn(server.run());
    let received = "gridgate_exports_accepted_total{transport=\"grpc\",signal=\"traces\"}";
    vendor.until(received, |count| count == 1).await;
    stop.cancel();
    running.await.expect("it does not panic").expect("it stops in good order");
    assert_eq!(vendor.stop().await.lake()["bank/web/production/traces"], ["marker"]);
}
