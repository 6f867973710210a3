//! Reports of tokens that were found in public: who is believed, and what holds at the gate once a report is answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridgate::catalog::issue::NewKey;
use gridgate::domain::key::{KeyChange, NewSecret, SecretFormat};
use gridgate::domain::token::PresentedToken;
use gridgate::domain::{Binding, Clock as _, Key, KeyStatus, LeakPolicy, Permissions, Token};
use http::Request;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;

use super::client::{Answer, Export, Form, exchange};
use super::told::told;
use super::{Gate, Issued};
use crate::catalog::{by, tenant};

const URL: &str = "https://example.com/repository/blob/0000/.env";

/// Somebody whose reports are taken.
struct Scanner {
    pair: EcdsaKeyPair,
}

impl Scanner {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random);
        Self { pair: pair.expect("a key") }
    }

    /// The public key, as GitHub publishes its own.
    fn published(&self) -> String {
        let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let head = (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).expect("digits"));
        let der: Vec<u8> = head.chain(self.pair.public_key().as_ref().iter().copied()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        json!({"public_keys": [{"key_identifier": "one", "key": pem, "is_current": true}]}).to_string()
    }

    fn sign(&self, body: &str) -> String {
        STANDARD.encode(self.pair.sign(&SystemRandom::new(), body.as_bytes()).expect("a signature"))
    }

    async fn report(&self, gate: &Gate, body: &str) -> Answer {
        send(gate, "one", &self.sign(body), body).await
    }

    /// Reports `tokens` and returns the labels of the answer.
    async fn labels(&self, gate: &Gate, tokens: &[&str]) -> Vec<String> {
        let reports: Vec<_> = tokens.iter().map(|token| found(token)).collect();
        let answer = self.report(gate, &json!(reports).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(tokens.iter().all(|token| token.is_empty() || !answer.text().contains(token)), "{}", answer.text());
        let feedback: Value = serde_json::from_slice(&answer.data).expect("JSON");
        let hashes = tokens
            .iter()
            .map(|token| Sha256::digest(token).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")));
        let named =
            feedback.as_array().expect("an array").iter().map(|one| one["token_hash"].as_str().expect("a hash"));
        assert_eq!(named.collect::<Vec<_>>(), hashes.collect::<Vec<String>>());
        let labels = feedback.as_array().expect("an array").iter().map(|one| one["label"].as_str().expect("a label"));
        labels.map(str::to_owned).collect()
    }
}

fn found(token: &str) -> Value {
    json!({"token": token, "type": "gridgate", "url": URL, "source": "content"})
}

async fn send(gate: &Gate, identifier: &str, signature: &str, body: &str) -> Answer {
    let request = Request::post("/api/v1/leaked-tokens")
        .header("content-type", "application/json")
        .header("GITHUB-PUBLIC-KEY-IDENTIFIER", identifier)
        .header("GITHUB-PUBLIC-KEY-SIGNATURE", signature);
    exchange(gate.admin, false, request, body.to_owned()).await
}

/// A gate that takes the reports of a scanner.
async fn listening(ingest: LeakPolicy, admin: LeakPolicy) -> (Gate, Scanner) {
    let scanner = Scanner::new();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), scanner.published()).expect("it is written");
    let gate = Gate::with(|config| {
        config.leaks.keys_file = file.path().to_owned();
        (config.leaks.ingest, config.leaks.admin) = (ingest, admin);
    })
    .await;
    (gate, scanner)
}

async fn stored(gate: &Gate, key: &Issued) -> Key {
    gate.catalog.key(&key.id.parse().expect("an id")).await.expect("an answer").expect("the key")
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert!(answer.status == status && answer.text().contains(&format!("\"code\":\"{code}\"")), "{}", answer.text());
}

