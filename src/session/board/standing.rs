//! How a session stands, from its log.

use crate::session::{End, SessionLog, entry::Kind, figures::Moments};

/// How a session stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) stage: Stage,
    /// Whether it ended while the user was waiting for an agent.
    pub(super) abandoned: bool,
    pub(super) moments: Moments,
    /// The time and the stars of the latest rating.
    pub(super) rating: Option<(i64, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No agent was asked for so far.
    Bot,
    /// The user has asked for an agent, at `since`. `no_agent`: none was online when the last answer to that came.
    Waiting { since: i64, no_agent: Option<i64> },
    /// An agent has the session.
    Served { since: i64 },
    /// It has ended.
    Closed,
}

impl Standing {
    pub(super) fn of(log: &SessionLog) -> Self {
        let (mut stage, mut abandoned) = (Stage::Bot, false);
        for event in &log.events {
            let next = stage.after(event.time, event.kind());
            if next == Stage::Closed && stage != Stage::Closed {
                abandoned = matches!(stage, Stage::Waiting { .. });
            }
            stage = next;
        }
        let moments = Moments::of(&log.events);
        abandoned |= moments.end == Some(End::LeftQueue);
        Self { stage, abandoned, moments, rating: log.rating }
    }

    pub(super) fn closed(&self) -> Option<i64> {
        self.moments.closed
    }
}

impl Stage {
    fn after(self, time: i64, kind: Kind) -> Self {
        match (self, kind) {
            (Self::Closed, _) => Self::Closed,
            (Self::Waiting { since, .. }, Kind::Requested | Kind::Queued) => {
                Self::Waiting { since, no_agent: None }
            }
            (_, Kind::Requested | Kind::Queued) => Self::Waiting { since: time, no_agent: None },
            (Self::Waiting { since, .. }, Kind::NoAgentOnline) => {
                Self::Waiting { since, no_agent: Some(time) }
            }
            (_, Kind::NoAgentOnline) => Self::Waiting { since: time, no_agent: Some(time) },
            // The bot has gone on.
            (Self::Waiting { no_agent: Some(_), .. }, Kind::UserMessage | Kind::BotMessage) => Self::Bot,
            (Self::Served { since }, Kind::Reached | Kind::Forwarded | Kind::AgentMessage) => {
                Self::Served { since }
            }
            (_, Kind::Reached | Kind::Forwarded | Kind::AgentMessage) => Self::Served { since: time },
            (Self::Bot, Kind::UserMessageToAgent) => Self::Served { since: time },
            (
                _,
                Kind::EndedByUser
                | Kind::EndedByAgent
                | Kind::EndedByUserTimeout
                | Kind::EndedByAgentTimeout
                | Kind::LeftQueue
                | Kind::Ended,
            ) => Self::Closed,
            (stage, _) => stage,
        }
    }
}
