//! `POST /keys/diagnose` and `POST /keys/verify`: what is wrong with a token, and for whose eyes.

use std::time::Duration;

use gridgate::domain::random::SeededRandom;
use gridgate::domain::token::PresentedToken;
use gridgate::domain::{KeyId, Permission, Permissions, Signal, Token};
use http::Method;
use serde_json::{Value, json};

use super::{START_TEXT, Server, ingest};

async fn diagnosed(server: &Server, question: &Value) -> Value {
    server.post("/keys/diagnose", question).await.expect(200)
}

async fn verified(server: &Server, question: &Value) -> Value {
    server.post("/keys/verify", question).await.expect(200)
}

fn codes(diagnosis: &Value) -> Vec<&str> {
    let findings = diagnosis["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect()
}

/// A well-formed token that no installation has given out.
fn stranger() -> Token {
    let random = SeededRandom::new(99);
    let id = KeyId::random(&random).expect("an id");
    Token::mint(Some(&"prd".parse().expect("a code")), id, &random).expect("a token")
}

/// An ingest key of `shop`: its id and its token.
async fn key(server: &Server, name: &str) -> (String, String) {
    let made = server.ingest_key("shop", name).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["key"]["id"]), text(&made["token"]))
}

#[tokio::test]
async fn a_good_token_has_no_findings_and_every_signal_gets_through() {
    let server = Server::with_two_projects().await;
    let (id, token) = key(&server, "checkout").await;
    let diagnosis = diagnosed(&server, &json!({"token": token})).await;
    assert_eq!((&diagnosis["accepted"], &diagnosis["findings"]), (&json!(true), &json!([])));
    assert_eq!((&diagnosis["key"]["id"], &diagnosis["secret_version"]), (&json!(id), &json!(1)));
    let exports = Signal::ALL.map(|signal| {
        json!({
            "signal": signal.as_str(), "accepted": true, "reason": null, "http_status": 200, "grpc_code": "OK",
            "retryable": false, "message": null,
        })
    });
    assert_eq!(diagnosis["exports"], json!(exports));
    let one = json!({"token": format!(" {token}\n"), "signal": "logs", "address": "::1", "environment": "production"});
    let one = diagnosed(&server, &one).await;
    assert_eq!((&one["accepted"], one["exports"].as_array().map(Vec::len)), (&json!(true), Some(1)));
}

/// Everything is told at once, where a sender is told the first.
#[tokio::test]
async fn all_that_is_wrong_is_told_with_what_would_happen() {
    let server = Server::with_two_projects().await;
    let body = json!({"permissions": ["telemetry.logs.write"], "expires_at": "2026-11-21T10:23:00Z"});
    let mut new = ingest("shop", "checkout");
    new.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
    let made = server.post("/keys", &new).await.expect(201);
    let (id, token) = (made["key"]["id"].as_str().expect("an id"), made["token"].clone());
    let question = json!({"token": token, "signal": "traces", "environment": "staging"});

    let diagnosis = diagnosed(&server, &question).await;
    assert_eq!(codes(&diagnosis), ["environment_mismatch", "permission_denied"]);
    assert_eq!(diagnosis["findings"][0]["detail"], "the endpoint is for staging, the key for production");
    assert_eq!(diagnosis["findings"][1]["detail"], "the key lacks telemetry.traces.write");
    let export = &diagnosis["exports"][0];
    let message = format!("environment_mismatch ({id}): this endpoint is for staging, the key for production; ");
    assert!(export["message"].as_str().expect("a message").starts_with(&message), "{export}");
    assert_eq!((&export["http_status"], &export["grpc_code"]), (&json!(401), &json!("UNAUTHENTICATED")));
    assert_eq!((&diagnosis["accepted"], &export["retryable"]), (&json!(false), &json!(false)));

    server.post(&format!("/keys/{id}/disable"), &json!({})).await.expect(200);
    let diagnosis = diagnosed(&server, &question).await;
    assert_eq!(codes(&diagnosis), ["key_disabled", "environment_mismatch", "permission_denied"]);
    assert_eq!(
        (&diagnosis["findings"][0]["since"], &diagnosis["exports"][0]["reason"]),
        (&json!(START_TEXT), &json!("key_disabled"))
    );
    assert_eq!(diagnosis["findings"][0]["by"], "owner");
    let viewer = [Permission::KeyView].into_iter().collect();
    let viewer = server.admin("viewer", None, viewer).await;
    let seen = server.call(&viewer, Method::POST, "/keys/diagnose", Some(&question)).await.expect(200);
    assert_eq!((&seen["findings"][0]["code"], &seen["findings"][0]["by"]), (&json!("key_disabled"), &Value::Null));
    server.clock.advance(Duration::from_mins(1));
    let diagnosis = diagnosed(&server, &json!({"token": token, "signal": "logs"})).await;
    assert_eq!(codes(&diagnosis), ["key_expired"]);
    assert_eq!(diagnosis["findings"][0]["since"], "2026-11-21T10:23:00.000000Z");
    server.post(&format!("/keys/{id}/revoke"), &json!({})).await.expect(200);
    let diagnosis = diagnosed(&server, &json!({"token": token})).await;
    assert_eq!(codes(&diagnosis)[0], "key_revoked");
    let reasons: Vec<_> = diagnosis["exports"].as_array().expect("exports").iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["key_revoked"; 4]);
}

