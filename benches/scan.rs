//! What it costs to check a body: the scan against decoding it into structs, and JSON to wire bytes against JSON to structs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridgate::domain::Signal;
use gridgate::otlp::json::{JsonLimits, to_protobuf};
use gridgate::otlp::scan::{ScanLimits, scan};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod bodies;

fn all(criterion: &mut Criterion) {
    protobuf(criterion, Signal::Traces, &bodies::traces());
    protobuf(criterion, Signal::Metrics, &bodies::metrics());
    protobuf(criterion, Signal::Logs, &bodies::logs());
    protobuf(criterion, Signal::Profiles, &bodies::profiles());
    // Without profiles: the JSON that `opentelemetry-proto` makes of them is not OTLP's.
    json(criterion, Signal::Traces, &bodies::traces());
    json(criterion, Signal::Metrics, &bodies::metrics());
    json(criterion, Signal::Logs, &bodies::logs());
}

fn protobuf<M: Message + Default>(criterion: &mut Criterion, signal: Signal, request: &M) {
    let limits = ScanLimits::default();
    let body = request.encode_to_vec();
    assert!(scan(signal, &body, &limits).is_ok(), "the body is valid");
    let mut group = criterion.benchmark_group(format!("{signal}, {} B of protobuf", body.len()));
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("scan", |bencher| bencher.iter(|| scan(signal, black_box(&body), &limits)));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(M::decode(black_box(body.as_slice())))));
    group.finish();
}

fn json<M: Serialize + DeserializeOwned>(criterion: &mut Criterion, signal: Signal, request: &M) {
    let body = serde_json::to_vec(request).unwrap_or_default();
    let limits = JsonLimits::new(64 << 20, &ScanLimits::default());
    let transcode = |body: &[u8]| to_protobuf(signal, body, &limits, |_| Ok(()));
    assert!(transcode(&body).is_ok(), "the body is valid");
    let mut group = criterion.benchmark_group(format!("{signal}, {} B of JSON", body.len()));
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("to protobuf", |bencher| bencher.iter(|| transcode(black_box(&body))));
    group.bench_function("to structs", |bencher| bencher.iter(|| serde_json::from_slice::<M>(black_box(&body))));
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
