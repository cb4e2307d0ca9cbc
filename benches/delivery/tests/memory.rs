//! An event from a sender who can sign takes at most 16 times the memory of its body, whatever it nests. Run by
//! `.ci/instructions`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use allocation_counter::measure;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};

use delivery::{SIGNED, ready, shapes::shapes, webhook};

/// Arrives in pieces without a size hint.
struct Pieces(Bytes);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.0.len().min(16 * 1024);
        let piece = self.0.split_to(size);
        Poll::Ready((size > 0).then(|| Ok(Frame::data(piece))))
    }
}

#[test]
fn an_event_takes_at_most_sixteen_times_its_body() {
    let webhook = webhook();
    for size in [10_000, 100_000, 1_000_000] {
        let mut worst = 0.0_f64;
        for (name, body) in shapes(size) {
            let length = body.len();
            let request = Request::post(SIGNED).body(Pieces(body)).unwrap();
            let mut response = None;
            let peak = measure(|| response = Some(ready(webhook.handle(request)))).bytes_max;
            assert_eq!(response.unwrap().status(), 200, "{name}");
            let ratio = peak as f64 / length as f64;
            println!("{size:8} {name:60} {ratio:5.1}");
            assert!(ratio <= 16.0, "{name} of {length} bytes takes {peak}");
            worst = worst.max(ratio);
        }
        println!("{size:8} worst: {worst:.1}");
        // Checks that the measurement measures.
        assert!(worst > 1.0);
    }
}