#[tokio::test]
async fn what_is_no_token_is_told_apart_and_never_repeated() {
    let server = Server::with_two_projects().await;
    let (id, token) = key(&server, "checkout").await;
    let spoiled = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { '1' } else { '0' });
    for (text, code, of) in [
        (String::new(), "empty", None),
        (id.clone(), "key_id", Some(&id)),
        (format!("'{token}'"), "quoted", Some(&id)),
        (format!("Bearer%20{token}"), "percent_encoded", Some(&id)),
        (format!("{token} {token}"), "white_space", Some(&id)),
        ("<your key>".to_owned(), "placeholder", None),
        (token[..40].to_owned(), "truncated", Some(&id)),
        (format!("{token}x"), "too_long", Some(&id)),
        (spoiled, "checksum", Some(&id)),
        ("ghp_0000".to_owned(), "foreign", None),
    ] {
        let answer = server.post("/keys/diagnose", &json!({"token": text})).await;
        assert!(!answer.text.contains(&token[24..40]), "{}", answer.text);
        let diagnosis = answer.expect(200);
        assert_eq!(codes(&diagnosis), [code], "{text}");
        assert_eq!(diagnosis["key"]["id"].as_str(), of.map(String::as_str), "{text}");
        assert_eq!(
            (&diagnosis["secret_version"], &diagnosis["exports"][0]["reason"]),
            (&Value::Null, &json!("key_malformed"))
        );
        let answer = verified(&server, &json!({"token": text})).await;
        assert_eq!(
            (&answer["valid"], &answer["reason"], &answer["key"]),
            (&json!(false), &json!("key_malformed"), &Value::Null)
        );
    }
    // An admin token is one, and never exports.
    let diagnosis = diagnosed(&server, &json!({"token": server.owner.token})).await;
    assert_eq!((codes(&diagnosis), &diagnosis["exports"][0]["reason"]), (vec!["admin_token"], &json!("key_malformed")));
    // Well-formed, and not the key's.
    let random = SeededRandom::new(100);
    let real = PresentedToken::parse(&token).expect("a token").id;
    let wrong = Token::mint(Some(&"prd".parse().expect("a code")), real, &random).expect("a token");
    let diagnosis = diagnosed(&server, &json!({"token": wrong.reveal()})).await;
    assert_eq!((codes(&diagnosis), &diagnosis["exports"][0]["reason"]), (vec!["wrong_secret"], &json!("key_invalid")));
    assert_eq!((&diagnosis["key"]["id"], &diagnosis["secret_version"]), (&json!(id), &Value::Null));
    assert_eq!(verified(&server, &json!({"token": wrong.reveal()})).await["reason"], "key_invalid");
}

