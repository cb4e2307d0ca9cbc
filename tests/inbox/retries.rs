//! When an event is tried again, by a clock that stands still until it is waited for.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, async_trait,
    inbox::{Delivery, Inbox},
};
use tokio::time::{Instant, sleep};

use crate::{
    memory::Memory,
    places::{accept, message},
};

const HOUR: Duration = Duration::from_secs(3600);

/// Notes when it is called, and whether that was the last time.
#[derive(Clone)]
struct Handler {
    calls: Arc<Mutex<Vec<(Instant, bool)>>>,
    result: fn(Duration) -> HandlerResult,
    begun: Instant,
}

impl Handler {
    /// `result` gets the time since now.
    fn new(result: fn(Duration) -> HandlerResult) -> Self {
        Self { calls: Arc::default(), result, begun: Instant::now() }
    }

    fn times(&self) -> Vec<Duration> {
        self.calls.lock().unwrap().iter().map(|(time, _)| *time - self.begun).collect()
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        let last = Delivery::current().unwrap().is_last();
        self.calls.lock().unwrap().push((Instant::now(), last));
        (self.result)(self.begun.elapsed())
    }
}

async fn settled(inbox: &Inbox) {
    while inbox.stats().await.unwrap().oldest.is_some() {
        sleep(Duration::from_secs(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_an_event_is_tried_again_for_a_day_up_to_ten_minutes_apart() {
    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &message("s", 1)).await;
    let handler = Handler::new(|_| Err("it always fails".into()));
    let workers = inbox.deliver_to(handler.clone()).start();
    sleep(24 * HOUR - Duration::from_secs(1)).await;
    assert_eq!(inbox.stats().await.unwrap().dead, 0);
    settled(&inbox).await;
    assert_eq!(inbox.stats().await.unwrap().dead, 1);

    let times = handler.times();
    for (attempt, pair) in times.windows(2).enumerate() {
        let (waited, last) = ((pair[1] - pair[0]).as_millis(), attempt + 2 == times.len());
        let whole = (100_u128 << attempt.min(20)).min(600_000);
        let shortest = if last { 0 } else { whole / 2 };
        assert!((shortest..=whole + 10).contains(&waited), "{waited} ms before attempt {}", attempt + 2);
    }
    let day = *times.last().unwrap() - times[0];
    assert!((24 * HOUR..24 * HOUR + Duration::from_secs(1)).contains(&day), "{day:?}");
    let last: Vec<bool> = handler.calls.lock().unwrap().iter().map(|(_, last)| *last).collect();
    assert_eq!(
        last.iter().position(|last| *last),
        Some(times.len() - 1),
        "the handler knew the last attempt"
    );
    let _ = workers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_handlers_call_may_be_away_for_hours_without_a_dead_letter() {
    let inbox = Inbox::over(Memory::default());
    for session in 0..20 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
    }
    let handler = Handler::new(|since| if since < 2 * HOUR { Err("away".into()) } else { Ok(()) });
    let _workers = inbox.deliver_to(handler.clone()).start();
    settled(&inbox).await;
    assert_eq!(inbox.stats().await.unwrap().dead, 0);
    assert!(*handler.times().last().unwrap() < 2 * HOUR + Duration::from_secs(601));
}

#[tokio::test(start_paused = true)]
async fn the_day_counts_from_the_first_failure_and_not_from_the_storing() {
    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &message("s", 1)).await;
    sleep(48 * HOUR).await;
    let handler = Handler::new(|since| if since < HOUR { Err("away".into()) } else { Ok(()) });
    let _workers = inbox.deliver_to(handler.clone()).start();
    settled(&inbox).await;
    assert_eq!(inbox.stats().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_tried_again_and_a_limit_of_attempts_holds() {
    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &message("s", 1)).await;
    let permanent = Handler::new(|_| Err(HandlerError::permanent("never")));
    let workers = inbox.deliver_to(permanent.clone()).start();
    settled(&inbox).await;
    assert_eq!(permanent.calls.lock().unwrap().len(), 1);
    let _ = workers.drain().await;

    accept(&inbox, &message("s", 2)).await;
    let limited = Handler::new(|_| Err("not now".into()));
    let workers = inbox.deliver_to(limited.clone()).attempts(3).start();
    settled(&inbox).await;
    let last: Vec<bool> = limited.calls.lock().unwrap().iter().map(|(_, last)| *last).collect();
    assert_eq!(last, [false, false, true]);
    let _ = workers.drain().await;

    accept(&inbox, &message("s", 3)).await;
    let once = Handler::new(|_| Err("not now".into()));
    let workers = inbox.deliver_to(once.clone()).retry_for(Duration::ZERO).start();
    settled(&inbox).await;
    assert_eq!(once.calls.lock().unwrap().len(), 1);
    let _ = workers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &message("s", 1)).await;
    let limited = |since| {
        if since < HOUR {
            Err(HandlerError::retry_after(HOUR).caused_by("429 Too Many Requests"))
        } else {
            Ok(())
        }
    };
    let handler = Handler::new(limited);
    let _workers = inbox.deliver_to(handler.clone()).start();
    settled(&inbox).await;
    let times = handler.times();
    assert_eq!(times.len(), 2);
    assert!((HOUR..HOUR + Duration::from_secs(1)).contains(&(times[1] - times[0])), "{times:?}");
}

/// Never ends for sessions whose name says so.
struct Stuck(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl EventHandler for Stuck {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if event.session_id.starts_with("stuck") {
            std::future::pending::<()>().await;
        }
        self.0.lock().unwrap().push(event.session_id.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_never_end_are_cancelled_so_that_other_sessions_go_on() {
    let inbox = Inbox::over(Memory::default());
    for session in 0..64 {
        accept(&inbox, &message(&format!("stuck-{session}"), 1)).await;
    }
    let delivered = Arc::default();
    let workers = inbox.deliver_to(Stuck(Arc::clone(&delivered))).attempts(2).start();
    sleep(Duration::from_secs(1)).await;
    accept(&inbox, &message("other", 1)).await;
    sleep(Duration::from_secs(298)).await;
    assert!(delivered.lock().unwrap().is_empty(), "all are busy");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(*delivered.lock().unwrap(), ["other"], "after the default of five minutes");
    settled(&inbox).await;
    let letters = inbox.dead_letters(0, 100).await.unwrap();
    assert_eq!(letters.len(), 64);
    assert_eq!(letters[0].attempts, 2, "each time-out is a failure");
    assert!(letters[0].error.contains("300 s"), "{}", letters[0].error);
    let _ = workers.drain().await;
}
