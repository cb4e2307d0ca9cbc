//! Whatever the library reads and writes is valid by the schemas that it publishes.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::Path};

use jsonschema::Validator;
use proptest::{strategy::Strategy as _, test_runner::TestRunner};
use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event,
    event::EventName,
    session::sessions,
    testing::{self, ELEMENT_TYPES, EventFixture, Scenario},
};

#[path = "../../properties/src/sessions/scenarios.rs"]
mod scenarios;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// With formats: `date-time` and `uri-reference` are no mere hints.
fn schema(path: &str) -> Validator {
    jsonschema::options().should_validate_formats(true).build(&read(Path::new(ROOT).join(path))).unwrap()
}

struct Schemas {
    callback: Validator,
    event: Validator,
    session: Validator,
    cloud_event: Validator,
    /// The fields that an event may have.
    fields: Vec<String>,
}

impl Schemas {
    fn read() -> Self {
        let document = read(Path::new(ROOT).join("docs/schema/event.schema.json"));
        Self {
            callback: schema("docs/schema/callback.schema.json"),
            event: schema("docs/schema/event.schema.json"),
            session: schema("docs/schema/session.schema.json"),
            cloud_event: schema("tests/schemas/cloudevents/cloudevents.json"),
            fields: document["properties"].as_object().unwrap().keys().cloned().collect(),
        }
    }

    fn check(&self, event: &Event) {
        let record = serde_json::to_value(event).unwrap();
        valid(&self.event, &record);
        for field in record.as_object().unwrap().keys() {
            assert!(self.fields.contains(field), "{field} is not in the schema of an event");
        }
        let cloud_event = event.to_cloudevent();
        valid(&self.cloud_event, &cloud_event);
        valid(&self.event, &cloud_event["data"]);
        for session in sessions([event]) {
            valid(&self.session, &serde_json::to_value(session).unwrap());
        }
    }

    fn check_both(&self, fixture: &EventFixture) {
        valid(&self.callback, fixture.json());
        self.check(&fixture.build());
    }
}

fn valid(schema: &Validator, json: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {json:#}");
}

#[test]
fn every_notification_is_valid() {
    let schemas = Schemas::read();
    for fixture in [
        testing::agent_status("ready"),
        testing::agent_status("rest").field("RestReason", "lunch").without("MemberId"),
        testing::task_flow("TaskBegin", 1),
        testing::task_flow("SomethingNew", 2).without("SessionId").without("Seq"),
    ] {
        schemas.check(&fixture.build());
    }
    let mut record = serde_json::to_value(testing::event("SessionEnd").build()).unwrap();
    record.as_object_mut().unwrap().remove("SessionId");
    assert!(!schemas.event.is_valid(&record), "a session event has a session");
}

#[test]
fn every_fixture_is_valid() {
    let schemas = Schemas::read();
    let (mut callbacks, mut elements) = (0, 0);
    for file in fs::read_dir(Path::new(ROOT).join("tests/fixtures")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        if name.starts_with("desk_session_event") {
            let body = read(&path);
            valid(&schemas.callback, &body);
            let mut fixture = testing::event("SessionBegin");
            for (field, value) in body.as_object().unwrap() {
                fixture = fixture.field(field, value.clone());
            }
            schemas.check_both(&fixture);
            callbacks += 1;
        } else if ["member_status_change.json", "task_flow_begin.json"].contains(&&*name) {
            let body = read(&path);
            valid(&schemas.callback, &body);
            let mut record = body.clone();
            record["SdkAppid"] = testing::APP.into();
            schemas.check(&serde_json::from_value(record).unwrap());
            callbacks += 1;
        } else if name.starts_with("elem_") || name.starts_with("custom_") {
            schemas.check_both(&testing::event("Human.UserSendMsg").elements([read(&path)]));
            elements += 1;
        }
    }
    assert!(callbacks >= 4 && elements >= 31, "{callbacks} callbacks and {elements} elements were found");
}

#[test]
fn every_event_of_the_test_kit_is_valid() {
    let schemas = Schemas::read();
    for name in EventName::documented().map(|name| name.to_string()).chain(["New.Event".to_owned()]) {
        schemas.check_both(&testing::event(&name));
        for element in ELEMENT_TYPES {
            schemas.check_both(&testing::event(&name).element(element));
        }
    }
    for event in Scenario::new("s-1") {
        schemas.check_both(&event);
    }
    for status in ["ready", "rest", "free"] {
        schemas.check_both(&testing::agent_status(status));
    }
    schemas.check_both(&testing::task_flow("TaskBegin", 1));
}

#[test]
fn every_generated_session_is_valid() {
    let schemas = Schemas::read();
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let events = scenarios::events().new_tree(&mut runner).unwrap();
        let events = proptest::strategy::ValueTree::current(&events);
        for event in &events {
            schemas.check(event);
            valid(&schemas.callback, &serde_json::from_str(event.raw()).unwrap());
        }
        for session in sessions(&events) {
            valid(&schemas.session, &serde_json::to_value(session).unwrap());
        }
    }
}

