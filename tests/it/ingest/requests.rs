//! The request log, its live feed and the background jobs in the whole gate.

use std::time::Duration;

use bytes::Bytes;
use gridgate::cli::Exit;
use gridgate::config::{Config, Share, Span};
use gridgate::domain::{Binding, Permission, Permissions, Signal};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::client::{Export, Form, exchange};
use super::{Gate, Issued, eventually, serve};
use crate::catalog::{Fresh, execute_at, slug};
use crate::cli::Shell;

/// A gate that remembers every export and writes each down at once.
async fn gate(catalog: Option<&Fresh>, adjust: impl FnOnce(&mut Config)) -> Gate {
    Gate::with(|config| {
        config.requests.sample = Share::per_million(1_000_000);
        config.requests.interval = Span(Duration::from_millis(5));
        if let Some(fresh) = catalog {
            config.catalog.url.clone_from(&fresh.settings.url);
        }
        adjust(config);
    })
    .await
}

/// What `GET` answers to the admin key.
async fn get(gate: &Gate, token: &str, path: &str) -> (u16, Value) {
    let request = Request::get(format!("/api/v1{path}")).header("authorization", format!("Bearer {token}"));
    let answer = exchange(gate.admin, false, request, "").await;
    (answer.status, serde_json::from_str(&answer.text()).expect("JSON"))
}

/// The rows of the request log, once there are `count`.
async fn logged(gate: &Gate, query: &str, count: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    eventually("they are written down", async || {
        let (status, page) = get(gate, &gate.owner, &format!("/requests{query}")).await;
        assert_eq!(status, 200, "{page}");
        rows = page["data"].as_array().expect("rows").clone();
        rows.len() == count
    })
    .await;
    rows
}

async fn admin_of(gate: &Gate, project: &str) -> Issued {
    let usage: Permissions = [Permission::UsageView].into_iter().collect();
    gate.issue(&format!("admin of {project}"), Binding::Project(slug(project)), usage, None).await
}

