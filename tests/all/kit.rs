//! The test kit creates valid deliveries, and invalid ones with exactly one fault.

use std::{collections::BTreeSet, time::SystemTime};

use http::{HeaderName, HeaderValue, Method};
use serde_json::json;
use tencent_desk_webhook::{
    Verifier, Webhook,
    event::{Element, EventKind, EventName, Src, Visibility},
    handler::AtDeadline,
    testing::{self, APP, Behaviour, Delivery, ELEMENT_TYPES, NOW, Recorder, Scenario, error_code, verifier},
};

use crate::support::{at, fixture};

async fn ask(verifier: Verifier, delivery: &Delivery) -> i64 {
    error_code(Webhook::new(verifier, Recorder::default()).handle(delivery.request()).await)
}

#[tokio::test]
async fn an_invalid_delivery_has_one_fault() {
    let right = testing::event("SessionBegin").delivery();
    for (delivery, code) in [
        (right.clone(), 0),
        (right.clone().wrong_signature(), 40104),
        (right.clone().token("another"), 40104),
        (right.clone().stale(), 40103),
        (right.clone().at(at(NOW + 61)), 40103),
        (right.clone().at(at(NOW - 60)), 0),
        (right.clone().now(), 40103),
        (right.clone().foreign_app(), 40301),
        (right.clone().without_app(), 40301),
        (right.clone().unsigned(), 40101),
        (right.clone().command("Another.Command"), 40010),
        (right.clone().without_command(), 0),
        (right.clone().without_request_id(), 0),
        (right.clone().parameter("extra", "and ünencoded"), 0),
        (right.clone().parameter("sign", "00"), 40002),
        (right.clone().method(Method::GET), 40501),
        (right.clone().path("/elsewhere"), 0),
        (
            right
                .clone()
                .header(HeaderName::from_static("content-encoding"), HeaderValue::from_static("gzip")),
            40004,
        ),
        (Delivery::of("{"), 40008),
        (Delivery::of(""), 0),
    ] {
        assert_eq!(ask(verifier(), &delivery).await, code, "{delivery:?}");
    }
    let real = Verifier::signed(7, "real");
    assert_eq!(ask(real, &right.clone().app(7).token("real").at(SystemTime::now())).await, 0);
    assert_eq!(right.clone().path("/elsewhere").request().uri().path(), "/elsewhere");
}

#[tokio::test]
async fn a_clone_is_a_duplicate() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone());
    let fixture = testing::event("SessionBegin");
    let delivery = fixture.delivery();
    for delivery in [&delivery, &delivery.clone(), &fixture.delivery(), &delivery.clone().request_id("mine")]
    {
        assert_eq!(error_code(webhook.handle(delivery.request()).await), 0);
    }
    assert_eq!(error_code(webhook.handle(delivery.without_request_id().request()).await), 0);
    let ids: Vec<_> = recorder.events().into_iter().map(|event| event.request_id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!((ids[3].as_deref(), ids[4].as_deref()), (Some("mine"), None));
}

#[test]
fn every_event_has_plausible_fields() {
    for name in EventName::documented() {
        let event = testing::event(name.as_str()).build();
        assert_eq!((event.sdk_app_id, &event.name), (APP, &name));
        assert!(
            event.client_user_id.is_some() && event.customer_service_id.is_some() && event.channel.is_some()
        );
        assert_eq!(event.other_fields, Default::default(), "{name}");
        let agent = match &event.kind {
            EventKind::Message(message) => {
                assert!(!message.text().is_empty() && message.key.is_some(), "{name}");
                name.as_str().starts_with("Human")
            }
            EventKind::Transfer(transfer) => {
                assert_eq!(transfer.from_agent_id.is_some(), name == EventName::AgentForward);
                matches!(name, EventName::AgentForward | EventName::TransferToHumanSuccess)
            }
            EventKind::Satisfaction(satisfaction) => {
                assert_eq!(satisfaction.stars, Some(5));
                true
            }
            _ => false,
        };
        assert_eq!(event.agent_id.is_some(), agent, "{name}");
    }
    assert!(matches!(testing::event("New.Event").build().kind, EventKind::Unknown));
}

