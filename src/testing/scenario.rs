//! A whole session.

use std::time::{Duration, UNIX_EPOCH};

use super::{EventFixture, event, fixture::BEGIN};

/// The events of one plausible session, in order: begin, talk with the bot, transfer, queue, talk with an agent, rating, end.
///
/// ```
/// use tencent_desk_webhook::{Webhook, testing::{self, Recorder, Scenario}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let recorder = Recorder::default();
/// let webhook = Webhook::new(testing::verifier(), recorder.clone());
/// let session = Scenario::new("s-1");
/// for event in session.clone().repeated(2).shuffled(7) {
///     assert_eq!(webhook.handle(event.delivery().request()).await.status(), 200);
/// }
/// assert_eq!(recorder.calls().len(), 2 * session.into_iter().count());
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Scenario(Vec<EventFixture>);

impl Scenario {
    /// In the session of this id. Every event is a second after the one before it.
    pub fn new(session_id: &str) -> Self {
        let events = [
            event("SessionBegin"),
            event("ChatBot.RobotSendMsg").text("您好，请问有什么可以帮您?"),
            event("ChatBot.UserSendMsg").text("请问如何申请退费?"),
            event("ChatBot.RobotSendMsg").text("请在订单页面申请退费。"),
            event("ChatBot.UserSendMsg").text("转人工"),
            event("TransferringToHuman"),
            event("TransferringToHumanWait"),
            event("TransferToHumanSuccess"),
            event("Human.AgentSendMsg").text("您好，我来帮您处理。"),
            event("Human.UserSendMsg").text("谢谢"),
            event("SatisfactionSelected").stars(5),
            event("SessionUserEnd"),
            event("SessionEnd"),
        ];
        let place = |(place, event): (u32, EventFixture)| {
            event
                .session(session_id)
                .time(UNIX_EPOCH + BEGIN + Duration::from_secs(1) * place)
                .field("MsgKey", format!("{place}_{session_id}"))
        };
        let without_key = |event: EventFixture| {
            if event.json()["MsgBody"].is_null() { event.without("MsgKey") } else { event }
        };
        Self((0..).zip(events).map(place).map(without_key).collect())
    }

    /// Every event so many times, one after the other.
    pub fn repeated(self, times: usize) -> Self {
        Self(self.0.into_iter().flat_map(|event| std::iter::repeat_n(event, times)).collect())
    }

    /// In another order: the same one for the same seed.
    pub fn shuffled(mut self, seed: u64) -> Self {
        let mut state = seed;
        for last in (1..self.0.len()).rev() {
            // SplitMix64: small, and good enough to mix a dozen events.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            self.0.swap(last, (mixed % (last as u64 + 1)) as usize);
        }
        self
    }
}

impl IntoIterator for Scenario {
    type Item = EventFixture;
    type IntoIter = std::vec::IntoIter<EventFixture>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
