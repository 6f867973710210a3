//! The table of answers, row by row, and what is read of an answer.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use tonic_types::pb;

use super::*;

/// What an answer means.
#[derive(PartialEq, Eq, Debug)]
enum Row {
    Delivered,
    Later,
    Mend,
    Never,
}

fn row(sent: &Sent) -> Row {
    match sent {
        Sent::Delivered { .. } => Row::Delivered,
        Sent::Later { after: Some(pause), .. } if *pause == Duration::from_secs(30) => Row::Mend,
        Sent::Later { .. } => Row::Later,
        Sent::Never { .. } => Row::Never,
    }
}

/// What becomes of one span after this reply.
async fn after(protocol: Protocol, reply: Reply) -> Sent {
    let server = Server::start([reply]).await;
    let sent = send(&backend(settings(protocol, server.address))).await;
    assert_eq!(server.seen().len(), 1);
    sent
}

#[tokio::test]
async fn each_status_of_http() {
    for code in 200..600 {
        let expected = match code {
            200..=299 => Row::Delivered,
            429 | 502 | 503 | 504 => Row::Later,
            300..=399 | 401 | 402 | 403 | 404 | 405 | 407 | 415 | 421 => Row::Mend,
            _ => Row::Never,
        };
        // A redirection is not followed, not even to where it would succeed.
        let reply = reply(code, &[("location", "/v1/traces")], "");
        let sent = after(Protocol::Http, reply.clone()).await;
        assert_eq!(row(&sent), expected, "{code}: {sent:?}");
        // The same over gRPC, except that a success of HTTP alone is none.
        let expected = if expected == Row::Delivered { Row::Mend } else { expected };
        let sent = after(Protocol::Grpc, reply).await;
        assert_eq!(row(&sent), expected, "gRPC {code}: {sent:?}");
    }
}

#[tokio::test]
async fn each_code_of_grpc_in_trailers_and_alone() {
    for code in 0..20 {
        for hint in [false, true] {
            let expected = match code {
                0 => Row::Delivered,
                1 | 4 | 10 | 11 | 14 | 15 => Row::Later,
                8 if hint => Row::Later,
                7 | 12 | 16 => Row::Mend,
                _ => Row::Never,
            };
            let (code_text, details) = (code.to_string(), details(Some(7)));
            let mut fields = vec![("grpc-status", code_text.as_str()), ("grpc-message", "so")];
            if hint {
                fields.push(("grpc-status-details-bin", &details));
            }
            let in_trailers = after(Protocol::Grpc, grpc_reply(b"", &fields)).await;
            fields.push(("content-type", "application/grpc"));
            let alone = after(Protocol::Grpc, reply(200, &fields, "")).await;
            assert_eq!(row(&in_trailers), expected, "{code} {hint}: {in_trailers:?}");
            assert_eq!(row(&alone), expected, "{code} {hint}: {alone:?}");
            if expected == Row::Later {
                let pause = hint.then_some(Duration::from_secs(7));
                assert_eq!(later(in_trailers).0, pause);
                assert_eq!(later(alone).0, pause);
            }
        }
    }
}

/// A `google.rpc.Status` as it stands in `grpc-status-details-bin`.
fn details(retry_seconds: Option<i64>) -> String {
    let any = |name: &str, value: Vec<u8>| prost_types::Any {
        type_url: format!("type.googleapis.com/google.rpc.{name}"),
        value,
    };
    let retry = retry_seconds.map(|seconds| any("RetryInfo", retry_info(seconds, 0)));
    let details = std::iter::once(any("Help", vec![0x0a, 0])).chain(retry).collect();
    STANDARD.encode(pb::Status { code: 14, message: "in the details".to_owned(), details }.encode_to_vec())
}

fn retry_info(seconds: i64, nanos: i32) -> Vec<u8> {
    pb::RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos }) }.encode_to_vec()
}

#[tokio::test]
async fn what_grpc_says_besides_its_code() {
    let unavailable = |more: &[(&str, &str)]| {
        let fields = [&[("grpc-status", "14"), ("content-type", "application/grpc")], more].concat();
        after(Protocol::Grpc, reply(200, &fields, ""))
    };
    assert_eq!(later(unavailable(&[]).await), (None, "UNAVAILABLE".to_owned()));
    let sent = unavailable(&[("grpc-message", "gr%C3%BCn 100%, %zz%+1")]).await;
    assert_eq!(later(sent).1, "UNAVAILABLE: grün 100%, %zz%+1");
    let sent = unavailable(&[("grpc-status-details-bin", &details(None))]).await;
    assert_eq!(later(sent), (None, "UNAVAILABLE: in the details".to_owned()));

    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (delay, expected) in [(0, None), (-5, None), (1, seconds(1)), (9_999_999, seconds(300))] {
        let padded = details(Some(delay));
        let bare = STANDARD_NO_PAD.encode(STANDARD.decode(&padded).expect("base64"));
        for details in [padded, bare] {
            let sent = unavailable(&[("grpc-status-details-bin", &details)]).await;
            assert_eq!(later(sent).0, expected, "{delay} {details}");
        }
    }
    let hint = STANDARD_NO_PAD.encode(retry_info(1, 500_000_000));
    let sent = unavailable(&[("google.rpc.retryinfo-bin", &hint)]).await;
    assert_eq!(later(sent).0, Some(Duration::from_millis(1500)));
    let sent = unavailable(&[("grpc-status-details-bin", "not base64!")]).await;
    assert_eq!(later(sent), (None, "UNAVAILABLE".to_owned()));
}