#[test]
fn setters_change_the_field_that_they_name() {
    let fixture = testing::event("Human.UserSendMsg")
        .session("s-2")
        .user("u-2")
        .agent("a-2")
        .time(at(7))
        .stars(3)
        .field("New", 1)
        .without("ChannelType");
    let event = fixture.build();
    assert_eq!((event.session_id.as_str(), event.time), ("s-2", at(7)));
    assert_eq!((event.client_user_id.as_deref(), event.agent_id.as_deref()), (Some("u-2"), Some("a-2")));
    assert_eq!((event.other_fields.stars, &event.channel), (Some(3), &None));
    assert!(event.raw().contains("\"New\":1"));
    for &msg_type in ELEMENT_TYPES {
        let event = testing::event("Human.UserSendMsg").element(msg_type).build();
        let EventKind::Message(message) = event.kind else { panic!("{event:?}") };
        assert!(!matches!(message.elements[0], Element::Unknown(_)), "{msg_type}");
        assert_eq!(serde_json::to_value(&message.elements[0]).unwrap(), testing::element(msg_type));
    }
    assert!(std::panic::catch_unwind(|| testing::element("TIMNewElem")).is_err());
    assert!(std::panic::catch_unwind(|| testing::event("SessionBegin").session("").build()).is_err());
}

#[test]
fn desks_messages_of_every_src_are_distinguished() {
    let known: Vec<Src> = (1..=33)
        .map(|src| {
            let json = testing::desk_message(src, json!({"content": "x"}));
            let Element::Custom(custom) = serde_json::from_value(json).unwrap() else { panic!("{src}") };
            custom.desk_message().unwrap().src
        })
        .collect();
    assert_eq!(known.iter().filter(|src| matches!(src, Src::Other(14 | 16))).count(), 2);
    assert_eq!(known.iter().filter(|src| matches!(src, Src::Other(_))).count(), 2);
    assert_eq!(known.iter().filter(|src| matches!(src, Src::Origin(1..=5 | 8))).count(), 6);
    let shown: Vec<usize> = (1..=33)
        .filter(|src| known[src - 1].visibility() == Visibility::Message)
        .filter(|src| ![14, 16].contains(src))
        .collect();
    assert_eq!(shown, [9, 13, 15, 21, 22, 28, 29, 30, 31, 32, 33]);
}

#[test]
fn a_scenario_is_a_whole_session() {
    let names = |scenario: Scenario| -> Vec<String> {
        scenario.into_iter().map(|event| event.json()["Event"].as_str().unwrap().to_owned()).collect()
    };
    let session = Scenario::new("s-9");
    let in_order = names(session.clone());
    assert_eq!(
        (in_order.first().unwrap().as_str(), in_order.last().unwrap().as_str()),
        ("SessionBegin", "SessionEnd")
    );
    let events: Vec<_> = session.clone().into_iter().map(|event| event.build()).collect();
    assert!(events.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert!(events.iter().all(|event| event.session_id == "s-9"));
    let keys: BTreeSet<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Message(message) => message.key.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), events.iter().filter(|event| matches!(event.kind, EventKind::Message(_))).count());

    let mut sorted = in_order.clone();
    sorted.sort();
    let mut orders = BTreeSet::new();
    for seed in 0..20 {
        let shuffled = names(session.clone().shuffled(seed));
        assert_eq!(shuffled, names(session.clone().shuffled(seed)));
        let mut again = shuffled.clone();
        again.sort();
        assert_eq!(again, sorted);
        orders.insert(shuffled);
    }
    assert!(orders.len() > 15, "{}", orders.len());
    let twice = names(session.repeated(2));
    assert_eq!(twice.len(), 2 * in_order.len());
    assert_eq!((&twice[0], &twice[1]), (&in_order[0], &in_order[0]));
}

