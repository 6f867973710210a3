//! Who is let in, and what the others are told.

use std::time::Duration;

use gridgate::config::{Admitted, ListenerConfig, Prefix, Serves, TlsConfig};
use gridgate::domain::{Permission, Permissions, Signal};
use serde_json::json;

use super::client::{Export, Form};
use super::told::{Told, told};
use super::{Gate, new_key};
use crate::admin::START;
use crate::catalog::{slug, tenant};

/// Sends a span in every form, changed by `change`, and checks what each is told.
async fn refused(gate: &Gate, told: &Told, change: impl Fn(Export) -> Export) {
    for form in Form::ALL {
        let answer = change(Export::new(form, Signal::Traces, "marker")).send(gate).await;
        told.check(&answer, form);
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_with_a_hint() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let good = &key.token;
    let other = gate.key("bank").await.token;
    refused(&gate, &told("credentials_missing"), |export| export).await;
    refused(&gate, &told("credentials_missing"), |export| {
        let path = format!("{}?api-key={good}", export.path);
        export.to(&path)
    })
    .await;
    let ambiguous = told("credentials_ambiguous");
    refused(&gate, &ambiguous, |export| export.key(good).and("api-key", &other)).await;
    refused(&gate, &ambiguous, |export| export.key(good).with("authorization", format!("Bearer {other}"))).await;
    refused(&gate, &ambiguous, |export| export.key(good).with("x-api-key", "")).await;

    let middle = good.len() / 2;
    let swapped = if good.as_bytes()[middle] == b'a' { "b" } else { "a" };
    let mistyped = format!("{}{swapped}{}", &good[..middle], &good[middle + 1..]);
    for (token, hint) in [
        (String::new(), "it is empty"),
        (key.id.clone(), "it is a key id"),
        (format!("\"{good}\""), "it stands in quotation marks"),
        (format!("Bearer%20{good}"), "it is percent-encoded"),
        (format!("{good} {good}"), "it has white space inside"),
        ("${GRIDGATE_KEY}".to_owned(), "it is a placeholder"),
        (good[..good.len() - 5].to_owned(), "it is 5 characters too short"),
        (format!("{good}ab"), "it has 2 characters too many"),
        (mistyped, "its checksum"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a".to_owned(), ""),
        ("x".repeat(4000), ""),
        (gate.owner.clone(), "it is an admin token (gga_)"),
    ] {
        let malformed = told("key_malformed").detail(hint);
        refused(&gate, &malformed, |export| export.key(&token)).await;
    }
    let malformed = told("key_malformed").detail("a credential has characters that no token has");
    refused(&gate, &malformed, |export| export.with("api-key", b"ggi_\xff")).await;
    let malformed = told("key_malformed").detail("the authorization scheme is not Bearer");
    refused(&gate, &malformed, |export| export.with("authorization", "Basic dXNlcjpwYXNzd29yZA==")).await;
    assert!(gate.stop().await.lake().is_empty());
}

/// A key of another installation and a wrong secret: byte for byte the same answer, on every transport.
#[tokio::test]
async fn an_unknown_id_and_a_wrong_secret_are_told_the_same() {
    let (gate, elsewhere) = (Gate::start().await, Gate::start().await);
    let known = gate.key("shop").await;
    // The same sequence of random numbers gives the same id there; what it is for does not matter here.
    let unknown = elsewhere.key("shop").await;
    let wrong = with_secret_of(&known.token, &unknown.token);
    let unknown = with_id(&unknown.token, "000000000000");
    for form in Form::ALL {
        let mut answers = Vec::new();
        for token in [&wrong, &unknown] {
            let answer = Export::traces(form, token).send(&gate).await;
            told("key_invalid").check(&answer, form);
            answers.push((
                answer.status,
                answer.phrase.clone(),
                answer.headers(),
                answer.data.clone(),
                answer.trailers,
            ));
        }
        assert_eq!(answers[0], answers[1]);
    }
    elsewhere.stop().await;
    gate.stop().await;
}

/// `token` with its id replaced, under a right checksum.
fn with_id(token: &str, id: &str) -> String {
    let (kind, rest) = token.split_at("ggi_prd_".len());
    checked(&format!("{kind}{id}{}", &rest[12..rest.len() - 6]))
}

/// The id of one token with a secret that is not its own, under a right checksum.
fn with_secret_of(token: &str, other: &str) -> String {
    let head = &token[..token.len() - 38];
    let secret: String = other[other.len() - 38..other.len() - 6].chars().rev().collect();
    checked(&format!("{head}{secret}"))
}

/// DESIGN, «Decisions» 5: CRC-32/ISO-HDLC as six digits of base62.
fn checked(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize];
        rest /= 62;
    }
    format!("{text}{}", String::from_utf8_lossy(&digits))
}

