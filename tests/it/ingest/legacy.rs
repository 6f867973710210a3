//! Keys whose tokens are UUIDs, as other products gave them out.

use std::time::Duration;

use gridgate::catalog::Catalog;
use gridgate::catalog::issue::NewKey;
use gridgate::config::{Span, pepper};
use gridgate::domain::audit::Action;
use gridgate::domain::key::{DigestAlgorithm, SecretFormat};
use gridgate::domain::{Binding, Digest, Key, KeyId, Permissions, Secret};
use http::Request;
use serde_json::json;

use super::client::{Export, Form, exchange};
use super::told::told;
use super::{Gate, Issued, eventually, new_key, serve};
use crate::catalog::{by, key, secret, tenant};

const UUID: &str = "6f1f7ffd-cd42-4f03-8a35-9ee3e5a04d42";

/// A key whose secret came as the SHA-256 of `uuid`.
async fn imported(catalog: &dyn Catalog, number: u8, binding: Binding, uuid: &str) -> Key {
    let secret = Secret {
        digest: Digest::sha_256(uuid),
        algorithm: DigestAlgorithm::Sha256,
        format: SecretFormat::Uuid,
        ..secret(1, 0)
    };
    let key = Key { secrets: vec![secret], ..key(number, binding) };
    catalog.create_key(&key, Action::KeyImported, &by(9)).await.expect("a key");
    key
}

async fn algorithm(catalog: &dyn Catalog, id: &KeyId) -> DigestAlgorithm {
    catalog.key(id).await.expect("an answer").expect("the key").secrets[0].algorithm
}

#[tokio::test]
async fn a_uuid_exports_in_any_case_with_hyphens_or_without() {
    let gate = Gate::start().await;
    let key = imported(&*gate.catalog, 1, tenant("bank", "web", "production"), UUID).await;
    let plain = UUID.replace('-', "");
    for form in Form::ALL {
        for token in [UUID, &UUID.to_uppercase(), &plain, &plain.to_uppercase(), &format!(" {UUID} ")] {
            Export::traces(form, token).send(&gate).await.assert_success(form);
        }
        let export = Export::new(form, gridgate::domain::Signal::Traces, "marker");
        export.with("authorization", format!("Bearer {UUID}")).send(&gate).await.assert_success(form);
        // What is one character off is some other UUID, and nobody's; what has another form is no token at all.
        for token in [UUID.replace("a0", "a1"), plain.replace("a0", "a1")] {
            told("key_invalid").check(&Export::traces(form, &token).send(&gate).await, form);
        }
        for token in [format!("{{{UUID}}}"), format!("urn:uuid:{UUID}"), UUID[1..].to_owned(), format!("{plain}0")] {
            told("key_malformed").detail("").check(&Export::traces(form, &token).send(&gate).await, form);
        }
        // The same UUID in two notations is two credentials.
        told("credentials_ambiguous").check(&Export::traces(form, UUID).and("api-key", &plain).send(&gate).await, form);
    }
    let issued = Issued { id: key.id.to_string(), token: UUID.to_owned() };
    gate.change(&issued, "revoke").await;
    for form in Form::ALL {
        told("key_revoked").key(&issued.id).check(&Export::traces(form, UUID).send(&gate).await, form);
    }
    // It never opens the admin API.
    let request = Request::get("/api/v1/projects").header("authorization", format!("Bearer {UUID}"));
    let answer = exchange(gate.admin, false, request, "").await;
    assert!(answer.status == 401 && answer.text().contains("credentials_malformed"), "{}", answer.text());
    assert_eq!(gate.stop().await.lake()["bank/web/production/traces"], ["marker"; 18]);
}

