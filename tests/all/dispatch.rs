//! A handler that has started runs to completion, affects nothing else, and reports its failure exactly once.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Middleware, Next, Webhook, async_trait,
    event::{Message, SessionBegin},
    handler::AtDeadline,
};
use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, sleep},
};

use crate::support::{Answer, event_json, hang_up, post, send, signed, verifier};

/// Does what the session's ID says.
#[derive(Default)]
struct Obedient {
    started: AtomicUsize,
    finished: AtomicUsize,
    late: Mutex<Vec<String>>,
    release: Notify,
}

#[async_trait]
impl EventHandler for Obedient {
    async fn on_session_begin(&self, event: &Event, _: &SessionBegin) -> HandlerResult {
        self.started.fetch_add(1, Ordering::SeqCst);
        let mut result = Ok(());
        for order in event.session_id.split(' ') {
            match order {
                "sleep" => sleep(Duration::from_secs(10)).await,
                "yield" => yield_now().await,
                "wait" => self.release.notified().await,
                "fail" => result = Err("out of stock".into()),
                "unavailable" => result = Err(HandlerError::unavailable("the store is full")),
                "panic" => panic!("oh"),
                "panic-string" => panic!("{}", "oh".to_owned()),
                "panic-bomb" => std::panic::panic_any(Bomb),
                "error-bomb" => result = Err(HandlerError::permanent(Bomb)),
                _ => {}
            }
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        result
    }

    fn on_late_failure(&self, event: &Event, error: &HandlerError) {
        self.late.lock().unwrap().push(format!("{}: {error}", event.session_id));
        if event.session_id.contains("panic-late") {
            panic!("oh");
        }
    }
}

/// Panics when it is dropped and when it is displayed.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("bomb")
    }
}

impl std::error::Error for Bomb {}

type Subject = Webhook<Arc<Obedient>>;

fn subject() -> Subject {
    Webhook::new(verifier(), Arc::default())
}

async fn order(webhook: &Subject, orders: &str) -> Answer {
    let mut event = event_json("SessionBegin");
    event["SessionId"] = orders.into();
    send(webhook, post(&signed(), event.to_string())).await
}

/// Sends an order and disconnects after the first poll.
async fn order_and_disconnect(webhook: &Subject, orders: &str) {
    hang_up(order(webhook, orders)).await;
}

fn finished(webhook: &Subject) -> usize {
    webhook.handler().finished.load(Ordering::SeqCst)
}

