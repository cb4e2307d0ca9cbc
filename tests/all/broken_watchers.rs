//! A subscriber or a recorder that panics affects no event.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder as Watcher,
    SharedString, Unit,
};
use tencent_desk_webhook::{
    Webhook,
    testing::{self, Behaviour, Recorder, event},
};
use tracing::{Event, Subscriber, span};

use crate::log::subscribe;

/// The responses to every kind of delivery, and how many handlers are still running.
fn answers() -> (Vec<u16>, usize, usize) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let webhook = Webhook::new(testing::verifier(), Recorder::default());
        let mut statuses = Vec::new();
        for behaviour in [
            Behaviour::Succeed,
            Behaviour::Fail,
            Behaviour::Unavailable,
            Behaviour::PanicLater,
            Behaviour::StallAndFail,
        ] {
            webhook.handler().set_behaviour(behaviour);
            let delivery = event("SessionBegin").delivery();
            statuses.push(webhook.handle(delivery.request()).await.status().as_u16());
        }
        statuses.push(
            webhook.handle(event("SessionEnd").delivery().unsigned().request()).await.status().as_u16(),
        );
        webhook.handler().release();
        webhook.drained(crate::support::LONG).await;
        (statuses, webhook.handler().late_failures().len(), webhook.in_flight())
    })
}

const UNDISTURBED: ([u16; 6], usize, usize) = ([200, 200, 503, 200, 200, 401], 1, 0);

fn assert_undisturbed() {
    let (statuses, late, in_flight) = answers();
    assert_eq!((&*statuses, late, in_flight), (&UNDISTURBED.0[..], UNDISTURBED.1, UNDISTURBED.2));
}

/// Panics in one of its methods.
struct BrokenSubscriber(&'static str);

impl BrokenSubscriber {
    fn comes_to(&self, method: &'static str) {
        assert_ne!(self.0, method);
    }
}

impl Subscriber for BrokenSubscriber {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        self.comes_to("new_span");
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {
        self.comes_to("record");
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {
        self.comes_to("record_follows_from");
    }

    fn event(&self, _: &Event<'_>) {
        self.comes_to("event");
    }

    fn enter(&self, _: &span::Id) {
        self.comes_to("enter");
    }

    fn exit(&self, _: &span::Id) {
        self.comes_to("exit");
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        self.comes_to("clone_span");
        id.clone()
    }

    fn try_close(&self, _: span::Id) -> bool {
        self.comes_to("try_close");
        true
    }
}

#[test]
fn a_subscriber_that_panics_loses_only_its_own_output() {
    assert_undisturbed();
    for method in ["new_span", "record", "event", "enter", "exit", "clone_span", "try_close"] {
        let _guard = subscribe(BrokenSubscriber(method));
        assert_undisturbed();
    }
}

struct BrokenRecorder;

impl Watcher for BrokenRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("describe_counter");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("describe_gauge");
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("describe_histogram");
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Instrument))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(Instrument))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Instrument))
    }
}

struct Instrument;

impl CounterFn for Instrument {
    fn increment(&self, _: u64) {
        panic!("increment");
    }

    fn absolute(&self, _: u64) {
        panic!("absolute");
    }
}

impl GaugeFn for Instrument {
    fn increment(&self, _: f64) {
        panic!("increment");
    }

    fn decrement(&self, _: f64) {
        panic!("decrement");
    }

    fn set(&self, _: f64) {
        panic!("set");
    }
}

impl HistogramFn for Instrument {
    fn record(&self, _: f64) {
        panic!("record");
    }
}

#[test]
fn a_recorder_that_panics_loses_only_its_own_numbers() {
    metrics::with_local_recorder(&BrokenRecorder, assert_undisturbed);
}
