//! How many instructions a delivery costs, counted by callgrind, which repeats. `cargo bench` in
//! `benches/instructions`, a package of its own: what the tests need would be measured as well.
//!
//! Each has run before it is counted, so that nothing of a first call is. `.ci/instructions` holds the
//! figures to their bars.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use bytes::Bytes;
use gungraun::prelude::*;
use http::{Method, Request, Uri};
use http_body_util::Full;
use tencent_desk_webhook::Webhook;

use instructions::{Nothing, Plain, SIGNED, by_hand, hundred_elements, largest, ready, sample, webhook};

/// So many are counted together that the allocator's moods even out.
const ROUNDS: usize = 100;

struct Deliveries {
    webhook: Webhook<Nothing>,
    uri: Uri,
    body: Bytes,
    rounds: usize,
}

impl Deliveries {
    fn of(uri: &str, body: Bytes, rounds: usize) -> Self {
        let deliveries = Self { webhook: webhook(), uri: uri.parse().unwrap(), body, rounds };
        for _ in 0..3 {
            ready(deliveries.webhook.handle(deliveries.request()));
        }
        by_hand(&SIGNED.parse().unwrap(), &sample());
        let _: Plain = serde_json::from_slice(&sample()).unwrap();
        deliveries
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request
    }
}

fn signed() -> Deliveries {
    Deliveries::of(SIGNED, sample(), ROUNDS)
}

fn refused(from: &str, to: &str) -> Deliveries {
    assert!(SIGNED.contains(from));
    Deliveries::of(&SIGNED.replace(from, to), sample(), ROUNDS)
}

// It gives back what it got, so that no end of that is counted.
#[library_benchmark]
#[bench::sample(signed())]
#[bench::wrong_signature(refused("Sign=1", "Sign=2"))]
#[bench::unsigned(refused("&Sign=", "&Sing="))]
#[bench::stale(refused("RequestTime=1669872112", "RequestTime=1669872000"))]
#[bench::foreign_app(refused("SdkAppid=1", "SdkAppid=2"))]
#[bench::one_of_a_megabyte(Deliveries::of(SIGNED, largest(), 1))]
#[bench::one_of_a_hundred_elements(Deliveries::of(SIGNED, hundred_elements(), 1))]
fn handle(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(ready(deliveries.webhook.handle(black_box(deliveries.request())))));
    }
    deliveries
}

// What of `handle` is not ours.
#[library_benchmark]
#[bench::sample(signed())]
fn request(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(deliveries.request()));
    }
    deliveries
}

#[library_benchmark]
#[bench::sample(signed())]
fn reference(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(serde_json::from_slice::<Plain>(black_box(&deliveries.body)).unwrap()));
    }
    deliveries
}

#[library_benchmark]
#[bench::sample(signed())]
fn written_by_hand(deliveries: Deliveries) -> Deliveries {
    for _ in 0..deliveries.rounds {
        drop(black_box(by_hand(black_box(&deliveries.uri), black_box(&deliveries.body))));
    }
    deliveries
}

library_benchmark_group!(name = deliveries, benchmarks = [handle, request, reference, written_by_hand]);

main!(library_benchmark_groups = deliveries);
