//! `gridgate doctor` against gates, and against what is none: at which stage it stops, how it exits, what it says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Parser as _;
use gridgate::cli::{Cli, Exit, Terminal, run};
use gridgate::config::{Admitted, Bytes, ListenerConfig, Prefix, Serves, Span, TlsConfig};
use gridgate::domain::random::SeededRandom;
use gridgate::domain::{KeyId, Permission, Signal, SystemClock, Token};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::client::{Export, Form};
use super::{Gate, new_key};
use crate::catalog::{slug, tenant};
use crate::certificates::Authority;

/// How the doctor ended, and what it wrote.
#[derive(Debug)]
struct Ended {
    exit: Exit,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Exit, stage and reason of an end whose output is JSON.
    fn stopped(&self) -> (Exit, String, Option<String>) {
        let found = self.json();
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        (self.exit, text("stopped_at").unwrap_or_default(), text("reason"))
    }

    #[track_caller]
    fn assert_stopped(&self, exit: Exit, stage: &str, told: &str) {
        let (ended, stopped, _) = self.stopped();
        assert_eq!((ended, stopped.as_str()), (exit, stage), "{self:?}");
        assert!(self.err.contains(told), "{told} is not in {}", self.err);
    }
}

/// The doctor, who is given `input` and the variables of exporters.
async fn consult(line: &str, input: &str, exporter: &[(&str, String)]) -> Ended {
    consult_as(None, line, input, exporter).await
}

/// The same with an admin key at hand.
async fn consult_as(admin_key: Option<&str>, line: &str, input: &str, exporter: &[(&str, String)]) -> Ended {
    let words = ["gridgate", "doctor"].into_iter().chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).expect("a command line");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exporter = exporter.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new(value.clone())));
    let mut terminal = Terminal {
        out: Box::new(&mut out),
        err: Box::new(&mut err),
        input: Box::new(input.as_bytes()),
        interactive: false,
        shown: false,
        admin_key: admin_key.map(|key| Zeroizing::new(key.to_owned())),
        token: None,
        exporter: exporter.collect(),
        clock: Arc::new(SystemClock),
    };
    let exit = run(cli.command, &mut terminal).await;
    drop(terminal);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended { exit, out: text(out), err: text(err) }
}

/// The findings in JSON on `address` over one transport.
async fn found(address: SocketAddr, protocol: &str, token: &str) -> Ended {
    consult(&format!("--endpoint http://{address} --protocol {protocol} --output json"), token, &[]).await
}

#[tokio::test]
async fn all_is_well() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let input = format!("{}\n", key.token);
    let ended = consult(&format!("--endpoint http://{} --protocol http", gate.http), &input, &[]).await;
    assert_eq!(ended.exit, Exit::Done, "{ended:?}");
    let name = gate.http;
    let token = "a whole ingest token of";
    let lines: Vec<_> = ended.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "TRANSPORT STAGE RESULT DETAIL".to_owned(),
        format!("both token ok {token} {}, for the environment with the code prd", key.id),
        "http name ok 127.0.0.1 is 127.0.0.1".to_owned(),
        format!("http connect ok {name}"),
        "http tls ok plain text, as http:// says".to_owned(),
        "http port ok it serves OTLP/HTTP".to_owned(),
        "http path ok /v1/traces".to_owned(),
    ];
    assert_eq!(lines[..expected.len()], expected);
    let key_line = lines[expected.len()].clone();
    assert!(key_line.starts_with(&format!("http key ok {} (", key.id)), "{key_line}");
    assert!(key_line.ends_with("of shop/web/production, secret 1 (current)"), "{key_line}");
    assert_eq!(lines[8..], ["http environment ok", "http permission ok", "http limit ok", "http span ok stored"]);
    assert!(ended.err.contains("telemetry arrives"), "{}", ended.err);

    let ended = found(gate.grpc, "grpc", &input).await;
    assert_eq!((ended.exit, &ended.json()["stopped_at"]), (Exit::Done, &Value::Null), "{ended:?}");
    let stages = ended.json()["stages"].as_array().expect("stages").clone();
    let names: Vec<_> = stages.iter().map(|stage| stage["stage"].as_str().expect("a name")).collect();
    let all = ["token", "name", "connect", "tls", "port", "path", "key", "environment", "permission", "limit", "span"];
    assert_eq!(names, all);
    assert!(stages.iter().all(|stage| stage["result"] == "ok"), "{stages:?}");
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["gridgate-doctor"; 2]);
}

