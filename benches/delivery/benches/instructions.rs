//! The instructions of a delivery, counted by callgrind, whose counts repeat. Run `cargo bench --bench instructions` in
//! `benches/delivery`. It is a separate package, so that features that tests enable are not measured.
//!
//! Each benchmark runs once before it is counted, to exclude the cost of first calls. `.ci/instructions` compares the counts with
//! their limits.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use gungraun::prelude::*;
use http::Response;
use http_body_util::Full;
use tencent_desk_webhook::{
    Event,
    webhook::stages::{self, Believed, Claims},
};

use delivery::{
    Delivery, Plain, SIGNED, by_hand, hundred_elements, inputs, largest, ready, sample, shapes::shape,
};

/// Counted together, to average out variations of the allocator.
const ROUNDS: usize = 100;

struct Deliveries {
    delivery: Delivery,
    rounds: usize,
}

impl Deliveries {
    fn of(delivery: Delivery, rounds: usize) -> Self {
        for _ in 0..3 {
            delivery.handle(delivery.request());
        }
        by_hand(&SIGNED.parse().unwrap(), &sample());
        let _: Plain = serde_json::from_slice(&sample()).unwrap();
        Self { delivery, rounds }
    }
}

fn signed() -> Deliveries {
    Deliveries::of(Delivery::of(sample()), ROUNDS)
}

fn refused(from: &str, to: &str) -> Deliveries {
    Deliveries::of(Delivery::refused(from, to), ROUNDS)
}

fn one(body: Bytes) -> Deliveries {
    Deliveries::of(Delivery::of(body), 1)
}

// Returns its input, so that dropping it is not counted.
#[library_benchmark]
#[bench::sample(signed())]
#[bench::wrong_signature(refused("Sign=1", "Sign=2"))]
#[bench::unsigned(refused("&Sign=", "&Sing="))]
#[bench::stale(refused("RequestTime=1669872112", "RequestTime=1669872000"))]
#[bench::foreign_app(refused("SdkAppid=1", "SdkAppid=2"))]
#[bench::one_of_a_megabyte(one(largest()))]
#[bench::one_of_a_hundred_elements(one(hundred_elements()))]
fn handle(deliveries: Deliveries) -> Deliveries {
    let Deliveries { delivery, rounds } = &deliveries;
    for _ in 0..*rounds {
        drop(black_box(delivery.handle(black_box(delivery.request()))));
    }
    deliveries
}

// The part of `handle` that creates the request, which is subtracted.
#[library_benchmark]
#[bench::sample(signed())]
fn request(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(deliveries.delivery.request()));
    }
    deliveries
}

#[library_benchmark]
#[bench::sample(signed())]
#[bench::one_of_a_megabyte(one(largest()))]
#[bench::one_of_a_hundred_elements(one(hundred_elements()))]
fn reference(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(serde_json::from_slice::<Plain>(black_box(&deliveries.delivery.body)).unwrap()));
    }
    deliveries
}

#[library_benchmark]
#[bench::sample(signed())]
#[bench::one_of_a_megabyte(one(largest()))]
#[bench::one_of_a_hundred_elements(one(hundred_elements()))]
fn written_by_hand(deliveries: Deliveries) -> Deliveries {
    let Delivery { uri, body, .. } = &deliveries.delivery;
    for _ in 0..deliveries.rounds {
        drop(black_box(by_hand(black_box(uri), black_box(body))));
    }
    deliveries
}

fn shaped(name: &str) -> Deliveries {
    one(shape(name))
}

// The cost of parsing the body without the library.
#[library_benchmark]
#[bench::one_text(shaped("one text"))]
#[bench::escapes(shaped("one text of escapes"))]
#[bench::zeros(shaped("a relay of zeros"))]
#[bench::nested(shaped("text in 8 relays, type first"))]
#[bench::nested_backwards(shaped("text in 8 relays, content first"))]
#[bench::nested_too_deep(shaped("text in 20 relays, content first"))]
#[bench::repeated_names(shaped("repeated names in 8 relays, content first"))]
#[bench::data(shaped("data"))]
fn value(deliveries: Deliveries) -> Deliveries {
    drop(black_box(
        serde_json::from_slice::<serde_json::Value>(black_box(&deliveries.delivery.body)).unwrap(),
    ));
    deliveries
}

