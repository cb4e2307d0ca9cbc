//! An unverified request costs at most six allocations, and its body is not read. Run by `.ci/instructions`.

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

/// Records whether it was polled.
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
fn an_unverified_request_costs_at_most_six_allocations_and_its_body_is_not_read() {
    // Two for the headers, three for the extensions, and one for the text of a stale request.
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

/// Checks that the count above counts.
#[test]
fn an_accepted_delivery_costs_more() {
    let delivery = Delivery::of(delivery::sample());
    let request = delivery.request();
    let allocations = measure(|| drop(delivery.handle(request))).count_total;
    println!("{allocations} allocations");
    assert!(allocations > 4);
}