/// One endpoint is tried over both transports: it has to serve one of them.
#[tokio::test]
async fn the_ports_may_be_mixed_up() {
    let gate = Gate::with(|config| {
        config.listen.more = vec![ListenerConfig {
            address: ([127, 0, 0, 1], 0).into(),
            transport: Serves::Any,
            environment: Admitted(None),
            prefix: Prefix::default(),
            tls: TlsConfig::default(),
        }];
    })
    .await;
    let key = gate.key("shop").await;
    for (address, other) in [(gate.http, Some("OTLP/gRPC")), (gate.grpc, Some("OTLP/HTTP")), (gate.more[0], None)] {
        let ended = consult(&format!("--endpoint http://{address}"), &key.token, &[]).await;
        assert_eq!(ended.exit, Exit::Done, "{ended:?}");
        assert_eq!(ended.out.matches("STOPPED").count(), usize::from(other.is_some()), "{}", ended.out);
        let told = other.map(|other| format!("this port does not serve {other}"));
        assert!(told.is_none_or(|told| ended.err.contains(&told)), "{}", ended.err);
    }
    // Who said which one it is wants that one.
    for (address, protocol, right) in [(gate.http, "grpc", "OTLP/HTTP"), (gate.grpc, "http/protobuf", "OTLP/gRPC")] {
        let ended = found(address, protocol, &key.token).await;
        assert_eq!(ended.stopped(), (Exit::Refused, "port".to_owned(), Some("wrong_port".to_owned())));
        assert!(ended.err.contains(&format!("this port serves {right}, not ")), "{}", ended.err);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"].len(), 4);
}

#[tokio::test]
async fn what_a_gate_refuses_is_told_by_stage_over_both_transports() {
    let gate = Gate::with(|config| config.listen.environment = Admitted(Some(slug("production")))).await;
    let keys = [gate.key("shop").await, gate.key("shop").await, gate.key_of("shop", "staging").await];
    let [revoked, disabled, staging] = &keys;
    gate.change(revoked, "revoke").await;
    gate.change(disabled, "disable").await;
    let logs_only = [Permission::write(Signal::Logs)].into_iter().collect();
    let logs_only = gate.issue("logs", tenant("shop", "web", "production"), logs_only, None).await;
    // A key of another installation.
    let random = SeededRandom::new(99);
    let id = KeyId::random(&random).expect("an id");
    let stranger = Token::mint(Some(&"prd".parse().expect("a code")), id, &random).expect("a token");
    for (address, protocol) in [(gate.grpc, "grpc"), (gate.http, "http")] {
        for (token, stage, reason) in [
            (revoked.token.as_str(), "key", "key_revoked"),
            (&disabled.token, "key", "key_disabled"),
            (&staging.token, "environment", "environment_mismatch"),
            (&logs_only.token, "permission", "permission_denied"),
            (stranger.reveal(), "key", "key_invalid"),
        ] {
            let ended = found(address, protocol, token).await;
            assert_eq!(ended.stopped(), (Exit::Refused, stage.to_owned(), Some(reason.to_owned())), "{ended:?}");
            assert!(!ended.out.contains(&token[24..]) && !ended.err.contains(&token[24..]), "{ended:?}");
        }
    }
    let told = found(gate.http, "http", &logs_only.token).await;
    // What the gate knows of the key is there as soon as it is a key of this endpoint.
    assert_eq!(told.json()["key"]["signals"], json!(["logs"]));
    assert!(told.err.contains("the key lacks telemetry.traces.write\n"), "{}", told.err);
    assert!(told.err.contains("use a key with the permission for this signal"), "{}", told.err);
    assert!(gate.stop().await.lake().is_empty());
}

/// Who has an admin key is told what a sender must not know, and all of it.
#[tokio::test]
async fn the_admin_api_is_asked_for_the_exact_reason() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    gate.change(&key, "disable").await;
    let since = "since 2026-11-21T10:22:00.000000Z";
    let admin = format!("--admin-url http://{}", gate.admin);
    let endpoint = format!("--endpoint http://{} --protocol grpc", gate.grpc);
    let ask = async |token: &str, line: &str| consult_as(Some(&gate.owner), line, token, &[]).await;
    let told = ask(&key.token, &format!("{endpoint} {admin}")).await;
    let expected = format!("the admin API says: {} is disabled {since} by \"owner\"; ask an admin", key.id);
    assert!(told.exit == Exit::Refused && told.err.contains(&expected), "{told:?}");
    // A spoiled token still says whose it was, and is not sent to the gate.
    let told = ask(&format!("\"{}", key.token), &format!("{endpoint} {admin} --output json")).await;
    let found = told.json();
    assert_eq!((&found["diagnosis"]["key"]["id"], &found["stopped_at"]), (&json!(key.id), &json!("token")));
    assert!(!told.out.contains(&key.token[24..]), "{told:?}");
    // An admin API that is not there changes nothing about what was found.
    let told = ask(&key.token, &format!("{endpoint} --admin-url http://{}", gate.http)).await;
    assert!(told.exit == Exit::Refused && told.err.contains("the admin API could not be asked"), "{told:?}");
    gate.stop().await;
}