fn late(webhook: &Subject) -> Vec<String> {
    webhook.handler().late.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn success_is_acknowledged() {
    let webhook = subject();
    for orders in ["go", "yield", "yield yield"] {
        assert!(order(&webhook, orders).await.is_ok());
    }
    assert_eq!((finished(&webhook), webhook.in_flight()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_to_the_sender_without_its_reason() {
    let webhook = subject();
    for orders in [
        "fail",
        "yield fail",
        "panic",
        "panic-string",
        "yield panic",
        "panic-bomb",
        "yield panic-bomb",
        "error-bomb",
    ] {
        let answer = order(&webhook, orders).await;
        assert_eq!((answer.status, answer.code), (200, 20001), "{orders}");
        assert!(!answer.body.contains("stock") && !answer.body.contains("oh"), "{answer:?}");
    }
    let answer = order(&webhook, "yield unavailable").await;
    assert_eq!((answer.status, answer.code), (503, 50302));
    assert_eq!(late(&webhook), [""; 0], "the sender has received each failure");
    assert!(order(&webhook, "go").await.is_ok(), "nothing else is affected");
    assert_eq!(webhook.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_sender_gets_ok_and_the_handler_continues() {
    let webhook = subject();
    let begin = Instant::now();
    assert!(order(&webhook, "sleep").await.is_ok());
    assert_eq!(begin.elapsed().as_millis() / 10, 150);
    assert_eq!((finished(&webhook), webhook.in_flight()), (0, 1));
    webhook.drained(crate::support::LONG).await;
    assert_eq!((finished(&webhook), webhook.in_flight()), (1, 0));
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_measured_from_the_requests_arrival() {
    let webhook = subject().deadline(Duration::from_millis(800));
    let begin = Instant::now();
    let mut event = event_json("SessionBegin");
    event["SessionId"] = "sleep".into();
    let late = http_body_util::StreamBody::new(Slow {
        wait: Box::pin(sleep(Duration::from_millis(500))),
        body: Some(event.to_string()),
    });
    let request = http::Request::post(format!("/?{}", signed())).body(late).unwrap();
    assert!(send(&webhook, request).await.is_ok());
    assert_eq!(begin.elapsed().as_millis() / 10, 80);
}

/// One chunk after a while.
struct Slow {
    wait: std::pin::Pin<Box<tokio::time::Sleep>>,
    body: Option<String>,
}

impl futures_core::Stream for Slow {
    type Item = Result<http_body::Frame<bytes::Bytes>, ()>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.wait
            .as_mut()
            .poll(cx)
            .map(|()| self.body.take().map(|body| Ok(http_body::Frame::data(body.into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_can_refuse_an_event_that_is_not_done_at_the_deadline() {
    let webhook = subject().at_deadline(AtDeadline::Refuse);
    let answer = order(&webhook, "sleep").await;
    assert_eq!((answer.status, answer.code), (503, 50303));
    webhook.drained(crate::support::LONG).await;
    assert_eq!(finished(&webhook), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_disconnects_stops_nothing() {
    let webhook = subject();
    order_and_disconnect(&webhook, "yield").await;
    order_and_disconnect(&webhook, "sleep").await;
    webhook.drained(crate::support::LONG).await;
    assert_eq!(finished(&webhook), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_is_reported_exactly_once() {
    let webhook = subject();
    assert!(order(&webhook, "sleep fail").await.is_ok());
    assert!(order(&webhook, "sleep panic").await.is_ok());
    assert!(order(&webhook, "sleep fail panic-late").await.is_ok());
    order_and_disconnect(&webhook, "yield fail").await;
    webhook.drained(crate::support::LONG).await;
    let mut late = late(&webhook);
    late.sort();
    assert_eq!(
        late,
        [
            "sleep fail panic-late: out of stock",
            "sleep fail: out of stock",
            "sleep panic: panicked: oh",
            "yield fail: out of stock"
        ]
    );
}

/// Even for an error that panics when displayed. The hook may use the runtime wherever it is called.
#[tokio::test(start_paused = true)]
async fn the_hook_for_late_failures_is_called_even_if_the_error_panics() {
    struct Reporting(Arc<AtomicUsize>);

    #[async_trait]
    impl EventHandler for Reporting {
        async fn on_event(&self, _: &Event) -> HandlerResult {
            sleep(Duration::from_secs(10)).await;
            Err(HandlerError::permanent(Bomb))
        }

        fn on_late_failure(&self, _: &Event, _: &HandlerError) {
            let reported = Arc::clone(&self.0);
            tokio::spawn(async move { reported.fetch_add(1, Ordering::SeqCst) });
        }
    }

    let reported = Arc::new(AtomicUsize::new(0));
    let webhook = Webhook::new(verifier(), Reporting(Arc::clone(&reported)));
    assert!(send(&webhook, post(&signed(), event_json("SessionBegin").to_string())).await.is_ok());
    webhook.drained(crate::support::LONG).await;
    yield_now().await;
    assert_eq!(reported.load(Ordering::SeqCst), 1);
}

/// A caller that neither polls nor drops its future does not hold back `drained` if the handler has succeeded.
#[tokio::test]
async fn a_caller_that_does_not_poll_does_not_hold_back_drained() {
    let webhook = subject();
    let mut answer = std::pin::pin!(order(&webhook, "wait"));
    assert!(poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await);
    webhook.handler().release.notify_one();
    webhook.drained(crate::support::LONG).await;
    assert_eq!((finished(&webhook), webhook.in_flight()), (1, 0));
    assert!(answer.await.is_ok());
}

/// The handler has failed, and the caller disconnects before polling.
#[tokio::test]
async fn a_failure_that_is_never_fetched_is_reported() {
    let webhook = subject();
    {
        let mut answer = std::pin::pin!(order(&webhook, "wait fail"));
        assert!(poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await);
        webhook.handler().release.notify_one();
        while finished(&webhook) == 0 {
            yield_now().await;
        }
        yield_now().await;
        assert_eq!(late(&webhook), [""; 0], "the caller may still poll");
    }
    webhook.drained(crate::support::LONG).await;
    assert_eq!(late(&webhook), ["wait fail: out of stock"]);
}

#[tokio::test(start_paused = true)]
async fn beyond_max_in_flight_the_response_is_503() {
    let webhook = subject().max_in_flight(2);
    order_and_disconnect(&webhook, "wait").await;
    order_and_disconnect(&webhook, "wait").await;
    let answer = order(&webhook, "go").await;
    assert_eq!((answer.status, answer.code), (503, 50301));
    webhook.handler().release.notify_waiters();
    webhook.drained(crate::support::LONG).await;
    assert!(order(&webhook, "go").await.is_ok());
    assert_eq!(finished(&webhook), 3);
}

#[tokio::test(start_paused = true)]
async fn all_clones_have_the_same_max_in_flight() {
    let webhook = subject();
    let clone = webhook.clone().max_in_flight(1);
    order_and_disconnect(&webhook, "wait").await;
    assert_eq!(order(&webhook, "go").await.code, 50301);
    webhook.handler().release.notify_waiters();
    clone.drained(crate::support::LONG).await;
    assert!(order(&webhook, "go").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_a_limited_time() {
    let webhook = subject();
    order_and_disconnect(&webhook, "wait").await;
    let begun = Instant::now();
    assert!(!webhook.drained(Duration::from_secs(5)).await);
    assert_eq!(begun.elapsed().as_secs(), 5);
    webhook.handler().release.notify_one();
    assert!(webhook.drained(Duration::from_secs(5)).await);
}

/// Bodies take memory as well.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_being_read_counts() {
    let webhook = subject().max_in_flight(1);
    let stalled = http_body_util::StreamBody::new(Slow {
        wait: Box::pin(sleep(Duration::from_millis(500))),
        body: None,
    });
    let request = http::Request::post(format!("/?{}", signed())).body(stalled).unwrap();
    let mut reading = std::pin::pin!(send(&webhook, request));
    assert!(poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_pending())).await);
    assert_eq!(webhook.in_flight(), 1);
    let answer = order(&webhook, "go").await;
    assert_eq!((answer.status, answer.code), (503, 50301));
    assert!(reading.await.is_ok(), "it was a check with an empty body");
    assert_eq!(webhook.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_every_clone_and_refuses_no_request_meanwhile() {
    let webhook = subject();
    webhook.drained(crate::support::LONG).await;
    let clone = webhook.clone();
    order_and_disconnect(&clone, "wait").await;
    {
        let mut drained = std::pin::pin!(webhook.drained(crate::support::LONG));
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(drained.as_mut().poll(cx).is_pending())).await);
            assert!(order(&webhook, "go").await.is_ok());
        }
        webhook.handler().release.notify_one();
        drained.await;
    }
    assert_eq!(finished(&webhook), 4);
}

#[test]
fn a_handler_that_is_ready_needs_no_runtime_and_one_that_waits_is_refused() {
    let block_on = |future: &mut (dyn Future<Output = Answer> + Unpin)| {
        let waker = std::task::Waker::noop();
        match std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(waker)) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("it waits"),
        }
    };
    let webhook = subject();
    assert!(block_on(&mut Box::pin(order(&webhook, "go"))).is_ok());
    assert_eq!(block_on(&mut Box::pin(order(&webhook, "fail"))).code, 20001);
    assert_eq!(block_on(&mut Box::pin(order(&webhook, "wait"))).code, 50304);
    assert_eq!(block_on(&mut Box::pin(order(&webhook, "sleep"))).code, 20001, "tokio's timer panics");
    assert_eq!(webhook.in_flight(), 0);
}

/// As with an actix-web worker, whose runtime ends while a handler that it started runs.
#[test]
fn the_handler_outlives_the_callers_runtime() {
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let webhook = own.block_on(async { subject() });
    let callers = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    callers.block_on(order_and_disconnect(&webhook, "wait yield"));
    callers.shutdown_background();
    webhook.handler().release.notify_one();
    own.block_on(webhook.drained(crate::support::LONG));
    assert_eq!(finished(&webhook), 1);
}

#[test]
fn the_count_stays_right_when_a_runtime_shuts_down() {
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let webhook = own.block_on(async {
        let webhook = subject();
        order_and_disconnect(&webhook, "wait").await;
        webhook
    });
    assert_eq!(webhook.in_flight(), 1);
    drop(own);
    assert_eq!(webhook.in_flight(), 0);

    let caller = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(caller.block_on(order(&webhook, "yield")).is_ok(), "it continues on the caller's runtime");
    drop(caller);
    let waker = std::task::Waker::noop();
    let mut answer = Box::pin(order(&webhook, "yield"));
    let Poll::Ready(answer) = answer.as_mut().poll(&mut std::task::Context::from_waker(waker)) else {
        panic!("it waits")
    };
    assert_eq!((answer.status, answer.code), (503, 50304));
    assert!(answer.body.contains("has shut down"), "{answer:?}");
}

#[tokio::test]
async fn a_handler_may_call_the_webhook_itself() {
    struct Reentrant(std::sync::OnceLock<Webhook<Arc<Reentrant>>>, AtomicUsize);

    #[async_trait]
    impl EventHandler for Reentrant {
        async fn on_message(&self, _: &Event, _: &Message) -> HandlerResult {
            let inner = post(&signed(), event_json("SessionEnd").to_string());
            let answer = send(self.0.get().unwrap(), inner).await;
            assert!(answer.is_ok());
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    let handler = Arc::new(Reentrant(std::sync::OnceLock::new(), AtomicUsize::new(0)));
    let webhook = Webhook::new(verifier(), Arc::clone(&handler));
    let _ = handler.0.set(webhook.clone());
    assert!(send(&webhook, post(&signed(), event_json("Human.UserSendMsg").to_string())).await.is_ok());
    assert_eq!(handler.1.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn middleware_sees_every_event_once() {
    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Middleware for Counting {
        async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
            self.0.fetch_add(1, Ordering::SeqCst);
            next.run(event).await
        }
    }

    let webhook = Webhook::new(verifier(), Counting::default().around(Obedient::default()));
    assert!(send(&webhook, post(&signed(), event_json("SessionBegin").to_string())).await.is_ok());
    assert!(send(&webhook, post(&signed(), event_json("SessionEnd").to_string())).await.is_ok());
    let (counting, inner) = (webhook.handler().middleware(), webhook.handler().inner());
    assert_eq!((counting.0.load(Ordering::SeqCst), inner.finished.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_keeps_its_place_and_nothing_else() {
    struct Stuck;

    #[async_trait]
    impl EventHandler for Stuck {
        async fn on_unknown(&self, _: &Event) -> HandlerResult {
            pending().await
        }
    }

    let webhook = Webhook::new(verifier(), Stuck);
    assert!(send(&webhook, post(&signed(), event_json("New").to_string())).await.is_ok());
    assert!(send(&webhook, post(&signed(), event_json("SessionEnd").to_string())).await.is_ok());
    assert_eq!(webhook.in_flight(), 1);
}

/// Doors box the future: up to 1,032 bytes glibc's allocator has a quick path.
#[tokio::test]
async fn the_future_of_a_delivery_is_small() {
    let webhook = subject();
    let size = size_of_val(&webhook.handle(crate::support::post("", String::new())));
    assert!(size <= 1032, "{size}");
}
