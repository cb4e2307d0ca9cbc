//! Middleware around an inbox weakens nothing: an event that is not stored is not acknowledged.

use std::{sync::Arc, time::Duration};

use tencent_desk_webhook::{
    Deliver, Event, EventHandler, HandlerError, HandlerResult, Middleware, Next, Webhook, async_trait,
    event::SessionBegin,
    handler::dispatch,
    inbox::Inbox,
    testing::{self, Recorder, error_code, event},
};
use tokio::time::{Instant, sleep, timeout};

use crate::memory::{Memory, Mood};

struct OnlySdk;

#[async_trait]
impl Middleware for OnlySdk {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        if event.channel.as_deref() == Some("SDK") { next.run(event).await } else { Ok(()) }
    }
}

/// Passes on another event in place of the one that came.
struct Anonymous;

#[async_trait]
impl Middleware for Anonymous {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        sleep(Duration::from_millis(10)).await;
        let mut event = event.clone();
        event.client_user_id = None;
        next.run(&event).await
    }
}

struct Timed;

#[async_trait]
impl Middleware for Timed {
    async fn on_event(&self, event: &Event, next: Next<'_>) -> HandlerResult {
        timeout(Duration::from_secs(60), next.run(event)).await?
    }
}

/// An inbox whose store never returns.
fn stuck() -> Inbox {
    let memory = Memory::default();
    memory.will(Mood::Hang);
    Inbox::over(memory)
}

async fn code_of<D: Deliver>(handler: D) -> i64 {
    let webhook = Webhook::new(testing::verifier(), handler);
    let begun = Instant::now();
    let response = webhook.handle(event("SessionBegin").delivery().request()).await;
    assert_eq!(begun.elapsed(), Duration::from_millis(1500));
    error_code(response)
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_not_stored_in_time_is_refused_however_the_inbox_is_wrapped() {
    assert_eq!(code_of(stuck()).await, 50303);
    assert_eq!(code_of(OnlySdk.around(stuck())).await, 50303);
    assert_eq!(code_of(Anonymous.around(stuck())).await, 50303);
    assert_eq!(code_of(Timed.around(OnlySdk.around(stuck()))).await, 50303);
    assert_eq!(code_of(OnlySdk.around(OnlySdk.around(stuck()))).await, 50303);
    let shared: Arc<dyn Deliver> = Arc::new(OnlySdk.around(stuck()));
    assert_eq!(code_of(Anonymous.around(Arc::clone(&shared))).await, 50303);
    assert_eq!(code_of(shared).await, 50303);
    let boxed: Box<dyn Deliver> = Box::new(stuck());
    assert_eq!(code_of(OnlySdk.around(boxed)).await, 50303);
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_inbox_stores_and_delivers() {
    let inbox = Inbox::over(Memory::default());
    let webhook = Webhook::new(testing::verifier(), OnlySdk.around(Anonymous.around(inbox.clone())));
    for channel in ["SDK", "Web"] {
        let delivery = event("SessionBegin").session(channel).field("ChannelType", channel).delivery();
        assert_eq!(webhook.handle(delivery.request()).await.status(), 200);
    }
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(OnlySdk.around(recorder.clone())).start();
    recorder.called(1).await;
    let drained = workers.drain().await;
    assert_eq!((recorder.events()[0].session_id.as_str(), drained.left), ("SDK", Some(0)));
    assert_eq!(recorder.events()[0].client_user_id, None);
}

/// A handler that overrides `on_event` can still use its own methods, and reports its own failures behind middleware.
#[tokio::test(start_paused = true)]
async fn a_handler_that_sees_every_event_dispatches_to_its_own_methods() {
    #[derive(Default)]
    struct Audited(Recorder);

    #[async_trait]
    impl EventHandler for Audited {
        async fn on_event(&self, event: &Event) -> HandlerResult {
            self.0.on_event(event).await?;
            dispatch(self, event).await
        }

        async fn on_session_begin(&self, _: &Event, _: &SessionBegin) -> HandlerResult {
            sleep(Duration::from_secs(2)).await;
            Err("on_session_begin was called".into())
        }

        fn on_late_failure(&self, event: &Event, error: &HandlerError) {
            self.0.on_late_failure(event, error);
        }
    }

    let webhook = Webhook::new(testing::verifier(), OnlySdk.around(Audited::default()));
    let response = webhook.handle(event("SessionBegin").delivery().request()).await;
    assert_eq!(error_code(response), 0);
    webhook.drained(Duration::from_secs(20)).await;
    let Audited(recorder) = webhook.handler().inner();
    assert_eq!(recorder.events().len(), 1);
    assert_eq!(recorder.late_failures()[0].1, "on_session_begin was called");
}
