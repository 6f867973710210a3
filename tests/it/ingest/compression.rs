//! Every compression over both transports: accepted, refused where it is damaged or not supported, and bounded.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, FlushCompress};
use gridgate::config::Bytes;
use gridgate::domain::{Encoding, Signal};

use super::Gate;
use super::client::{Export, Form, frame, gzip, json_of, protobuf_of};
use super::told::told;

pub(super) const COMPRESSED: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

pub(super) fn pack(encoding: Encoding, message: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => message.to_vec(),
        Encoding::Gzip => gzip(message),
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(message).expect("writing to memory");
            encoder.finish().expect("writing to memory")
        }
        // As a stream, with a checksum and without its size in the header.
        Encoding::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
            encoder.include_checksum(true).expect("an option");
            encoder.write_all(message).expect("writing to memory");
            encoder.finish().expect("writing to memory")
        }
    }
}

/// With these bytes as the compressed body, declared as `encoding`.
pub(super) fn declared(export: Export, encoding: &str, packed: &[u8]) -> Export {
    match export.form {
        Form::Grpc => export.with("grpc-encoding", encoding).raw(frame(1, packed)),
        Form::Protobuf | Form::Json => export.with("content-encoding", encoding).raw(packed.to_vec()),
    }
}

fn message(form: Form, signal: Signal, marker: &str) -> Vec<u8> {
    if form == Form::Json { json_of(signal, marker).to_string().into() } else { protobuf_of(signal, marker) }
}

/// Clause T26 of docs/otlp.md.
#[tokio::test]
async fn every_compression_of_every_signal_arrives() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for signal in Signal::ALL {
        for (form, encoding) in Form::ALL.into_iter().flat_map(|form| COMPRESSED.map(|encoding| (form, encoding))) {
            let packed = pack(encoding, &message(form, signal, encoding.as_str()));
            let export = Export::new(form, signal, "").key(&key.token);
            declared(export, encoding.as_str(), &packed).send(&gate).await.assert_success(form);
        }
    }
    let lake = gate.stop().await.lake();
    for signal in Signal::ALL {
        let expected = ["deflate"; 3].into_iter().chain(["gzip"; 3]).chain(["zstd"; 3]).collect::<Vec<_>>();
        assert_eq!(lake[&format!("shop/web/production/{signal}")], expected);
    }
}

/// Clause T26 of docs/otlp.md.
#[tokio::test]
async fn several_members_and_frames_are_one_body() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let whole = message(form, Signal::Logs, "marker");
        let (head, tail) = whole.split_at(whole.len() / 2);
        let skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00hi";
        for (encoding, packed) in [
            ("gzip", [gzip(head), gzip(b""), gzip(tail)].concat()),
            ("zstd", [pack(Encoding::Zstd, head), skippable.to_vec(), pack(Encoding::Zstd, tail)].concat()),
        ] {
            let export = Export::new(form, Signal::Logs, "").key(&key.token);
            declared(export, encoding, &packed).send(&gate).await.assert_success(form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/logs"], ["marker"; 6]);
}

/// RFC 9110, sections 8.4 and 8.4.1.3: a list, in which `identity` says nothing, and an old name of gzip.
/// Clause T27 of docs/otlp.md.
#[tokio::test]
async fn content_encodings_may_be_written_in_many_ways() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let whole = message(Form::Protobuf, Signal::Logs, "marker");
    for name in ["gzip", "GZIP", "x-gzip", "identity, gzip", "gzip , identity,", " gzip"] {
        let export = Export::new(Form::Protobuf, Signal::Logs, "").key(&key.token);
        declared(export, name, &gzip(&whole)).send(&gate).await.assert_success(Form::Protobuf);
    }
    let two = Export::new(Form::Protobuf, Signal::Logs, "").key(&key.token).raw(gzip(&whole));
    let two = two.and("content-encoding", "gzip").and("content-encoding", "identity");
    two.send(&gate).await.assert_success(Form::Protobuf);
    // gRPC has one name for each, and no lists.
    for name in ["x-gzip", "identity,gzip"] {
        let export = Export::new(Form::Grpc, Signal::Logs, "").key(&key.token);
        let answer = declared(export, name, &gzip(&whole)).send(&gate).await;
        told("compression_unsupported").key(&key.id).check(&answer, Form::Grpc);
    }
    gate.stop().await;
}