/// The doctor tells at which stage a key stops that is in debt, or has used up its quota.
#[tokio::test]
async fn the_doctor_stops_at_the_limit() {
    let gate = Gate::start().await;
    for (limit, reason) in [
        (json!({"unit": "requests", "per": "second", "amount": 1}), "rate_limited"),
        (json!({"unit": "items", "per": "month", "amount": 1}), "quota_exhausted"),
    ] {
        let mut new = new_key(reason);
        new["limits"] = json!([limit]);
        let key = gate.created(&new).await;
        Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
        for (address, protocol) in [(gate.grpc, "grpc"), (gate.http, "http")] {
            let stopped = found(address, protocol, &key.token).await.stopped();
            assert_eq!((&*stopped.1, stopped.2.as_deref()), ("limit", Some(reason)), "{protocol}");
        }
    }
    gate.stop().await;
}

#[tokio::test]
async fn a_path_or_a_limit_stops_it_too() {
    let prefix = Prefix::try_from("otlp/".to_owned()).expect("a prefix");
    let gate = Gate::with(|config| {
        config.listen.prefix = prefix;
        config.log.backlog = Bytes(1);
        config.lake.interval = Span(std::time::Duration::from_hours(1));
    })
    .await;
    let key = gate.key("shop").await;
    let ended = found(gate.http, "http", &key.token).await;
    ended.assert_stopped(Exit::Refused, "path", "every path here begins with /otlp");
    let line = format!("--endpoint http://{}/otlp/ --protocol http --output json", gate.http);
    assert_eq!(consult(&line, &key.token, &[]).await.exit, Exit::Done);
    // Now something waits for delivery, and there is no room for more: nothing is wrong with the sender.
    let ended = consult(&line, &key.token, &[]).await;
    assert_eq!(ended.stopped(), (Exit::Unreachable, "limit".to_owned(), Some("backlog_full".to_owned())));
    assert_eq!(found(gate.grpc, "grpc", &key.token).await.stopped().1, "limit");
    gate.stop().await;
}