#[tokio::test]
async fn the_pause_that_http_asks_for() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (value, expected) in [
        ("7", seconds(7)),
        ("0", None),
        ("86400", seconds(300)),
        ("99999999999999999999999", seconds(300)),
        // The clock shows 10:00:00.
        ("Sat, 21 Nov 2026 10:00:20 GMT", seconds(20)),
        ("Sat, 21 Nov 2026 23:00:00 GMT", seconds(300)),
        ("Sat, 21 Nov 2026 09:59:59 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
    ] {
        for protocol in [Protocol::Http, Protocol::Grpc] {
            let sent = after(protocol, reply(503, &[("retry-after", value)], "")).await;
            assert_eq!(later(sent), (expected, "503 Service Unavailable".to_owned()), "{value}");
        }
    }
}

#[tokio::test]
async fn a_partial_success_is_told() {
    let response = |rejected_spans, error_message: &str| {
        let partial_success =
            Some(ExportTracePartialSuccess { rejected_spans, error_message: error_message.to_owned() });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    };
    let told = |rejected, message: &str| Sent::Delivered { rejected, message: message.to_owned() };
    let unreadable = "the backend's answer cannot be read: the bytes end inside a field";
    for (message, expected) in [
        (vec![], delivered()),
        (response(0, ""), delivered()),
        (response(3, "too old"), told(3, "too old")),
        (response(0, "send less"), told(0, "send less")),
        (response(-1, "odd"), told(0, "odd")),
        (vec![0x0a, 9, 0], told(0, unreadable)),
    ] {
        let kind = [("content-type", "application/x-protobuf; charset=utf-8")];
        assert_eq!(after(Protocol::Http, reply(200, &kind, message.clone())).await, expected);
        let sent = after(Protocol::Grpc, grpc_reply(&message, &[("grpc-status", "0")])).await;
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn what_is_no_answer_of_otlp() {
    let sent = after(Protocol::Http, reply(200, &[("content-type", "text/html")], "<h1>Hello</h1>")).await;
    assert_eq!(later(sent).1, "a web page answered (check endpoint)");
    // Successes of backends that do not know better.
    for (status, kind, body) in [(202, "text/plain", "ok"), (200, "application/json", "{}"), (204, "text/plain", "")] {
        assert_eq!(after(Protocol::Http, reply(status, &[("content-type", kind)], body)).await, delivered());
    }
    let sent = after(Protocol::Grpc, reply(200, &[("content-type", "application/json")], "{}")).await;
    assert_eq!(later(sent).1, "the answer is not gRPC (check endpoint and protocol)");
    let sent = after(Protocol::Grpc, grpc_reply(b"", &[("x-other", "1")])).await;
    assert_eq!(later(sent), (None, "the answer ends without a grpc-status".to_owned()));
    let sent = after(Protocol::Grpc, grpc_reply(b"", &[("grpc-status", "many")])).await;
    assert_eq!(never(sent), "UNKNOWN");
    for body in [&b""[..], &[1, 0, 0, 0, 0], &[2, 0, 0, 0, 0], &[0, 0, 0, 0, 9], &[0, 0]] {
        let sent = after(Protocol::Grpc, grpc_body("identity", body.to_vec())).await;
        assert_eq!(sent, Sent::Delivered { rejected: 0, message: "the backend's answer cannot be read".to_owned() });
    }
}

/// A success of gRPC with this body.
fn grpc_body(encoding: &str, body: Vec<u8>) -> Reply {
    Reply::Whole {
        status: StatusCode::OK,
        headers: headers(&[("content-type", "application/grpc+proto"), ("grpc-encoding", encoding)]),
        body: body.into(),
        trailers: Some(headers(&[("grpc-status", "0")])),
    }
}

/// Servers in Go compress their answer as the request was, without being asked to.
#[tokio::test]
async fn a_compressed_answer_is_inflated() {
    let partial_success =
        Some(ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old ".repeat(20).trim().to_owned() });
    let plain = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    let expected = Sent::Delivered { rejected: 3, message: "too old ".repeat(20).trim().to_owned() };
    assert_eq!(after(Protocol::Grpc, grpc_body("zstd", vec![1, 0, 0, 0, 0])).await, delivered());
    let packed = zstd::bulk::compress(&plain, 3).expect("zstd");
    // As a stream is compressed whose end is not known at its beginning.
    let without_size = zstd::stream::encode_all(&plain[..], 3).expect("zstd");
    assert_ne!(without_size, packed);
    for (encoding, message) in [("gzip", gzip(&plain)), ("zstd", packed), ("zstd", without_size)] {
        let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
        let body = [&[1], &length[..], &message].concat();
        assert_eq!(after(Protocol::Grpc, grpc_body(encoding, body.clone())).await, expected, "{encoding}");
        let sent = after(Protocol::Grpc, grpc_body("snappy", body)).await;
        assert_eq!(sent, Sent::Delivered { rejected: 0, message: "the backend's answer cannot be read".to_owned() });
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_four_mebibytes() {
    const LIMIT: usize = 4 << 20;
    let kind = [("content-type", "application/x-protobuf")];
    // An unknown field that fills it.
    let filled = |length: usize| {
        let inside = u32::try_from(length - 5).expect("a size");
        let mut bytes = vec![0x1a];
        prost::encoding::encode_varint(inside.into(), &mut bytes);
        bytes.resize(length, 0);
        bytes
    };
    assert_eq!(after(Protocol::Http, reply(200, &kind, filled(LIMIT))).await, delivered());
    let too_large = "the backend's answer has more than 4 MiB";
    assert_eq!(never(after(Protocol::Http, reply(200, &kind, filled(LIMIT + 1))).await), too_large);
    let ok = [("grpc-status", "0")];
    assert_eq!(after(Protocol::Grpc, grpc_reply(&filled(LIMIT - 5), &ok)).await, delivered());
    assert_eq!(never(after(Protocol::Grpc, grpc_reply(&filled(LIMIT - 4), &ok)).await), too_large);
    // What is refused is refused by its status.
    assert_eq!(row(&after(Protocol::Http, reply(503, &kind, filled(LIMIT + 1))).await), Row::Later);
    assert_eq!(row(&after(Protocol::Http, reply(400, &kind, filled(LIMIT + 1))).await), Row::Never);
}

#[tokio::test]
async fn what_a_refusal_says() {
    let status = pb::Status { code: 3, message: "bad span".to_owned(), details: vec![] }.encode_to_vec();
    for (kind, body, expected) in [
        ("application/x-protobuf", status, "400 Bad Request: bad span"),
        (
            "application/json; charset=utf-8",
            b"{\"code\":3,\"message\":\"bad span\"}".to_vec(),
            "400 Bad Request: bad span",
        ),
        ("application/json", b"{\"error\":1}".to_vec(), "400 Bad Request: {\"error\":1}"),
        ("text/plain", b"bad\r\n\x1b[2Jspan\n".to_vec(), "400 Bad Request: bad   [2Jspan"),
        ("text/html", b"<h1>bad</h1>".to_vec(), "400 Bad Request"),
        ("application/x-protobuf", b"bad".to_vec(), "400 Bad Request"),
    ] {
        let sent = after(Protocol::Http, reply(400, &[("content-type", kind)], body)).await;
        assert_eq!(never(sent), expected, "{kind}");
    }
    let packed = [("content-type", "text/plain"), ("content-encoding", "gzip")];
    assert_eq!(never(after(Protocol::Http, reply(400, &packed, gzip(b"bad"))).await), "400 Bad Request");
    let long = "ж".repeat(4000);
    let why = never(after(Protocol::Http, reply(400, &[("content-type", "text/plain")], long)).await);
    assert!(why.len() <= 1024 && why.len() > 1000 && why.ends_with('ж'), "{}", why.len());
}

#[tokio::test]
async fn advice_comes_first_and_secrets_never() {
    let text = "the token c0ffee-secret of shop is not known";
    let server = Server::start([reply(401, &[("content-type", "text/plain")], text)]).await;
    let mut settings = settings(Protocol::Http, server.address);
    settings.headers = vec![("authorization".to_owned(), "Bearer c0ffee-secret".to_owned())];
    let (_, why) = later(send(&backend(settings.clone())).await);
    let expected = "401 Unauthorized (check the credentials in headers): the token *** of shop is not known";
    assert_eq!(why, expected);

    let server = Server::start([grpc_reply(b"", &[("grpc-status", "3"), ("grpc-message", "c0ffee%2Dsecret?")])]).await;
    let settings = BackendSettings { headers: settings.headers, ..super::settings(Protocol::Grpc, server.address) };
    assert_eq!(never(send(&backend(settings)).await), "INVALID_ARGUMENT: ***?");
}