async fn every_end_is_found(gate: Gate) {
    let (shop, bank) = (gate.key("shop").await, gate.key("bank").await);
    for form in Form::ALL {
        Export::traces(form, &shop.token).with("user-agent", "sdk/1").send(&gate).await.assert_success(form);
    }
    Export::new(Form::Json, Signal::Logs, "ledger").key(&bank.token).send(&gate).await.assert_success(Form::Json);
    Export::traces(Form::Protobuf, &shop.token).raw("no protobuf").send(&gate).await;
    Export::new(Form::Json, Signal::Metrics, "lost").send(&gate).await;
    gate.change(&bank, "revoke").await;
    Export::traces(Form::Grpc, &bank.token).send(&gate).await;

    let all = logged(&gate, "", 7).await;
    let accepted = all.iter().find(|row| row["transport"] == "grpc" && row["outcome"] == "accepted").expect("a row");
    let mut accepted = accepted.clone();
    let id = accepted["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(32));
    let (wire, bytes) = (accepted["wire_bytes"].take(), accepted["bytes"].take());
    assert!(wire.as_u64() > Some(20) && bytes.as_u64() > Some(20), "{wire} {bytes}");
    let expected = json!({
        "id": null,
        "at": crate::admin::START_TEXT,
        "duration_us": 0,
        "transport": "grpc",
        "signal": "traces",
        "project": "shop",
        "grid": "web",
        "environment": "production",
        "key": shop.id,
        "secret_version": 1,
        "claimed_key": null,
        "outcome": "accepted",
        "reason": null,
        "detail": null,
        "advice": null,
        "items": 1,
        "wire_bytes": null,
        "bytes": null,
        "address": "127.0.0.1",
        "user_agent": "sdk/1",
        "service": "marker",
        "host": null,
        "claimed_environment": null,
    });
    assert_eq!(accepted, expected);

    let undecodable = logged(&gate, "?outcome=refused&project=shop", 1).await.remove(0);
    assert_eq!((&undecodable["reason"], &undecodable["key"]), (&json!("body_undecodable"), &json!(shop.id)));
    assert!(undecodable["detail"].is_string() && undecodable["advice"].is_string(), "{undecodable}");
    let revoked = logged(&gate, &format!("?key={}&reason=key_revoked", bank.id), 1).await.remove(0);
    assert_eq!((&revoked["project"], &revoked["service"]), (&json!("bank"), &Value::Null));
    assert_eq!(logged(&gate, "?service=ledger&signal=logs&min_latency=0", 1).await[0]["key"], bank.id);
    let nobodys = logged(&gate, "?reason=credentials_missing", 1).await.remove(0);
    assert_eq!(
        (&nobodys["project"], &nobodys["key"], &nobodys["claimed_key"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(logged(&gate, "?address=10.0.0.1", 0).await, [] as [Value; 0]);

    // Nothing of the others, and nothing of nobody.
    let of_bank = admin_of(&gate, "bank").await;
    let (_, page) = get(&gate, &of_bank.token, "/requests").await;
    let projects: Vec<_> = page["data"].as_array().expect("rows").iter().map(|row| &row["project"]).collect();
    assert_eq!(projects, ["bank", "bank"]);
    assert_eq!(page["not_logged"], 0);
    let (status, problem) = get(&gate, &of_bank.token, "/requests?project=shop").await;
    assert_eq!((status, &problem["code"]), (404, &json!("project_not_found")));
    let nobody = gate.issue("nobody", Binding::Installation, Permissions::default(), None).await;
    for path in ["/requests", "/requests/live", "/jobs"] {
        assert_eq!(get(&gate, &nobody.token, path).await.0, 403, "{path}");
    }
    assert_eq!(get(&gate, &of_bank.token, "/jobs").await.1["code"], "installation_only");
    let wrong =
        "/requests?outcome=lost&reason=because&address=home&from=today&min_latency=-1&key=key&signal=x&tenant=y";
    let (status, problem) = get(&gate, &gate.owner, wrong).await;
    assert_eq!((status, problem["errors"].as_array().map(Vec::len)), (422, Some(8)), "{problem}");
    gate.stop().await;
}

#[tokio::test]
async fn every_end_is_found_in_sqlite() {
    every_end_is_found(gate(None, |_| {}).await).await;
}

#[tokio::test]
async fn every_end_is_found_in_postgres() {
    let fresh = Fresh::postgres().await;
    every_end_is_found(gate(Some(&fresh), |_| {}).await).await;
    fresh.drop_database().await;
}

/// A token is in no row, wherever its sender has put it.
#[tokio::test]
async fn no_row_holds_a_secret() {
    let gate = gate(None, |_| {}).await;
    let key = gate.key("shop").await;
    let secret = &key.token[key.token.len() - 38..];
    let mistyped = format!("{}x", key.token);
    for token in [&key.token, &mistyped, &gate.owner] {
        let agent = format!("sdk {token}");
        Export::new(Form::Json, Signal::Traces, token).key(token).with("user-agent", &agent).send(&gate).await;
        Export::traces(Form::Json, token).with("content-type", token).send(&gate).await;
        Export::traces(Form::Json, token).to(&format!("/v1/traces?api-key={token}")).send(&gate).await;
        Export::traces(Form::Json, token).to(&format!("/{token}")).send(&gate).await;
        Export::new(Form::Json, Signal::Traces, "marker").with("authorization", token).send(&gate).await;
    }
    let rows = logged(&gate, "", 15).await;
    let text = format!("{rows:?}");
    let owner = gate.owner.clone();
    let owners = &owner[owner.len() - 38..];
    for secret in [secret, owners] {
        assert!(!text.contains(&secret[..32]), "{text}");
    }
    assert!(text.contains("sdk ggi_…"), "{text}");
    // In no page of the database either, nor in what was deleted from it.
    let url = gate.config.catalog_url();
    let stopped = gate.stop().await;
    execute_at(&url, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let database = std::fs::read(stopped.folder.path().join("catalog.sqlite")).expect("the database");
    for secret in [secret, owners] {
        assert!(!database.windows(32).any(|part| part == &secret.as_bytes()[..32]), "the database holds a secret");
    }
}

/// Of a flood of nobody's there are as many as there is room for; the rest is counted. What came last is written at the end.
#[tokio::test]
async fn a_flood_is_bounded_and_told() {
    let gate = gate(None, |config| {
        config.requests.entries = 10;
        config.requests.interval = Span(Duration::from_hours(1));
    })
    .await;
    let key = gate.key("shop").await;
    for _ in 0..30 {
        Export::new(Form::Json, Signal::Traces, "marker").send(&gate).await;
    }
    Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
    assert_eq!(gate.metric("gridgate_requests_not_logged").await, 25);
    let (owner, clock) = (gate.owner.clone(), gate.clock.clone());
    let stopped = gate.stop().await;

    let (server, stop) = serve(&stopped.config, &clock).await;
    let shell = Shell { url: server.admin_url().expect("an address"), admin_key: Some(owner), answer: None };
    let running = tokio::spawn(server.run());
    let ended = shell.run("requests --output json").await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    let rows: Value = serde_json::from_str(&ended.out).expect("JSON");
    let of = |outcome: &str| rows.as_array().expect("rows").iter().filter(|row| row["outcome"] == outcome).count();
    assert_eq!((of("refused"), of("accepted")), (5, 1));
    assert_eq!(ended.err, "25 more exports of this time are not in the log: they were too many\n");
    let ended = shell.run("requests --project shop --limit 1").await;
    assert_eq!(ended.err, "", "none of the shop's");
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.out);
    assert!(lines[1].contains("accepted  shop/web/production"), "{}", ended.out);
    stop.cancel();
    running.await.expect("it does not panic").expect("it stops in good order");
}

#[tokio::test]
async fn hostile_texts_are_inert_at_a_terminal() {
    let gate = gate(None, |_| {}).await;
    let key = gate.key("shop").await;
    let service = "\u{1b}]0;x\u{7}\u{202e}gnp.exe";
    Export::new(Form::Json, Signal::Traces, service).key(&key.token).send(&gate).await.assert_success(Form::Json);
    let rows = logged(&gate, "", 1).await;
    assert_eq!(rows[0]["service"], service);
    let shell = Shell { url: format!("http://{}", gate.admin), admin_key: Some(gate.owner.clone()), answer: None };
    let shown = shell.run("requests").await;
    assert!(shown.out.contains(r"\u{1b}]0;x\u{7}\u{202e}gnp.exe"), "{}", shown.out);
    gate.stop().await;
}

/// The live feed of an admin key.
struct Feed {
    body: Incoming,
    unread: String,
}

impl Feed {
    async fn open(gate: &Gate, token: &str, query: &str) -> Result<Self, u16> {
        let stream = TcpStream::connect(gate.admin).await.expect("a connection");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let request = Request::get(format!("/api/v1/requests/live{query}"))
            .header("host", "gate")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::new()))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { body: response.into_body(), unread: String::new() })
    }

    /// The next event and its data; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                let Some((name, data)) = event.split_once("\ndata: ") else { continue };
                let name = name.trim_start_matches("event: ").to_owned();
                return Some((name, serde_json::from_str(data).expect("JSON")));
            }
            let frame = self.body.frame().await?.expect("more of the answer");
            let data = frame.into_data().expect("data");
            self.unread.push_str(str::from_utf8(&data).expect("text"));
        }
    }
}