#[test]
fn a_scenario_shows_how_a_session_can_go() {
    let session = |scenario: Scenario| -> Vec<tencent_desk_webhook::Event> {
        scenario.into_iter().map(|event| event.build()).collect()
    };
    for (scenario, has, lacks) in [
        (Scenario::no_agent_online("s"), "NoAgentOnline", "Human.AgentSendMsg"),
        (Scenario::forwarded("s"), "AgentForward", "NoAgentOnline"),
        (Scenario::user_timeout("s"), "SessionUserTimeoutEnd", "Human.UserSendMsg"),
        (Scenario::agent_timeout("s"), "SessionAgentTimeoutEnd", "SessionAgentEnd"),
        (Scenario::left_queue("s"), "SessionPendingAutoFinishEnd", "TransferToHumanSuccess"),
    ] {
        let events = session(scenario);
        assert_eq!(events.iter().filter(|event| event.name == has).count(), 1, "{has}");
        assert!(events.iter().all(|event| event.name != lacks && event.session_id == "s"), "{has}");
        assert!(events.windows(2).all(|pair| pair[0].time <= pair[1].time), "{has}");
        let keys: BTreeSet<_> = events.iter().map(tencent_desk_webhook::Event::dedup_key).collect();
        assert_eq!(keys.len(), events.len(), "{has}");
        let silence = events.windows(2).map(|pair| pair[1].time_millis() - pair[0].time_millis()).max();
        let times_out = has.contains("Timeout") || has.contains("Pending");
        assert_eq!(silence, Some(if times_out { 600_000 } else { 1000 }), "{has}");
    }
    let forwarded = session(Scenario::forwarded("s"));
    let forward = forwarded.iter().position(|event| event.name == "AgentForward").unwrap();
    let EventKind::Transfer(transfer) = &forwarded[forward].kind else { panic!("{:?}", forwarded[forward]) };
    assert_eq!(transfer.from_agent_id, forwarded[forward - 1].agent_id);
    assert_ne!(transfer.from_agent_id, forwarded[forward].agent_id);
}

#[test]
fn a_scenario_takes_gaps_and_further_events() {
    let gaps = [0, 350, 7000].map(std::time::Duration::from_millis);
    let plain = Scenario::new("s").gaps(gaps);
    let times: Vec<i64> = plain.clone().into_iter().map(|event| event.build().time_millis()).collect();
    let between: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(between[..5], [0, 350, 7000, 0, 350]);

    let count = times.len();
    for place in [0, 3, count, 1000] {
        let events: Vec<_> = plain
            .clone()
            .insert(place, testing::event("New.Event"))
            .insert(1000, testing::event("Human.UserSendMsg"))
            .into_iter()
            .map(|event| event.build())
            .collect();
        let inserted = &events[place.min(count)];
        assert_eq!((inserted.name.as_str(), inserted.session_id.as_str()), ("New.Event", "s"));
        assert!(events.windows(2).all(|pair| pair[0].time <= pair[1].time));
        let keys: BTreeSet<_> = events.iter().map(tencent_desk_webhook::Event::dedup_key).collect();
        assert_eq!(keys.len(), count + 2);
    }
}

#[test]
fn a_delivery_shows_its_parts() {
    let fixture = testing::event("SessionBegin");
    let delivery = fixture.delivery();
    assert_eq!(delivery.body(), fixture.to_string().as_bytes());
    assert_eq!(delivery.uri(), *delivery.request().uri());
    assert_eq!(delivery.uri().query().unwrap(), delivery.query());
    let elsewhere = delivery.path("https://desk.example.com/desk/callback");
    assert_eq!(elsewhere.uri().host(), Some("desk.example.com"));
    assert!(elsewhere.to_curl().starts_with("curl -i 'https://desk.example.com/desk/callback?SdkAppid="));
}

