//! The application behind every server: it does nothing, or sleeps for the configured time.

use std::time::Duration;

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait, event::Message,
};
use tokio::time::sleep;

use crate::documented::{APP, TOKEN, now};

pub(super) async fn handle(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

/// The handler of the library's doors.
pub(super) fn webhook(delay: Duration) -> Webhook<impl EventHandler> {
    Webhook::new(Verifier::signed(APP, TOKEN).clock(now), Support { delay })
}

struct Support {
    delay: Duration,
}

#[async_trait]
impl EventHandler for Support {
    async fn on_message(&self, _: &Event, _: &Message) -> HandlerResult {
        handle(self.delay).await;
        Ok(())
    }
}
