//! An event as one readable line.

use tencent_desk_webhook::{
    Event,
    event::{Element, EndReason, EventKind, Message, Sender, Stage, Transfer, TransferStep},
};

use crate::{
    output::{Colour, Output},
    text::{printable, shortened},
};

/// How much of a text goes on a line, in characters.
const TEXT_LIMIT: usize = 200;

pub(crate) fn line(event: &Event, output: &Output) -> String {
    let time = jiff::Timestamp::try_from(event.time)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string())
        .unwrap_or_default();
    let session = printable(&shortened(event.session().unwrap_or("-"), 40));
    let what = printable(&shortened(&what_happened(event), TEXT_LIMIT));
    format!("{} {} {what}", output.paint(Colour::Grey, &time), output.paint(Colour::Cyan, &session))
}

fn what_happened(event: &Event) -> String {
    match &event.kind {
        EventKind::SessionBegin(_) => format!("session begins: {}", or_unknown(&event.client_user_id)),
        EventKind::Message(message) => format!("{}: {}", sides(message), content(message)),
        EventKind::Transfer(transfer) => transferred(event, transfer),
        EventKind::Satisfaction(rating) => match rating.stars {
            Some(stars) => format!("rated with {stars}"),
            None => "rated without a number".to_owned(),
        },
        EventKind::SessionEnd(end) => match end.reason {
            EndReason::User => "ended by the user".to_owned(),
            EndReason::Agent => "ended by the agent".to_owned(),
            EndReason::UserTimeout => "ended: the user did not answer".to_owned(),
            EndReason::AgentTimeout => "ended: the agent did not answer".to_owned(),
            EndReason::LeftQueue => "ended: the user left the queue".to_owned(),
            _ => "session ends".to_owned(),
        },
        EventKind::AgentStatus(status) => {
            let state = status.state.as_ref().map_or("(not named)", |state| state.as_str());
            let reason =
                status.rest_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("agent {} is {state}{reason}", or_unknown(&status.agent_id))
        }
        EventKind::TaskFlow(flow) => {
            let (task, node) = (or_unknown(&flow.task_name), or_unknown(&flow.node_name));
            format!("task flow: {} of {task}, at {node}", event.name)
        }
        EventKind::Unknown => format!("{}: an event that this version does not know", event.name),
        _ => event.name.to_string(),
    }
}

fn sides(message: &Message) -> &'static str {
    match (message.sender, message.stage) {
        (Sender::User, Stage::ChatBot) => "user to bot",
        (Sender::User, _) => "user to agent",
        (Sender::Robot, _) => "bot to user",
        (Sender::Agent, _) => "agent to user",
        _ => "message",
    }
}

fn content(message: &Message) -> String {
    let parts = message.elements.iter().map(|element| match element.text() {
        Some(text) if matches!(element, Element::Text(_)) => text.into_owned(),
        text => {
            let label = serde_json::to_value(element).ok();
            let label = label.as_ref().and_then(|json| json["MsgType"].as_str()).unwrap_or("unknown element");
            let text = text.map(|text| format!(" {text}")).unwrap_or_default();
            format!("[{}{text}]", label.trim_start_matches("TIM").trim_end_matches("Elem"))
        }
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn transferred(event: &Event, transfer: &Transfer) -> String {
    let agent = or_unknown(&event.agent_id);
    match transfer.step {
        TransferStep::Started => "asks for an agent".to_owned(),
        TransferStep::Waiting => "waits for an agent".to_owned(),
        TransferStep::Succeeded => format!("reached agent {agent}"),
        TransferStep::NoAgentOnline => "no agent is online".to_owned(),
        TransferStep::Forwarded => {
            format!("forwarded from {} to {agent}", or_unknown(&transfer.from_agent_id))
        }
        _ => event.name.to_string(),
    }
}

fn or_unknown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("(not named)")
}
