//! Keys that may be used from some addresses only.

use std::net::SocketAddr;

use gridgate::catalog::issue::NewKey;
use gridgate::config::{Admitted, ListenerConfig, Prefix, Serves, TlsConfig};
use gridgate::domain::{Binding, Permissions};
use http::Request;
use serde_json::Value;

use super::client::{Export, Form, exchange};
use super::told::told;
use super::{Gate, Issued};
use crate::catalog::tenant;

async fn key(gate: &Gate, allowed: &str) -> Issued {
    let new = NewKey::with(allowed, tenant("shop", "web", "production"), Permissions::ingest());
    gate.make(NewKey { allowed: allowed.parse().expect("ranges"), ..new }).await
}

#[tokio::test]
async fn a_key_is_refused_from_an_address_that_is_not_on_its_list() {
    let gate = Gate::start().await;
    let here = key(&gate, "192.0.2.0/24 127.0.0.0/8").await;
    let elsewhere = key(&gate, "192.0.2.0/24 2001:db8::/32").await;
    let refused = told("ip_not_allowed").key(&elsewhere.id).detail("it came from 127.0.0.1");
    for form in Form::ALL {
        Export::traces(form, &here.token).send(&gate).await.assert_success(form);
        refused.check(&Export::traces(form, &elsewhere.token).send(&gate).await, form);
    }
    // Who has no secret of the key learns nothing of its list.
    let (start, end) = (&elsewhere.token[..21], &here.token[21..]);
    let answer = Export::traces(Form::Json, &format!("{start}{end}")).send(&gate).await;
    assert!(answer.text().contains("key_malformed"), "{}", answer.text());
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 3]);
}

/// A listener of both families shows an IPv4 peer as an IPv6 address.
#[tokio::test]
async fn an_ipv4_peer_is_one_on_every_listener() {
    let gate = Gate::with(|config| {
        config.listen.more = vec![ListenerConfig {
            address: "[::]:0".parse().expect("an address"),
            transport: Serves::Any,
            environment: Admitted(None),
            prefix: Prefix::default(),
            tls: TlsConfig::default(),
        }];
    })
    .await;
    let four = SocketAddr::from(([127, 0, 0, 1], gate.more[0].port()));
    let six = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], gate.more[0].port()));
    let (of_four, of_mapped, of_six) =
        (key(&gate, "127.0.0.1").await, key(&gate, "::ffff:127.0.0.0/104").await, key(&gate, "::/0").await);
    for form in Form::ALL {
        for key in [&of_four, &of_mapped] {
            let export = Export::traces(form, &key.token);
            export.send_to(four).await.assert_success(form);
            let refused = told("ip_not_allowed").key(&key.id).detail("it came from ::1");
            refused.check(&export.send_to(six).await, form);
        }
        let export = Export::traces(form, &of_six.token);
        export.send_to(six).await.assert_success(form);
        let refused = told("ip_not_allowed").key(&of_six.id).detail("it came from 127.0.0.1");
        refused.check(&export.send_to(four).await, form);
    }
    gate.stop().await;
}

#[tokio::test]
async fn an_admin_key_is_refused_like_any_other() {
    let gate = Gate::start().await;
    let admin = async |name: &str, allowed: &str| {
        let new = NewKey::with(name, Binding::Installation, Permissions::owner());
        gate.make(NewKey { allowed: allowed.parse().expect("ranges"), ..new }).await
    };
    let (here, elsewhere) = (admin("here", "127.0.0.1").await, admin("elsewhere", "192.0.2.1").await);
    let ask = async |key: &Issued| {
        let request = Request::get("/api/v1/projects").header("authorization", format!("Bearer {}", key.token));
        exchange(gate.admin, false, request, "").await
    };
    assert_eq!(ask(&here).await.status, 200);
    let refused = ask(&elsewhere).await;
    let problem: Value = serde_json::from_str(&refused.text()).expect("JSON");
    assert_eq!((refused.status, &problem["code"]), (403, &"ip_not_allowed".into()));
    assert_eq!(problem["detail"], format!("{} may not be used from 127.0.0.1", elsewhere.id));
    gate.stop().await;
}
