//! The spans, log lines and metrics of attempts.

use std::time::Duration;

use tencent_desk_webhook::{
    EventHandler, HandlerResult, async_trait,
    event::{Event, SessionBegin},
    handler::HandlerError,
    inbox::Inbox,
    testing::{Behaviour, Recorder},
};

use crate::{
    log::listen,
    memory::Memory,
    numbers::Numbers,
    places::{accept, deliver, idle, message, until},
};

#[tokio::test(start_paused = true)]
async fn an_attempt_is_a_span_that_tells_how_it_ended_and_why() {
    let (log, _guard) = listen();
    let inbox = Inbox::over(Memory::default());
    let recorder = Recorder::default();
    let mut good = message("good", 1);
    good.request_id = Some("r-1".to_owned());
    accept(&inbox, &good).await;
    accept(&inbox, &good).await;
    log.line(&["DEBUG", "a repeat", r#"session_id="good""#]);
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    let done = log.line(&["desk_attempt{", "close", r#"session_id="good""#, r#"outcome="done""#]);
    for field in [
        "app=1400000000",
        r#"request_id="r-1""#,
        r#"event="Human.UserSendMsg""#,
        "attempt=1",
        "handler_seconds=",
    ] {
        assert!(done.contains(field), "{field} is not in {done}");
    }

    recorder.set_behaviour(Behaviour::Fail);
    accept(&inbox, &message("bad", 1)).await;
    idle(&inbox).await;
    log.line(&["WARN", r#"desk_attempt{"#, "attempt=1", "attempt 1 failed, the next is in", "set to fail"]);
    log.line(&["WARN", r#"desk_attempt{"#, "attempt=2", "attempt 2 failed, the next is in", "set to fail"]);
    log.line(&["ERROR", r#"desk_attempt{"#, "given up after attempt 3, kept as dead letter", "set to fail"]);
    for (attempt, outcome) in [(1, "retry"), (2, "retry"), (3, "dead")] {
        let (attempt, outcome) = (format!("attempt={attempt}"), format!("outcome={outcome:?}"));
        log.line(&["desk_attempt{", "close", r#"session_id="bad""#, &attempt, &outcome]);
    }

    recorder.set_behaviour(Behaviour::Stall);
    accept(&inbox, &message("slow", 1)).await;
    recorder.called(5).await;
    assert_eq!(workers.drain().await.interrupted, 1);
    log.line(&["desk_attempt{", "close", r#"session_id="slow""#, r#"outcome="interrupted""#]);
}

/// Fails permanently, and logs in the hook.
struct Hopeless;

#[async_trait]
impl EventHandler for Hopeless {
    async fn on_session_begin(&self, _: &Event, _: &SessionBegin) -> HandlerResult {
        tracing::info!("in the handler");
        Err(HandlerError::permanent("out of stock"))
    }

    fn on_late_failure(&self, _: &Event, _: &HandlerError) {
        tracing::info!("in the hook");
    }
}

#[tokio::test(start_paused = true)]
async fn handler_and_hook_are_called_in_the_attempts_span() {
    let (log, _guard) = listen();
    let inbox = Inbox::over(Memory::default());
    accept(&inbox, &tencent_desk_webhook::testing::event("SessionBegin").session("s").build()).await;
    let workers = inbox.deliver_to(Hopeless).start();
    assert_eq!(idle(&inbox).await.dead, 1);
    log.line(&["INFO", "desk_attempt{", "in the handler"]);
    log.line(&["INFO", "desk_attempt{", "in the hook"]);
    log.line(&["ERROR", "desk_attempt{", "given up after attempt 1"]);
    let _ = workers.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_id_that_comes_with_another_event_is_logged() {
    let (log, _guard) = listen();
    let inbox = Inbox::over(Memory::default());
    for (name, request) in [("SessionUserEnd", "r-1"), ("SessionEnd", "r-1"), ("SessionBegin", "r-2")] {
        let mut event = tencent_desk_webhook::testing::event(name).session("s").build();
        event.request_id = Some(request.to_owned());
        accept(&inbox, &event).await;
    }
    log.line(&["WARN", "another event came with the same RequestID before", r#"event="SessionEnd""#]);
}

#[tokio::test(start_paused = true)]
async fn at_start_the_log_says_what_waits_and_what_is_dead() {
    let (log, _guard) = listen();
    let inbox = Inbox::over(Memory::default());
    for session in ["a", "b", "c"] {
        accept(&inbox, &message(session, 1)).await;
    }
    let workers = inbox.deliver_to(Hopeless).start();
    idle(&inbox).await;
    log.line(&["INFO", "delivery starts: 3 events (", "0 dead letters"]);
    let _ = workers.drain().await;
    accept(&inbox, &tencent_desk_webhook::testing::event("SessionBegin").session("s").build()).await;
    let workers = inbox.deliver_to(Hopeless).start();
    idle(&inbox).await;
    let _ = workers.drain().await;
    let _workers = inbox.deliver_to(Hopeless).start();
    until("it is logged", async || log.lines().iter().any(|line| line.contains("; 1 dead letters"))).await;
}

#[test]
fn attempts_are_counted_and_explained_where_there_is_no_webhook() {
    let recorder = Numbers::default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let inbox = Inbox::over(Memory::default());
            let handler = Recorder::default();
            let workers = deliver(&inbox, &handler);
            accept(&inbox, &message("good", 1)).await;
            idle(&inbox).await;
            handler.set_behaviour(Behaviour::Fail);
            accept(&inbox, &message("bad", 1)).await;
            idle(&inbox).await;
            handler.set_behaviour(Behaviour::Stall);
            accept(&inbox, &message("slow", 1)).await;
            handler.called(5).await;
            tokio::time::sleep(Duration::from_secs(11)).await;
            let lines = recorder.lines();
            assert!(lines.iter().any(|line| line == "desk_inbox_running 1"), "{lines:#?}");
            let _ = workers.drain().await;
        });
    });
    let lines = recorder.lines();
    for line in [
        "# HELP desk_inbox_dead Dead letters",
        "desk_inbox_stored_total 3",
        r#"desk_inbox_attempts_total{outcome="done"} 1"#,
        r#"desk_inbox_attempts_total{outcome="retry"} 2"#,
        r#"desk_inbox_attempts_total{outcome="dead"} 1"#,
        r#"desk_inbox_attempts_total{outcome="interrupted"} 1"#,
        r#"desk_inbox_handler_seconds_count{outcome="retry"} 2"#,
        "desk_inbox_dead 1",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
    }
}
