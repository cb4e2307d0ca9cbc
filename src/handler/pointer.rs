//! Handlers can be shared and chosen at run time: `Arc<dyn EventHandler>` and `Box<dyn EventHandler>` are handlers.

use std::sync::Arc;

use async_trait::async_trait;

use super::{EventHandler, HandlerError, HandlerResult};
use crate::event::{AgentStatus, Event, Message, Satisfaction, SessionBegin, SessionEnd, TaskFlow, Transfer};

/// Forwards every method, `on_event` included.
macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: EventHandler + ?Sized> EventHandler for $pointer<T> {
            async fn on_event(&self, event: &Event) -> HandlerResult {
                (**self).on_event(event).await
            }

            async fn on_session_begin(&self, event: &Event, begin: &SessionBegin) -> HandlerResult {
                (**self).on_session_begin(event, begin).await
            }

            async fn on_message(&self, event: &Event, message: &Message) -> HandlerResult {
                (**self).on_message(event, message).await
            }

            async fn on_transfer(&self, event: &Event, transfer: &Transfer) -> HandlerResult {
                (**self).on_transfer(event, transfer).await
            }

            async fn on_satisfaction(&self, event: &Event, satisfaction: &Satisfaction) -> HandlerResult {
                (**self).on_satisfaction(event, satisfaction).await
            }

            async fn on_session_end(&self, event: &Event, end: &SessionEnd) -> HandlerResult {
                (**self).on_session_end(event, end).await
            }

            async fn on_agent_status(&self, event: &Event, status: &AgentStatus) -> HandlerResult {
                (**self).on_agent_status(event, status).await
            }

            async fn on_task_flow(&self, event: &Event, flow: &TaskFlow) -> HandlerResult {
                (**self).on_task_flow(event, flow).await
            }

            async fn on_unknown(&self, event: &Event) -> HandlerResult {
                (**self).on_unknown(event).await
            }

            fn on_late_failure(&self, event: &Event, error: &HandlerError) {
                (**self).on_late_failure(event, error);
            }
        }
    };
}

forward!(Arc);
forward!(Box);