/// From the answer to the import on, and until the answer to the revocation.
#[tokio::test]
async fn imported_keys_export_at_once() {
    let gate = Gate::start().await;
    let other = UUID.replace("a0", "b0");
    let digest = Digest::sha_256(&other);
    let sha256 = digest.as_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let row = |name: &str, field: &str, value: &str| {
        let mut row = new_key(name);
        row[field] = json!(value);
        row
    };
    // Both were asked for, and remembered as unknown, before.
    for token in [UUID, &other] {
        told("key_invalid").check(&Export::traces(Form::Protobuf, token).send(&gate).await, Form::Protobuf);
    }
    let body = json!({"keys": [row("plain", "token", UUID), row("digest", "sha256", &sha256)]});
    let request = Request::post("/api/v1/keys/import")
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/json");
    let answer = exchange(gate.admin, false, request, body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let keys: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
    let ids = [&keys["data"][0]["id"], &keys["data"][1]["id"]].map(|id| id.as_str().expect("an id").to_owned());
    for (id, token) in ids.iter().zip([UUID, &other]) {
        for form in [Form::Protobuf, Form::Json] {
            Export::traces(form, token).send(&gate).await.assert_success(form);
        }
        gate.change(&Issued { id: id.clone(), token: token.to_owned() }, "revoke").await;
        for form in [Form::Protobuf, Form::Json] {
            told("key_revoked").key(id).check(&Export::traces(form, token).send(&gate).await, form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 4]);
}

#[tokio::test]
async fn a_uuid_is_issued_on_demand() {
    let gate = Gate::start().await;
    let new = NewKey::with("uuid", tenant("shop", "web", "production"), Permissions::ingest());
    let issued = gate.make(NewKey { format: SecretFormat::Uuid, ..new }).await;
    let id = issued.id.parse().expect("an id");
    let stored = gate.catalog.key(&id).await.expect("an answer").expect("the key");
    assert_eq!(stored.secrets[0].format, SecretFormat::Uuid);
    assert_eq!(algorithm(&*gate.catalog, &id).await, DigestAlgorithm::HmacSha256 { pepper: 1 });
    assert_eq!(issued.token.len(), 36);
    for form in Form::ALL {
        Export::traces(form, &issued.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// The digest that came without a pepper is replaced at the first use.
#[tokio::test]
async fn an_imported_digest_becomes_hmac_at_its_first_use() {
    let gate = Gate::with(|config| config.keys.last_used_interval = Span(Duration::from_millis(5))).await;
    let binding = || tenant("shop", "web", "production");
    let used = imported(&*gate.catalog, 1, binding(), UUID).await;
    let unused = imported(&*gate.catalog, 2, binding(), &UUID.replace("a0", "a1")).await;
    Export::traces(Form::Json, UUID).send(&gate).await.assert_success(Form::Json);
    let hmac = DigestAlgorithm::HmacSha256 { pepper: 1 };
    eventually("a new digest", async || algorithm(&*gate.catalog, &used.id).await == hmac).await;
    assert_eq!(algorithm(&*gate.catalog, &unused.id).await, DigestAlgorithm::Sha256);
    assert_eq!(gate.catalog.key_of_digest(&[Digest::sha_256(UUID)]).await.expect("an answer"), None);
    for form in Form::ALL {
        Export::traces(form, UUID).send(&gate).await.assert_success(form);
    }
    // The change of the digest is none of the key: it has no entry and keeps its version.
    let key = gate.catalog.key(&used.id).await.expect("an answer").expect("the key");
    assert_eq!((key.version, key.updated_at), (used.version, used.updated_at));
    gate.stop().await;
}

/// A second pepper is added: what was made under the first goes on, and moves to the second as it is used.
#[tokio::test]
async fn digests_follow_the_newest_pepper_as_they_are_used() {
    let gate = Gate::with(|config| config.keys.last_used_interval = Span(Duration::from_millis(5))).await;
    let (used, unused) = (gate.key("shop").await, gate.key("shop").await);
    let legacy = imported(&*gate.catalog, 1, tenant("shop", "web", "production"), UUID).await;
    let (owner, clock, catalog) = (gate.owner.clone(), gate.clock.clone(), gate.catalog.clone());
    Export::traces(Form::Json, UUID).send(&gate).await.assert_success(Form::Json);
    let under = |pepper| DigestAlgorithm::HmacSha256 { pepper };
    eventually("a new digest", async || algorithm(&*catalog, &legacy.id).await == under(1)).await;
    let stopped = gate.stop().await;
    let path = stopped.config.pepper_file();
    let first = std::fs::read_to_string(&path).expect("the pepper file");
    std::fs::write(&path, format!("{first}2 {}\n", "5a".repeat(32))).expect("it is written");
    assert_eq!(pepper::read(&path).expect("two peppers").newest().version(), 2);

    let (server, stop) = serve(&stopped.config, &clock).await;
    let http = server.ingest_address(gridgate::domain::Transport::Http).expect("an address");
    let admin = server.admin_address().expect("an address");
    let running = tokio::spawn(server.run());
    let export = async |token: &str| Export::traces(Form::Json, token).send_to(http).await.assert_success(Form::Json);
    let request = Request::get("/api/v1/projects").header("authorization", format!("Bearer {owner}"));
    assert_eq!(exchange(admin, false, request, "").await.status, 200);
    for token in [&*used.token, UUID] {
        export(token).await;
    }
    let owner: KeyId = format!("key_{}", &owner[4..16]).parse().expect("an id");
    for id in [used.id.parse().expect("an id"), legacy.id, owner] {
        eventually("the newest pepper", async || algorithm(&*catalog, &id).await == under(2)).await;
    }
    assert_eq!(algorithm(&*catalog, &unused.id.parse().expect("an id")).await, under(1));
    for token in [&*used.token, &*unused.token, UUID] {
        export(token).await;
    }
    stop.cancel();
    running.await.expect("no panic").expect("an orderly end");
}
