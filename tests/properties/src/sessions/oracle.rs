//! The definitions once more, as plainly as they can be written: sort the distinct events, and look.

use std::{
    collections::HashSet,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event,
    event::{Element, EventKind, Sender},
};

pub(crate) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

/// In the order in which events of one millisecond count.
const ORDER: [&str; 17] = [
    "SessionBegin",
    "ChatBot.UserSendMsg",
    "ChatBot.RobotSendMsg",
    "TransferringToHuman",
    "TransferringToHumanWait",
    "NoAgentOnline",
    "TransferToHumanSuccess",
    "AgentForward",
    "Human.UserSendMsg",
    "Human.AgentSendMsg",
    "SatisfactionSelected",
    "SessionUserEnd",
    "SessionAgentEnd",
    "SessionUserTimeoutEnd",
    "SessionAgentTimeoutEnd",
    "SessionPendingAutoFinishEnd",
    "SessionEnd",
];

const ENDS: [(&str, &str); 6] = [
    ("SessionUserEnd", "user"),
    ("SessionAgentEnd", "agent"),
    ("SessionUserTimeoutEnd", "user_timeout"),
    ("SessionAgentTimeoutEnd", "agent_timeout"),
    ("SessionPendingAutoFinishEnd", "left_queue"),
    ("SessionEnd", "unstated"),
];

/// The JSON of the session, but for `exact` and `version`. All events are of one session.
pub(crate) fn expected(events: &[Event]) -> Value {
    let mut seen = HashSet::new();
    let mut events: Vec<&Event> = events.iter().filter(|event| seen.insert(event.raw().to_owned())).collect();
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    // Equal events of one name and time are ordered by nothing that a user could see.
    events.sort_by_key(|event| {
        let name = if is_control(event) { "" } else { event.name.as_str() };
        (millis(event.time), place(name), event.dedup_key())
    });
    let times = |name: &str| -> Vec<i64> {
        let of_name = events.iter().filter(|event| event.name.as_str() == name && !is_control(event));
        of_name.map(|event| millis(event.time)).collect()
    };
    let first = |value: fn(&Event) -> Option<&String>| events.iter().find_map(|event| value(event));
    let counted = |sender: Sender| {
        let is_of = |event: &&&Event| match &event.kind {
            EventKind::Message(message) => message.sender == sender && !is_control(event),
            _ => false,
        };
        events.iter().filter(is_of).count()
    };

    let opened = times("SessionBegin").first().copied().or(events.first().map(|event| millis(event.time)));
    let ends = ENDS.iter().flat_map(|(name, _)| times(name));
    let closed = ends.min();
    let reasons =
        ENDS[..5].iter().flat_map(|(name, end)| times(name).into_iter().map(move |time| (time, *end)));
    let end = reasons.min_by_key(|(time, _)| *time).map(|(_, end)| end);
    let end = end.or(closed.map(|_| "unstated"));

    let requested = [times("TransferringToHuman"), times("TransferringToHumanWait")].concat();
    let requested = requested.into_iter().min();
    let reached = times("TransferToHumanSuccess");
    let queue = requested.and_then(|requested| {
        reached.iter().find(|reached| **reached > requested).map(|reached| reached - requested)
    });
    let reached = reached.first().copied();
    let answers = times("Human.AgentSendMsg");
    let first_answer = reached
        .and_then(|reached| answers.iter().find(|answer| **answer >= reached).map(|answer| answer - reached));
    let handling = reached.zip(closed).filter(|(reached, closed)| closed > reached).map(|(a, b)| b - a);

    let mut waits = Vec::new();
    let mut answered_until = i64::MIN;
    for asked in times("Human.UserSendMsg") {
        // What was asked before the last answer was answered by it.
        if asked <= answered_until {
            continue;
        }
        if let Some(answer) = answers.iter().find(|answer| **answer >= asked) {
            waits.push(answer - asked);
            answered_until = *answer;
        }
    }

    let mut agents: Vec<&str> = Vec::new();
    for event in &events {
        let from = match &event.kind {
            EventKind::Transfer(transfer) if event.name.as_str() == "AgentForward" => {
                transfer.from_agent_id.as_deref()
            }
            _ => None,
        };
        for agent in [from, event.agent_id.as_deref()].into_iter().flatten() {
            if !agents.contains(&agent) {
                agents.push(agent);
            }
        }
    }
    let ratings = events.iter().filter_map(|event| match &event.kind {
        EventKind::Satisfaction(satisfaction) => Some((millis(event.time), satisfaction.stars?)),
        _ => None,
    });
    let contacted: Vec<bool> = events.iter().filter_map(|event| event.is_contact_user).collect();

    json!({
        "session_id": events[0].session_id,
        "user": first(|event| event.client_user_id.as_ref()),
        "account": first(|event| event.customer_service_id.as_ref()),
        "channel": first(|event| event.channel.as_ref()),
        "contacted_by_agent": (!contacted.is_empty()).then(|| contacted.contains(&true)),
        "opened_at": opened,
        "closed_at": closed,
        "end": end,
        "messages": {
            "user": counted(Sender::User), "bot": counted(Sender::Robot), "agent": counted(Sender::Agent),
        },
        "agent_requests": times("TransferringToHuman").len(),
        "no_agent_online": times("NoAgentOnline").len(),
        "queue_ms": queue,
        "first_answer_ms": first_answer,
        "handling_ms": handling,
        "longest_user_wait_ms": waits.into_iter().max(),
        "agents": agents,
        "rating": ratings.max().map(|(_, stars)| stars),
    })
}

fn is_control(event: &Event) -> bool {
    let EventKind::Message(message) = &event.kind else { return false };
    let is_control = |element: &Element| {
        let Element::Custom(custom) = element else { return false };
        custom.desk_message().is_some_and(|message| message.is_control())
    };
    !message.elements.is_empty() && message.elements.iter().all(is_control)
}