/// Clause T28 of docs/otlp.md.
#[tokio::test]
async fn damaged_and_unsupported_bytes_are_told_apart() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (form, encoding) in Form::ALL.into_iter().flat_map(|form| COMPRESSED.map(|encoding| (form, encoding))) {
        let packed = pack(encoding, &message(form, Signal::Logs, "marker"));
        let mut flipped = packed.clone();
        flipped[packed.len() - if encoding == Encoding::Gzip { 8 } else { 4 }] ^= 1;
        let other = COMPRESSED.into_iter().find(|&other| other != encoding).expect("another");
        for damaged in [
            &b""[..],
            b"not compressed",
            &packed[..packed.len() - 1],
            &flipped,
            &[&packed[..], b"trailing bytes"].concat(),
            &[&packed[..], &packed[packed.len() - 8..]].concat(),
            &pack(other, b"x"),
        ] {
            let export = Export::new(form, Signal::Logs, "").key(&key.token);
            let answer = declared(export, encoding.as_str(), damaged).send(&gate).await;
            told("compression_invalid").key(&key.id).check(&answer, form);
        }
    }
    let frame = |header: &[u8]| [b"\x28\xb5\x2f\xfd", header, &[1, 0, 0]].concat();
    for (frame, detail) in [
        (frame(&[0, 14 << 3]), "a zstd frame needs a window of more than 8388608 bytes (RFC 9659); "),
        (frame(&[1, 0, 7]), "a zstd frame needs a dictionary, and there is none; "),
        (frame(&[0, 0]).repeat(4097), "more than 4096 gzip members or zstd frames; "),
    ] {
        for form in Form::ALL {
            let export = Export::new(form, Signal::Logs, "").key(&key.token);
            let answer = declared(export, "zstd", &frame).send(&gate).await;
            told("compression_unsupported").key(&key.id).detail(detail).check(&answer, form);
        }
    }
    // gRPC, «compression.md»: what is compressed by nothing is not declared.
    let export = Export::new(Form::Grpc, Signal::Logs, "marker").key(&key.token);
    let answer = declared(export, "identity", &message(Form::Grpc, Signal::Logs, "marker")).send(&gate).await;
    told("compression_undeclared").key(&key.id).check(&answer, Form::Grpc);
    gate.stop().await;
}

/// A few megabytes that become more than four gigabytes: one stream of deflate and its checksum, blocks of zstd that repeat a
/// byte, with and without the size that they have.
fn bombs() -> Vec<(Encoding, Vec<u8>)> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut zeros = Vec::with_capacity(64 << 10);
    compress.compress_vec(&vec![0; 16 << 20], &mut zeros, FlushCompress::Full).expect("it compresses");
    let zeros = zeros.repeat(280);
    let block = [2, 0, 0x10, 0];
    let blocks = [&block.repeat(40_000)[..], &[3, 0, 0x10, 0]].concat();
    vec![
        (Encoding::Gzip, [b"\x1f\x8b\x08\0\0\0\0\0\0\0", &zeros[..], &[0; 8]].concat()),
        (Encoding::Gzip, gzip(&vec![0; 2 << 20]).repeat(2200)),
        (Encoding::Deflate, [b"\x78\xda", &zeros[..], &[0; 4]].concat()),
        (Encoding::Zstd, [b"\x28\xb5\x2f\xfd\x00\x58", &blocks[..]].concat()),
        (Encoding::Zstd, [&b"\x28\xb5\x2f\xfd\xc0\x58"[..], &(40_001_u64 << 17).to_le_bytes(), &blocks[..]].concat()),
    ]
}

/// The budget of bodies is what a body may have on the wire and once decompressed: whatever a bomb becomes, it is refused for its
/// size and not for the memory that it would take.
/// Clause T32 of docs/otlp.md.
#[tokio::test]
async fn bombs_cost_no_more_than_the_cap() {
    const WIRE: u64 = 8 << 20;
    const BODY: u64 = 2 << 20;
    let gate = Gate::with(|config| {
        let limits = &mut config.limits;
        (limits.wire_body, limits.body) = (Bytes(WIRE), Bytes(BODY));
        limits.memory = Bytes(2 * (WIRE + BODY));
    })
    .await;
    let key = gate.key("shop").await;
    for (encoding, bomb) in bombs() {
        for form in Form::ALL {
            let export = Export::new(form, Signal::Logs, "").key(&key.token);
            let answer = declared(export, encoding.as_str(), &bomb).send(&gate).await;
            let detail = format!("the body has more than {BODY} bytes once decompressed; ");
            told("body_too_large").key(&key.id).detail(&detail).check(&answer, form);
        }
    }
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}
