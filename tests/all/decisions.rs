//! Requests for decisions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use tencent_desk_webhook::{
    Event, EventHandler, Verifier, Webhook, async_trait,
    decision::{
        AiProvider, AssignAgent, Assignment, Contact, ContactUser, Decision, Fallbacks, Invocation, Invoked,
        Request, Responder,
    },
    event::Message,
    testing::{Behaviour, Delivery, Question, TestResponder, event},
};

use crate::{
    doors::{Client, DOORS},
    support::{APP, Answer, LONG, NOW, OK, Recorder, SIGN, any_answer, fixture, verifier},
};

const FAILED_CALL: &str = r#"{"ActionStatus":"FAIL","ErrorInfo":"the call failed: its reason is in the receiver's log","ErrorCode":20001}"#;

/// A command, a body, the responder's method, and the expected response.
type Case = (&'static str, String, &'static str, &'static str);

/// The vendor's samples and variations of them.
fn cases() -> Vec<Case> {
    const ASSIGNED: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AgentGroupId":6521,"AgentIdList":["svc1@example.com","svc2@example.com"]}"#;
    const INVOKED: &str =
        r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"Body":{"testKey1":"value1","testKey3":"10"}}"#;
    const REFUSED: &str = r#"{"ActionStatus":"FAIL","ErrorInfo":"do not \"disturb\"","ErrorCode":120001}"#;
    const MERGED: &str = r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":7,"Echo":"你好"}"#;
    let contact = json!({
        "CallbackCommand": "Desk.CallbackBeforeIMContactUser", "ClientUserId": "test_user_id",
        "ChannelId": "@customer_service_account", "ChannelType": "SDK", "GroupId": 4011,
        "MemberId": "staff@test.com", "EventTime": 1_750_769_273_237_i64,
    });
    vec![
        ("ChatBot.OnAssignHuman", fixture("onassignhuman_request_cn"), "assign_agent", ASSIGNED),
        ("ChatBot.OnAssignAgent", fixture("onassignagent_request_trtcio"), "assign_agent", ASSIGNED),
        ("chatbot.onassignhuman", fixture("onassignhuman_request_cn"), "assign_agent", ASSIGNED),
        ("ChatBot.OnAssignHuman", r#"{"EventTime":"1670574414123"}"#.into(), "assign_agent", ASSIGNED),
        ("Chatbot.InterfaceInvocation", fixture("interfaceinvocation_request"), "invoke", INVOKED),
        ("CHATBOT.INTERFACEINVOCATION", fixture("interfaceinvocation_request"), "invoke", INVOKED),
        ("Desk.CallbackBeforeIMContactUser", contact.to_string(), "contact_user", REFUSED),
        ("Test.Echo", r#"{"Say":"half an emoji \ud83d"}"#.into(), "other", MERGED),
    ]
}

fn responder() -> TestResponder {
    let responder = TestResponder::default();
    responder.answer_message(AiProvider::Desk);
    responder.assign_agent(Assignment::to_group(6521).or_agents(["svc1@example.com", "svc2@example.com"]));
    responder.invoke(Invoked::done([("testKey1", "value1"), ("testKey3", "10")]));
    responder.contact_user(Contact::refuse(120_001, "do not \"disturb\""));
    let fields = json!({"Echo": "你好", "ErrorCode": 7, "ActionStatus": "FAIL"});
    responder.other(fields.as_object().unwrap().clone());
    responder
}

fn ask(command: &str, body: &str) -> Delivery {
    Delivery::of(body.to_owned()).command(command)
}

fn message() -> Delivery {
    event("ChatBot.UserSendMsg").delivery()
}

fn webhook(responder: &TestResponder) -> Webhook<Recorder> {
    Webhook::new(verifier(), Recorder::default()).responder(responder.clone())
}

async fn respond<H: EventHandler>(webhook: &Webhook<H>, delivery: &Delivery) -> Answer {
    any_answer(webhook.handle(delivery.request()).await).await
}

fn methods(responder: &TestResponder) -> Vec<&'static str> {
    responder.questions().iter().map(|Question { method, .. }| *method).collect()
}

#[tokio::test]
async fn each_command_is_decided_by_its_method() {
    for (command, body, method, expected) in cases() {
        let responder = responder();
        let webhook = webhook(&responder);
        let mut deliveries = vec![ask(command, &body)];
        if body.contains("CallbackCommand") {
            deliveries.push(ask(command, &body).without_command());
        }
        for delivery in &deliveries {
            let answer = respond(&webhook, delivery).await;
            assert_eq!((answer.status, &*answer.body), (200, expected), "{command}");
        }
        assert_eq!(responder.questions().len(), deliveries.len(), "{command}");
        assert!(methods(&responder).iter().all(|called| *called == method), "{command}");
        assert!(webhook.handler().calls().is_empty(), "{command}: decisions do not reach the handler");
        assert_eq!(webhook.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_request_has_its_fields() {
    let responder = responder();
    let webhook = webhook(&responder);
    let delivery = ask("ChatBot.OnAssignHuman", &fixture("onassignhuman_request_cn")).request_id("r-1");
    respond(&webhook, &delivery).await;
    let mut expected: Value = serde_json::from_str(&fixture("onassignhuman_request_cn")).unwrap();
    expected["SdkAppid"] = APP.into();
    expected["RequestID"] = "r-1".into();
    assert_eq!(responder.questions()[0].fields, expected);
}

/// A responder that checks its requests.
struct Strict;

#[async_trait]
impl Responder for Strict {
    async fn assign_agent(&self, request: &Request, asked: &AssignAgent) -> Decision<Assignment> {
        assert_eq!((request.sdk_app_id, &*request.command), (APP, "ChatBot.OnAssignHuman"));
        assert_eq!((asked.session_id.as_deref(), asked.client_user_id.as_deref()), (Some("7"), Some("8")));
        assert_eq!((asked.time_millis, asked.customer_service_id.as_deref()), (Some(9), None));
        Ok(Some(Assignment::to_agents(["a"])))
    }

    async fn invoke(&self, _: &Request, asked: &Invocation) -> Decision<Invoked> {
        let variables: Vec<_> = asked.variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected = [
            ("flag", "true"),
            ("list", "[1, \"a\"]"),
            ("none", ""),
            ("number", "1.50"),
            ("text", "\u{fffd}é"),
        ];
        assert_eq!(variables, expected);
        assert_eq!((asked.client_user_id(), asked.session_id()), (None, None));
        Ok(Some(Invoked::done(Map::new())))
    }

    async fn contact_user(&self, _: &Request, asked: &ContactUser) -> Decision<Contact> {
        assert_eq!(asked, &serde_json::from_value(json!({"GroupId": "4011"})).unwrap());
        Ok(Some(Contact::refuse(1, "")))
    }
}

#[tokio::test]
async fn fields_of_other_types_are_read_leniently() {
    let webhook = Webhook::new(verifier(), Recorder::default()).responder(Strict);
    let assign =
        r#"{"SessionId":7,"ClientUserId":8,"EventTime":"9","CustomerServiceId":{"a":[]},"New":[{}]}"#;
    let assigned = respond(&webhook, &ask("ChatBot.OnAssignHuman", assign)).await.body;
    assert!(assigned.ends_with(r#""AgentIdList":["a"]}"#), "{assigned}");
    let invoke = r#"{"Body":{"text":"x","number":1.50,"flag":true,"none":null,"list":[1, "a"],"text":"\ud83d\u00e9"}}"#;
    let invoked = respond(&webhook, &ask("Chatbot.InterfaceInvocation", invoke)).await.body;
    assert!(invoked.ends_with(r#""ErrorCode":0,"Body":{}}"#), "{invoked}");
    let contact = format!("\u{feff}{}", r#"{"GroupId":4011,"ChannelId":"","MemberId":null}"#);
    assert_eq!(respond(&webhook, &ask("Desk.CallbackBeforeIMContactUser", &contact)).await.code, 1);
    for body in ["[]", "{", "7", "\"{}\""] {
        assert_eq!(respond(&webhook, &ask("ChatBot.OnAssignHuman", body)).await.code, 40008, "{body}");
        assert!(respond(&webhook, &ask("Test.Echo", body)).await.is_ok(), "{body}");
    }
}

#[tokio::test]
async fn without_a_decision_the_acknowledgement_is_bare() {
    let responder = TestResponder::default();
    let webhook = webhook(&responder);
    for (command, body, ..) in cases() {
        assert!(respond(&webhook, &ask(command, &body)).await.is_ok(), "{command}");
    }
    assert!(respond(&webhook, &message()).await.is_ok());
    assert_eq!(responder.questions().len(), cases().len() + 1);

    let webhook = Webhook::new(verifier(), Recorder::default());
    for (command, body, ..) in cases() {
        assert!(respond(&webhook, &ask(command, &body)).await.is_ok(), "{command}");
        assert!(respond(&webhook, &ask(command, "not JSON")).await.is_ok(), "{command}");
    }
    assert!(respond(&webhook, &message()).await.is_ok());
}

#[tokio::test]
async fn a_message_to_the_bot_is_handled_and_decided() {
    let responder = responder();
    let webhook = webhook(&responder);
    let decided = |provider| format!("{},\"AIProvider\":{provider}}}", OK.strip_suffix('}').unwrap());
    assert_eq!(respond(&webhook, &message()).await.body, decided(1));
    responder.answer_message(AiProvider::Own);
    assert_eq!(respond(&webhook, &message()).await.body, decided(0));
    for name in ["ChatBot.RobotSendMsg", "Human.UserSendMsg", "SessionBegin"] {
        assert!(respond(&webhook, &event(name).delivery()).await.is_ok(), "{name}");
    }
    assert_eq!(methods(&responder), ["answer_message"; 2]);
    assert_eq!(webhook.handler().calls().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn ai_provider_is_sent_only_with_an_acknowledgement() {
    for (behaviour, code) in
        [(Behaviour::Fail, 20001), (Behaviour::Unavailable, 50302), (Behaviour::PanicLater, 20001)]
    {
        let responder = responder();
        let webhook = webhook(&responder);
        webhook.handler().set_behaviour(behaviour);
        let answer = respond(&webhook, &message()).await;
        assert!(answer.code == code && !answer.body.contains("AIProvider"), "{answer:?}");

        // A slow decision does not delay the failure.
        responder.set_behaviour(Behaviour::Stall);
        assert_eq!(respond(&webhook, &message()).await.code, code);
    }
    // The acknowledgement at the deadline has the decision.
    let responder = responder();
    let webhook = webhook(&responder);
    webhook.handler().set_behaviour(Behaviour::Stall);
    assert!(respond(&webhook, &message()).await.body.ends_with(r#""AIProvider":1}"#));
    webhook.handler().release();
    assert!(webhook.drained(LONG).await);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_fails_is_replaced_by_its_fallback() {
    for behaviour in [Behaviour::Fail, Behaviour::Panic, Behaviour::PanicLater, Behaviour::Stall] {
        let responder = responder();
        responder.set_behaviour(behaviour);
        let webhook = webhook(&responder);
        let changed = webhook.clone().fallbacks(
            Fallbacks::default()
                .answer_message(AiProvider::Own)
                .assign_agent(Assignment::failed(3, "no routing"))
                .invoke(Invoked::done([("a", 1)]))
                .contact_user(Contact::refuse(4, "later"))
                .other(Map::from_iter([("B".to_owned(), 2.into())])),
        );
        for (command, body, method, _) in cases() {
            let begun = tokio::time::Instant::now();
            let declared = if method == "invoke" { FAILED_CALL } else { OK };
            assert_eq!(
                respond(&webhook, &ask(command, &body)).await.body,
                declared,
                "{command} {behaviour:?}"
            );
            assert!(begun.elapsed() <= Duration::from_millis(1501), "{command} {behaviour:?}");

            let answer = respond(&changed, &ask(command, &body)).await.body;
            let expected = match method {
                "assign_agent" => r#"{"ActionStatus":"FAIL","ErrorInfo":"no routing","ErrorCode":3}"#,
                "invoke" => r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"Body":{"a":1}}"#,
                "contact_user" => r#"{"ActionStatus":"FAIL","ErrorInfo":"later","ErrorCode":4}"#,
                _ => r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"B":2}"#,
            };
            assert_eq!(answer, expected, "{command} {behaviour:?}");
        }
        assert!(respond(&webhook, &message()).await.is_ok());
        assert!(respond(&changed, &message()).await.body.ends_with(r#""AIProvider":0}"#));
        assert_eq!(webhook.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn at_overload_the_fallback_is_sent_and_events_are_refused() {
    let responder = responder();
    let webhook = webhook(&responder).max_in_flight(1);
    responder.set_behaviour(Behaviour::Stall);
    let first = tokio::spawn(webhook.handle(ask("ChatBot.OnAssignHuman", "{}x").request()));
    assert_eq!(any_answer(first.await.unwrap()).await.code, 40008);
    let body = r#"{"SessionId":"s"}"#;
    let first = tokio::spawn(webhook.handle(ask("ChatBot.OnAssignHuman", body).request()));
    responder.asked(1).await;
    assert_eq!(webhook.in_flight(), 1);
    assert!(respond(&webhook, &ask("ChatBot.OnAssignHuman", body)).await.is_ok());
    assert_eq!(respond(&webhook, &ask("Chatbot.InterfaceInvocation", body)).await.body, FAILED_CALL);
    assert!(respond(&webhook, &ask("Test.Echo", body)).await.is_ok());
    // Before its body is read, a command that is only in the body is not known.
    let unnamed = Delivery::of(r#"{"CallbackCommand":"Test.Echo"}"#).without_command();
    assert_eq!(respond(&webhook, &unnamed).await.code, 50301);
    assert_eq!(respond(&webhook, &message()).await.code, 50301);
    responder.release();
    assert!(any_answer(first.await.unwrap()).await.body.contains("6521"));
    assert_eq!(responder.questions().len(), 1);
}

#[tokio::test]
async fn an_unsigned_app_gets_no_decisions() {
    let responder = responder();
    let unsigned = || Verifier::dangerous_unsigned(APP);
    let webhook = Webhook::new(unsigned(), Recorder::default()).responder(responder.clone());
    for (command, body, ..) in cases() {
        let answer = respond(&webhook, &ask(command, &body).unsigned()).await;
        assert_eq!((answer.status, answer.code), (401, 40105), "{command}");
    }
    assert!(respond(&webhook, &message().unsigned()).await.is_ok());
    assert!(responder.questions().is_empty());
    assert_eq!(webhook.handler().calls().len(), 1);

    let bare = Webhook::new(unsigned(), Recorder::default());
    assert!(respond(&bare, &ask("ChatBot.OnAssignHuman", "{\"a\":1}").unsigned()).await.is_ok());

    webhook.set_verifier(unsigned().dangerous_unsigned_decisions());
    for (command, body, _, expected) in cases() {
        assert_eq!(respond(&webhook, &ask(command, &body).unsigned()).await.body, expected, "{command}");
    }
    assert!(respond(&webhook, &message().unsigned()).await.body.contains("AIProvider"));
}

#[tokio::test]
async fn a_request_that_is_delivered_again_is_decided_again() {
    let responder = responder();
    let webhook = webhook(&responder);
    let delivery = ask("ChatBot.OnAssignHuman", r#"{"SessionId":"s"}"#);
    assert!(respond(&webhook, &delivery).await.body.contains("6521"));
    responder.assign_agent(Assignment::no_preference());
    assert!(respond(&webhook, &delivery).await.is_ok());
    assert_eq!(responder.questions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_disconnects_ends_the_decision_and_not_the_handler() {
    let responder = responder();
    responder.set_behaviour(Behaviour::Stall);
    let webhook = webhook(&responder);
    webhook.handler().set_behaviour(Behaviour::Stall);
    let caller = tokio::spawn(webhook.handle(message().request()));
    responder.asked(1).await;
    webhook.handler().called(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(webhook.in_flight(), 1);
    webhook.handler().release();
    assert!(webhook.drained(LONG).await);
    assert_eq!(webhook.handler().finished(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_in_flight_until_it_is_handled_and_decided() {
    for handler_is_last in [false, true] {
        let responder = responder();
        let webhook = webhook(&responder).max_in_flight(1);
        if handler_is_last {
            webhook.handler().set_behaviour(Behaviour::Stall);
        } else {
            responder.set_behaviour(Behaviour::Stall);
        }
        let first = tokio::spawn(webhook.handle(message().request()));
        responder.asked(1).await;
        webhook.handler().called(1).await;
        tokio::task::yield_now().await;
        assert_eq!(webhook.in_flight(), 1);
        assert!(!webhook.drained(Duration::from_millis(1)).await);
        assert_eq!(respond(&webhook, &message()).await.code, 50301);
        responder.release();
        webhook.handler().release();
        assert!(any_answer(first.await.unwrap()).await.body.contains("AIProvider"));
        assert!(webhook.drained(LONG).await);
    }
}

#[tokio::test]
async fn fields_that_are_nested_deeply_change_no_decision() {
    let responder = responder();
    let webhook = webhook(&responder);
    for depth in [100, 150, 5000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (command, body, _, expected) in cases() {
            let body = body.trim_end().strip_suffix('}').unwrap().to_owned() + &format!(r#","New":{deep}}}"#);
            assert_eq!(respond(&webhook, &ask(command, &body)).await.body, expected, "{command} {depth}");
        }
    }
    let questions = responder.questions();
    assert_eq!(questions[questions.len() - 1].fields["Say"], "half an emoji \u{fffd}");
    assert!(questions[questions.len() - 1].fields["New"].as_str().unwrap().starts_with("[[["));
}

/// An error that panics while it is dropped.
#[derive(Debug)]
struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

struct Bombs(Duration);

#[async_trait]
impl Responder for Bombs {
    async fn answer_message(&self, _: &Event, _: &Message) -> Decision<AiProvider> {
        std::thread::sleep(self.0);
        Err(Bomb.into())
    }
}

#[tokio::test]
async fn an_error_that_panics_while_it_is_dropped_is_an_error() {
    for (takes, fails) in [(0, true), (60, true), (60, false), (0, false)] {
        let webhook = Webhook::new(verifier(), Recorder::default())
            .deadline(Duration::from_millis(30))
            .responder(Bombs(Duration::from_millis(takes)));
        if fails {
            webhook.handler().set_behaviour(Behaviour::PanicLater);
        }
        let answer = respond(&webhook, &message()).await;
        assert!(answer.body == OK || fails && answer.code == 20001, "{answer:?}");
        assert!(webhook.drained(LONG).await);
    }
}

#[tokio::test]
async fn a_shared_responder_decides_every_command() {
    let shared: Arc<dyn Responder> = Arc::new(responder());
    let boxed: Box<dyn Responder> = Box::new(Arc::clone(&shared));
    let webhook = Webhook::new(verifier(), Recorder::default()).responder(boxed);
    for (command, body, _, expected) in cases() {
        assert_eq!(respond(&webhook, &ask(command, &body)).await.body, expected, "{command}");
    }
    assert!(respond(&webhook, &message()).await.body.contains("AIProvider"));
}

/// A decision that panics while it is dropped, or blocks its thread past the deadline.
struct Hostile {
    blocks: bool,
    dropped: Arc<AtomicBool>,
}

struct PanicWhenDropped(Arc<AtomicBool>);

impl Drop for PanicWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        panic!("dropped");
    }
}

#[async_trait]
impl Responder for Hostile {
    async fn assign_agent(&self, _: &Request, _: &AssignAgent) -> Decision<Assignment> {
        if self.blocks {
            std::thread::sleep(Duration::from_millis(60));
            return Ok(Some(Assignment::to_group(1)));
        }
        let _bomb = PanicWhenDropped(Arc::clone(&self.dropped));
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_late_decision_is_dropped_whatever_it_does() {
    let dropped = Arc::new(AtomicBool::new(false));
    for blocks in [false, true] {
        let webhook = Webhook::new(verifier(), Recorder::default())
            .deadline(Duration::from_millis(30))
            .responder(Hostile { blocks, dropped: Arc::clone(&dropped) });
        assert!(respond(&webhook, &ask("ChatBot.OnAssignHuman", r#"{"a":1}"#)).await.is_ok());
        assert_eq!(webhook.in_flight(), 0);
    }
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_sends_the_same_bytes() {
    for door in DOORS {
        let address = door.open(webhook(&responder())).await;
        let mut client = Client::connect(address).await;
        let message = event("ChatBot.UserSendMsg").to_string();
        let decided = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AIProvider":1}"#;
        let mut all = cases();
        all.push((crate::support::COMMAND, message, "answer_message", decided));
        for (command, body, _, expected) in all {
            let query = format!("SdkAppid={APP}&CallbackCommand={command}&Sign={SIGN}&RequestTime={NOW}");
            let length = body.len();
            let request = format!(
                "POST /desk/callback?{query} HTTP/1.1\r\nHost: desk\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            client.write(request).await;
            let reply = client.read(true).await;
            assert_eq!((reply.status, &*reply.body), (200, expected), "{command} through {door:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn a_webhook_with_a_responder_checks_everything_else_as_before() {
    let webhook = webhook(&responder());
    let body = r#"{"SessionId":"s"}"#;
    let ask = || ask("ChatBot.OnAssignHuman", body);
    for (delivery, code) in [
        (ask().wrong_signature(), 40104),
        (ask().unsigned(), 40101),
        (ask().stale(), 40103),
        (ask().foreign_app(), 40301),
        (Delivery::of(r#"{"CallbackCommand":"Test.Echo"}"#).command("ChatBot.OnAssignHuman"), 40010),
    ] {
        assert_eq!(respond(&webhook, &delivery).await.code, code);
    }
    // The console's URL check requests no decision.
    for body in ["", "{}"] {
        let check = Delivery::of(body).command("ChatBot.OnAssignHuman");
        assert!(respond(&webhook, &check).await.is_ok(), "{body:?}");
    }
}
