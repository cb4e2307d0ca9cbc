//! How refusals and failures are reported to the program and its log.

use std::{
    error::Error,
    fmt,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Refusal, Refused, Webhook, async_trait,
    testing::{self, APP, Delivery, Recorder, event},
};

use crate::support::{answer, at, post, send, signed, verifier};

#[tokio::test]
async fn each_refusal_is_reported_with_its_reason_app_and_skew() {
    let reported: Arc<Mutex<Vec<Refused>>> = Arc::default();
    let report = Arc::clone(&reported);
    let webhook = Webhook::new(verifier(), Recorder::default())
        .on_refusal(move |refused| report.lock().unwrap().push(*refused));
    let good = event("SessionBegin").delivery();
    for delivery in [
        good.clone(),
        good.clone().stale(),
        good.clone().at(at(testing::NOW + 120)),
        good.clone().foreign_app(),
        good.clone().without_app().unsigned(),
        good.clone().wrong_signature(),
        good.parameter("Sign", "00"),
    ] {
        webhook.handle(delivery.request()).await;
    }
    let reported = reported.lock().unwrap();
    let seen: Vec<_> =
        reported.iter().map(|refused| (refused.reason.reason(), refused.app, refused.skew)).collect();
    assert_eq!(
        seen,
        [
            ("stale", Some(APP), Some(-3600)),
            ("stale", Some(APP), Some(120)),
            ("foreign_app", Some(APP + 1), None),
            ("foreign_app", None, None),
            ("wrong_signature", Some(APP), None),
            ("ambiguous_query", None, None),
        ]
    );
}

#[tokio::test]
async fn a_hook_that_panics_does_not_change_the_response() {
    let webhook = Webhook::new(verifier(), Recorder::default()).on_refusal(|_| panic!("oh"));
    let refused = event("SessionBegin").delivery().unsigned();
    assert_eq!(testing::error_code(webhook.handle(refused.request()).await), 40101);
}

#[tokio::test]
async fn middleware_finds_the_refusal_in_the_responses_extensions() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let good = event("SessionBegin").delivery();
    let response = webhook.handle(good.clone().wrong_signature().request()).await;
    assert_eq!(response.extensions().get::<Refusal>(), Some(&Refusal::WrongSignature));
    let response = webhook.handle(good.request()).await;
    assert_eq!(response.extensions().get::<Refusal>(), None);
}

#[cfg(feature = "actix-web")]
#[tokio::test]
async fn actix_webs_middleware_finds_it_as_well() {
    use actix_web::{App, test, web};

    let webhook = Webhook::new(verifier(), Recorder::default());
    let app = App::new().route("/desk/callback", web::route().to(webhook));
    let app = test::init_service(app).await;
    let uri = format!("/desk/callback?{}", event("SessionBegin").delivery().unsigned().query());
    let response = test::call_service(&app, test::TestRequest::post().uri(&uri).to_request()).await;
    assert_eq!(response.response().extensions().get::<Refusal>(), Some(&Refusal::Unsigned));
}

#[tokio::test]
async fn the_response_has_a_remedy() {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let good = event("SessionBegin").delivery();
    let gzip = Delivery::of(&[0x1F, 0x8B, 8, 0, 0xFF][..]);
    for (delivery, text) in [
        (good.clone().stale(), "3600 s behind the receiver's clock"),
        (good.clone().at(at(testing::NOW + 61)), "61 s ahead of the receiver's clock"),
        (good.clone().without_app().unsigned(), "SdkAppid is missing: does a proxy drop the query?"),
        (good.foreign_app(), "SdkAppid names another app"),
        (gzip, "gzip data without Content-Encoding"),
        (Delivery::of(&[0xFF][..]), "the body is not UTF-8"),
    ] {
        let answer = answer(webhook.handle(delivery.request()).await).await;
        assert!(answer.body.contains(text), "{text} is not in {}", answer.body);
    }
}

