//! Whole sessions.

use std::time::{Duration, UNIX_EPOCH};

use super::{EventFixture, event, fixture::BEGIN};

/// The events of one plausible session, in order.
///
/// Which events a real session has, and in which order they arrive, is not documented.
///
/// ```
/// use tencent_desk_webhook::{Webhook, testing::{self, Recorder, Scenario}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = Recorder::default();
/// let webhook = Webhook::new(testing::verifier(), recorder.clone());
/// let session = Scenario::new("s-1").insert(3, testing::event("New.Event"));
/// for event in session.clone().repeated(2).shuffled(7) {
///     assert_eq!(webhook.handle(event.delivery().request()).await.status(), 200);
/// }
/// assert_eq!(recorder.calls().len(), 2 * session.into_iter().count());
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Scenario {
    session_id: String,
    events: Vec<EventFixture>,
}

impl Scenario {
    /// Begin, talk with the bot, transfer, queue, talk with an agent, rating, end. Every event is a second after the one before it.
    pub fn new(session_id: &str) -> Self {
        let transfer =
            [event("TransferringToHuman"), event("TransferringToHumanWait"), event("TransferToHumanSuccess")];
        let end = [event("SatisfactionSelected").stars(5), event("SessionUserEnd"), event("SessionEnd")];
        Self::of(session_id, with_bot().into_iter().chain(transfer).chain(with_agent()).chain(end))
    }

    /// The user asks for an agent, and none is online. The bot goes on, and the session ends.
    pub fn no_agent_online(session_id: &str) -> Self {
        let events = [
            event("TransferringToHuman"),
            event("NoAgentOnline"),
            event("ChatBot.RobotSendMsg").text("当前无人工客服在线，请稍后再试。"),
            event("SessionUserEnd"),
            event("SessionEnd"),
        ];
        Self::of(session_id, with_bot().into_iter().chain(events))
    }

    /// The agent forwards the session to another agent, who ends it.
    pub fn forwarded(session_id: &str) -> Self {
        let (first, second) = ("first@qq.com", "second@qq.com");
        let transfer = [event("TransferringToHuman"), event("TransferToHumanSuccess").agent(first)];
        let events = [
            event("AgentForward").agent(second).field("ForwardFromAgentId", first),
            event("Human.AgentSendMsg").agent(second).text("您好，我来继续为您处理。"),
            event("Human.UserSendMsg").agent(second).text("好的"),
            event("SessionAgentEnd").agent(second),
            event("SessionEnd"),
        ];
        let with_first = with_agent().map(|event| event.agent(first));
        Self::of(session_id, with_bot().into_iter().chain(transfer).chain(with_first).chain(events))
    }

    /// The user does not answer the agent, and the session times out after ten minutes.
    pub fn user_timeout(session_id: &str) -> Self {
        let [greeting, _] = with_agent();
        Self::with_silence(session_id, vec![greeting], event("SessionUserTimeoutEnd"))
    }

    /// The agent does not answer the user, and the session times out after ten minutes.
    pub fn agent_timeout(session_id: &str) -> Self {
        Self::with_silence(session_id, with_agent().into(), event("SessionAgentTimeoutEnd"))
    }

    /// The user goes offline in the queue, and the session ends after ten minutes.
    pub fn left_queue(session_id: &str) -> Self {
        let queue = [event("TransferringToHuman"), event("TransferringToHumanWait")];
        let events: Vec<_> = with_bot().into_iter().chain(queue).collect();
        let quiet = events.len() - 1;
        Self::of(session_id, events.into_iter().chain([event("SessionPendingAutoFinishEnd")]))
            .gaps((0..quiet).map(|_| SECOND).chain([SILENCE]))
    }

    fn with_silence(session_id: &str, talk: Vec<EventFixture>, end: EventFixture) -> Self {
        let transfer = [event("TransferringToHuman"), event("TransferToHumanSuccess")];
        let events: Vec<_> = with_bot().into_iter().chain(transfer).chain(talk).collect();
        let quiet = events.len() - 1;
        Self::of(session_id, events.into_iter().chain([end, event("SessionEnd")]))
            .gaps((0..quiet).map(|_| SECOND).chain([SILENCE, Duration::ZERO]))
    }

