//! Events of other commands than that of session events: agents' statuses and steps of task flows.

use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Webhook, async_trait,
    event::{AgentState, AgentStatus, Category, Command, EventKind, EventName, TaskFlow},
    testing::{self, Delivery, Recorder, error_code, verifier},
};

use crate::support::{event_json, fixture};

const STATUS: &str = "Member.EventNotify";
const FLOW: &str = "Chatbot.TaskFlowEventNotify";
const SESSION: &str = "Desk.SessionEventNotify";

/// The answer's code, and the call of the handler if there was one.
async fn send(delivery: Delivery) -> (i64, Option<(&'static str, Event)>) {
    let webhook = Webhook::new(verifier(), Recorder::default());
    let code = error_code(webhook.handle(delivery.request()).await);
    let mut calls = webhook.handler().calls();
    assert!(calls.len() <= 1);
    (code, calls.pop().map(|call| (call.method, call.event)))
}

async fn deliver(command: &str, body: impl ToString) -> (&'static str, Event) {
    let body = body.to_string();
    let (code, call) = send(Delivery::of(body.clone()).command(command)).await;
    assert_eq!(code, 0, "{command}: {body}");
    call.unwrap_or_else(|| panic!("{command}: {body}"))
}

fn status(event: &Event) -> &AgentStatus {
    let EventKind::AgentStatus(status) = &event.kind else { panic!("{event:?}") };
    status
}

fn flow(event: &Event) -> &TaskFlow {
    let EventKind::TaskFlow(flow) = &event.kind else { panic!("{event:?}") };
    flow
}

#[tokio::test]
async fn an_agents_status_reads_as_printed() {
    let (method, event) = deliver(STATUS, fixture("member_status_change")).await;
    assert_eq!(
        (method, event.command, event.category()),
        ("on_agent_status", Command::AgentStatus, Category::AgentStatus)
    );
    assert_eq!((event.name.as_str(), event.time_millis()), ("Member.StatusChange", 1_725_540_020_017));
    assert_eq!((event.session(), event.session_id.as_str()), (None, ""));
    let status = status(&event);
    assert_eq!((status.agent_id.as_deref(), &status.state), (Some("test@qq.com"), &Some(AgentState::Free)));
    assert_eq!(status.rest_reason, None, "empty in the sample");
    assert_eq!(status.clients.len(), 1);
    assert_eq!(
        (status.clients[0].client_type.as_deref(), status.clients[0].is_connected),
        (Some("Web"), Some(true))
    );
    assert_eq!(event.raw(), fixture("member_status_change"));
}

#[tokio::test]
async fn a_task_flows_step_reads_as_printed() {
    let (method, event) = deliver(FLOW, fixture("task_flow_begin")).await;
    assert_eq!(
        (method, event.command, event.category()),
        ("on_task_flow", Command::TaskFlow, Category::TaskFlow)
    );
    assert_eq!((event.name.as_str(), event.time_millis()), ("TaskBegin", 1_754_280_000_000));
    assert_eq!(event.session(), Some("554d4e07-76cf-4a9c-82ad-f1878de93d13"));
    assert_eq!(event.client_user_id.as_deref(), Some("your_user_id"));
    assert_eq!(event.customer_service_id.as_deref(), Some("@customer_service_account"));
    assert_eq!(event.channel.as_deref(), Some("SDK"));
    let flow = flow(&event);
    assert_eq!(flow.execution_id.as_deref(), Some("cf634425-a0ba-49d5-b205-86ba2441de96"));
    assert_eq!(
        (flow.seq, flow.task_id.as_deref(), flow.task_name.as_deref()),
        (Some(1), Some("3474"), Some("售后咨询"))
    );
    assert_eq!(
        (flow.env.as_deref(), flow.robot_id.as_deref()),
        (Some("production"), Some("@RBT#DeskDefaultRobot"))
    );
    assert_eq!((flow.node_id.as_deref(), flow.node_name.as_deref()), (Some("node-start-1"), Some("开始")));
    assert_eq!(flow.next_node_id.as_deref(), Some("node-reply-1"));
}

#[test]
fn any_status_is_kept() {
    for (wire, state) in [
        ("ready", AgentState::Ready),
        ("notReady", AgentState::NotReady),
        ("rest", AgentState::Rest),
        ("offline", AgentState::Offline),
        ("free", AgentState::Free),
        ("busy-2", AgentState::Other("busy-2".to_owned())),
    ] {
        let event = testing::agent_status(wire).build();
        assert_eq!(status(&event).state.as_ref(), Some(&state));
        assert_eq!(serde_json::to_value(&event).unwrap()["Status"], wire);
        assert_eq!(
            (state.to_string(), wire.parse::<AgentState>().unwrap()),
            (wire.to_owned(), state.clone())
        );
        assert!(state == *wire && state.as_ref() == wire);
        assert_eq!(serde_json::from_value::<AgentState>(json!(wire)).unwrap(), state);
    }
}

/// In the query, in the body or in both, and in any case.
#[tokio::test]
async fn the_command_decides_wherever_it_is() {
    for (name, command, method) in
        [("member_status_change", STATUS, "on_agent_status"), ("task_flow_begin", FLOW, "on_task_flow")]
    {
        let body: Value = serde_json::from_str(&fixture(name)).unwrap();
        let mut without = body.clone();
        without.as_object_mut().unwrap().remove("CallbackCommand");
        let mut lower = body.clone();
        lower["CallbackCommand"] = command.to_lowercase().into();
        for delivery in [
            Delivery::of(body.to_string()).command(command),
            Delivery::of(without.to_string()).command(command),
            Delivery::of(body.to_string()).without_command(),
            Delivery::of(lower.to_string()).command(command.to_uppercase()),
            Delivery::of(lower.to_string()).without_command(),
            Delivery::of(format!("\u{feff}{body}")).command(command),
        ] {
            let (code, call) = send(delivery.clone()).await;
            assert_eq!((code, call.map(|(method, _)| method)), (0, Some(method)), "{delivery:?}");
        }
        assert_eq!(send(Delivery::of(body.to_string()).command(SESSION)).await.0, 40010);
        assert_eq!(send(Delivery::of(event_json("SessionEnd").to_string()).command(command)).await.0, 40010);
        assert_eq!(send(Delivery::of("{").command(command)).await.0, 40008);
        assert_eq!(send(Delivery::of("").command(command)).await.0, 0, "the console's check");
    }
}

#[tokio::test]
async fn what_an_event_is_follows_from_its_command_and_its_name() {
    let time = 1_725_540_020_017_i64;
    for (command, name, method) in [
        (SESSION, "SessionEnd", "on_session_end"),
        (SESSION, "TaskBegin", "on_unknown"),
        (SESSION, "Member.StatusChange", "on_unknown"),
        (STATUS, "Member.StatusChange", "on_agent_status"),
        (STATUS, "Member.SomethingNew", "on_unknown"),
        (STATUS, "SessionEnd", "on_unknown"),
        (FLOW, "TaskBegin", "on_task_flow"),
        (FLOW, "SomethingNew", "on_task_flow"),
        (FLOW, "SessionEnd", "on_task_flow"),
        (FLOW, "ChatBot.UserSendMsg", "on_task_flow"),
    ] {
        let body = json!({
            "CallbackCommand": command, "Event": name, "EventTime": time, "SessionId": "s", "Seq": 2, "ExecutionId": "e",
            "MemberId": "a", "Status": "ready", "MsgKey": "k",
        });
        let (got, event) = deliver(command, &body).await;
        assert_eq!((got, event.name.as_str()), (method, name), "{command}");
        assert_eq!(event.category() == Category::Unknown, method == "on_unknown");
        assert_eq!(event.command.as_str(), command);
        assert_eq!(event.other_fields.msg_key.as_deref(), Some("k"), "{command}: it belongs to no message");
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event, "{command} {name}");
    }
    assert_eq!(EventName::from("TaskBegin").category(), Category::Unknown, "of session events");
}

