//! What an accepted export gets, and where it goes.

use std::collections::BTreeMap;

use gridgate::domain::Signal;

use super::Gate;
use super::client::{Export, Form, gzip, json_of, protobuf_of};

/// Every signal in every form, plain and with gzip, for two tenants: each item is in the lake of its own tenant once.
/// Clause T2 of docs/otlp.md.
#[tokio::test]
async fn every_signal_reaches_its_tenants_lake_and_no_other() {
    let gate = Gate::start().await;
    let mut expected = BTreeMap::<String, Vec<String>>::new();
    for (project, environment) in [("shop", "production"), ("shop", "staging"), ("bank", "production")] {
        let key = gate.key_of(project, environment).await;
        for signal in Signal::ALL {
            for (form, packed) in Form::ALL.into_iter().flat_map(|form| [(form, false), (form, true)]) {
                let marker = format!("{project} {environment} {signal} {form:?} {packed}");
                let mut export = Export::new(form, signal, &marker).key(&key.token);
                if packed {
                    let json = form == Form::Json;
                    let message =
                        if json { json_of(signal, &marker).to_string().into() } else { protobuf_of(signal, &marker) };
                    export = export.gzip(&message);
                }
                export.send(&gate).await.assert_success(form);
                let owner = format!("{project}/web/{environment}/{signal}");
                expected.entry(owner).or_default().push(marker);
            }
        }
    }
    for names in expected.values_mut() {
        names.sort();
    }
    assert_eq!(gate.stop().await.lake(), expected);
}

/// The content type is answered bare, whatever its case and parameters were.
#[tokio::test]
async fn headers_may_be_written_in_many_ways() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let bearer = |scheme: &str| format!("{scheme} {}", key.token);
    let plain = |form| Export::new(form, Signal::Logs, "marker");
    for (form, name, value) in [
        (Form::Protobuf, "content-type", "APPLICATION/X-Protobuf".to_owned()),
        (Form::Json, "content-type", "application/json; charset=utf-8".to_owned()),
        (Form::Grpc, "content-type", "application/grpc+proto".to_owned()),
        (Form::Protobuf, "content-encoding", "identity".to_owned()),
        (Form::Protobuf, "content-encoding", String::new()),
        (Form::Grpc, "grpc-encoding", "identity".to_owned()),
        (Form::Grpc, "grpc-timeout", "10S".to_owned()),
        (Form::Grpc, "user-agent", String::new()),
        (Form::Json, "x-scope-orgid", "bank".to_owned()),
    ] {
        plain(form).key(&key.token).with(name, &value).send(&gate).await.assert_success(form);
    }
    for form in Form::ALL {
        plain(form).with("authorization", bearer("Bearer")).send(&gate).await.assert_success(form);
        plain(form).with("authorization", bearer("bearer ")).send(&gate).await.assert_success(form);
        plain(form).with("authorization", &key.token).send(&gate).await.assert_success(form);
        plain(form).with("x-api-key", &key.token).send(&gate).await.assert_success(form);
        let twice = plain(form).key(&key.token).with("authorization", bearer("Bearer"));
        twice.send(&gate).await.assert_success(form);
        plain(form).key(&key.token).with("user-agent", b"\xff\xfe \x80").send(&gate).await.assert_success(form);
    }
    // Several members are one body (RFC 1952, section 2.2).
    let message = protobuf_of(Signal::Logs, "marker");
    let (head, tail) = message.split_at(5);
    let members = [gzip(head), gzip(tail)].concat();
    let export = plain(Form::Protobuf).key(&key.token).with("content-encoding", "gzip").raw(members);
    export.send(&gate).await.assert_success(Form::Protobuf);
    let lake = gate.stop().await.lake();
    assert_eq!(lake.keys().collect::<Vec<_>>(), ["shop/web/production/logs"]);
    assert_eq!(lake["shop/web/production/logs"], vec!["marker"; 9 + 18 + 1]);
}
