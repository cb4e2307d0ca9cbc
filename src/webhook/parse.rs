//! Stage 3, second half: from the body's text to an [`Event`], if it is one of ours.
//!
//! `CallbackCommand` stands in the query, in the body, or in both (the vendor's page on the session-event callback,
//! product 1229, document 68989). A foreign command is none of our business and no error; nor is the console's URL check,
//! which names no command and has no body.

use std::sync::Arc;

use super::verify::Verified;
use crate::{
    error::Refusal,
    event::{COMMAND, Event, Origin, Wire},
};

/// `None`: authentic, and nothing for a handler.
pub(super) fn parse(body: String, verified: Verified<'_>) -> Result<Option<Arc<Event>>, Refusal> {
    let Verified { app, query } = verified;
    let command = query.command.as_deref();
    if body.trim_ascii().is_empty() {
        return if command == Some(COMMAND) { Err(Refusal::EmptyBody) } else { Ok(None) };
    }
    let sdk_app_id = app.ok_or(Refusal::ForeignApp)?;

    let mut mended = None;
    let wire = Wire::parse(&body, &mut mended);
    let stated = wire.as_ref().ok().and_then(|wire| wire.command.as_deref());
    match (command, stated) {
        (Some(claimed), Some(stated)) if claimed != stated => return Err(Refusal::CommandConflict),
        (Some(command), _) | (None, Some(command)) if command != COMMAND => return Ok(None),
        (None, None) if wire.is_ok() => return Err(Refusal::NoCommand),
        _ => {}
    }
    let origin = Origin {
        sdk_app_id,
        request_id: query.request_id.map(Into::into),
        client_ip: query.client_ip.map(Into::into),
        platform: query.platform.map(Into::into),
    };
    let mut event = Event::new(wire?, origin)?;
    event.raw = body;
    Ok(Some(Arc::new(event)))
}
