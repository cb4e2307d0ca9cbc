//! Sessions of many shapes: whole ones, as users know them, and soup.

use std::time::{Duration, UNIX_EPOCH};

use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};
use serde_json::json;
use tencent_desk_webhook::{
    Event,
    testing::{self, EventFixture},
};

pub(crate) const SESSION: &str = "session-1";

const NAMES: [&str; 19] = [
    "SessionBegin",
    "ChatBot.UserSendMsg",
    "ChatBot.RobotSendMsg",
    "TransferringToHuman",
    "TransferringToHumanWait",
    "NoAgentOnline",
    "TransferToHumanSuccess",
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
    "SomethingNew",
];

/// One event, and how long after the one before it.
#[derive(Clone, Debug)]
struct Step {
    name: &'static str,
    gap: u64,
    agent: Option<&'static str>,
    from: Option<&'static str>,
    stars: u8,
    contacted: Option<bool>,
    user: Option<&'static str>,
    control: bool,
}

fn step(names: impl Strategy<Value = &'static str>) -> impl Strategy<Value = Step> {
    let agents = || select(vec![None, Some("a@qq.com"), Some("b@qq.com"), Some("c@qq.com")]);
    (
        names,
        // Ties are the hard part.
        select(vec![0, 0, 0, 1, 2, 1000, 60_000]),
        agents(),
        agents(),
        0..7_u8,
        select(vec![None, None, Some(false), Some(true)]),
        select(vec![None, Some("u-1"), Some("u-1"), Some("u-2")]),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(name, gap, agent, from, stars, contacted, user, control)| Step {
            name,
            gap,
            agent,
            from,
            stars,
            contacted,
            user,
            control,
        })
}

/// The usual course of a session, with every part of it there or not, and some of it several times.
fn course() -> impl Strategy<Value = Vec<Step>> {
    let some = |names: Vec<&'static str>, most: usize| vec(step(select(names)), 0..=most);
    let parts: Vec<BoxedStrategy<Vec<Step>>> = vec![
        some(vec!["SessionBegin"], 1).boxed(),
        some(vec!["ChatBot.UserSendMsg", "ChatBot.RobotSendMsg"], 6).boxed(),
        some(vec!["TransferringToHuman", "TransferringToHumanWait", "NoAgentOnline"], 4).boxed(),
        some(vec!["TransferToHumanSuccess"], 1).boxed(),
        some(vec!["Human.UserSendMsg", "Human.AgentSendMsg"], 8).boxed(),
        some(vec!["AgentForward", "TransferringToHuman", "TransferToHumanSuccess"], 3).boxed(),
        some(vec!["Human.UserSendMsg", "Human.AgentSendMsg"], 8).boxed(),
        some(vec!["SatisfactionSelected"], 2).boxed(),
        some(NAMES[12..18].to_vec(), 2).boxed(),
        some(vec!["SatisfactionSelected", "SomethingNew"], 1).boxed(),
    ];
    parts.prop_map(|parts| parts.concat())
}

fn soup() -> impl Strategy<Value = Vec<Step>> {
    vec(step(select(NAMES.to_vec())), 0..40)
}

/// The events of one session; at least one.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let starts = select(vec![0, 1, 1_725_540_020_017]);
    let shapes = Union::new([course().boxed(), soup().boxed()]);
    (starts, shapes, step(select(NAMES.to_vec()))).prop_map(|(start, mut steps, at_least)| {
        if steps.is_empty() {
            steps.push(at_least);
        }
        let mut time = start;
        let build = |(number, step): (usize, &Step)| {
            time += step.gap;
            fixture(number, step, time).build()
        };
        steps.iter().enumerate().map(build).collect()
    })
}

fn fixture(number: usize, step: &Step, time: u64) -> EventFixture {
    let mut fixture = testing::event(step.name)
        .session(SESSION)
        .time(UNIX_EPOCH + Duration::from_millis(time))
        .without("AgentId")
        .without("ForwardFromAgentId")
        .without("IsContactUser")
        .without("ClientUserId");
    if step.name.contains("Msg") {
        // Some messages of one millisecond are alike but for their keys.
        fixture = fixture.field("MsgKey", format!("key-{number}"));
        if step.control {
            let data = json!({"customerServicePlugin": 0, "src": "12"}).to_string();
            let typing = json!({"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}});
            fixture = fixture.elements([typing]);
        }
    }
    if let Some(agent) = step.agent {
        fixture = fixture.agent(agent);
    }
    if let (Some(from), true) = (step.from, step.name == "AgentForward" || step.control) {
        fixture = fixture.field("ForwardFromAgentId", from);
    }
    if let Some(contacted) = step.contacted {
        fixture = fixture.field("IsContactUser", contacted);
    }
    if let Some(user) = step.user {
        fixture = fixture.user(user);
    }
    if step.name == "SatisfactionSelected" {
        fixture = fixture.stars(step.stars);
    }
    fixture
}
