//! Why telemetry does not arrive: whatever a service does wrong, `gridgate refusals` names it, who does it, and what to do.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridgate::cli::Exit;
use gridgate::config::{Admitted, Bytes, Config, ListenerConfig, Prefix, Serves, Span, TlsConfig};
use gridgate::domain::random::SeededRandom;
use gridgate::domain::{KeyId, Permission, Permissions, Reason, Signal, Timestamp, Token, Transport};
use http::Request;
use serde_json::{Value, json};

use super::client::{Answer, Export, Form, Raw, exchange, frame, gzip};
use super::limits::logs;
use super::{Gate, Issued, eventually, new_key, serve};
use crate::admin::START;
use crate::catalog::{execute_at, slug, tenant};
use crate::cli::Shell;

/// What a service calls itself here.
const AGENT: &str = "OTel-OTLP-Exporter-Python/1.27.0";

const SOON: Span = Span(Duration::from_millis(10));

/// Every row of the answer table, and nothing but the command line.
#[tokio::test]
async fn a_new_user_finds_why_telemetry_does_not_arrive() {
    let mut found = BTreeSet::new();
    let gate = Gate::with(|config| {
        config.refusals.flush_interval = SOON;
        (config.limits.wire_body, config.limits.body) = (Bytes(64 << 10), Bytes(64 << 10));
        config.limits.items = 100;
        config.listen.more = vec![ListenerConfig {
            address: ([127, 0, 0, 1], 0).into(),
            transport: Serves::Any,
            environment: Admitted(Some(slug("staging"))),
            prefix: Prefix::default(),
            tls: TlsConfig::default(),
        }];
    })
    .await;
    wrong_keys(&gate, &mut found).await;
    over_limits(&gate, &mut found).await;
    wrong_requests(&gate, &mut found).await;
    what_fails(&gate, &mut found).await;
    gate.stop().await;
    Box::pin(what_takes_too_long_or_too_much(&mut found)).await;
    Box::pin(what_comes_at_the_end(&mut found)).await;
    assert_eq!(found, Reason::ALL.iter().copied().collect());
}