/// A shell and curl send the same request from the command as `request` creates from the delivery.
#[test]
fn a_delivery_as_a_command_sends_the_same() {
    use std::{
        io::{Read as _, Write as _},
        process::{Command, Stdio},
    };

    let curl = Command::new("curl").arg("--version").output();
    if curl.is_err() {
        assert!(std::env::var_os("CI").is_none(), "this test needs curl");
        eprintln!("left out: curl is not installed");
        return;
    }
    let quotes = testing::event("Human.UserSendMsg").text("it's \"here\" \\ `$HOME` @x\n%s 请问").delivery();
    for delivery in [
        quotes.clone().header(HeaderName::from_static("x-test"), HeaderValue::from_static("it's")),
        quotes.method(Method::PUT),
        Delivery::of("@file"),
        Delivery::of(vec![0, 255, b'\'', b'\\', b'%', b'7', 0xE4]),
    ] {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let delivery = delivery.path(format!("http://{}/desk", server.local_addr().unwrap()));
        let mut client = Command::new("sh")
            .arg("-c")
            .arg(delivery.to_curl())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let count = stream.read(&mut buffer).unwrap();
                received.extend_from_slice(&buffer[..count]);
                let Some(end) = received.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
                let head = String::from_utf8(received[..end].to_vec()).unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
                if received.len() == end + 4 + length.parse::<usize>().unwrap() {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                    return (head, received[end + 4..].to_vec());
                }
            }
        });
        let (head, body) = serve.join().unwrap();
        assert!(client.wait().unwrap().success());
        let request = delivery.request();
        assert_eq!(&body, delivery.body());
        let line = format!("{} {} HTTP/1.1", request.method(), request.uri().path_and_query().unwrap());
        assert_eq!(head.lines().next().unwrap(), line);
        for (name, value) in request.headers() {
            assert!(head.contains(&format!("{name}: {}", value.to_str().unwrap())), "{head}");
        }
    }
}

/// A framework's middleware wraps the response's body in its own type.
#[tokio::test]
async fn an_error_code_is_read_from_any_body() {
    use http_body_util::{BodyExt as _, combinators::BoxBody};

    let webhook = Webhook::new(verifier(), Recorder::default());
    let answer = webhook.handle(testing::event("SessionEnd").delivery().stale().request()).await;
    assert_eq!(error_code(answer.map(|body| BoxBody::new(body.map_err(std::io::Error::other)))), 40103);
    assert_eq!(error_code(http::Response::new(r#"{"ErrorCode":7}"#.to_owned())), 7);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_records_events_and_failures() {
    let recorder = Recorder::default();
    let webhook = Webhook::new(verifier(), recorder.clone()).at_deadline(AtDeadline::Refuse);
    recorder.set_behaviour(Behaviour::StallAndFail);
    let delivery = testing::event("SessionEnd").delivery();
    assert_eq!(error_code(webhook.handle(delivery.request()).await), 50303);
    assert_eq!((recorder.calls().len(), recorder.finished()), (1, 0));
    recorder.called(1).await;
    recorder.release();
    webhook.drained(crate::support::LONG).await;
    assert_eq!((recorder.finished(), recorder.late_failures()[0].1.as_str()), (1, "set to fail"));
    assert_eq!(recorder.calls()[0].method, "on_session_end");
    recorder.forget();
    assert!(recorder.calls().is_empty() && recorder.late_failures().is_empty());
}

/// The kit's samples equal the vendor's, apart from links.
#[test]
fn samples_have_the_fields_of_the_vendors_samples() {
    for (msg_type, name) in [
        ("TIMTextElem", "elem_text"),
        ("TIMLocationElem", "elem_location"),
        ("TIMFaceElem", "elem_face"),
        ("TIMCustomElem", "elem_custom_older"),
        ("TIMSoundElem", "elem_sound"),
        ("TIMImageElem", "elem_image"),
        ("TIMFileElem", "elem_file"),
        ("TIMVideoFileElem", "elem_video"),
        ("TIMStreamElem", "elem_stream_send_form"),
    ] {
        let vendors: serde_json::Value = serde_json::from_str(&fixture(name)).unwrap();
        let keys = |json: &serde_json::Value| -> BTreeSet<String> {
            json["MsgContent"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(keys(&testing::element(msg_type)), keys(&vendors), "{msg_type}");
    }
}
