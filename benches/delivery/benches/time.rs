//! The time of a delivery, measured by criterion. Run `cargo bench --bench time` in `benches/delivery`.
//!
//! It measures what `instructions` counts. Compare figures of the same run only.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{
    BatchSize::SmallInput, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use http_body_util::Full;
use tencent_desk_webhook::webhook::stages;

use delivery::{Delivery, Plain, by_hand, hundred_elements, inputs, largest, ready, sample};

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn handle(group: &mut Group<'_>, name: &str, delivery: Delivery) {
    group.bench_function(name, |bench| {
        bench.iter_batched(|| delivery.request(), |request| delivery.handle(request), SmallInput);
    });
}

/// `handle` and its references.
fn beside_references(criterion: &mut Criterion, name: &str, body: Bytes) {
    let mut group = criterion.benchmark_group(name);
    let delivery = Delivery::of(body.clone());
    group.bench_function("reference", |bench| {
        bench.iter(|| serde_json::from_slice::<Plain>(black_box(&body)).unwrap());
    });
    group.bench_function("by hand", |bench| {
        bench.iter(|| by_hand(black_box(&delivery.uri), black_box(&body)))
    });
    handle(&mut group, "handle", delivery);
}

fn deliveries(criterion: &mut Criterion) {
    beside_references(criterion, "sample", sample());
    beside_references(criterion, "1 MiB", largest());
    beside_references(criterion, "100 elements", hundred_elements());
}

fn refusals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusals");
    handle(&mut group, "wrong signature", Delivery::refused("Sign=1", "Sign=2"));
    handle(&mut group, "unsigned", Delivery::refused("&Sign=", "&Sing="));
    handle(&mut group, "stale", Delivery::refused("RequestTime=1669872112", "RequestTime=1669872000"));
    handle(&mut group, "foreign app", Delivery::refused("SdkAppid=1", "SdkAppid=2"));
}

fn stages_alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stages");
    let delivery = Delivery::of(sample());
    let webhook = &delivery.webhook;
    group.bench_function("query", |bench| bench.iter(|| stages::query(black_box(inputs::query())).unwrap()));
    group.bench_function("verify", |bench| {
        bench.iter_batched(inputs::claims, |claims| stages::verify(webhook, claims).unwrap(), SmallInput);
    });
    group.bench_function("body", |bench| {
        let body = || Full::new(delivery.body.clone());
        bench.iter_batched(body, |body| ready(stages::body(webhook, body)).unwrap(), SmallInput);
    });
    group.bench_function("parse", |bench| {
        let input = || (inputs::text(&delivery), inputs::believed(&delivery));
        bench.iter_batched(input, |(text, believed)| stages::parse(text, believed).unwrap(), SmallInput);
    });
    group.bench_function("dispatch", |bench| {
        let event = || inputs::event(&delivery);
        bench.iter_batched(event, |event| ready(stages::dispatch(webhook, event)).unwrap(), SmallInput);
    });
    group.bench_function("response", |bench| bench.iter(stages::response));
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = deliveries, refusals, stages_alone
}
criterion_main!(benches);
