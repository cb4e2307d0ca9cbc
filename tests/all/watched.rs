//! What is told through `tracing` and `metrics`, and what is not.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use metrics_exporter_prometheus::PrometheusBuilder;
use tencent_desk_webhook::{
    Webhook,
    handler::AtDeadline,
    testing::{self, Behaviour, Delivery, Recorder, TOKEN, event},
};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    fn line(&self, parts: &[&str]) -> String {
        let fits = |line: &&String| parts.iter().all(|part| line.contains(part));
        let lines = self.lines();
        let mut found = lines.iter().filter(fits);
        let line = found.next().unwrap_or_else(|| panic!("{parts:?} is not in {lines:#?}"));
        assert_eq!(found.next(), None, "{parts:?} is there once");
        line.clone()
    }
}

/// Everything, and each span at its end.
fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

fn message(session: &str) -> Delivery {
    event("Human.UserSendMsg").session(session).text("my number is 12345").delivery().request_id("r-1")
}

#[tokio::test]
async fn a_delivery_is_a_span_that_tells_all_but_what_is_secret() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    let delivery = message("s-1\nforged");
    assert_eq!(webhook.handle(delivery.request()).await.status(), 200);
    let span = log.line(&["desk_delivery", "close"]);
    for field in [
        "INFO",
        "app=1400000000",
        r#"command="Desk.SessionEventNotify""#,
        r#"request_id="r-1""#,
        r#"event="Human.UserSendMsg""#,
        "session_id=",
        r#"outcome="handled""#,
        "error_code=0",
        "handler_seconds=",
        " seconds=",
    ] {
        assert!(span.contains(field), "{field} is not in {span}");
    }
    let query = delivery.query();
    let sign = query.split('&').find_map(|pair| pair.strip_prefix("Sign=")).unwrap();
    for line in log.lines() {
        for secret in [TOKEN, sign, "RequestTime", "12345"] {
            assert!(!line.contains(secret), "{secret} is in {line}");
        }
    }
    assert_eq!(log.lines().len(), 1, "nobody writes lines of his own: {:#?}", log.lines());
}

#[tokio::test]
async fn a_refusal_is_one_warning_with_its_reason() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    assert_eq!(webhook.handle(message("s").wrong_signature().request()).await.status(), 401);
    log.line(&["WARN", "desk_delivery{", "40104: wrong_signature"]);
    let span = log.line(&["close", r#"outcome="refused""#, "error_code=40104"]);
    assert!(!span.contains("r-1") && !span.contains("command="), "not believed: {span}");
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_goes_on_in_the_span_of_its_delivery_and_of_its_caller() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::answering(AtDeadline::Acknowledge));
    webhook.handler().will(Behaviour::Stall);
    let request = message("s").request();
    assert_eq!(webhook.handle(request).instrument(info_span!("caller")).await.status(), 200);
    webhook.handler().release();
    webhook.drained().await;
    log.line(&["caller:desk_delivery", "close", r#"outcome="unfinished""#, "handler_seconds=1."]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_errors_within_the_span() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::answering(AtDeadline::Acknowledge));
    webhook.handler().will(Behaviour::Panic);
    webhook.handle(message("panics").request()).await;
    log.line(&["ERROR", "desk_delivery{", "told 20001: panicked: told to panic"]);
    log.line(&["close", r#"outcome="failed""#, "error_code=20001"]);

    webhook.handler().will(Behaviour::StallAndFail);
    assert_eq!(webhook.handle(message("late").request()).await.status(), 200);
    webhook.handler().release();
    webhook.drained().await;
    log.line(&["ERROR", r#"desk_delivery{"#, "nobody left to be told: told to fail"]);
    log.line(&["close", r#"outcome="unfinished""#, "error_code=0"]);
}

#[test]
fn what_is_counted_is_what_the_page_lists() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let webhook = Webhook::new(testing::verifier(), Recorder::default());
            webhook.handle(message("a").request()).await;
            webhook.handle(message("b").request()).await;
            webhook.handle(message("c").unsigned().request()).await;
            webhook.handle(Delivery::of("").without_command().request()).await;
            webhook.handler().will(Behaviour::Fail);
            webhook.handle(event("SessionEnd").delivery().request()).await;
        });
    });
    let text = recorder.handle().render();
    for line in [
        r#"desk_webhook_deliveries_total{outcome="handled"} 2"#,
        r#"desk_webhook_deliveries_total{outcome="refused"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="ignored"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="failed"} 1"#,
        r#"desk_webhook_refusals_total{reason="unsigned"} 1"#,
        r#"desk_webhook_refusals_total{reason="handler_failed"} 1"#,
        r#"desk_webhook_answer_seconds_count{outcome="handled"} 2"#,
        r#"desk_webhook_handler_seconds_count{category="message",result="ok"} 2"#,
        r#"desk_webhook_handler_seconds_count{category="session_end",result="error"} 1"#,
        "desk_webhook_in_flight 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
