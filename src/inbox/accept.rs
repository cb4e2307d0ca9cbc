//! Acceptance: an event is stored before it is acknowledged.

use super::{
    Inbox,
    store::{Appended, NewEvent},
    telemetry,
};
use crate::{
    event::Event,
    handler::{AtDeadline, Deliver, Delivering, HandlerError, HandlerResult, Sealed},
};

impl Deliver for Inbox {
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        Box::pin(self.accept(event))
    }

    fn at_deadline(&self) -> AtDeadline {
        AtDeadline::Refuse
    }

    /// The sender got 503, and the log has the reason.
    fn late_failure(&self, _: &Event, _: &HandlerError) {}
}

impl Sealed for Inbox {}

impl Inbox {
    async fn accept(&self, event: &Event) -> HandlerResult {
        let shared = &self.shared;
        let (waiting, limit) = (shared.backlog.bytes(), shared.settings.backlog_limit());
        if waiting >= limit {
            return Err(HandlerError::unavailable(format!(
                "the inbox has not stored it: {waiting} bytes wait to be delivered, and the backlog limit is {limit}"
            )));
        }
        let arrival = NewEvent::new(event, shared.settings.order()).map_err(HandlerError::permanent)?;
        let (bytes, request) = (arrival.json.len(), arrival.request);
        match shared.arrivals.commit(arrival).await {
            Ok(Appended::Stored) => {
                shared.backlog.add(bytes);
                telemetry::record_stored();
                if shared.requests.is_reused(event, request) {
                    telemetry::log_reused_request(event);
                }
                Ok(())
            }
            Ok(Appended::Duplicate) => {
                telemetry::record_duplicate(event);
                Ok(())
            }
            Err(error) => Err(HandlerError::unavailable(format!("the inbox has not stored it: {error}"))),
        }
    }
}