/// Who is named as the sender of what was refused.
enum Who<'a> {
    /// A key whose secret was proved.
    Key(&'a Issued),
    /// A key that the token only speaks of.
    Claims(&'a str),
    Nobody,
}

fn shell(gate: &Gate) -> Shell {
    Shell { url: format!("http://{}", gate.admin), admin_key: Some(gate.owner.clone()), answer: None }
}

/// What the command line shows in JSON, with these filters.
async fn rows(gate: &Gate, filters: &str) -> Vec<Value> {
    let ended = shell(gate).run(&format!("refusals {filters} --output json")).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    serde_json::from_str(&ended.out).expect("JSON")
}

/// That the command line tells of `reason`, by `who`: the cause, and what to do about it.
async fn assert_found(gate: &Gate, found: &mut BTreeSet<Reason>, reason: Reason, who: Who<'_>) {
    let filter = format!("--reason {reason}");
    eventually(reason.as_str(), async || !rows(gate, &filter).await.is_empty()).await;
    let rows = rows(gate, &filter).await;
    let row = &rows[0];
    assert_eq!((&row["reason"], &row["kind"]), (&json!(reason.as_str()), &json!("refusal")), "{row}");
    assert_eq!((&row["advice"], &row["http_status"]), (&json!(reason.advice()), &json!(reason.http_status())));
    assert_eq!(row["grpc_status"], reason.grpc_code().as_str());
    assert_eq!((&row["address"], &row["user_agent"]), (&json!("127.0.0.1"), &json!(AGENT)), "{row}");
    assert!(row["count"].as_u64().is_some_and(|count| count > 0), "{row}");
    let (key, claimed) = match &who {
        Who::Key(key) => (json!(key.id), json!(null)),
        Who::Claims(id) => (json!(null), json!(id)),
        Who::Nobody => (json!(null), json!(null)),
    };
    assert_eq!((&row["key"], &row["claimed_key"]), (&key, &claimed), "{row}");
    if let Who::Key(_) = who {
        assert_eq!((&row["project"], &row["grid"]), (&json!("shop"), &json!("web")), "{row}");
        assert!(row["key_name"].is_string(), "{row}");
    }
    let table = shell(gate).run(&format!("refusals {filter}")).await;
    assert_eq!((table.exit, &*table.err), (Exit::Done, ""), "{}", table.out);
    let lines: Vec<_> = table.out.lines().collect();
    assert!(lines[1].contains(reason.as_str()) && lines[1].contains(AGENT), "{}", table.out);
    for id in [key, claimed] {
        assert!(id.as_str().is_none_or(|id| lines[1].contains(id)), "{}", table.out);
    }
    let advice = format!("{reason}  {}", reason.advice());
    assert_eq!(lines.last().map(|line| line.trim_end()), Some(&*advice), "{}", table.out);
    assert!(found.insert(reason), "{reason} twice");
}

/// What `send` gets for its export, which has to be `reason`.
fn assert_refused(answer: &Answer, reason: Reason) {
    let told = format!("{answer:?}{}", answer.text());
    assert!(told.contains(reason.as_str()), "{reason}: {told}");
}

fn traces(form: Form, token: &str) -> Export {
    Export::traces(form, token).with("user-agent", AGENT)
}

async fn send(gate: &Gate, export: &Export, to: SocketAddr, reason: Reason) {
    assert_refused(&export.send_to(to).await, reason);
    assert!(!rows_hold(gate, export).await, "the token is shown");
}

/// Whether anything that the command line shows holds the secret of the export's token.
async fn rows_hold(gate: &Gate, export: &Export) -> bool {
    let Some((_, token)) = export.headers.iter().find(|(name, _)| name == "api-key") else { return false };
    let token = String::from_utf8_lossy(token).into_owned();
    let secret = token.rsplit('_').find(|part| part.len() > 20).map_or(token.clone(), |part| part[14..].to_owned());
    rows(gate, "").await.iter().any(|row| row.to_string().contains(&secret))
}

async fn wrong_keys(gate: &Gate, found: &mut BTreeSet<Reason>) {
    let form = Form::Protobuf;
    let good = gate.key("shop").await;
    let bare = Export::new(form, Signal::Traces, "marker").with("user-agent", AGENT);
    send(gate, &bare, gate.http, Reason::CredentialsMissing).await;
    assert_found(gate, found, Reason::CredentialsMissing, Who::Nobody).await;
    let two = traces(form, &good.token).with("x-api-key", &gate.key("bank").await.token);
    send(gate, &two, gate.http, Reason::CredentialsAmbiguous).await;
    assert_found(gate, found, Reason::CredentialsAmbiguous, Who::Nobody).await;
    let cut = traces(form, &good.token[..good.token.len() - 3]);
    send(gate, &cut, gate.http, Reason::KeyMalformed).await;
    assert_found(gate, found, Reason::KeyMalformed, Who::Claims(&good.id)).await;
    let id: KeyId = good.id.parse().expect("an id");
    let made_up = Token::mint(Some(&"prd".parse().expect("a code")), id, &SeededRandom::new(5)).expect("a token");
    send(gate, &traces(form, made_up.reveal()), gate.http, Reason::KeyInvalid).await;
    assert_found(gate, found, Reason::KeyInvalid, Who::Claims(&good.id)).await;
    let stranger = rows(gate, "--project shop --reason key_invalid").await;
    assert_eq!(stranger.len(), 1, "who claims a key of the project is shown to it");

    for (change, reason) in
        [("revoke", Reason::KeyRevoked), ("disable", Reason::KeyDisabled), ("regenerate", Reason::SecretRetired)]
    {
        let key = gate.key("shop").await;
        gate.change(&key, change).await;
        send(gate, &traces(form, &key.token), gate.http, reason).await;
        assert_found(gate, found, reason, Who::Key(&key)).await;
    }
    let until = Timestamp::from_micros(START.micros() + 1_000_000);
    let key = gate.issue("short", tenant("shop", "web", "production"), Permissions::ingest(), Some(until)).await;
    gate.clock.advance(Duration::from_secs(2));
    send(gate, &traces(form, &key.token), gate.http, Reason::KeyExpired).await;
    assert_found(gate, found, Reason::KeyExpired, Who::Key(&key)).await;
    let one = [Permission::LogsWrite].into_iter().collect();
    let key = gate.issue("logs", tenant("shop", "web", "production"), one, None).await;
    send(gate, &traces(Form::Grpc, &key.token), gate.grpc, Reason::PermissionDenied).await;
    assert_found(gate, found, Reason::PermissionDenied, Who::Key(&key)).await;
    gate.edit(&good, "{\"allowed_addresses\": [\"10.0.0.0/8\"]}").await;
    send(gate, &traces(form, &good.token), gate.http, Reason::IpNotAllowed).await;
    assert_found(gate, found, Reason::IpNotAllowed, Who::Key(&good)).await;
    let key = gate.key("shop").await;
    send(gate, &traces(form, &key.token), gate.more[0], Reason::EnvironmentMismatch).await;
    assert_found(gate, found, Reason::EnvironmentMismatch, Who::Key(&key)).await;
    change_project(gate, "suspend", "{\"reason\": \"unpaid\"}").await;
    send(gate, &traces(form, &key.token), gate.http, Reason::ProjectSuspended).await;
    assert_found(gate, found, Reason::ProjectSuspended, Who::Key(&key)).await;
    change_project(gate, "resume", "").await;
}

/// `POST /projects/shop/{change}`
async fn change_project(gate: &Gate, change: &str, body: &str) {
    let request = Request::post(format!("/api/v1/projects/shop/{change}"))
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/json");
    let answer = exchange(gate.admin, false, request, body.to_owned()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// What is over a limit of the key's own, which its second export is.
async fn over_limits(gate: &Gate, found: &mut BTreeSet<Reason>) {
    for (limit, reason) in [
        (json!({"unit": "requests", "per": "second", "amount": 1}), Reason::RateLimited),
        (json!({"unit": "items", "per": "day", "amount": 1}), Reason::QuotaExhausted),
    ] {
        let mut new = new_key(reason.as_str());
        new["limits"] = json!([limit]);
        let key = gate.created(&new).await;
        assert_eq!(traces(Form::Protobuf, &key.token).send(gate).await.status, 200);
        send(gate, &traces(Form::Protobuf, &key.token), gate.http, reason).await;
        assert_found(gate, found, reason, Who::Key(&key)).await;
    }
}

async fn wrong_requests(gate: &Gate, found: &mut BTreeSet<Reason>) {
    let key = gate.key("shop").await;
    let (http, grpc) = (traces(Form::Protobuf, &key.token), traces(Form::Grpc, &key.token));
    for (export, to, reason) in [
        (http.clone().to("/v1/trace"), gate.http, Reason::PathUnknown),
        (http.clone(), gate.grpc, Reason::WrongPort),
        (Export { method: "PUT", ..http.clone() }, gate.http, Reason::MethodNotAllowed),
    ] {
        send(gate, &export, to, reason).await;
        assert_found(gate, found, reason, Who::Claims(&key.id)).await;
    }
    let large = |size| http.clone().to("/v1/logs").raw(logs(Form::Protobuf, size));
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": vec![json!({}); 150]}]}]}).to_string();
    for (export, to, reason) in [
        (http.clone().with("content-type", "text/plain"), gate.http, Reason::ContentTypeUnsupported),
        (http.clone().with("content-encoding", "br"), gate.http, Reason::CompressionUnsupported),
        (grpc.clone().raw(frame(1, &gzip(b"x"))), gate.grpc, Reason::CompressionUndeclared),
        (http.clone().with("content-encoding", "gzip"), gate.http, Reason::CompressionInvalid),
        (http.clone().raw(&b"\xff\xff"[..]), gate.http, Reason::BodyUndecodable),
        (large((64 << 10) + 1), gate.http, Reason::BodyTooLarge),
        (traces(Form::Json, &key.token).message(spans), gate.http, Reason::TooManyItems),
        (http.clone().with("x-large", "x".repeat(20 << 10)), gate.http, Reason::HeadersTooLarge),
    ] {
        send(gate, &export, to, reason).await;
        assert_found(gate, found, reason, Who::Key(&key)).await;
    }
    let whoami = Request::get("/v1/whoami?permissions=all").header("api-key", &key.token).header("user-agent", AGENT);
    assert_refused(&exchange(gate.http, false, whoami, "").await, Reason::QueryInvalid);
    assert_found(gate, found, Reason::QueryInvalid, Who::Key(&key)).await;
}

/// What is no fault of the sender.
async fn what_fails(gate: &Gate, found: &mut BTreeSet<Reason>) {
    let (warm, cold) = (gate.key("shop").await, gate.key("shop").await);
    traces(Form::Protobuf, &warm.token).send(gate).await.assert_success(Form::Protobuf);
    execute_at(&gate.config.catalog_url(), "ALTER TABLE keys RENAME TO hidden").await;
    assert_refused(&traces(Form::Protobuf, &cold.token).send(gate).await, Reason::CatalogUnavailable);
    execute_at(&gate.config.catalog_url(), "ALTER TABLE hidden RENAME TO keys").await;
    assert_found(gate, found, Reason::CatalogUnavailable, Who::Claims(&cold.id)).await;
    gate.until("gridgate_backlog_bytes", |bytes| bytes == 0).await;
    let segments = gate.config.log_folder().join("segments");
    fs::remove_dir_all(&segments).expect("the folder is removed");
    fs::write(&segments, "in the way").expect("a file takes its place");
    assert_refused(&traces(Form::Protobuf, &warm.token).send(gate).await, Reason::LogUnavailable);
    assert_found(gate, found, Reason::LogUnavailable, Who::Key(&warm)).await;
    fs::remove_file(&segments).expect("the file is removed");
    assert_eq!(gate.get("/readyz").await.status, 200);
}

async fn what_takes_too_long_or_too_much(found: &mut BTreeSet<Reason>) {
    let begin = async |adjust: fn(&mut Config)| {
        let gate = Gate::with(|config| {
            config.refusals.flush_interval = SOON;
            adjust(config);
        });
        let gate = gate.await;
        let key = gate.key("shop").await;
        (gate, key)
    };
    let (gate, key) = begin(|config| config.limits.body_time = Span(Duration::from_millis(100))).await;
    let mut raw = Raw::connect(gate.http).await;
    raw.head(&traces(Form::Protobuf, &key.token), "content-length: 100\r\n").await;
    assert!(raw.read_answer().await.0.contains("request_timeout"));
    assert_found(&gate, found, Reason::RequestTimeout, Who::Key(&key)).await;
    gate.stop().await;

    let (gate, key) = begin(|config| config.limits.memory = Bytes(10 << 20)).await;
    let big = || traces(Form::Protobuf, &key.token).to("/v1/logs").raw(logs(Form::Protobuf, 3 << 20));
    let mut first = Raw::connect(gate.http).await;
    first.head(&big(), &format!("content-length: {}\r\n", 3 << 20)).await;
    first.write(&big().body[..(3 << 20) - 1000]).await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes >= 2_000_000).await;
    assert_refused(&big().send(&gate).await, Reason::Overloaded);
    assert_found(&gate, found, Reason::Overloaded, Who::Key(&key)).await;
    drop(first);
    gate.stop().await;

    let (gate, key) = begin(|config| {
        config.log.backlog = Bytes(1);
        config.lake.interval = SOON;
    })
    .await;
    let in_the_way = gate.config.lake_folder().join("shop");
    fs::write(&in_the_way, "in the way").expect("a file is in the place of the tenant's folder");
    traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    gate.until("gridgate_delivery_failures_total", |failures| failures > 0).await;
    assert_refused(&traces(Form::Protobuf, &key.token).send(&gate).await, Reason::BacklogFull);
    assert_found(&gate, found, Reason::BacklogFull, Who::Key(&key)).await;
    fs::remove_file(&in_the_way).expect("the file is removed");
    gate.stop().await;
}

/// A gate that is started again on what another one has left.
async fn started_again(gate: Gate, adjust: impl FnOnce(&mut Config)) -> Gate {
    let (owner, catalog, peppers, random) =
        (gate.owner.clone(), Arc::clone(&gate.catalog), gate.peppers.clone(), Arc::clone(&gate.random));
    let clock = Arc::clone(&gate.clock);
    let stopped = gate.stop().await;
    let (mut config, folder) = (stopped.config, stopped.folder);
    adjust(&mut config);
    let (server, stop) = serve(&config, &clock).await;
    let http = server.ingest_address(Transport::Http).expect("an address");
    let grpc = server.ingest_address(Transport::Grpc).expect("an address");
    let (admin, more) = (server.admin_address().expect("an address"), server.more_addresses().expect("addresses"));
    let running = tokio::spawn(server.run());
    Gate { grpc, http, admin, more, clock, config, stop, owner, running, catalog, peppers, random, folder }
}

/// What is refused while the gate stops is written down, and found after the next start.
async fn what_comes_at_the_end(found: &mut BTreeSet<Reason>) {
    let gate = Gate::with(|config| config.refusals.flush_interval = Span(Duration::from_hours(1))).await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    raw.write(b"POST /v1/traces HTTP/1.1\r\nhost: gate\r\n").await;
    // Whoever is served after that: the gate has read the beginning.
    for _ in 0..3 {
        traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    }
    gate.stop.cancel();
    let rest = format!("api-key: {}\r\nuser-agent: {AGENT}\r\ncontent-length: 0\r\n\r\n", key.token);
    raw.write(rest.as_bytes()).await;
    let (head, _) = raw.read_answer().await;
    assert!(head.contains("shutting_down"), "{head}");
    let gate = started_again(gate, |config| config.refusals.flush_interval = SOON).await;
    assert_found(&gate, found, Reason::ShuttingDown, Who::Key(&key)).await;
    gate.stop().await;
}

/// A resource that says in JSON which service and environment it is of.
fn of_environment(key: &Issued, service: &str, environment: &str) -> Export {
    let attribute = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
    let attributes = [attribute("service.name", service), attribute("deployment.environment.name", environment)];
    let body = json!({"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": [{}]}]}]});
    Export::new(Form::Json, Signal::Logs, "").key(&key.token).message(body.to_string()).with("user-agent", AGENT)
}