/// What the corpus of the fuzz targets holds is odd, and comes out in good order all the same.
#[test]
fn what_was_read_from_odd_bodies_is_written_validly() {
    let schemas = Schemas::read();
    let mut read = 0;
    for file in fs::read_dir(Path::new(ROOT).join("tests/corpus/event")).unwrap() {
        let Ok(body) = fs::read_to_string(file.unwrap().path()) else { continue };
        let Some(members) = body.trim().strip_prefix('{') else { continue };
        if let Ok(event) = serde_json::from_str::<Event>(&format!("{{\"SdkAppid\":7,{members}")) {
            schemas.check(&event);
            read += 1;
        }
    }
    assert!(read > 30, "{read} were read");
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let schemas = Schemas::read();
    let event = serde_json::to_value(testing::event("SessionBegin").build()).unwrap();
    for (field, value) in [
        ("SessionId", Value::Null),
        ("EventTime", json!("soon")),
        ("SdkAppid", json!("7")),
        ("MsgBody", json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}}])),
        ("IsContactUser", json!(1)),
    ] {
        let mut event = event.clone();
        event[field] = value;
        assert!(!schemas.event.is_valid(&event), "{event}");
    }
    for (field, value) in [("SessionId", json!([])), ("EventTime", json!("soon")), ("Event", Value::Null)] {
        let mut body = testing::event("SessionBegin").json().clone();
        body[field] = value;
        assert!(!schemas.callback.is_valid(&body), "{body}");
    }
    for (field, value) in
        [("id", json!("")), ("time", json!("today")), ("source", json!("http://[")), ("type", json!(7))]
    {
        let mut event = testing::event("SessionBegin").build().to_cloudevent();
        event[field] = value;
        assert!(!schemas.cloud_event.is_valid(&event), "{event}");
    }
}

/// Leap days, and the ends of the range.
#[test]
fn times_are_those_of_the_calendar() {
    for (millis, expected) in [
        (0_i64, Some("1970-01-01T00:00:00.000Z")),
        (-1, Some("1969-12-31T23:59:59.999Z")),
        (951_782_400_000, Some("2000-02-29T00:00:00.000Z")),
        (1_709_208_000_001, Some("2024-02-29T12:00:00.001Z")),
        (4_107_542_399_999, Some("2100-02-28T23:59:59.999Z")),
        (4_107_542_400_000, Some("2100-03-01T00:00:00.000Z")),
        (-62_167_219_200_000, Some("0000-01-01T00:00:00.000Z")),
        (253_402_300_799_999, Some("9999-12-31T23:59:59.999Z")),
        (253_402_300_800_000, None),
        (-62_167_219_200_001, None),
        (i64::MAX, None),
    ] {
        let json = json!({"SdkAppid": 7, "SessionId": "s", "Event": "SessionEnd", "EventTime": millis});
        let event: Event = serde_json::from_value(json).unwrap();
        assert_eq!(event.to_cloudevent()["time"].as_str(), expected, "{millis}");
    }
}
