//! Who fails to authenticate too often gets no more look-ups, and nobody else is hurt by it.

use std::time::Duration;

use gridgate::domain::random::SeededRandom;
use gridgate::domain::{KeyId, Token};

use super::Gate;
use super::client::{Export, Form};
use super::told::told;

/// A token of the right form that nobody has, a different one for each number.
fn guess(number: u64) -> String {
    let random = SeededRandom::new(1000 + number);
    let environment = "prd".parse().expect("a code");
    let id = KeyId::random(&random).expect("an id");
    Token::mint(Some(&environment), id, &random).expect("a token").reveal().to_owned()
}

#[tokio::test]
async fn guessing_ends_and_known_keys_go_on() {
    let gate = Gate::with(|config| config.limits.failed_authentications_per_minute = 5).await;
    let (known, unknown) = (gate.key("shop").await, gate.key("bank").await);
    Export::traces(Form::Protobuf, &known.token).send(&gate).await.assert_success(Form::Protobuf);
    for number in 0..5 {
        told("key_invalid").check(&Export::traces(Form::Protobuf, &guess(number)).send(&gate).await, Form::Protobuf);
    }
    for form in Form::ALL {
        // Nobody looks this one up, and it may be a good one: it is told to retry.
        told("rate_limited").retry(5).check(&Export::traces(form, &guess(100)).send(&gate).await, form);
        told("rate_limited").retry(5).check(&Export::traces(form, &unknown.token).send(&gate).await, form);
        // What needs no look-up is told what is wrong with it.
        told("key_invalid").check(&Export::traces(form, &guess(1)).send(&gate).await, form);
        told("key_malformed").check(&Export::traces(form, "nonsense").send(&gate).await, form);
        // Who shares the address is served.
        Export::traces(form, &known.token).send(&gate).await.assert_success(form);
    }
    gate.clock.advance(Duration::from_secs(12));
    Export::traces(Form::Grpc, &unknown.token).send(&gate).await.assert_success(Form::Grpc);
    gate.stop().await;
}

/// A key that was used stays known: that it is asked about again after the cache's time is no guess.
#[tokio::test]
async fn a_key_that_was_known_is_looked_up_again() {
    let gate = Gate::with(|config| config.limits.failed_authentications_per_minute = 1).await;
    let key = gate.key("shop").await;
    Export::traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    for _ in 0..10 {
        gate.clock.advance(Duration::from_secs(40));
        told("credentials_missing")
            .check(&Export::traces(Form::Protobuf, "").without("api-key").send(&gate).await, Form::Protobuf);
        Export::traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    }
    gate.change(&key, "revoke").await;
    told("key_revoked")
        .key(&key.id)
        .check(&Export::traces(Form::Protobuf, &key.token).send(&gate).await, Form::Protobuf);
    gate.stop().await;
}