#[tokio::test]
async fn an_environment_that_drifts_is_a_warning_and_accepted() {
    let gate = Gate::with(|config| config.refusals.flush_interval = SOON).await;
    let key = gate.key("shop").await;
    for said in ["production", "prod", "PRD", ""] {
        of_environment(&key, "fine", said).send(&gate).await.assert_success(Form::Json);
    }
    of_environment(&key, "checkout", "staging").send(&gate).await.assert_success(Form::Json);
    eventually("the warning", async || !rows(&gate, "").await.is_empty()).await;
    let [row] = &rows(&gate, "").await[..] else { panic!("one group") };
    assert_eq!((&row["kind"], &row["reason"]), (&json!("warning"), &json!("environment_drift")));
    assert_eq!((&row["service"], &row["key"], &row["count"]), (&json!("checkout"), &json!(key.id), &json!(1)));
    let detail = "the key is of production, and the resource says deployment.environment.name = staging";
    assert_eq!((&row["detail"], &row["http_status"]), (&json!(detail), &json!(null)));
    let table = shell(&gate).run("refusals").await.out;
    assert!(table.contains("environment_drift (warning)") && table.contains("checkout"), "{table}");
    // What the same key does wrong at the same address afterwards is probably the same service.
    gate.change(&key, "disable").await;
    assert_refused(&traces(Form::Protobuf, &key.token).send(&gate).await, Reason::KeyDisabled);
    eventually("the refusal", async || !rows(&gate, "--reason key_disabled").await.is_empty()).await;
    assert_eq!(rows(&gate, "--reason key_disabled").await[0]["likely_service"], "checkout");
    gate.stop().await;
}

