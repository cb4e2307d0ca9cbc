//! The callbacks that carry events.

use super::label::labels;

/// The callback that an event came with: `CallbackCommand`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// `Desk.SessionEventNotify`: something happened in a session (product 1229, document 68989).
    SessionEvent,
    /// `Member.EventNotify`: the status of an agent has changed (product 269, document 133254).
    AgentStatus,
    /// `Chatbot.TaskFlowEventNotify`: the bot has taken a step of a task flow (product 269, document 137528).
    TaskFlow,
}

labels! {
    Command {
        SessionEvent => "Desk.SessionEventNotify",
        AgentStatus => "Member.EventNotify",
        TaskFlow => "Chatbot.TaskFlowEventNotify",
    }
}

impl Command {
    /// The command of this name. Case does not count, because the vendor's own pages differ in it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::SessionEvent, Self::AgentStatus, Self::TaskFlow];
        // Almost every command comes as documented.
        let find = |is: fn(&str, &str) -> bool| all.into_iter().find(|command| is(command.as_str(), name));
        find(|known, name| known == name).or_else(|| find(str::eq_ignore_ascii_case))
    }
}