#[tokio::test]
async fn a_revoked_key_is_refused_before_the_report_is_answered() {
    let (gate, scanner) = listening(LeakPolicy::Revoke, LeakPolicy::Revoke).await;
    let (key, other) = (gate.key("shop").await, gate.key("bank").await);
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    let legacy = NewKey::with("uuid", tenant("shop", "web", "production"), Permissions::ingest());
    let legacy = gate.make(NewKey { format: SecretFormat::Uuid, ..legacy }).await;
    let spoiled = format!("{}x", &key.token[..key.token.len() - 1]);
    let tokens = [key.token.as_str(), &spoiled, &legacy.token, "00000000-0000-4000-8000-000000000000", "", &key.id];
    let labels = scanner.labels(&gate, &tokens).await;
    let [yes, no] = ["true_positive", "false_positive"];
    assert_eq!(labels, [yes, no, yes, no, no, no]);
    for form in Form::ALL {
        for one in [&key, &legacy] {
            told("key_revoked").key(&one.id).check(&Export::traces(form, &one.token).send(&gate).await, form);
        }
        Export::traces(form, &other.token).send(&gate).await.assert_success(form);
    }
    // The same report again changes nothing, and says the same.
    let before = stored(&gate, &key).await.version;
    assert_eq!(scanner.labels(&gate, &tokens).await, labels);
    assert_eq!(stored(&gate, &key).await.version, before);
    gate.stop().await;
}

#[tokio::test]
async fn an_alert_marks_the_key_and_leaves_it_good() {
    let (gate, scanner) = listening(LeakPolicy::Alert, LeakPolicy::Revoke).await;
    let key = gate.key("shop").await;
    assert_eq!(scanner.labels(&gate, &[&key.token]).await, ["true_positive"]);
    Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
    let now = gate.clock.now();
    assert!(stored(&gate, &key).await.is_exposed(now));
    // An admin key is another matter.
    let permissions = "api.key.view".parse().expect("permissions");
    let admin = gate.issue("admin", Binding::Installation, permissions, None).await;
    scanner.labels(&gate, &[&admin.token]).await;
    assert_eq!(stored(&gate, &admin).await.status(now), KeyStatus::Revoked);
    let request = Request::get("/api/v1/keys").header("x-api-key", &admin.token);
    assert_problem(&exchange(gate.admin, false, request, "").await, 401, "credentials_revoked");
    // The last owner, too: who finds that token has everything, and somebody at the machine can make another.
    assert_eq!(scanner.labels(&gate, &[&gate.owner]).await, ["true_positive"]);
    let id = PresentedToken::parse(&gate.owner).expect("a token").id.to_string();
    let owner = stored(&gate, &Issued { id, token: String::new() }).await;
    assert_eq!(owner.status(now), KeyStatus::Revoked);
    gate.stop().await;
}

/// What was found is good for nothing any more: whoever has the newer secret is left alone.
#[tokio::test]
async fn a_replaced_secret_harms_nobody() {
    let (gate, scanner) = listening(LeakPolicy::Revoke, LeakPolicy::Revoke).await;
    let key = gate.key("shop").await;
    let id = key.id.parse().expect("an id");
    let newer = Token::mint(Some(&"prd".parse().expect("a code")), id, &*gate.random).expect("a token");
    let pepper = gate.peppers.newest();
    let secret = NewSecret {
        digest: pepper.digest(newer.reveal()),
        algorithm: gridgate::domain::key::DigestAlgorithm::HmacSha256 { pepper: pepper.version() },
        format: SecretFormat::Token,
    };
    let by = by(gate.clock.now().micros());
    gate.catalog.change_key(&id, &KeyChange::Regenerate(secret), None, &by).await.expect("an answer").expect("the key");
    assert_eq!(scanner.labels(&gate, &[&key.token]).await, ["true_positive"]);
    let after = stored(&gate, &key).await;
    assert_eq!((after.status(gate.clock.now()), after.exposed_at), (KeyStatus::Active, None));
    gate.stop().await;
}