#[tokio::test]
async fn exports_are_watched_as_they_end() {
    let gate = gate(None, |config| config.requests.sample = Share::per_million(0)).await;
    let (shop, bank) = (gate.key("shop").await, gate.key("bank").await);
    let of_shop = admin_of(&gate, "shop").await;
    let mut all = Feed::open(&gate, &gate.owner, "").await.expect("a feed");
    let mut refused = Feed::open(&gate, &gate.owner, "?outcome=refused").await.expect("a feed");
    let mut own = Feed::open(&gate, &of_shop.token, "").await.expect("a feed");
    assert_eq!(Feed::open(&gate, &of_shop.token, "?project=bank").await.err(), Some(404));
    assert_eq!(Feed::open(&gate, &of_shop.token, "?limit=1").await.err(), Some(422));

    Export::traces(Form::Json, &bank.token).send(&gate).await.assert_success(Form::Json);
    Export::new(Form::Json, Signal::Traces, "marker").send(&gate).await;
    Export::traces(Form::Json, &shop.token).send(&gate).await.assert_success(Form::Json);
    let mut shown = Vec::new();
    for _ in 0..3 {
        let (name, row) = all.next().await.expect("an event");
        assert_eq!((name.as_str(), &row["id"]), ("export", &Value::Null));
        shown.push((row["project"].clone(), row["outcome"].clone()));
    }
    let expected = [(json!("bank"), "accepted"), (Value::Null, "refused"), (json!("shop"), "accepted")];
    assert_eq!(shown, expected.map(|(project, outcome)| (project, json!(outcome))));
    assert_eq!(own.next().await.expect("an event").1["project"], "shop");
    assert_eq!(refused.next().await.expect("an event").1["reason"], "credentials_missing");

    // Another key's change ends nothing; its own does.
    gate.change(&bank, "revoke").await;
    gate.change(&of_shop, "disable").await;
    assert_eq!(own.next().await, Some(("end".to_owned(), json!({"reason": "key"}))));
    assert_eq!(own.next().await, None);
    gate.until("gridgate_request_watchers", |watchers| watchers == 2).await;

    let mut more = Vec::new();
    for _ in 2..16 {
        more.push(Feed::open(&gate, &gate.owner, "").await.expect("a feed"));
    }
    assert_eq!(Feed::open(&gate, &gate.owner, "").await.err(), Some(409));
    // The places of another key are its own.
    let of_bank = admin_of(&gate, "bank").await;
    more.push(Feed::open(&gate, &of_bank.token, "").await.expect("a feed"));
    more.clear();
    gate.until("gridgate_request_watchers", |watchers| watchers == 2).await;

    let stopping = tokio::spawn(gate.stop());
    assert_eq!(all.next().await, Some(("end".to_owned(), json!({"reason": "stopping"}))));
    assert_eq!(all.next().await, None);
    stopping.await.expect("it stops in good order");
}

