//! What it costs to check a body: the scan against decoding it into structs, and JSON to wire bytes against JSON to structs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridgate::domain::Signal;
use gridgate::otlp::json::to_protobuf;
use gridgate::otlp::scan::{ScanLimits, scan};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod bodies;

fn all(criterion: &mut Criterion) {
    signal(criterion, Signal::Traces, &bodies::traces());
    signal(criterion, Signal::Metrics, &bodies::metrics());
    signal(criterion, Signal::Logs, &bodies::logs());
    signal(criterion, Signal::Profiles, &bodies::profiles());
}

fn signal<M: Message + Default + Serialize + DeserializeOwned>(criterion: &mut Criterion, signal: Signal, request: &M) {
    let limits = ScanLimits::default();
    let body = request.encode_to_vec();
    let mut group = criterion.benchmark_group(format!("{signal} {} B", body.len()));
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("scan", |bencher| bencher.iter(|| scan(signal, black_box(&body), &limits)));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(M::decode(black_box(body.as_slice())))));
    let json = serde_json::to_vec(request).unwrap_or_default();
    group.bench_function(format!("JSON to protobuf ({} B)", json.len()), |bencher| {
        bencher.iter(|| to_protobuf(signal, black_box(&json), usize::MAX));
    });
    group.bench_function(format!("JSON to structs ({} B)", json.len()), |bencher| {
        bencher.iter(|| serde_json::from_slice::<M>(black_box(&json)));
    });
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