/// Runs this test again in a separate process and returns its standard error.
fn standard_error_of(name: &str) -> String {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let name = format!("reported::{name}");
    let output =
        itself.args([&*name, "--exact", "--nocapture"]).env("DESK_TEST_ALONE", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn is_alone() -> bool {
    std::env::var_os("DESK_TEST_ALONE").is_some()
}

#[test]
fn without_a_subscriber_refusals_go_to_standard_error_at_most_once_a_second() {
    if is_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        return runtime.unwrap().block_on(async {
            let webhook = Webhook::new(verifier(), Recorder::default());
            let unsigned = event("SessionBegin").delivery().unsigned();
            for _ in 0..500 {
                webhook.handle(unsigned.request()).await;
            }
            webhook.handle(event("SessionBegin").delivery().stale().request()).await;
            tokio::time::advance(Duration::from_millis(999)).await;
            webhook.handle(unsigned.request()).await;
            tokio::time::advance(Duration::from_millis(1)).await;
            webhook.handle(unsigned.request()).await;
        });
    }
    let written =
        standard_error_of("without_a_subscriber_refusals_go_to_standard_error_at_most_once_a_second");
    let lines: Vec<_> = written.lines().filter(|line| line.starts_with("tencent-desk-webhook: ")).collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].contains("app 1400000000: refused with 40101 (unsigned)"), "{}", lines[0]);
    assert!(!lines[0].contains("more for this reason"), "{}", lines[0]);
    assert!(lines[1].contains("40103 (stale): RequestTime is 3600 s behind"), "{}", lines[1]);
    assert!(lines[2].contains("500 more for this reason were not logged"), "{}", lines[2]);
}

#[derive(Debug)]
struct NotClosed(std::io::Error);

impl fmt::Display for NotClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ticket was not closed")
    }
}

impl Error for NotClosed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn the_log_has_an_error_and_its_sources() {
    struct Fails;

    #[async_trait]
    impl EventHandler for Fails {
        async fn on_event(&self, _: &Event) -> HandlerResult {
            Err(NotClosed(std::io::Error::other("connection reset\u{2028}forged \u{202e}line")))?
        }
    }

    if is_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let webhook = Webhook::new(verifier(), Fails);
        runtime.block_on(webhook.handle(event("SessionBegin").delivery().request()));
        return;
    }
    let written = standard_error_of("the_log_has_an_error_and_its_sources");
    let expected = "the ticket was not closed: connection reset\\u{2028}forged \\u{202e}line";
    assert!(written.contains(expected), "{written}");
}

#[test]
fn an_event_under_an_unknown_command_is_logged() {
    if is_alone() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let webhook = Webhook::new(verifier(), Recorder::default());
            let query = signed().replace("Desk.SessionEventNotify", "Desk.SessionNotify");
            let body = event("SessionBegin").without("CallbackCommand").to_string();
            assert!(send(&webhook, post(&query, body)).await.is_ok());
            let query = signed().replace("Desk.SessionEventNotify", "State.StateChange");
            assert!(send(&webhook, post(&query, r#"{"Info":{}}"#)).await.is_ok());
            let query = signed().replace("Desk.SessionEventNotify", "ChatBot.OnAssignHuman");
            for _ in 0..3 {
                assert!(send(&webhook, post(&query, r#"{"SessionId":"s"}"#)).await.is_ok());
            }
        });
        return;
    }
    let written = standard_error_of("an_event_under_an_unknown_command_is_logged");
    let undecided = written.lines().filter(|line| line.contains("without a decision"));
    assert_eq!(undecided.filter(|line| line.contains("assign_agent")).count(), 1, "{written}");
    let lines: Vec<_> = written.lines().filter(|line| line.contains("looks like an event")).collect();
    assert_eq!(lines.len(), 1, "{written}");
    assert!(lines[0].contains("\"Desk.SessionNotify\""), "{written}");
}

#[tokio::test]
async fn a_command_is_recognized_in_any_case() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    for command in ["desk.SessionEventNotify", "DESK.SESSIONEVENTNOTIFY", "Desk.SessionEventNotify"] {
        let query = signed().replace("Desk.SessionEventNotify", command);
        let body = event("SessionBegin").field("CallbackCommand", "Desk.sessionEventNotify");
        assert!(send(&webhook, post(&query, body.to_string())).await.is_ok(), "{command}");
    }
    assert_eq!(recorder.calls().len(), 3);
}