#[tokio::test]
async fn only_session_events_need_a_session() {
    for (command, name) in [(STATUS, "Member.StatusChange"), (FLOW, "TaskBegin"), (SESSION, "SessionEnd")] {
        let body = json!({"Event": name, "EventTime": 1, "SessionId": "s"});
        for (field, code) in [
            ("Event", 40011),
            ("EventTime", 40011),
            ("SessionId", if command == SESSION { 40011 } else { 0 }),
        ] {
            for absent in [json!(null), json!(""), json!([])] {
                let mut body = body.clone();
                body[field] = absent;
                let (got, call) = send(Delivery::of(body.to_string()).command(command)).await;
                assert_eq!(got, code, "{command} {field}");
                assert_eq!(call.is_some(), code == 0);
                if let Some((_, event)) = call {
                    assert_eq!((event.session(), event.session_id.as_str()), (None, ""));
                    assert!(
                        !serde_json::to_string(&event).unwrap().contains("SessionId\":\"\","),
                        "it is not written"
                    );
                    assert_eq!(
                        serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(),
                        event
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn everything_that_was_sent_is_written_again() {
    for (command, name) in [(STATUS, "member_status_change"), (FLOW, "task_flow_begin")] {
        let body: Value = serde_json::from_str(&fixture(name)).unwrap();
        let (_, event) = deliver(command, &body).await;
        let mut expected = body.clone();
        let written = serde_json::to_value(&event).unwrap();
        expected["SdkAppid"] = testing::APP.into();
        expected["Raw"] = body.to_string().into();
        for parameter in ["ClientIP", "OptPlatform", "RequestID"] {
            expected[parameter] = written[parameter].clone();
        }
        if command == STATUS {
            expected.as_object_mut().unwrap().remove("RestReason"); // empty
        } else {
            expected["TaskId"] = "3474".into(); // a number in the sample, a text in `TaskFlow`
        }
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
    }
}

#[test]
fn the_command_is_a_part_of_what_identifies_an_event() {
    let body = |command: &str| {
        json!({"SdkAppid": 7, "CallbackCommand": command, "SessionId": "s", "Event": "New", "EventTime": 5})
            .to_string()
    };
    let key = |command: &str| serde_json::from_str::<Event>(&body(command)).unwrap().dedup_key();
    assert_ne!(key(SESSION), key(STATUS));
    assert_ne!(key(SESSION), key(FLOW));
    assert_ne!(key(STATUS), key(FLOW));

    // Inboxes have stored this key, so it never changes.
    let stored = r#"{"SdkAppid":1400000000,"SessionId":"s-1","Event":"Human.UserSendMsg","EventTime":1725540020017,"MsgKey":"k","Raw":"{\"a\": 1}"}"#;
    let event: Event = serde_json::from_str(stored).unwrap();
    assert_eq!(event.command, Command::SessionEvent, "the first version wrote no other");
    assert_eq!(event.dedup_key().to_string(), "80000191c2332f31cde22d9c7a8faf907a17c0dee3b1d3d8");
}

#[test]
fn execution_and_number_identify_a_step() {
    let step = |seq| testing::task_flow("TaskBegin", seq);
    let key = step(1).build().dedup_key();
    for same in [
        step(1).field("EventTime", 7),
        step(1).session("another"),
        step(1).field("New", 1),
        step(1).field("Seq", "1"),
    ] {
        assert_eq!(same.build().dedup_key(), key, "{same}");
    }
    for other in [step(2), step(1).field("ExecutionId", "another"), step(1).field("Seq", 0)] {
        assert_ne!(other.build().dedup_key(), key, "{other}");
    }
    // Without one of them, everything else does.
    for name in ["ExecutionId", "Seq"] {
        let step = step(1).without(name);
        assert_eq!(step.build().dedup_key(), step.build().dedup_key());
        assert_ne!(step.build().dedup_key(), key);
        assert_ne!(step.build().dedup_key(), step.clone().field("EventTime", 7).build().dedup_key());
        assert_ne!(step.build().dedup_key(), step.clone().field("NodeId", "another").build().dedup_key());
    }
    let statuses = ["ready", "rest"].map(|status| testing::agent_status(status).build().dedup_key());
    assert_ne!(statuses[0], statuses[1]);
}

/// A program that was written before a category existed finds its events where it found them before.
#[tokio::test]
async fn events_of_a_newer_category_still_reach_on_unknown() {
    #[derive(Default)]
    struct Old(std::sync::Mutex<Vec<String>>);

    #[async_trait]
    impl EventHandler for Old {
        async fn on_unknown(&self, event: &Event) -> HandlerResult {
            self.0.lock().unwrap().push(event.name.to_string());
            Ok(())
        }
    }

    #[derive(Default)]
    struct New(Old);

    #[async_trait]
    impl EventHandler for New {
        async fn on_agent_status(&self, _: &Event, _: &AgentStatus) -> HandlerResult {
            Ok(())
        }

        async fn on_unknown(&self, event: &Event) -> HandlerResult {
            self.0.on_unknown(event).await
        }
    }

    let events = [
        testing::agent_status("ready").build(),
        testing::task_flow("TaskBegin", 1).build(),
        testing::event("New.Event").build(),
        testing::event("SessionEnd").build(),
    ];
    let (old, new) = (std::sync::Arc::new(Old::default()), std::sync::Arc::new(New::default()));
    let pointers: [std::sync::Arc<dyn EventHandler>; 2] = [old.clone(), new.clone()];
    for handler in pointers {
        for event in &events {
            Box::new(handler.clone()).on_event(event).await.unwrap();
        }
    }
    assert_eq!(*old.0.lock().unwrap(), ["Member.StatusChange", "TaskBegin", "New.Event"]);
    assert_eq!(*new.0.0.lock().unwrap(), ["TaskBegin", "New.Event"]);
}

/// Beside `tests/all/leniency.rs`, whose tables are about session events.
#[tokio::test]
async fn every_field_may_be_absent_or_odd() {
    let texts: [(&str, &str, &[&str]); 2] = [
        (STATUS, "member_status_change", &["RestReason"]),
        (FLOW, "task_flow_begin", &["TaskName", "Env", "NodeName", "ChannelType"]),
    ];
    let ids: [(&str, &str, &[&str]); 2] = [
        (STATUS, "member_status_change", &["MemberId"]),
        (
            FLOW,
            "task_flow_begin",
            &["ExecutionId", "TaskId", "RobotId", "NodeId", "NextNodeId", "ClientUserId"],
        ),
    ];
    let read = async |command: &str, body: &Value, way: &str| {
        let event = deliver(command, body).await.1;
        assert_eq!(event.raw(), body.to_string());
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(serde_json::from_value::<Event>(written.clone()).unwrap(), event);
        written.pointer(way).cloned().unwrap_or_default()
    };
    let with = |name: &str, way: &str, value: Value| {
        let mut body: Value = serde_json::from_str(&fixture(name)).unwrap();
        let (parent, field) = way.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value;
        body
    };
    let absent = [json!(null), json!(""), json!(0), json!(false), json!(1.5), json!([1]), json!({"a": 1})];
    for ((command, name, fields), is_id) in
        texts.into_iter().map(|row| (row, false)).chain(ids.map(|row| (row, true)))
    {
        for field in fields {
            let way = format!("/{field}");
            for value in absent.clone() {
                assert_eq!(
                    read(command, &with(name, &way, value.clone()), &way).await,
                    json!(null),
                    "{field} {value}"
                );
            }
            assert_eq!(read(command, &with(name, &way, json!("x")), &way).await, json!("x"), "{field}");
            let number = if is_id { json!("517") } else { json!(null) };
            assert_eq!(read(command, &with(name, &way, json!(517)), &way).await, number, "{field}");
        }
    }
    for (value, seq) in [
        (json!(3), json!(3)),
        (json!("3"), json!(3)),
        (json!(3.0), json!(3)),
        (json!(0), json!(0)),
        (json!(-1), json!(null)),
        (json!("three"), json!(null)),
        (json!(null), json!(null)),
        (json!([3]), json!(null)),
    ] {
        assert_eq!(read(FLOW, &with("task_flow_begin", "/Seq", value.clone()), "/Seq").await, seq, "{value}");
    }
    for value in absent.clone() {
        assert_eq!(
            read(STATUS, &with("member_status_change", "/Status", value), "/Status").await,
            json!(null)
        );
    }
    for (value, clients) in [
        (json!(null), json!(null)),
        (json!("Web"), json!(null)),
        (json!({"ClientType": "Web"}), json!(null)),
        (
            json!([null, 7, {"ClientType": 5, "IsConnected": "true"}, {}, []]),
            json!([{"IsConnected": true}, {}]),
        ),
        (
            json!([{"ClientType": "Web", "IsConnected": 0, "New": 1}]),
            json!([{"ClientType": "Web", "IsConnected": false}]),
        ),
    ] {
        assert_eq!(
            read(STATUS, &with("member_status_change", "/ClientInfo", value.clone()), "/ClientInfo").await,
            clients,
            "{value}"
        );
    }
    let many: Value = vec![json!({}); 5000].into();
    let (_, event) = deliver(STATUS, with("member_status_change", "/ClientInfo", many)).await;
    assert_eq!(status(&event).clients.len(), 1000);
}

#[tokio::test]
async fn half_an_emoji_or_a_name_twice_loses_nothing() {
    let body = r#"{"Event":"TaskBegin","EventTime":1,"Seq":1,"ExecutionId":"e","NodeName":"first","NodeName":"cut \ud83d","X":1e999}"#;
    let (_, event) = deliver(FLOW, body).await;
    assert_eq!((flow(&event).node_name.as_deref(), event.raw()), (Some("cut \u{FFFD}"), body));
    let body = r#"{"Event":"Member.StatusChange","EventTime":1,"MemberId":"a","ClientInfo":[{"ClientType":"\ude00"}],"Status":"ready"}"#;
    let (_, event) = deliver(STATUS, body).await;
    assert_eq!(status(&event).clients[0].client_type.as_deref(), Some("\u{FFFD}"));
    assert_eq!(status(&event).state, Some(AgentState::Ready));
}

/// What the kit makes has the fields that the vendor prints.
#[test]
fn the_kit_makes_every_command_as_the_vendor_prints_it() {
    let keys =
        |json: &Value| json.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    let printed = |name: &str| serde_json::from_str::<Value>(&fixture(name)).unwrap();
    assert_eq!(keys(testing::agent_status("free").json()), keys(&printed("member_status_change")));
    assert_eq!(keys(testing::task_flow("TaskBegin", 1).json()), keys(&printed("task_flow_begin")));
    assert_eq!(testing::contact_user().json(), &printed("contact_user_request"));
    assert_eq!(testing::invocation().json(), &printed("interfaceinvocation_request"));
    let printed = printed("onassignhuman_request_cn");
    for (fixture, command) in [
        (testing::assign_human(), "ChatBot.OnAssignHuman"),
        (testing::assign_agent(), "ChatBot.OnAssignAgent"),
    ] {
        assert_eq!(fixture.json()["CallbackCommand"], command);
        assert_eq!(
            fixture.clone().field("CustomerServiceId", "x").json().as_object().unwrap().len(),
            keys(&printed).len()
        );
        assert_eq!(fixture.json()["ClientUserId"], printed["ClientUserId"]);
        assert!(fixture.delivery().query().contains(command));
        assert_eq!(fixture.build().command, command);
    }
    assert_eq!(
        testing::request("Test.Echo").field("Say", "hi").json(),
        &json!({"CallbackCommand": "Test.Echo", "Say": "hi"})
    );
    assert!(testing::task_flow("TaskBegin", 1).delivery().query().contains(FLOW));
    assert!(testing::agent_status("ready").delivery().query().contains(STATUS));
}
