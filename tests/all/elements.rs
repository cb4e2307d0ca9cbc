//! Every element is typed, serializes as it was sent, and has a readable text.

use std::fs;

use serde_json::{Value, json};
use tencent_desk_webhook::event::{CustomElem, DeskMessage, Element, EventKind, Message, Src, Visibility};
use tencent_desk_webhook::{Event, event};

use crate::support::{deliver, event_json};

/// The samples of single elements, by their files' names.
pub(crate) fn fixtures() -> Vec<(String, Value)> {
    let folder = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let mut fixtures: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".json", ""))
        .filter(|name| name.starts_with("elem_") || name.starts_with("custom_"))
        .map(|name| (name.clone(), serde_json::from_str(&crate::support::fixture(&name)).unwrap()))
        .collect();
    fixtures.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(fixtures.len() >= 31, "{}", fixtures.len());
    fixtures
}

fn fixture(name: &str) -> Element {
    let (_, json) = fixtures().into_iter().find(|(known, _)| known == name).unwrap();
    serde_json::from_value(json).unwrap()
}

async fn message(elements: Value) -> Message {
    let mut body = event_json("Human.UserSendMsg");
    body["MsgBody"] = elements;
    match deliver(&body).await.1.kind {
        EventKind::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_sample_is_typed_and_serialized_as_it_was_sent() {
    for (name, json) in fixtures() {
        let message = message(json!([json])).await;
        assert!(!matches!(message.elements[0], Element::Unknown(_)), "{name}");
        assert_eq!(serde_json::to_value(&message.elements).unwrap(), json!([json]), "{name}");
        assert_eq!(serde_json::from_value::<Element>(json).unwrap(), message.elements[0], "{name}");
    }
}

#[test]
fn samples_have_the_documented_values() {
    let Element::Location(location) = fixture("elem_location") else { panic!() };
    assert_eq!((location.latitude, location.longitude), (Some(29.340656774469956), Some(116.77497920478824)));
    let Element::Image(image) = fixture("elem_image_observed_missing_fields") else { panic!() };
    assert_eq!((image.image_format, image.image_info_array.len()), (Some(255), 3));
    let second = &image.image_info_array[1];
    assert_eq!((second.kind, second.size, second.width, second.url.is_some()), (Some(2), None, None, true));
    let Element::Sound(sound) = fixture("elem_sound_sdk2x") else { panic!() };
    assert_eq!((sound.url, sound.size, sound.download_flag), (None, Some(62351), None));
    let Element::File(file) = fixture("elem_file") else { panic!() };
    assert!(file.file_name.unwrap().starts_with("file:///"));
    let Element::Video(video) = fixture("elem_video") else { panic!() };
    assert_eq!(
        (video.video_second, video.thumb_height, video.thumb_download_flag),
        (Some(5), Some(1280), Some(2))
    );
    let Element::Relay(relay) = fixture("elem_relay") else { panic!() };
    assert_eq!(relay.msg_list[0].msg_random, Some(3_998_651_049));
    assert_eq!(relay.msg_list[1].text(), "I think it's great.");
    let Element::Custom(custom) = fixture("elem_custom_older") else { panic!() };
    assert_eq!(custom.sound.as_deref(), Some("dingdong.aiff"));
    let Element::Face(face) = fixture("elem_face") else { panic!() };
    assert_eq!((face.index, face.data.as_deref()), (Some(1), Some("content")));
    let Element::Stream(stream) = fixture("elem_stream_send_form") else { panic!() };
    assert_eq!((stream.chunks[0].index, stream.chunks[0].is_last), (Some(1), Some(false)));
}

#[tokio::test]
async fn a_value_of_a_wrong_type_reads_as_absent() {
    for (kind, content) in [
        ("TIMTextElem", json!({"Text": 5})),
        ("TIMLocationElem", json!({"Desc": [], "Latitude": "north", "Longitude": {}})),
        ("TIMFaceElem", json!({"Index": 1.5, "Data": null})),
        ("TIMCustomElem", json!({"Data": {"a": 1}, "Ext": true})),
        ("TIMSoundElem", json!({"Size": -1, "Second": "x", "Url": 0})),
        ("TIMImageElem", json!({"ImageFormat": null, "ImageInfoArray": "none"})),
        ("TIMFileElem", json!({"FileSize": [1]})),
        ("TIMVideoFileElem", json!({"ThumbWidth": 1e20, "VideoSize": false})),
        ("TIMRelayElem", json!({"MsgNum": "two", "AbstractList": {}, "MsgList": 7})),
        ("TIMStreamElem", json!({"Chunks": {"a": 1}})),
    ] {
        for content in [content, json!({}), json!(null)] {
            let message = message(json!([{"MsgType": kind, "MsgContent": content}])).await;
            assert_eq!(
                serde_json::to_value(&message.elements[0]).unwrap(),
                json!({"MsgType": kind, "MsgContent": {}})
            );
        }
        let message = message(json!([{"MsgType": kind}])).await;
        assert!(!matches!(message.elements[0], Element::Unknown(_)), "{kind}");
    }
    let numbers =
        json!({"MsgType": "TIMSoundElem", "MsgContent": {"Size": "12", "Second": 3.0, "Download_Flag": "2"}});
    let Element::Sound(sound) = &message(json!([numbers])).await.elements[0] else { panic!() };
    assert_eq!((sound.size, sound.second, sound.download_flag), (Some(12), Some(3), Some(2)));
}

#[tokio::test]
async fn unknown_data_is_kept_unchanged() {
    for odd in [
        json!({"MsgType": "TIMNewElem", "MsgContent": {"a": [1, 2.5, "x"]}, "More": true}),
        json!({"MsgContent": {"Text": "of no type"}}),
        json!({"MsgType": "TIMTextElem", "MsgContent": "no object"}),
        json!({"MsgType": "TIMTextElem", "MsgContent": ["no object"]}),
        json!(["TIMTextElem", {"Text": "no object"}]),
        json!("text"),
    ] {
        let message =
            message(json!([odd, {"MsgType": "TIMTextElem", "MsgContent": {"Text": "after it"}}])).await;
        assert_eq!(message.elements[0], Element::Unknown(odd));
        assert_eq!(message.text(), "after it");
    }
}

/// Found by fuzzing: such an element was kept as unknown, and deserialized as known.
#[tokio::test]
async fn the_last_of_two_equal_names_in_an_element_counts() {
    let twice = |content: &str| {
        let body = event_json("Human.UserSendMsg").to_string();
        body.replacen('{', &format!(r#"{{"MsgBody":[{content}],"#), 1)
    };
    for element in [
        r#"{"MsgType":"TIMTextElem","MsgContent":{"Text":"first","Text":"last"}}"#,
        r#"{"MsgType":"TIMFaceElem","MsgType":"TIMTextElem","MsgContent":{"Text":"last"}}"#,
        r#"{"MsgType":"TIMRelayElem","MsgContent":{"Title":"first","Title":"last"}}"#,
        r#"{"MsgType":"TIMStreamElem","MsgContent":{"Chunks":[{"Markdown":"first","Markdown":"last"}]}}"#,
    ] {
        let (_, event) = deliver(twice(element)).await;
        let EventKind::Message(message) = &event.kind else { panic!("{event:?}") };
        assert_eq!(message.text(), "last", "{element}");
        assert_eq!(serde_json::from_value::<Event>(serde_json::to_value(&event).unwrap()).unwrap(), event);
    }
    let relayed =
        r#"{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"GroupId":"first","GroupId":"last"}]}}"#;
    let EventKind::Message(message) = deliver(twice(relayed)).await.1.kind else { panic!() };
    let Element::Relay(relay) = &message.elements[0] else { panic!("{message:?}") };
    assert_eq!(relay.msg_list[0].group_id.as_deref(), Some("last"));
}

#[tokio::test]
async fn nested_relays_are_typed_to_eight_levels_and_kept_below() {
    let mut element = json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "deep"}});
    for _ in 0..10 {
        element = json!({"MsgType": "TIMRelayElem", "MsgContent": {"MsgList": [{"MsgBody": [element]}]}});
    }
    let mut inner = message(json!([element])).await.elements.remove(0);
    let mut levels = 0;
    while let Element::Relay(mut relay) = inner {
        inner = relay.msg_list.remove(0).elements.remove(0);
        levels += 1;
    }
    assert_eq!(levels, 8);
    assert!(matches!(inner, Element::Unknown(_)), "{inner:?}");

    let open = r#"{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":["#.repeat(12_000);
    let close = "]}]}}".repeat(12_000);
    let body = event_json("Human.UserSendMsg").to_string();
    let (_, event) = deliver(body.replacen('{', &format!(r#"{{"MsgBody":[{open}{close}],"#), 1)).await;
    assert!(matches!(&event.kind, EventKind::Message(message) if message.elements.len() == 1));
}

#[tokio::test]
async fn the_text_of_a_message_is_that_of_its_elements() {
    let elements =
        ["elem_text", "elem_image", "custom_src12_typing", "elem_stream_send_form", "custom_src15_branch"];
    let all = fixtures();
    let elements: Vec<&Value> =
        elements.iter().map(|name| &all.iter().find(|(known, _)| known == name).unwrap().1).collect();
    assert_eq!(
        message(json!(elements)).await.text(),
        "hello world\n当前 chunk 增量文本\n请选择问题类型\n退费\n发票"
    );
    assert_eq!(message(json!([])).await.text(), "");
}

#[test]
fn each_element_has_a_readable_text() {
    for (name, text) in [
        ("elem_text", Some("hello world")),
        ("elem_location", Some("someinfo")),
        ("elem_face", None),
        ("elem_custom_current", None),
        ("elem_custom_older", Some("notification")),
        ("elem_sound", None),
        ("elem_image", None),
        ("elem_video", None),
        ("elem_relay", Some("Group chat history\nA: What do you think of this?\nB: I think it's great.")),
        ("custom_src07_enter_session", None),
        (
            "custom_src09_rating_request",
            Some("请对本次服务进行评价\n非常不满意\n不满意\n一般\n满意\n非常满意"),
        ),
        ("custom_src10_rating_submit", None),
        ("custom_src19_session_end", None),
        ("custom_src21_form_input", Some("请补充信息\nA")),
        ("custom_src22_product_card", Some("卡片标题\n卡片描述")),
        ("custom_src29_welcome", Some("您好\n如何退费")),
        ("custom_src30_rich_text", Some("# Markdown **text**\n![img](https://example.com/a.png)")),
        ("custom_src31_stream_text", Some("您好，退费流程如下：")),
        ("custom_src32_task_branch", Some("请选择\nA")),
        ("custom_src33_info_collector", Some("请填写信息\n手机号\n性别")),
        ("custom_chatbotplugin_stream", Some("块1块2")),
    ] {
        assert_eq!(fixture(name).text().as_deref(), text, "{name}");
    }
}

#[test]
fn elements_that_clients_cannot_show_have_the_clients_text() {
    for (json, text) in [
        (json!({"MsgType": "TIMStreamElem", "MsgContent": {"CompatibleText": "upgrade"}}), Some("upgrade")),
        (json!({"MsgType": "TIMRelayElem", "MsgContent": {"CompatibleText": "upgrade"}}), Some("upgrade")),
        (json!({"MsgType": "TIMRelayElem", "MsgContent": {"JsonMsgKey": "key"}}), None),
        (json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": ""}}), None),
    ] {
        assert_eq!(serde_json::from_value::<Element>(json).unwrap().text().as_deref(), text);
    }
}

#[test]
fn desks_own_messages_are_distinguished() {
    for (name, src, visibility) in [
        ("custom_src07_enter_session", Src::EnterSession, Visibility::Hidden),
        ("custom_src09_rating_request", Src::RatingRequest, Visibility::Message),
        ("custom_src10_rating_submit", Src::RatingAnswer, Visibility::Hidden),
        ("custom_src12_typing", Src::Typing, Visibility::Hidden),
        ("custom_src15_branch", Src::Branch, Visibility::Message),
        ("custom_src19_session_end", Src::SessionEnd, Visibility::Tip),
        ("custom_src20_timeout_end", Src::TimeoutEnd, Visibility::Tip),
        ("custom_src21_form_input", Src::FormInput, Visibility::Message),
        ("custom_src22_product_card", Src::ProductCard, Visibility::Message),
        ("custom_src23_rating_rule", Src::RatingRule, Visibility::Hidden),
        ("custom_src24_rating_trigger", Src::RatingTrigger, Visibility::Hidden),
        ("custom_src27_user_end_session", Src::UserEndSession, Visibility::Hidden),
        ("custom_src29_welcome", Src::Welcome, Visibility::Message),
        ("custom_src30_rich_text", Src::RichText, Visibility::Message),
        ("custom_src31_stream_text", Src::StreamText, Visibility::Message),
        ("custom_src32_task_branch", Src::TaskBranch, Visibility::Message),
        ("custom_src33_info_collector", Src::InfoCollector, Visibility::Message),
        ("custom_chatbotplugin_stream", Src::ChatBotStream, Visibility::Message),
    ] {
        let Element::Custom(custom) = fixture(name) else { panic!("{name}") };
        let message = custom.desk_message().unwrap();
        assert_eq!((message.src, message.visibility()), (src, visibility), "{name}");
        assert_eq!(message.is_control(), visibility == Visibility::Hidden, "{name}");
        let data: Value = serde_json::from_str(&custom.data.unwrap()).unwrap();
        assert_eq!(message.json, data, "{name}");
    }
}

#[test]
fn the_marker_of_desks_own_messages_is_read_as_its_clients_do() {
    let src = |data: &str| {
        let json = json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}});
        let Element::Custom(custom) = serde_json::from_value(json).unwrap() else { panic!() };
        custom.desk_message().map(|message| message.src)
    };
    for (data, expected) in [
        (r#"{"customerServicePlugin":"0","src":"15"}"#, Some(Src::Branch)),
        (r#"{"customerServicePlugin":0,"src":15}"#, Some(Src::Branch)),
        (r#"{"src":"8"}"#, Some(Src::Origin(8))),
        (r#"{"chatbotPlugin":1,"src":23}"#, Some(Src::ChatBotOther(23))),
        (r#"{"customerServicePlugin":0,"src":"99"}"#, Some(Src::Other(99))),
        (r#"{"customerServicePlugin":1,"src":"15"}"#, None),
        (r#"{"customerServicePlugin":0}"#, None),
        (r#"{"customerServicePlugin":0,"src":"x"}"#, None),
        ("[15]", None),
        ("message", None),
        ("", None),
    ] {
        assert_eq!(src(data), expected, "{data}");
    }
    assert!(!Src::Other(99).visibility().eq(&Visibility::Hidden), "unknown messages are not hidden");
    assert_eq!(CustomElem::default().desk_message(), None);
}

#[test]
fn desks_messages_survive_half_an_emoji_and_numbers_beyond_f64() {
    for data in [
        r#"{"customerServicePlugin":0,"src":"30","content":"cut \ud83d"}"#,
        r#"{"customerServicePlugin":0,"src":"30","content":"cut \ufffd","\ud800":1e999}"#,
    ] {
        let custom: CustomElem = serde_json::from_value(json!({ "Data": data })).unwrap();
        let message = custom.desk_message().unwrap_or_else(|| panic!("{data}"));
        assert_eq!(message.text().as_deref(), Some("cut \u{FFFD}"), "{data}");
        assert_eq!(Element::Custom(custom).text().as_deref(), Some("cut \u{FFFD}"), "{data}");
    }
}

#[test]
fn each_src_has_its_number() {
    for (plugin, marker) in [("customerServicePlugin", 0), ("chatbotPlugin", 1)] {
        for src in -1..=40 {
            let message = DeskMessage::parse(&json!({plugin: marker, "src": src}).to_string()).unwrap();
            assert_eq!(message.src.code(), src, "{plugin}");
        }
    }
}

/// A program may store the content of an element without the element.
#[test]
fn the_content_of_each_element_deserializes_on_its_own() {
    fn check<T: serde::de::DeserializeOwned + serde::Serialize>(msg_type: &str) {
        let content = tencent_desk_webhook::testing::element(msg_type)["MsgContent"].take();
        let text: T = serde_json::from_str(&content.to_string()).unwrap();
        let value: T = serde_json::from_value(content.clone()).unwrap();
        assert_eq!(serde_json::to_value(text).unwrap(), content, "{msg_type}");
        assert_eq!(serde_json::to_value(value).unwrap(), content, "{msg_type}");
        assert!(serde_json::from_value::<T>(json!([])).is_err(), "{msg_type}");
    }

    check::<event::TextElem>("TIMTextElem");
    check::<event::LocationElem>("TIMLocationElem");
    check::<event::FaceElem>("TIMFaceElem");
    check::<event::CustomElem>("TIMCustomElem");
    check::<event::SoundElem>("TIMSoundElem");
    check::<event::ImageElem>("TIMImageElem");
    check::<event::FileElem>("TIMFileElem");
    check::<event::VideoElem>("TIMVideoFileElem");
    check::<event::RelayElem>("TIMRelayElem");
    check::<event::StreamElem>("TIMStreamElem");
}