/// The sum is exact, whatever is made up.
#[tokio::test]
async fn a_flood_of_claims_and_names_stays_bounded() {
    let gate = Gate::with(|config| {
        config.refusals.flush_interval = SOON;
        config.refusals.groups = 16;
        config.refusals.entries = 40;
    })
    .await;
    let random = SeededRandom::new(9);
    for number in 0..150 {
        let id = KeyId::random(&random).expect("an id");
        let token = Token::mint(Some(&"prd".parse().expect("a code")), id, &random).expect("a token");
        let export = Export::traces(Form::Protobuf, token.reveal()).with("user-agent", format!("agent/{number}"));
        assert_refused(&export.send(&gate).await, Reason::KeyInvalid);
    }
    let count = |rows: &[Value]| rows.iter().map(|row| row["count"].as_u64().expect("a number")).sum::<u64>();
    eventually("all are counted", async || count(&rows(&gate, "--limit 1000").await) == 150).await;
    let rows = rows(&gate, "--limit 1000").await;
    assert!(rows.len() <= 17, "{}", rows.len());
    let coarse: Vec<_> = rows.iter().filter(|row| row["address"].is_null()).collect();
    let [coarse] = &coarse[..] else { panic!("{coarse:?}") };
    assert_eq!((&coarse["reason"], &coarse["claimed_key"]), (&json!("key_invalid"), &json!(null)));
    let table = shell(&gate).run("refusals --limit 1000").await.out;
    assert!(table.contains("many"), "{table}");
    gate.stop().await;
}

