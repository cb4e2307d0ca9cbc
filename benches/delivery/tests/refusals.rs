//! What a stranger can make us do: little. Run by `.ci/instructions`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use allocation_counter::measure;
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};

use delivery::{Delivery, ready};

/// Notes whether anybody asked for it.
struct Watched(Rc<Cell<bool>>);

impl Body for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.set(true);
        Poll::Ready(None)
    }
}

#[test]
fn a_stranger_costs_six_allocations_at_most_and_no_read_of_the_body() {
    // Two are the headers', three the extensions'. The text of a stale request has its own.
    for (from, to, status, most) in [
        ("&Sign=", "&Sing=", 401, 5),
        ("Sign=1", "Sign=2", 401, 5),
        ("RequestTime=1669872112", "RequestTime=1669872000", 401, 6),
        ("SdkAppid=1", "SdkAppid=2", 403, 5),
    ] {
        let delivery = Delivery::refused(from, to);
        let read = Rc::new(Cell::new(false));
        let request = Request::post(&delivery.uri).body(Watched(Rc::clone(&read))).unwrap();
        let mut response = None;
        let allocations = measure(|| response = Some(ready(delivery.webhook.handle(request)))).count_total;
        assert_eq!(response.unwrap().status(), status, "{to}");
        println!("{to}: {allocations} allocations");
        assert!(allocations <= most, "{to}: {allocations} allocations");
        assert!(!read.get(), "{to}");
    }
}

/// So that the count above is known to count.
#[test]
fn a_delivery_that_is_let_in_costs_more() {
    let delivery = Delivery::of(delivery::sample());
    let request = delivery.request();
    let allocations = measure(|| drop(delivery.handle(request))).count_total;
    println!("{allocations} allocations");
    assert!(allocations > 4);
}