/// What looks wrong here is told here, and nothing is sent.
#[tokio::test]
async fn a_token_that_is_none_is_not_sent() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let token = &key.token;
    for (input, told) in [
        (format!("\"{token}\""), "quotation marks"),
        (token[..token.len() - 3].to_owned(), "3 characters too short"),
        (key.id.clone(), "it is a key id"),
        ("${GRIDGATE_TOKEN}".to_owned(), "placeholder"),
        (format!("Bearer%20{token}"), "percent-encoded"),
        (gate.owner.clone(), "which never exports"),
        ("\n".to_owned(), "it is empty"),
    ] {
        let ended = found(gate.http, "http", &input).await;
        ended.assert_stopped(Exit::Refused, "token", told);
        let secret = &token[24..token.len() - 3];
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{ended:?}");
    }
    for (line, told) in [
        ("--endpoint gate:4318", "--endpoint is no endpoint: it does not begin with http:// or https://"),
        ("--token-file /nowhere/token", "cannot read --token-file /nowhere/token"),
        ("--ca /nowhere.pem", "--ca: /nowhere.pem: No such file"),
    ] {
        let ended = consult(line, token, &[]).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Usage, ""), "{}", ended.err);
        assert!(ended.err.contains(told), "{}", ended.err);
    }
    let nothing = consult("--protocol http", "", &[]).await;
    assert!(nothing.exit == Exit::Usage && nothing.err.contains("there is no token to look at"), "{nothing:?}");
    for (name, value) in gate.metrics().await {
        assert!(!name.starts_with("gridgate_exports_received_total") || value == 0, "{name} {value}");
    }
    gate.stop().await;
}

#[tokio::test]
async fn the_variables_of_exporters_are_read_as_exporters_do() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let base = |end: &str, value: String| (format!("OTEL_EXPORTER_OTLP_{end}"), value);
    let with = async |pairs: Vec<(String, String)>| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        consult("--from-env --output json", "", &pairs).await
    };
    let endpoint = || base("ENDPOINT", format!("http://{}/", gate.http));
    let protocol = || base("PROTOCOL", "http/protobuf".to_owned());
    let bearer = base("HEADERS", format!("x-other=1,Authorization=Bearer%20{}", key.token));
    let ended = with(vec![endpoint(), protocol(), bearer]).await;
    assert_eq!(ended.exit, Exit::Done, "{ended:?}");
    // That of traces wins, and is used as it is: the path is missing.
    let traces = base("TRACES_ENDPOINT", format!("http://{}", gate.http));
    let plain = || base("HEADERS", format!("api-key={}", key.token));
    let ended = with(vec![endpoint(), traces, protocol(), plain()]).await;
    ended.assert_stopped(Exit::Refused, "path", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like");
    // Two different tokens.
    let two = base("HEADERS", format!("api-key={},x-api-key=another", key.token));
    with(vec![endpoint(), protocol(), two]).await.assert_stopped(Exit::Refused, "key", "credentials_ambiguous");
    let ended = with(vec![endpoint(), protocol(), base("HEADERS", format!("api-key=\"{}\"", key.token))]).await;
    ended.assert_stopped(Exit::Refused, "token", "quotation marks");
    let ended = with(vec![endpoint(), base("PROTOCOL", "grpc/protobuf".to_owned()), plain()]).await;
    assert!(ended.exit == Exit::Usage && ended.err.contains("OTEL_EXPORTER_OTLP_PROTOCOL names no protocol"));
    gate.stop().await;
}

#[tokio::test]
async fn nobody_is_there() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = listener.local_addr().expect("an address");
    drop(listener);
    let ended = found(closed, "grpc", &key.token).await;
    ended.assert_stopped(Exit::Unreachable, "connect", &format!("nothing listens on {closed}"));
    let ended = consult("--endpoint http://nowhere.invalid:4318 --output json", &key.token, &[]).await;
    ended.assert_stopped(Exit::Unreachable, "name", "nowhere.invalid has no address");
    gate.stop().await;
}