#[library_benchmark]
#[bench::one_text(shaped("one text"))]
#[bench::escapes(shaped("one text of escapes"))]
#[bench::zeros(shaped("a relay of zeros"))]
#[bench::nested(shaped("text in 8 relays, type first"))]
#[bench::nested_backwards(shaped("text in 8 relays, content first"))]
#[bench::nested_too_deep(shaped("text in 20 relays, content first"))]
#[bench::repeated_names(shaped("repeated names in 8 relays, content first"))]
#[bench::data(shaped("data"))]
fn shape_of(deliveries: Deliveries) -> Deliveries {
    drop(black_box(deliveries.delivery.handle(black_box(deliveries.delivery.request()))));
    deliveries
}

library_benchmark_group!(
    name = deliveries,
    benchmarks = [handle, request, reference, written_by_hand, value, shape_of]
);

/// Inputs created before counting, and a place for the outputs, which are dropped after it.
struct Stage<I, O> {
    delivery: Delivery,
    inputs: Vec<I>,
    outputs: Vec<O>,
}

impl<I, O> Stage<I, O> {
    fn of(input: impl Fn(&Delivery) -> I) -> Self {
        let delivery = signed().delivery;
        let inputs = (0..ROUNDS).map(|_| input(&delivery)).collect();
        Self { delivery, inputs, outputs: Vec::with_capacity(ROUNDS) }
    }

    fn run(mut self, stage: impl Fn(&Delivery, I) -> O) -> Self {
        for input in self.inputs.drain(..) {
            self.outputs.push(stage(&self.delivery, black_box(input)));
        }
        self
    }
}

#[library_benchmark]
#[bench::sample(Stage::of(|_| inputs::query()))]
fn query(stage: Stage<&'static str, Claims<'static>>) -> Stage<&'static str, Claims<'static>> {
    stage.run(|_, query| stages::query(query).unwrap())
}

#[library_benchmark]
#[bench::sample(Stage::of(|_| inputs::claims()))]
fn verify(stage: Stage<Claims<'static>, Believed<'static>>) -> Stage<Claims<'static>, Believed<'static>> {
    stage.run(|delivery, claims| stages::verify(&delivery.webhook, claims).unwrap())
}

#[library_benchmark]
#[bench::sample(Stage::of(|delivery| Full::new(delivery.body.clone())))]
fn body(stage: Stage<Full<Bytes>, String>) -> Stage<Full<Bytes>, String> {
    stage.run(|delivery, body| ready(stages::body(&delivery.webhook, body)).unwrap())
}

type Parsed = Option<Arc<Event>>;

#[library_benchmark]
#[bench::sample(Stage::of(|delivery| (inputs::text(delivery), inputs::believed(delivery))))]
fn parse(stage: Stage<(String, Believed<'static>), Parsed>) -> Stage<(String, Believed<'static>), Parsed> {
    stage.run(|_, (text, believed)| stages::parse(text, believed).unwrap())
}

#[library_benchmark]
#[bench::sample(Stage::of(inputs::event))]
fn dispatch(stage: Stage<Arc<Event>, ()>) -> Stage<Arc<Event>, ()> {
    stage.run(|delivery, event| ready(stages::dispatch(&delivery.webhook, event)).unwrap())
}

#[library_benchmark]
#[bench::sample(Stage::of(|_| ()))]
fn response(stage: Stage<(), Response<Full<Bytes>>>) -> Stage<(), Response<Full<Bytes>>> {
    stage.run(|_, ()| stages::response())
}

library_benchmark_group!(name = stages_alone, benchmarks = [query, verify, body, parse, dispatch, response]);

main!(library_benchmark_groups = [deliveries, stages_alone]);
