//! The output through `tracing` and `metrics`.

use tencent_desk_webhook::{
    Webhook,
    handler::AtDeadline,
    testing::{self, Behaviour, Delivery, Recorder, TOKEN, event},
};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _};

use crate::{
    log::{Log, listen, listen_to, subscribe},
    numbers::Numbers,
    support::hang_up,
};

fn message(session: &str) -> Delivery {
    event("Human.UserSendMsg").session(session).text("my number is 12345").delivery().request_id("r-1")
}

#[tokio::test]
async fn a_delivery_is_a_span_without_secrets() {
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
    assert_no_secret(&log, &delivery);
    assert_eq!(log.lines().len(), 1, "there are no other lines: {:#?}", log.lines());
}

/// An agent is named by an e-mail address.
#[tokio::test]
async fn an_agents_status_is_logged_without_the_agent() {
    let (log, _guard) = listen();
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Fail);
    let webhook = Webhook::new(testing::verifier(), recorder);
    let delivery = testing::agent_status("rest").delivery();
    assert_eq!(webhook.handle(delivery.request()).await.status(), 200);
    let failure = log.line(&["ERROR", "set to fail"]);
    assert!(failure.contains(r#"event="Member.StatusChange""#), "{failure}");
    for line in log.lines() {
        assert!(!line.contains("qq.com") && !line.contains("session_id"), "{line}");
    }
}

fn assert_no_secret(log: &Log, delivery: &Delivery) {
    let query = delivery.query();
    let sign = query.split('&').find_map(|pair| pair.strip_prefix("Sign=")).unwrap_or(TOKEN);
    for line in log.lines() {
        for secret in [TOKEN, sign, "RequestTime=", "12345"] {
            assert!(!line.contains(secret), "{secret} is in {line}");
        }
    }
}

#[tokio::test]
async fn a_refusal_logs_no_secret() {
    let webhook = Webhook::new(testing::verifier(), Recorder::default()).body_limit(1000);
    let long = format!(r#"{{"SessionId": "12345", "Event": "{}"}}"#, "12345".repeat(1000));
    for delivery in [
        message("s").wrong_signature(),
        message("s").unsigned(),
        message("s").stale(),
        message("s").foreign_app(),
        Delivery::of(r#"{"SessionId": "12345", "Event": "12345", broken"#),
        Delivery::of(r#"{"SessionId": "12345", "Event": "12345", "EventTime": "12345 o'clock"}"#),
        Delivery::of(long),
    ] {
        let (log, _guard) = listen();
        let refused = webhook.handle(delivery.request()).await.status();
        assert!(refused.is_client_error(), "{refused}");
        assert_no_secret(&log, &delivery);
        assert_eq!(log.lines().len(), 2, "a warning and its span: {:#?}", log.lines());
    }
}

#[tokio::test]
async fn a_refusal_is_one_warning_with_its_reason() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    assert_eq!(webhook.handle(message("s").wrong_signature().request()).await.status(), 401);
    log.line(&["WARN", "desk_delivery{", "refused with 40104 (wrong_signature)"]);
    let span = log.line(&["close", r#"outcome="refused""#, "error_code=40104"]);
    assert!(!span.contains("r-1") && !span.contains("command="), "not believed: {span}");
    assert_eq!(log.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_continues_in_the_span_of_its_delivery_and_of_its_caller() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    webhook.handler().set_behaviour(Behaviour::Stall);
    let request = message("s").request();
    assert_eq!(webhook.handle(request).instrument(info_span!("caller")).await.status(), 200);
    webhook.handler().release();
    webhook.drained(crate::support::LONG).await;
    log.line(&["caller:desk_delivery", "close", r#"outcome="unfinished""#, "handler_seconds=1."]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_errors_within_the_span() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    webhook.handler().set_behaviour(Behaviour::Panic);
    webhook.handle(message("panics").request()).await;
    log.line(&["ERROR", "desk_delivery{", "got 20001: panicked: set to panic"]);
    log.line(&["close", r#"outcome="failed""#, "error_code=20001"]);

    webhook.handler().set_behaviour(Behaviour::StallAndFail);
    assert_eq!(webhook.handle(message("late").request()).await.status(), 200);
    webhook.handler().release();
    webhook.drained(crate::support::LONG).await;
    log.line(&[
        "ERROR",
        r#"desk_delivery{"#,
        "after the sender was answered or had disconnected: set to fail",
    ]);
    log.line(&["close", r#"outcome="unfinished""#, "error_code=0"]);
}

#[tokio::test(start_paused = true)]
async fn unavailability_deadlines_and_disconnects_are_logged() {
    let (log, _guard) = listen();
    let webhook = Webhook::new(testing::verifier(), Recorder::default()).at_deadline(AtDeadline::Refuse);
    webhook.handler().set_behaviour(Behaviour::Unavailable);
    assert_eq!(webhook.handle(message("away").request()).await.status(), 503);
    log.line(&["ERROR", "desk_delivery{", "got 50302: set to be unavailable"]);
    log.line(&["close", r#"outcome="unavailable""#, "error_code=50302"]);

    webhook.handler().set_behaviour(Behaviour::Stall);
    assert_eq!(webhook.handle(message("slow").request()).await.status(), 503);
    log.line(&["ERROR", "desk_delivery{", "got 50303"]);
    webhook.handler().release();
    webhook.drained(crate::support::LONG).await;
    log.line(&["close", r#"outcome="unavailable""#, "error_code=50303"]);

    hang_up(webhook.handle(message("hangs up").request())).await;
    log.line(&["WARN", "desk_delivery{", "there was no answer"]);
    webhook.handler().release();
    webhook.drained(crate::support::LONG).await;
    log.line(&["close", r#"outcome="abandoned""#, "handler_seconds="]);
}

#[test]
fn a_handler_that_is_lost_with_its_runtime_is_logged_in_its_span() {
    let (log, _guard) = listen();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (handlers, servers) = (runtime(), runtime());
    let webhook = Webhook::new(testing::verifier(), Recorder::default()).runtime(handlers.handle().clone());
    webhook.handler().set_behaviour(Behaviour::Stall);
    let deadline = std::time::Duration::ZERO;
    assert_eq!(
        servers.block_on(webhook.clone().deadline(deadline).handle(message("s").request())).status(),
        200
    );
    assert_eq!(webhook.in_flight(), 1);
    drop(handlers);
    log.line(&["ERROR", "desk_delivery{", r#"event="Human.UserSendMsg""#, "lost: "]);
    assert_eq!(webhook.in_flight(), 0);
}

/// A filter may name only the program's own modules. Enabling the feature must not hide failures then.
#[test]
fn failures_that_a_filter_drops_go_to_standard_error() {
    const NAME: &str = "watched::failures_that_a_filter_drops_go_to_standard_error";
    if let Ok(filter) = std::env::var("DESK_TEST_FILTER") {
        let (log, _guard) = listen_to(&filter);
        let webhook = Webhook::new(testing::verifier(), Recorder::default());
        webhook.handler().set_behaviour(Behaviour::Fail);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        assert_eq!(runtime.block_on(webhook.handle(message("s").request())).status(), 200);
        assert_eq!(runtime.block_on(webhook.handle(message("s").unsigned().request())).status(), 401);
        print!("{}", log.lines().join("\n"));
        return;
    }
    let written = |filter: &str| {
        let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
        itself.args([NAME, "--exact", "--nocapture"]).env("DESK_TEST_FILTER", filter);
        let output = itself.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (out.contains("ERROR"), out.contains("WARN"), err.matches("set to fail").count())
    };
    assert_eq!(written("all=trace"), (false, false, 1));
    assert_eq!(written("off"), (false, false, 1));
    assert_eq!(written("all=trace,tencent_desk_webhook=error"), (true, false, 0));
    assert_eq!(written("warn"), (true, true, 0));
}

/// A program that writes two logs sets up `tracing` this way.
#[tokio::test]
async fn filters_of_single_layers_do_not_affect_other_events() {
    let (mine, all) = (Log::default(), Log::default());
    let layer = |log: &Log, filter: &str| {
        let layer = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false);
        layer.with_filter(filter.parse::<Targets>().unwrap())
    };
    let layers = layer(&mine, "all=info").and_then(layer(&all, "all=info,tencent_desk_webhook=error"));
    let _guard = subscribe(tracing_subscriber::registry().with(layers));
    let webhook = Webhook::new(testing::verifier(), Recorder::default());
    webhook.handler().set_behaviour(Behaviour::Fail);
    for delivery in [message("fails"), message("refused").unsigned(), message("fails")] {
        webhook.handle(delivery.request()).await;
        tracing::info!("the program's own line");
    }
    assert_eq!(mine.lines().len(), 3, "{:#?}", mine.lines());
    assert_eq!(all.lines().len(), 5, "{:#?}", all.lines());
}

#[test]
fn in_flight_is_counted_up_and_down_however_a_handler_ends() {
    let recorder = Numbers::default();
    let in_flight = || {
        recorder
            .lines()
            .iter()
            .find_map(|line| line.strip_prefix("desk_webhook_in_flight ").map(str::to_owned))
            .unwrap()
    };
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (main, other) = (runtime(), runtime());
    metrics::with_local_recorder(&recorder, || {
        main.block_on(async {
            let webhook = Webhook::new(testing::verifier(), Recorder::default());
            for behaviour in [Behaviour::Stall, Behaviour::StallAndFail] {
                webhook.handler().set_behaviour(behaviour);
                webhook.handle(message("s").request()).await;
                assert_eq!(in_flight(), "1");
                webhook.handler().release();
                webhook.drained(crate::support::LONG).await;
                assert_eq!(in_flight(), "0");
            }
            for behaviour in [Behaviour::Panic, Behaviour::PanicLater, Behaviour::Fail] {
                webhook.handler().set_behaviour(behaviour);
                webhook.handle(message("s").request()).await;
                assert_eq!(in_flight(), "0");
            }
            webhook.handler().set_behaviour(Behaviour::Stall);
            webhook.clone().runtime(other.handle().clone()).handle(message("s").request()).await;
            assert_eq!(in_flight(), "1");
        });
        drop(other);
        assert_eq!(in_flight(), "0");
    });
}

#[test]
fn the_metrics_of_the_guide_are_counted() {
    let recorder = Numbers::default();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let webhook = Webhook::new(testing::verifier(), Recorder::default());
            webhook.handle(message("a").request()).await;
            webhook.handle(message("b").request()).await;
            webhook.handle(message("c").unsigned().request()).await;
            webhook.handle(Delivery::of("").without_command().request()).await;
            let deciding = webhook.clone().responder(testing::TestResponder::default());
            deciding.handle(testing::assign_human().delivery().request()).await;
            webhook.handler().set_behaviour(Behaviour::Fail);
            webhook.handle(event("SessionEnd").delivery().request()).await;
            webhook.handler().set_behaviour(Behaviour::Unavailable);
            webhook.handle(event("SessionEnd").delivery().request()).await;
            webhook.handler().set_behaviour(Behaviour::Stall);
            webhook.handle(message("d").request()).await;
            hang_up(webhook.handle(message("e").request())).await;
            webhook.handler().release();
            webhook.drained(crate::support::LONG).await;
        });
    });
    let lines = recorder.lines();
    for line in [
        r#"desk_webhook_deliveries_total{outcome="handled"} 2"#,
        r#"desk_webhook_deliveries_total{outcome="refused"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="ignored"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="decided"} 1"#,
        r#"desk_webhook_decisions_total{method="assign_agent",outcome="none"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="failed"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="unavailable"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="unfinished"} 1"#,
        r#"desk_webhook_deliveries_total{outcome="abandoned"} 1"#,
        r#"desk_webhook_refusals_total{reason="unsigned"} 1"#,
        r#"desk_webhook_refusals_total{reason="handler_failed"} 1"#,
        r#"desk_webhook_refusals_total{reason="unavailable"} 1"#,
        r#"desk_webhook_answer_seconds_count{outcome="handled"} 2"#,
        r#"desk_webhook_handler_seconds_count{category="message",result="ok"} 4"#,
        r#"desk_webhook_handler_seconds_count{category="session_end",result="error"} 2"#,
        "desk_webhook_in_flight 0",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} is not in {lines:#?}");
    }
}
