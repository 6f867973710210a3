//! OTLP specification, «OTLP/gRPC», «OTLP/HTTP Request» and their limits: how bodies are compressed, and how large they may be.

use gridgate::config::Config;
use gridgate::domain::Signal;

use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, frame, gzip, json_of, protobuf_of};
use crate::ingest::limits::logs;
use crate::ingest::told::told;

fn message_of(form: Form, signal: Signal) -> Vec<u8> {
    if form == Form::Json { json_of(signal, "marker").to_string().into() } else { protobuf_of(signal, "marker") }
}

/// «Protocol Details» (MUST): every server takes no compression, and gzip.
#[tokio::test]
async fn t24_no_compression_and_gzip() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (signal, form) in Signal::ALL.into_iter().flat_map(|signal| Form::ALL.map(|form| (signal, form))) {
        let export = Export::new(form, signal, "marker").key(&key.token);
        export.send(&gate).await.assert_success(form);
        export.gzip(&message_of(form, signal)).send(&gate).await.assert_success(form);
    }
    let lake = gate.stop().await.lake();
    for signal in Signal::ALL {
        assert_eq!(lake[&format!("shop/web/production/{signal}")], ["marker"; 6]);
    }
}

/// HTTP, «Content-Encoding», and gRPC's «Message-Encoding»: identity may be said, and the header may be empty.
#[tokio::test]
async fn t25_identity_may_be_said() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let name = if form == Form::Grpc { "grpc-encoding" } else { "content-encoding" };
        for encoding in ["identity", "Identity", ""] {
            Export::traces(form, &key.token).with(name, encoding).send(&gate).await.assert_success(form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 9]);
}

/// HTTP, «415 Unsupported Media Type», and gRPC's «Compression»: any other compression, and several at once. The answer says which
/// are supported; the key comes first.
#[tokio::test]
async fn t27_other_compressions_are_415_and_unimplemented() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let name = if form == Form::Grpc { "grpc-encoding" } else { "content-encoding" };
        for encoding in ["br", "gzip, gzip", "gzip,zstd", "x"] {
            let export = Export::traces(form, &key.token).with(name, encoding);
            let unsupported =
                told("compression_unsupported").key(&key.id).detail("supported are identity,gzip,deflate,zstd; ");
            unsupported.check(&export.send(&gate).await, form);
            told("key_malformed").check(&export.key("nonsense").send(&gate).await, form);
        }
        let stacked = Export::traces(form, &key.token).and(name, "gzip").and(name, "gzip");
        told("compression_unsupported").key(&key.id).check(&stacked.send(&gate).await, form);
    }
    gate.stop().await;
}

/// gRPC, «Compression» (MUST): a message which is compressed without a word about how is an internal error, the one exception to
/// what damaged compression is. One that is not compressed where it might be is allowed.
#[tokio::test]
async fn t28_compressed_without_a_declaration_is_internal() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let message = protobuf_of(Signal::Traces, "marker");
    let export = Export::traces(Form::Grpc, &key.token);
    let undeclared = export.clone().raw(frame(1, &gzip(&message)));
    told("compression_undeclared").key(&key.id).check(&undeclared.send(&gate).await, Form::Grpc);
    let plain = export.with("grpc-encoding", "gzip").raw(frame(0, &message));
    plain.send(&gate).await.assert_success(Form::Grpc);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"]);
}

/// «OTLP/gRPC Request» (RECOMMENDED), «OTLP/HTTP Request» (SHOULD): 64 MiB, to be configured.
#[tokio::test]
async fn t31_64_mib_by_default() {
    const MOST: usize = 64 << 20;
    let limits = Config::default().limits;
    assert_eq!((limits.wire_body.as_usize(), limits.body.as_usize()), (MOST, MOST));
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in [Form::Grpc, Form::Protobuf] {
        let export = Export::new(form, Signal::Logs, "").key(&key.token);
        export.clone().message(logs(form, MOST)).send(&gate).await.assert_success(form);
        let answer = export.message(logs(form, MOST + 1)).send(&gate).await;
        told("body_too_large").key(&key.id).check(&answer, form);
    }
    gate.stop().await;
}

/// Nobody has to take snappy. It is not taken: a block that promises gigabytes is refused by its name, before anything is allocated.
#[tokio::test]
async fn t33_snappy_is_not_supported() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    // The length that a block of snappy begins with: 4 GiB less one byte.
    let block = b"\xff\xff\xff\xff\x0f\x00a";
    for form in Form::ALL {
        let name = if form == Form::Grpc { "grpc-encoding" } else { "content-encoding" };
        let body = if form == Form::Grpc { frame(1, block) } else { block.to_vec() };
        for encoding in ["snappy", "x-snappy-framed", "lz4"] {
            let export = Export::traces(form, &key.token).with(name, encoding).raw(body.clone());
            told("compression_unsupported").key(&key.id).check(&export.send(&gate).await, form);
        }
    }
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

/// «OTLP/HTTP Response» (MAY): answers are a few hundred bytes at the most. They are never compressed, whatever a client accepts.
#[tokio::test]
async fn t35_answers_are_not_compressed() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let name = if form == Form::Grpc { "grpc-accept-encoding" } else { "accept-encoding" };
        for accepted in ["gzip", "gzip, deflate, br, zstd", "gzip;q=1.0, identity;q=0"] {
            let export = Export::traces(form, &key.token).with(name, accepted);
            export.send(&gate).await.assert_success(form);
            told("body_undecodable").key(&key.id).check(&export.message("nonsense").send(&gate).await, form);
        }
    }
    gate.stop().await;
}
