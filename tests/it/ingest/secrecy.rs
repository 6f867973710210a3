//! Tokens of every kind, right and wrong, are in no answer and, at the most talkative level, in no line of the log.

use std::net::SocketAddr;

use gridgate::domain::Signal;
use http::Request;

use super::client::{Export, Form, exchange};
use super::start::Served;

/// Clauses T67 and T74 of docs/otlp.md.
#[tokio::test]
async fn no_secret_is_told_or_logged() {
    let folder = tempfile::tempdir().expect("a folder");
    let served = Served::start(&["quickstart"], folder.path(), "trace", 5);
    let printed = |name: &str| {
        let found = served.printed.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone()).expect("it is printed")
    };
    let address = |url: &str| -> SocketAddr { url.trim_start_matches("http://").parse().expect("an address") };
    let (_, http) = served.said.split_once("OTLP/HTTP   ").expect("the address of OTLP/HTTP");
    let http = address(http.split_whitespace().next().expect("an address"));
    let (grpc, admin) = (address(&printed("OTEL_EXPORTER_OTLP_ENDPOINT")), address(&printed("GRIDGATE_ADMIN_URL")));
    let owner = printed("GRIDGATE_ADMIN_KEY");
    let good = printed("OTEL_EXPORTER_OTLP_HEADERS").trim_start_matches("api-key=").to_owned();

    let mistyped = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    let foreign = "AKIACANARYCANARYCANARY".to_owned();
    let (secret, admin_secret) = (&good[good.len() - 38..good.len() - 6], &owner[owner.len() - 38..owner.len() - 6]);
    let secrets = [secret, admin_secret, "CANARY"];
    let id = format!("key_{}", &good[8..20]);
    let send_all = async || {
        for form in Form::ALL {
            let address = if form == Form::Grpc { grpc } else { http };
            for token in [&good, &owner, &mistyped, &foreign, &format!("{good} {owner}")] {
                for name in ["api-key", "authorization", "x-api-key"] {
                    let export = Export::new(form, Signal::Traces, "marker").with(name, token);
                    let answer = export.send_to(address).await;
                    let told = format!("{answer:?} {}", answer.text());
                    assert!(!secrets.iter().any(|secret| told.contains(secret)), "{told}");
                }
                // In the query string it is no key, and yet it is a secret.
                let export = Export::new(form, Signal::Traces, "marker");
                let path = format!("{}?api-key={}", export.path, token.replace(' ', "+"));
                let answer = export.to(&path).send_to(address).await;
                let told = format!("{answer:?} {}", answer.text());
                assert!(!secrets.iter().any(|secret| told.contains(secret)), "{told}");
            }
        }
    };
    send_all().await;
    for token in [&owner, &good, &mistyped, &foreign] {
        let change =
            Request::post(format!("/api/v1/keys/{id}/revoke")).header("authorization", format!("Bearer {token}"));
        let change = change.header("content-type", "application/json");
        let told = exchange(admin, false, change, "{\"force\": true}").await.text();
        assert!(!secrets.iter().any(|secret| told.contains(secret)), "{told}");
    }
    send_all().await;

    let log = served.stop();
    assert!(log.contains("key_revoked") && log.contains("\"level\":\"TRACE\""), "{log}");
    for secret in secrets {
        assert_eq!(log.lines().find(|line| line.contains(secret)), None);
    }
}