/// While nothing can be written nothing is lost, and afterwards it adds up, over a restart, too.
#[tokio::test]
async fn what_could_not_be_written_is_written_later() {
    let gate = Gate::with(|config| config.refusals.flush_interval = SOON).await;
    let key = gate.key("shop").await;
    gate.change(&key, "disable").await;
    let url = gate.config.catalog_url();
    execute_at(&url, "ALTER TABLE refusals RENAME TO away").await;
    for _ in 0..5 {
        assert_refused(&traces(Form::Protobuf, &key.token).send(&gate).await, Reason::KeyDisabled);
    }
    let missing = shell(&gate).run("refusals").await;
    assert_ne!(missing.exit, Exit::Done);
    execute_at(&url, "ALTER TABLE away RENAME TO refusals").await;
    let counted = async |gate: &Gate, wanted: u64| {
        eventually("all are counted", async || rows(gate, "").await.iter().any(|row| row["count"] == wanted)).await;
    };
    counted(&gate, 5).await;
    let gate = started_again(gate, |_| {}).await;
    assert_refused(&traces(Form::Protobuf, &key.token).send(&gate).await, Reason::KeyDisabled);
    counted(&gate, 6).await;
    assert_eq!(rows(&gate, "").await.len(), 1);
    // Its time is over two weeks after the last of them.
    gate.clock.advance(Duration::from_hours(14 * 24 + 1));
    eventually("it is forgotten", async || rows(&gate, "").await.is_empty()).await;
    gate.stop().await;
}