#[tokio::test]
async fn certificates_are_judged_and_their_faults_named() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let secured = async |year: i32| {
        let tls = authority.issue(ExtendedKeyUsagePurpose::ServerAuth, year).write(folder.path());
        Gate::with(|config| {
            config.listen.tls = tls;
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            (config.listen.grpc, config.listen.http) = (any, any);
        })
        .await
    };
    let gate = secured(2041).await;
    let key = gate.key("shop").await;
    let (grpc, http) = (gate.grpc.port(), gate.http.port());
    let trusting = format!("--ca {} --output json", ca.display());
    for (port, protocol) in [(grpc, "grpc"), (http, "http")] {
        let consult = async |url: String, more: &str| {
            consult(&format!("--endpoint {url} --protocol {protocol} {more}"), &key.token, &[]).await
        };
        let ended = consult(format!("https://localhost:{port}"), &trusting).await;
        assert_eq!(ended.exit, Exit::Done, "{ended:?}");
        let stages = ended.json()["stages"].to_string();
        assert!(stages.contains("TLSv1_3, and the certificate is good for localhost"), "{stages}");
        let ended = consult(format!("https://127.0.0.2:{port}"), &trusting).await;
        ended.assert_stopped(Exit::Unreachable, "tls", "the certificate is for another name than 127.0.0.2");
        let other = folder.path().join("other.pem");
        std::fs::write(&other, Authority::new().pem).expect("a file");
        let ended =
            consult(format!("https://localhost:{port}"), &format!("--ca {} --output json", other.display())).await;
        ended.assert_stopped(Exit::Unreachable, "tls", "signed by an authority that is not trusted here");
        let ended = consult(format!("http://localhost:{port}"), &trusting).await;
        ended.assert_stopped(Exit::Refused, "tls", "the port speaks TLS, and the endpoint is http://");
    }
    let token = key.token.clone();
    gate.stop().await;
    let expired = secured(2021).await;
    let line = format!("--endpoint https://localhost:{} --protocol http {trusting}", expired.http.port());
    consult(&line, &token, &[]).await.assert_stopped(
        Exit::Unreachable,
        "tls",
        "the certificate of localhost has expired",
    );
    expired.stop().await;
    let plain = Gate::start().await;
    for (address, protocol) in [(plain.grpc, "grpc"), (plain.http, "http")] {
        let line = format!("--endpoint https://{address} --protocol {protocol} {trusting}");
        consult(&line, &token, &[]).await.assert_stopped(Exit::Unreachable, "tls", "the port does not speak TLS");
    }
    plain.stop().await;
}

/// What is no gate: web servers, proxies, and ports that say nothing.
#[tokio::test]
async fn other_servers_are_told_from_gates() {
    let gate = Gate::start().await;
    let token = gate.key("shop").await.token;
    let page = "content-type: text/html\r\ncontent-length: 7\r\n\r\n<html/>";
    for (answer, exit, stage, told) in [
        (format!("HTTP/1.1 200 OK\r\n{page}"), Exit::Refused, "path", "HTTP status 200, text/html"),
        (format!("HTTP/1.1 404 Not Found\r\n{page}"), Exit::Refused, "path", "HTTP status 404, text/html"),
        (
            format!("HTTP/1.1 302 Found\r\nlocation: https://gate/\r\n{page}"),
            Exit::Refused,
            "path",
            "302 to https://gate/",
        ),
        (format!("HTTP/1.1 401 Unauthorized\r\n{page}"), Exit::Refused, "key", "wants other credentials"),
        (format!("HTTP/1.1 502 Bad Gateway\r\n{page}"), Exit::Unreachable, "limit", "a proxy cannot reach the gate"),
        (String::new(), Exit::Unreachable, "port", "gives no answer of OTLP/HTTP"),
        // What a gRPC server begins with.
        ("\0\0\0\u{4}\0\0\0\0\0".to_owned(), Exit::Unreachable, "port", "gives no answer of OTLP/HTTP"),
    ] {
        let address = saying(answer).await;
        found(address, "http", &token).await.assert_stopped(exit, stage, told);
    }
    let address = saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    found(address, "grpc", &token).await.assert_stopped(Exit::Unreachable, "port", "gives no answer of OTLP/gRPC");
    gate.stop().await;
}

/// A server that says `answer` to whatever it is sent, and closes.
async fn saying(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut sent = [0; 4096];
                let _ = stream.read(&mut sent).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                while matches!(stream.read(&mut sent).await, Ok(count) if count > 0) {}
            });
        }
    });
    address
}