#[tokio::test]
async fn the_command_line_follows() {
    let gate = gate(None, |_| {}).await;
    let key = gate.key("shop").await;
    let shell = Shell { url: format!("http://{}", gate.admin), admin_key: Some(gate.owner.clone()), answer: None };
    let scene = async move {
        gate.until("gridgate_request_watchers", |watchers| watchers == 2).await;
        Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
        Export::new(Form::Json, Signal::Traces, "marker").send(&gate).await;
        gate.stop().await;
    };
    let table = shell.run("requests --follow --project shop");
    let (table, json, ()) = tokio::join!(table, shell.run("requests --follow --output json"), scene);
    assert_eq!(table.exit, Exit::Unreachable, "{}", table.err);
    assert_eq!(table.out.lines().count(), 1, "{}", table.out);
    assert!(table.out.contains("  accepted  shop/web/production  key_"), "{}", table.out);
    assert!(table.err.contains("stopping"), "{}", table.err);
    let rows: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let outcomes: Vec<_> = rows.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["accepted", "refused"]);
}

/// The job says what is wrong, without the database's own words, and goes on when it is over.
#[tokio::test]
async fn a_job_whose_catalog_fails_says_so_and_recovers() {
    let gate = gate(None, |_| {}).await;
    let key = gate.key("shop").await;
    let url = gate.config.catalog_url();
    let job = async |name: &str| {
        let (status, jobs) = get(&gate, &gate.owner, "/jobs").await;
        assert_eq!(status, 200, "{jobs}");
        let jobs = jobs["data"].as_array().expect("jobs").clone();
        jobs.into_iter().find(|job| job["name"] == name).unwrap_or_else(|| panic!("there is no job {name}"))
    };
    for name in ["delivery", "webhooks", "hygiene", "sweeping", "uses", "requests", "request-retention"] {
        assert!(job(name).await["state"].is_string());
    }
    eventually("it has run", async || job("requests").await["state"] == "idle").await;
    execute_at(&url, "ALTER TABLE requests RENAME TO away").await;
    Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
    eventually("it fails", async || job("requests").await["state"] == "failing").await;
    let failing = job("requests").await;
    assert_eq!(failing["last_error"], "the catalog's database is unavailable");
    assert!(failing["failures"].as_u64() > Some(0), "{failing}");
    gate.until("gridgate_job_failures_total{job=\"requests\"}", |failures| failures > 0).await;
    execute_at(&url, "ALTER TABLE away RENAME TO requests").await;
    assert_eq!(logged(&gate, "", 1).await[0]["key"], key.id);
    eventually("it goes on", async || job("requests").await["state"] == "idle").await;
    eventually("it is delivered", async || job("delivery").await["succeeded_at"].is_string()).await;
    let metrics = gate.get("/metrics").await.text();
    assert!(metrics.contains("gridgate_job_last_success_seconds{job=\"delivery\"} 17952565"), "{metrics}");
    let shell = Shell { url: format!("http://{}", gate.admin), admin_key: Some(gate.owner.clone()), answer: None };
    let shown = shell.run("jobs").await;
    assert!(shown.out.starts_with("JOB  "), "{}", shown.out);
    assert!(shown.out.contains("the catalog's database is unavailable"), "{}", shown.out);
    gate.stop().await;
}