#[tokio::test]
async fn hostile_names_are_shown_inert() {
    let gate = Gate::with(|config| config.refusals.flush_interval = SOON).await;
    let key = gate.key("shop").await;
    let hostile = "pay\u{202e}\u{1b}[31m\n\0'; DROP TABLE refusals; --";
    let export = of_environment(&key, hostile, hostile).with("user-agent", b"a\x80\xe2\x80\xae\tb");
    export.send(&gate).await.assert_success(Form::Json);
    eventually("the warning", async || !rows(&gate, "").await.is_empty()).await;
    let row = rows(&gate, "").await.remove(0);
    assert_eq!(row["service"], hostile.replace('\0', " "));
    assert_eq!(row["user_agent"], "a\\x80\\xe2\\x80\\xae\\tb");
    let table = shell(&gate).run("refusals").await.out;
    assert!(table.contains(r"pay\u{202e}\u{1b}[31m\n"), "{table}");
    let shown = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    assert!(table.chars().all(shown) && table.lines().count() == 5, "{table:?}");
    gate.stop().await;
}

#[tokio::test]
async fn nothing_refused_is_told_in_words() {
    let gate = Gate::start().await;
    let ended = shell(&gate).run("refusals").await;
    assert_eq!((ended.exit, &*ended.out), (Exit::Done, ""));
    assert!(ended.err.contains("gridgate doctor"), "{}", ended.err);
    assert_eq!(rows(&gate, "").await, Vec::<Value>::new());
    gate.stop().await;
}