#[tokio::test]
async fn a_keys_state_counts_from_the_next_export_on() {
    let gate = Gate::start().await;
    let key = gate.created(&new_key("one")).await;
    let send = async |told: Option<Told>| {
        for form in Form::ALL {
            let answer = Export::traces(form, &key.token).send(&gate).await;
            match &told {
                Some(told) => told.clone().key(&key.id).check(&answer, form),
                None => answer.assert_success(form),
            }
        }
    };
    send(None).await;
    gate.change(&key, "disable").await;
    send(Some(told("key_disabled"))).await;
    gate.change(&key, "enable").await;
    send(None).await;
    gate.change(&key, "revoke").await;
    send(Some(told("key_revoked"))).await;
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 6]);
}

#[tokio::test]
async fn a_key_expires_to_the_microsecond() {
    let gate = Gate::start().await;
    let expires = Some(START.after(Duration::from_millis(7)));
    let key = gate.issue("short", tenant("shop", "web", "production"), Permissions::ingest(), expires).await;
    gate.clock.advance(Duration::from_micros(6_999));
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.clock.advance(Duration::from_micros(1));
    refused(&gate, &told("key_expired").key(&key.id), |export| export.key(&key.token)).await;
    gate.stop().await;
}

#[tokio::test]
async fn a_listener_of_one_environment_refuses_keys_of_others() {
    let of = |transport, environment| ListenerConfig {
        address: ([127, 0, 0, 1], 0).into(),
        transport,
        environment: Admitted(Some(slug(environment))),
        prefix: Prefix::default(),
        tls: TlsConfig::default(),
    };
    let gate = Gate::with(|config| {
        config.listen.environment = Admitted(Some(slug("production")));
        config.listen.more = vec![of(Serves::Http, "staging"), of(Serves::Grpc, "staging")];
    })
    .await;
    let (production, staging) = (gate.key_of("shop", "production").await, gate.key_of("shop", "staging").await);
    for form in Form::ALL {
        let there = gate.more[usize::from(form == Form::Grpc)];
        Export::traces(form, &staging.token).send_to(there).await.assert_success(form);
        Export::traces(form, &production.token).send(&gate).await.assert_success(form);
        let mismatch = |key: &str, detail| told("environment_mismatch").key(key).detail(detail);
        let answer = Export::traces(form, &production.token).send_to(there).await;
        mismatch(&production.id, "this endpoint is for staging, the key for production").check(&answer, form);
        let answer = Export::traces(form, &staging.token).send(&gate).await;
        mismatch(&staging.id, "this endpoint is for production, the key for staging").check(&answer, form);
    }
    let lake = gate.stop().await.lake();
    assert_eq!(lake.keys().collect::<Vec<_>>(), ["shop/web/production/traces", "shop/web/staging/traces"]);
}

#[tokio::test]
async fn each_signal_needs_its_permission() {
    let gate = Gate::start().await;
    for allowed in Signal::ALL {
        let permission = Permission::write(allowed).as_str();
        let body = json!({"name": permission, "project": "shop", "grid": "web", "environment": "production",
            "permissions": [permission]});
        let key = gate.created(&body).await;
        for (signal, form) in Signal::ALL.into_iter().flat_map(|signal| Form::ALL.map(|form| (signal, form))) {
            let answer = Export::new(form, signal, "marker").key(&key.token).send(&gate).await;
            if signal == allowed {
                answer.assert_success(form);
            } else {
                let detail = format!("the key lacks telemetry.{signal}.write");
                told("permission_denied").key(&key.id).detail(&detail).check(&answer, form);
            }
        }
    }
    gate.stop().await;
}