#[tokio::test]
async fn only_signed_reports_are_believed() {
    let (gate, scanner) = listening(LeakPolicy::Revoke, LeakPolicy::Revoke).await;
    let key = gate.key("shop").await;
    let body = json!([found(&key.token)]).to_string();
    let good = scanner.sign(&body);
    let stranger = Scanner::new().sign(&body);
    for (identifier, signature, body) in [
        ("one", stranger.as_str(), body.as_str()),
        ("two", &good, &body),
        ("one", &good, &format!("{body} ")),
        ("one", "", &body),
        ("one", "no base64", &body),
        ("", &good, &body),
    ] {
        assert_problem(&send(&gate, identifier, signature, body).await, 403, "signature_invalid");
    }
    let unsigned = Request::post("/api/v1/leaked-tokens").header("content-type", "application/json");
    assert_problem(&exchange(gate.admin, false, unsigned, body.clone()).await, 403, "signature_invalid");
    // No admin key stands in for a signature.
    let owner = Request::post("/api/v1/leaked-tokens").header("content-type", "application/json");
    let owner = owner.header("x-api-key", &gate.owner);
    assert_problem(&exchange(gate.admin, false, owner, body.clone()).await, 403, "signature_invalid");
    let before = stored(&gate, &key).await;
    assert_eq!((before.status(gate.clock.now()), before.exposed_at), (KeyStatus::Active, None));

    for (body, status, code) in [
        ("", 400, "body_malformed"),
        ("[", 400, "body_malformed"),
        ("{}", 422, "invalid"),
        ("[{\"type\": \"gridgate\"}]", 422, "invalid"),
        ("[{\"token\": 7}]", 422, "invalid"),
    ] {
        assert_problem(&scanner.report(&gate, body).await, status, code);
    }
    let wrong = json!([{"token": "x", "url": [key.token]}]).to_string();
    let answer = scanner.report(&gate, &wrong).await;
    assert!(answer.status == 422 && !answer.text().contains(&key.token), "{}", answer.text());
    let many = json!(vec![found("x"); 1001]).to_string();
    assert_problem(&scanner.report(&gate, &many).await, 422, "invalid");
    let large = format!("[{}]", " ".repeat(256 << 10));
    assert_problem(&scanner.report(&gate, &large).await, 413, "body_too_large");
    // Fields that are not known today are no reason to miss a report.
    let more = json!([{"token": key.token, "type": "gridgate", "severity": "high"}]).to_string();
    assert_eq!(scanner.report(&gate, &more).await.status, 200);
    assert_eq!(stored(&gate, &key).await.status(gate.clock.now()), KeyStatus::Revoked);
    gate.stop().await;
}

/// The cause is where it was found; neither that nor anything else of it repeats the token.
#[tokio::test]
async fn the_place_is_in_the_audit_log_and_the_token_is_not() {
    let (gate, scanner) = listening(LeakPolicy::Revoke, LeakPolicy::Revoke).await;
    let (key, other) = (gate.key("shop").await, gate.key("bank").await);
    let found = |token: &str, url: String| json!({"token": token, "type": "gridgate", "url": url, "source": "commit"});
    // What looks like the token in another spelling is the token, and what follows the path is nobody's business.
    let spelled = format!("https://example.com/{}", other.token.to_ascii_uppercase().replace('_', "-"));
    let body = json!([
        found(&other.token, spelled),
        found(&key.token, format!("https://example.com/a\r\n\u{7}?q={}", key.token)),
    ]);
    assert_eq!(scanner.report(&gate, &body.to_string()).await.status, 200);
    let sql = "SELECT action || ' ' || actor_name || ' ' || via FROM audit ORDER BY seq DESC LIMIT 4";
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&gate.config.catalog_url()).await.expect("a connection");
    let entries: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("entries");
    drop(connection);
    let expected = ["https://example.com/a", "…"].into_iter().flat_map(|place| {
        ["key.revoked", "key.exposed"].map(|action| format!("{action} leaked-token report: {place} (commit) api"))
    });
    assert_eq!(entries, expected.collect::<Vec<_>>());
    gate.stop().await;
}

#[tokio::test]
async fn without_keys_there_is_no_such_route() {
    let gate = Gate::start().await;
    let body = json!([found("x")]).to_string();
    assert_problem(&send(&gate, "one", "", &body).await, 404, "path_unknown");
    gate.stop().await;
}
