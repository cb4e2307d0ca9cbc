//! Sessions: who waits and for how long, who answered and when, how it ended.
//!
//! A [`Session`] is computed from the *set* of its events: their order of arrival, repeats and restarts cannot change it, and
//! events that are missing make figures absent, never wrong guesses. A [`SessionLog`] gathers the events of one session in
//! about 16 bytes each and computes the [`Session`] at any time.
//!
//! ```
//! use tencent_desk_webhook::session::{End, SessionLog};
//! # use tencent_desk_webhook::Event;
//! # let event = |name: &str, seconds: u64| -> Event { serde_json::from_str(&format!(
//! #     r#"{{"SdkAppid":7,"SessionId":"s-1","Event":"{name}","EventTime":{},"Raw":"{name}"}}"#, seconds * 1000)).unwrap() };
//!
//! let mut log = SessionLog::new(7, "s-1");
//! for (name, seconds) in [
//!     ("SessionUserEnd", 90), // arrives first
//!     ("SessionBegin", 0),
//!     ("TransferringToHuman", 10),
//!     ("TransferToHumanSuccess", 25),
//!     ("Human.AgentSendMsg", 28),
//!     ("Human.AgentSendMsg", 28), // a repeated delivery
//! ] {
//!     log.add(&event(name, seconds));
//! }
//! let session = log.session();
//! assert_eq!((session.queue_ms, session.first_answer_ms), (Some(15_000), Some(3_000)));
//! assert_eq!((session.end, session.messages.agent), (Some(End::User), 1));
//! assert_eq!(session.rating, None);
//! ```
//!
//! # Definitions
//!
//! All times are those of `EventTime`, in milliseconds since the Unix epoch; all durations are milliseconds. Events count once,
//! by their [`dedup_key`](crate::Event::dedup_key). The vendor's statistics are those of `describe_session_statistics` (product
//! 269, document 117850) and `describe_agent_statistics` (product 269, document 116073). They are averages over a day or an
//! hour; of what exactly they measure, the documents name no more than the words below, so the comparison is of words.
//!
//! | figure | definition | the vendor's statistic |
//! |---|---|---|
//! | `opened_at` | the earliest `SessionBegin`, or else the earliest event | `TotalSessionCnt` counts sessions |
//! | `closed_at` | the earliest end event of any name | none |
//! | `end` | the reason of the earliest end event that names one; [`End::Unstated`] if only `SessionEnd` is there | `AgentEndCnt` counts those that the agent ended |
//! | `messages` | by sender, without Desk's control messages | `UserMsgCnt`, `AgentMsgCnt` of an agent; whether control messages count there is not documented |
//! | `agent_requests` | the number of `TransferringToHuman` | `TransferAgentSessionCnt` counts sessions, not requests |
//! | `no_agent_online` | the number of `NoAgentOnline` | none |
//! | `queue_ms` | from the earliest `TransferringToHuman` or `TransferringToHumanWait` to the earliest `TransferToHumanSuccess` after it | `AvgQueueTime`; the part of a repeated request and of a session that left the queue is not documented |
//! | `first_answer_ms` | from the earliest `TransferToHumanSuccess` to the earliest message of an agent at or after it | `AvgFirstRespTime`; whether it begins with the transfer or with the user's message is not documented |
//! | `handling_ms` | from the earliest `TransferToHumanSuccess` to `closed_at`, if that is later | `AvgAcceptTime` |
//! | `longest_user_wait_ms` | the longest time from the first unanswered `Human.UserSendMsg` to the agent's next message | `AvgRespTime` is an average over all answers; this is the longest one |
//! | `agents` | every agent that an event names, in the order of their first events; a forward names the former agent before the new one | `AgentAcceptCnt` counts sessions with an agent |
//! | `rating` | the stars of the latest `SatisfactionSelected` that has some | `SatisfactionSelectedCnt`, `OneStarSelectedCnt` to `FiveStarSelectedCnt` |
//!
//! The statistics are in seconds as it seems (the samples have 10 for `AvgFirstRespTime`), and they leave out sessions that they
//! do not call effective (`EffectiveSessionCnt`), for which the documents give no rule.
//!
//! Events of one millisecond count in the order of a usual session: begin, the user's messages to the bot, the bot's messages,
//! request, queue, no agent online, success, forward, the user's messages to the agent, the agent's messages, rating, end.
//! *After* and *later* mean a later millisecond; *at or after* includes the same one.
//!
//! Only events of the callback `Desk.SessionEventNotify` count. Steps of task flows and changes of agents' statuses do not.

mod entry;

mod log;

mod figures;

mod record;

mod board;

#[cfg(feature = "inbox")]
pub(crate) use self::entry::{is_control, is_of_session};
pub use self::{
    board::{AgentLoad, Alarm, Board, LastHour, Quantiles, Served, View, Waiting},
    figures::{End, Messages, Session, sessions},
    log::SessionLog,
};
