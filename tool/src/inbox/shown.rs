//! A stored event, as operators see it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event,
    event::EventKind,
    inbox::{DeadLetter, Pending},
};

use super::{personal::hidden, selection::State};
use crate::{
    output::{Colour, Output},
    text::{printable, shortened},
};

pub(super) struct Shown {
    pub(super) id: i64,
    pub(super) state: State,
    event: Option<Event>,
    json: String,
    stored: SystemTime,
    attempts: u32,
    crashes: u32,
    error: Option<String>,
    next_attempt: Option<SystemTime>,
    died: Option<SystemTime>,
}

impl Shown {
    pub(super) fn pending(event: Pending) -> Self {
        let state = if event.held {
            State::Running
        } else if event.attempts > 0 || event.next_attempt.is_some() {
            State::Retrying
        } else {
            State::Waiting
        };
        Self {
            id: event.id,
            state,
            event: event.event,
            json: event.json,
            stored: event.stored,
            attempts: event.attempts,
            crashes: event.crashes,
            error: event.error,
            next_attempt: event.next_attempt,
            died: None,
        }
    }

    pub(super) fn dead(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            state: State::Dead,
            event: letter.event,
            json: letter.json,
            stored: letter.stored,
            attempts: letter.attempts,
            crashes: 0,
            error: Some(letter.error),
            next_attempt: None,
            died: Some(letter.died),
        }
    }

    pub(super) fn line(&self, reveal: bool, output: &Output) -> String {
        let colour = match self.state {
            State::Dead => Colour::Red,
            State::Retrying => Colour::Yellow,
            State::Running => Colour::Green,
            State::Waiting => Colour::Grey,
        };
        let state = output.paint(colour, &format!("{:<8}", self.state.name()));
        let mut parts = vec![format!("{:>6} {state} {:>6} old", self.id, age(since(self.stored)))];
        match &self.event {
            Some(event) => {
                parts.push(printable(&format!("{} {}", shortened(&event.session_id, 40), event.name)));
            }
            None => parts.push("cannot be read by this version".to_owned()),
        }
        if self.attempts > 0 {
            parts.push(format!("{} failed", self.attempts));
        }
        if let Some(next) = self.next_attempt {
            parts
                .push(format!("next in {}", age(next.duration_since(SystemTime::now()).unwrap_or_default())));
        }
        if let Some(error) = &self.error {
            parts.push(printable(&shortened(error, 200)));
        }
        if let (true, Some(event)) = (reveal, &self.event) {
            let user = event.client_user_id.as_deref().unwrap_or("(not named)");
            parts.push(printable(&shortened(&format!("user {user}: {}", text(event)), 200)));
        }
        parts.join("  ")
    }

    pub(super) fn lines(&self, reveal: bool) -> Vec<String> {
        let record = self.json(reveal);
        let fields = record.as_object().into_iter().flatten().filter(|(name, _)| *name != "record");
        let mut lines: Vec<String> = fields
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                format!("{name:<13} {}", printable(&value))
            })
            .collect();
        let pretty = serde_json::to_string_pretty(&record["record"]).unwrap_or_default();
        lines.extend(pretty.lines().map(printable));
        lines
    }

    pub(super) fn json(&self, reveal: bool) -> Value {
        let event = self.event.as_ref();
        let record: Value = serde_json::from_str(&self.json).unwrap_or_else(|_| self.json.as_str().into());
        let mut json = json!({
            "id": self.id, "state": self.state.name(), "app": event.map(|event| event.sdk_app_id),
            "session": event.map(|event| &event.session_id), "event": event.map(|event| event.name.as_str()),
            "stored": moment(self.stored), "age_seconds": since(self.stored).as_secs(), "attempts": self.attempts,
            "crashes": self.crashes, "error": self.error, "next_attempt": self.next_attempt.map(moment),
            "died": self.died.map(moment),
        });
        json["record"] = match (reveal, event) {
            (true, _) => record,
            (false, Some(_)) => hidden(&record),
            (false, None) => "(hidden)".into(),
        };
        if let (true, Some(event)) = (reveal, event) {
            json["user"] = event.client_user_id.as_deref().into();
            json["agent"] = event.agent_id.as_deref().into();
            json["text"] = text(event).into();
        }
        json
    }
}

fn text(event: &Event) -> String {
    match &event.kind {
        EventKind::Message(message) => message.text(),
        _ => String::new(),
    }
}

fn since(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}

fn moment(time: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(time).ok().map(|time| time.to_string())
}

/// In its largest unit.
pub(super) fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