/// A key of another project looks like one that nowhere exists, whatever its token is good for.
#[tokio::test]
async fn who_sees_one_project_learns_nothing_of_another() {
    let server = Server::with_two_projects().await;
    let (_, token) = key(&server, "checkout").await;
    let bank = server.admin("bank admin", Some("bank"), Permissions::owner()).await;
    for route in ["/keys/diagnose", "/keys/verify"] {
        let stranger = stranger();
        let answer = async |token: &str| {
            server.call(&bank, Method::POST, route, Some(&json!({"token": token}))).await.expect(200)
        };
        let nowhere = answer(stranger.reveal()).await;
        assert_eq!(answer(&token).await, nowhere, "{route}");
        // What is left of a token says no more.
        assert_eq!(answer(&token[..40]).await, answer(&stranger.reveal()[..40]).await, "{route}");
        let text = nowhere.to_string();
        assert!(text.contains("unknown") || text.contains("key_invalid"), "{text}");
    }
    let diagnosis =
        server.call(&bank, Method::POST, "/keys/diagnose", Some(&json!({"token": token}))).await.expect(200);
    assert_eq!(
        (codes(&diagnosis), &diagnosis["accepted"], &diagnosis["exports"]),
        (vec!["unknown"], &Value::Null, &json!([]))
    );
    let of_all = diagnosed(&server, &json!({"token": stranger().reveal()})).await;
    assert_eq!((codes(&of_all), &of_all["exports"][0]["reason"]), (vec!["unknown"], &json!("key_invalid")));
    // The permission is asked for before anything is looked at.
    let keyless = [Permission::ProjectView].into_iter().collect();
    let keyless = server.admin("keyless", None, keyless).await;
    for route in ["/keys/diagnose", "/keys/verify"] {
        let answer = server.call(&keyless, Method::POST, route, Some(&json!({"token": token}))).await;
        answer.problem(403, "permission_denied");
        assert!(!answer.text.contains(&token[24..]), "{}", answer.text);
    }
}

/// For the deployment's own services: its own permissions are as good as ours.
#[tokio::test]
async fn a_token_is_verified_with_its_permissions() {
    let server = Server::with_two_projects().await;
    let (id, token) = key(&server, "checkout").await;
    let answer = server.post("/keys/verify", &json!({"token": token})).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let all = ["telemetry.logs.write", "telemetry.metrics.write", "telemetry.profiles.write", "telemetry.traces.write"];
    let valid = answer.expect(200);
    assert_eq!((&valid["valid"], &valid["key"], &valid["name"]), (&json!(true), &json!(id), &json!("checkout")));
    assert_eq!(valid["tenant"], json!({"project": "shop", "grid": "web", "environment": "production"}));
    assert_eq!((&valid["permissions"], &valid["reason"]), (&json!(all), &Value::Null));
    for (permission, reason) in [("telemetry.logs.write", None), ("customer.read", Some("permission_denied"))] {
        let answer = verified(&server, &json!({"token": token, "permission": permission})).await;
        assert_eq!((answer["valid"].as_bool(), answer["reason"].as_str()), (Some(reason.is_none()), reason));
    }
    // A person's key, with a permission that only the deployment knows.
    let own = "api.key.view customer.read".parse().expect("permissions");
    let member = server.admin("member", Some("shop"), own).await;
    let question = |permission: &str| json!({"token": member.token, "permission": permission});
    let answer = verified(&server, &question("customer.read")).await;
    assert_eq!((&answer["valid"], &answer["tenant"], &answer["key"]), (&json!(true), &Value::Null, &json!(member.id)));
    assert_eq!(verified(&server, &question("license.manage")).await["valid"], json!(false));

    server.post(&format!("/keys/{id}/disable"), &json!({})).await.expect(200);
    let answer = verified(&server, &json!({"token": token, "permission": "customer.read"})).await;
    assert_eq!(
        (&answer["valid"], &answer["reason"], &answer["key"]),
        (&json!(false), &json!("key_disabled"), &json!(id))
    );
    assert!(answer["detail"].as_str().expect("words").starts_with(&format!("key_disabled ({id}): ")));
}

#[tokio::test]
async fn all_faults_of_a_question_are_told_at_once() {
    let server = Server::with_two_projects().await;
    let wrong = json!({"signal": "spans", "address": "here", "environment": "Prod"});
    let problem = server.post("/keys/diagnose", &wrong).await.problem(422, "invalid");
    let pointers: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|it| &it["pointer"]).collect();
    assert_eq!(pointers, ["/token", "/signal", "/address", "/environment"]);
    let nowhere = json!({"token": "x", "environment": "nowhere"});
    server.post("/keys/diagnose", &nowhere).await.problem(404, "environment_not_found");
    let wrong = json!({"permission": "Customer.Read", "address": "here"});
    let problem = server.post("/keys/verify", &wrong).await.problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(3));
    for route in ["/keys/diagnose", "/keys/verify"] {
        server.post(route, &json!({"token": "x", "tokens": []})).await.problem(422, "invalid");
    }
}
