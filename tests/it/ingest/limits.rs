//! Bodies that are too large, too many, too deep, or more than there is memory for.

use gridgate::config::Bytes;
use gridgate::domain::Signal;
use serde_json::{Value, json};

use super::Gate;
use super::client::{Export, Form, Raw, frame, gzip};
use super::told::{Told, told};

const WIRE: usize = 64 << 10;
const BODY: usize = 100 << 10;

async fn small() -> Gate {
    Gate::with(|config| {
        let limits = &mut config.limits;
        (limits.wire_body, limits.body) = (Bytes(WIRE as u64), Bytes(BODY as u64));
        (limits.items, limits.submessages) = (100, 1000);
    })
    .await
}

/// A log record whose body has so many characters that the message has `size` bytes.
pub(super) fn logs(form: Form, size: usize) -> Vec<u8> {
    let of = |text: &str| match form {
        Form::Json => json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": text}}]}]}]})
            .to_string()
            .into(),
        Form::Grpc | Form::Protobuf => field(1, &field(2, &field(2, &field(5, &field(1, text.as_bytes()))))),
    };
    let mut length = size;
    loop {
        let message = of(&"x".repeat(length));
        match message.len() {
            found if found <= size => return message,
            found => length -= found - size,
        }
    }
}

/// A length-delimited field of protobuf.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    let mut rest = content.len();
    while rest >= 0x80 {
        encoded.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    encoded.push(u8::try_from(rest).expect("seven bits"));
    encoded.extend_from_slice(content);
    encoded
}

/// Clauses T29, T30 and T32 of docs/otlp.md.
#[tokio::test]
async fn sizes_are_limited_to_the_byte() {
    let gate = small().await;
    let key = gate.key("shop").await;
    let too_large = |most: usize, when: &str| {
        told("body_too_large").key(&key.id).detail(&format!("the body has more than {most} bytes{when}"))
    };
    for form in Form::ALL {
        let export = Export::new(form, Signal::Logs, "").key(&key.token);
        let frame_bytes = if form == Form::Grpc { 5 } else { 0 };
        export.clone().message(logs(form, WIRE)).send(&gate).await.assert_success(form);
        let answer = export.clone().message(logs(form, WIRE + 1)).send(&gate).await;
        too_large(WIRE + frame_bytes, "").check(&answer, form);
        export.clone().gzip(&logs(form, BODY)).send(&gate).await.assert_success(form);
        for inflated in [BODY + 1, 10 << 20] {
            let answer = export.clone().gzip(&logs(form, inflated)).send(&gate).await;
            too_large(BODY, " once decompressed").check(&answer, form);
        }
        // A bomb of several members, and one that lies about its size.
        let members = gzip(&vec![0; BODY / 2]).repeat(200);
        let mut liar = gzip(&vec![0; 10 << 20]);
        let size = liar.len() - 4;
        liar[size..].copy_from_slice(&1_u32.to_le_bytes());
        for bomb in [members, liar] {
            let bomb = if form == Form::Grpc { frame(1, &bomb) } else { bomb };
            let answer = export.clone().gzip(b"").raw(bomb).send(&gate).await;
            too_large(BODY, " once decompressed").check(&answer, form);
        }
    }
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

/// Without a `Content-Length` the limit holds where it is passed.
/// Clause T29 of docs/otlp.md.
#[tokio::test]
async fn a_body_in_chunks_is_limited_too() {
    let gate = small().await;
    let key = gate.key("shop").await;
    let export = Export::new(Form::Protobuf, Signal::Logs, "").key(&key.token);
    let mut raw = Raw::connect(gate.http).await;
    raw.head(&export, "transfer-encoding: chunked\r\n").await;
    for chunk in logs(Form::Protobuf, WIRE).chunks(1000) {
        raw.write(format!("{:x}\r\n", chunk.len()).as_bytes()).await;
        raw.write(&[chunk, b"\r\n"].concat()).await;
    }
    raw.write(b"0\r\n\r\n").await;
    assert!(raw.read_answer().await.0.starts_with("HTTP/1.1 200 "));
    // On the same connection, one byte more.
    raw.head(&export, "transfer-encoding: chunked\r\n").await;
    raw.write(format!("{:x}\r\n", WIRE + 1).as_bytes()).await;
    raw.write(&logs(Form::Protobuf, WIRE + 1)).await;
    let (head, _) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 413 body_too_large ("), "{head}");
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

#[tokio::test]
async fn items_and_submessages_are_counted_before_they_cost_memory() {
    let gate = small().await;
    let key = gate.key("shop").await;
    let too_many = told("too_many_items").key(&key.id);
    let records = |count: usize| field(1, &field(2, &field(2, b"").repeat(count)));
    let attributes = |count: usize| field(1, &field(2, &field(2, &field(6, b"").repeat(count))));
    let json_of = |records: Vec<Value>| json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
    let json_records = |count| json_of(vec![json!({}); count]);
    let json_attributes = |count| json_of(vec![json!({"attributes": vec![json!({"key": "a"}); count]})]);
    for form in Form::ALL {
        let export = Export::new(form, Signal::Logs, "").key(&key.token);
        let send = async |protobuf: Vec<u8>, json: String| {
            let message = if form == Form::Json { json.into_bytes() } else { protobuf };
            let packed = export.clone().gzip(&message).send(&gate).await;
            let plain = export.clone().message(message).send(&gate).await;
            assert_eq!((plain.status, &plain.headers()), (packed.status, &packed.headers()));
            plain
        };
        // A resource and a scope count with the items.
        send(records(98), json_records(98)).await.assert_success(form);
        too_many.check(&send(records(99), json_records(99)).await, form);
        too_many.check(&send(records(30_000), json_records(15_000)).await, form);
        send(attributes(900), json_attributes(900)).await.assert_success(form);
        too_many.check(&send(attributes(1001), json_attributes(1001)).await, form);
    }
    gate.stop().await;
}

/// Attribute values nested 24 deep are accepted, deeper ones are refused, in protobuf and in JSON alike.
/// Clause T23 of docs/otlp.md.
#[tokio::test]
async fn nesting_bombs() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let text = || (field(1, b"x"), json!({"stringValue": "x"}));
    // One more array around a value: `AnyValue.array_value`, `ArrayValue.values`.
    let array = |(protobuf, json): (Vec<u8>, Value)| {
        (field(5, &field(1, &protobuf)), json!({"arrayValue": {"values": [json]}}))
    };
    // `AnyValue.kvlist_value`, `KeyValueList.values`, `KeyValue.value`.
    let list = |(protobuf, json): (Vec<u8>, Value)| {
        (field(6, &field(1, &field(2, &protobuf))), json!({"kvlistValue": {"values": [{"value": json}]}}))
    };
    for form in Form::ALL {
        let export = Export::new(form, Signal::Logs, "").key(&key.token);
        let send = async |(protobuf, json): (Vec<u8>, Value)| {
            let json = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": json}]}]}]});
            let protobuf = field(1, &field(2, &field(2, &field(5, &protobuf))));
            let message = if form == Form::Json { json.to_string().into_bytes() } else { protobuf };
            export.clone().message(message).send(&gate).await
        };
        let refused: Told = told("body_undecodable").key(&key.id);
        for wrap in [&array as &dyn Fn(_) -> _, &list] {
            let nested = |depth| (1..depth).fold(text(), |value, _| wrap(value));
            send(nested(24)).await.assert_success(form);
            refused.check(&send(nested(25)).await, form);
            refused.check(&send(nested(100)).await, form);
        }
        let bomb = if form == Form::Json {
            "[".repeat(1 << 20).into_bytes()
        } else {
            (0..10_000)
                .fold(Vec::new(), |inner, _| if inner.len() > 60_000 { inner } else { field(5, &field(1, &inner)) })
        };
        let bomb = if form == Form::Json { bomb } else { field(1, &field(2, &field(2, &field(5, &bomb)))) };
        refused.check(&export.clone().message(bomb).send(&gate).await, form);
    }
    gate.stop().await;
}

/// Lists nest four objects and arrays of JSON for each value: the configured limit is the only one all the same.
#[tokio::test]
async fn the_configured_depth_holds_in_every_form() {
    let nested = |form, depth: usize| {
        let (protobuf, json) = (1..depth).fold((Vec::new(), "{}".to_owned()), |(protobuf, json), _| {
            let json = format!(r#"{{"kvlistValue":{{"values":[{{"value":{json}}}]}}}}"#);
            (field(6, &field(1, &field(2, &protobuf))), json)
        });
        match form {
            Form::Json => {
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{json}}}]}}]}}]}}"#).into_bytes()
            }
            Form::Grpc | Form::Protobuf => field(1, &field(2, &field(2, &field(5, &protobuf)))),
        }
    };
    for depth in [2, 32] {
        let gate = Gate::with(|config| config.limits.depth = depth).await;
        let key = gate.key("shop").await;
        let refused = told("body_undecodable").key(&key.id);
        let refused = refused.detail(&format!("an attribute's value is nested over {depth} deep"));
        let depth = usize::try_from(depth).expect("a small number");
        for form in Form::ALL {
            let export = Export::new(form, Signal::Logs, "").key(&key.token);
            export.clone().message(nested(form, depth)).send(&gate).await.assert_success(form);
            refused.check(&export.message(nested(form, depth + 1)).send(&gate).await, form);
        }
        let stopped = gate.stop().await;
        let files = super::files(&stopped.config.lake_folder());
        let rows = files.iter().map(|file| crate::lake::rows::read(std::fs::read(file).expect("a file")).len());
        assert_eq!(rows.sum::<usize>(), 3, "what is accepted can be delivered");
    }
}