    fn of(session_id: &str, events: impl IntoIterator<Item = EventFixture>) -> Self {
        let numbered = |(number, event)| in_session(event, session_id, number);
        let events = (0..).zip(events).map(numbered).collect();
        Self { session_id: session_id.to_owned(), events }.gaps([SECOND])
    }

    /// Sets the time between an event and the one before it, beginning with the second event. The gaps are repeated as often as
    /// needed; zero is for events in the same millisecond, as a real session has them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tencent_desk_webhook::testing::Scenario;
    ///
    /// let gaps = [0, 350, 12_000, 90_000].map(Duration::from_millis);
    /// let times: Vec<_> = Scenario::new("s-1").gaps(gaps).into_iter().map(|event| event.build().time_millis()).collect();
    /// assert_eq!((times[1] - times[0], times[2] - times[1]), (0, 350));
    /// ```
    pub fn gaps(mut self, gaps: impl IntoIterator<Item = Duration>) -> Self {
        let gaps: Vec<Duration> = gaps.into_iter().collect();
        let mut gaps = gaps.iter().cycle();
        let mut time = UNIX_EPOCH + BEGIN;
        let place = |event: EventFixture| {
            let event = event.time(time);
            time += gaps.next().copied().unwrap_or_default();
            event
        };
        self.events = self.events.into_iter().map(place).collect();
        self
    }

    /// Inserts an event of the same session before the one at `place`, or behind the last one. It has the time of the event before
    /// it, and a `MsgKey` of its own if it is a message.
    pub fn insert(mut self, place: usize, event: EventFixture) -> Self {
        let place = place.min(self.events.len());
        let event = in_session(event, &self.session_id, self.events.len());
        let time = place.checked_sub(1).and_then(|before| self.events.get(before)).map(|event| event.json());
        let event = match time.map(|json| json["EventTime"].clone()) {
            Some(time) => event.field("EventTime", time),
            None => event,
        };
        self.events.insert(place, event);
        self
    }

    /// Every event so many times, one after the other.
    pub fn repeated(mut self, times: usize) -> Self {
        self.events = self.events.into_iter().flat_map(|event| std::iter::repeat_n(event, times)).collect();
        self
    }

    /// In another order, which is the same for the same seed.
    pub fn shuffled(mut self, seed: u64) -> Self {
        let mut state = seed;
        for last in (1..self.events.len()).rev() {
            // SplitMix64: small, and good enough to mix a dozen events.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            self.events.swap(last, (mixed % (last as u64 + 1)) as usize);
        }
        self
    }
}

fn with_bot() -> [EventFixture; 5] {
    [
        event("SessionBegin"),
        event("ChatBot.RobotSendMsg").text("您好，请问有什么可以帮您?"),
        event("ChatBot.UserSendMsg").text("请问如何申请退费?"),
        event("ChatBot.RobotSendMsg").text("请在订单页面申请退费。"),
        event("ChatBot.UserSendMsg").text("转人工"),
    ]
}

fn with_agent() -> [EventFixture; 2] {
    [event("Human.AgentSendMsg").text("您好，我来帮您处理。"), event("Human.UserSendMsg").text("谢谢")]
}

fn in_session(event: EventFixture, session_id: &str, number: usize) -> EventFixture {
    let event = event.session(session_id);
    if event.json()["MsgBody"].is_null() {
        event.without("MsgKey")
    } else {
        event.field("MsgKey", format!("{number}_{session_id}"))
    }
}

const SECOND: Duration = Duration::from_secs(1);

const SILENCE: Duration = Duration::from_secs(600);

impl IntoIterator for Scenario {
    type Item = EventFixture;
    type IntoIter = std::vec::IntoIter<EventFixture>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}
