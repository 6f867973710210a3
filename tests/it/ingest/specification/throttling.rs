//! OTLP specification, «OTLP/gRPC Throttling» and «OTLP/HTTP Throttling»: when to come again.

use gridgate::domain::{Reason, Refusal};

use super::failures::answer;
use crate::ingest::client::Form;
use crate::ingest::told::told;

/// «OTLP/HTTP Throttling» (SHOULD): a client over its rate is told 429, and after how many seconds it may come again.
/// Clause T71 of docs/otlp.md.
#[tokio::test]
async fn t50_over_the_rate_is_429_with_a_hint() {
    for form in [Form::Protobuf, Form::Json] {
        let answer = answer(&Refusal::new(Reason::RateLimited), form).await;
        assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"1".parse().expect("a value")));
        told("rate_limited").check(&answer, form);
    }
}

/// «OTLP/gRPC Throttling» (SHOULD): of what is exhausted, exactly that which recovers by itself carries `RetryInfo`.
/// Clause T30 of docs/otlp.md.
#[tokio::test]
async fn t52_what_recovers_and_nothing_else_carries_a_hint() {
    let exhausted =
        Reason::ALL.iter().filter(|reason| reason.grpc_code() as i32 == tonic::Code::ResourceExhausted as i32);
    let mut recovers = Vec::new();
    for &reason in exhausted {
        let answer = answer(&Refusal::new(reason), Form::Grpc).await;
        told(reason.as_str()).check(&answer, Form::Grpc);
        if answer.headers.contains_key("google.rpc.retryinfo-bin") {
            recovers.push(reason);
        }
    }
    assert_eq!(recovers, [Reason::RateLimited]);
    // A quota lasts for hours, and some clients retry RESOURCE_EXHAUSTED even without a hint.
    let quota = answer(&Refusal::new(Reason::QuotaExhausted), Form::Grpc).await;
    told("quota_exhausted").check(&quota, Form::Grpc);
    assert_eq!(quota.headers["grpc-status"], "7");
}

/// Hints are whole seconds from 1 to 5, the same ones over both transports: many clients read nothing else, and drop what they
/// would have to keep for longer.
#[tokio::test]
async fn t53_hints_are_whole_seconds() {
    for &reason in Reason::ALL {
        let http = answer(&Refusal::new(reason), Form::Json).await;
        let header = http.headers.get("retry-after").map(|value| value.to_str().expect("a text").to_owned());
        let status: serde_json::Value = serde_json::from_slice(&http.data).expect("JSON");
        let delays = status["details"].as_array().expect("details").iter().find_map(|detail| detail.get("retryDelay"));
        assert_eq!(
            delays.map(|delay| delay.as_str().expect("a text").to_owned()),
            header.as_ref().map(|it| format!("{it}s"))
        );
        let seconds = header.map(|header| header.parse::<u32>().expect("a whole number"));
        assert!(seconds.is_none_or(|seconds| (1..=5).contains(&seconds)), "{reason}: {seconds:?}");
    }
}