/// With 5 MiB for bodies, one of 3 MiB that is arriving leaves no room for a second. (It takes half as much again while it moves
/// from where there was room for a half of it.)
/// Clause T51 of docs/otlp.md.
#[tokio::test]
async fn what_is_more_than_the_memory_has_to_come_again() {
    const BIG: usize = 3 << 20;
    let gate = Gate::with(|config| config.limits.memory = Bytes(10 << 20)).await;
    let key = gate.key("shop").await;
    let overloaded = told("overloaded").key(&key.id);
    let export = |form| Export::new(form, Signal::Logs, "").key(&key.token).message(logs(form, BIG));
    for _ in 0..3 {
        let mut first = Raw::connect(gate.http).await;
        let body = logs(Form::Protobuf, BIG);
        let (head, tail) = body.split_at(BIG - 1000);
        first.head(&export(Form::Protobuf), &format!("content-length: {}\r\n", body.len())).await;
        first.write(head).await;
        gate.until("gridgate_body_memory_bytes", |bytes| bytes >= 2_000_000).await;
        for form in Form::ALL {
            overloaded.check(&export(form).send(&gate).await, form);
            // A small one has room.
            Export::traces(form, &key.token).send(&gate).await.assert_success(form);
        }
        first.write(tail).await;
        assert!(first.read_answer().await.0.starts_with("HTTP/1.1 200 "));
        gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    }
    // What never fits need not come again: as it is on the wire, and once decompressed.
    let never = told("body_too_large").key(&key.id).detail("it takes more than the whole memory budget; ");
    for form in Form::ALL {
        let large = logs(form, 20 << 20);
        never.check(&export(form).message(large.clone()).send(&gate).await, form);
        never.check(&export(form).gzip(&large).send(&gate).await, form);
        gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    }
    gate.stop().await;
}
