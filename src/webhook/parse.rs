//! Stage 3, second half: from the body's text to an [`Event`], if it is one of ours.
//!
//! `CallbackCommand` stands in the query, in the body, or in both (the vendor's page on the session-event callback,
//! product 1229, document 68989), and its case is not consistent on the vendor's own pages. Another command is acknowledged
//! and ignored. So is the console's URL check: a signed request with an empty body or `{}`, with or without a command.

use std::sync::Arc;

use super::{query::Query, refusal::Refusal, telemetry::Delivery, verify::Trust};
use crate::event::{BYTE_ORDER_MARK, COMMAND, Event, Fields, Origin};

/// Returns `None` for a verified request that has nothing for a handler.
pub(super) fn parse(
    body: String,
    query: Query<'_>,
    trust: Trust,
    delivery: &Delivery<'_>,
) -> Result<Option<Arc<Event>>, Refusal> {
    let is_signed = trust == Trust::Signed;
    let command = query.command.as_deref();
    if is_blank(&body, is_signed) {
        return if is_signed || !command.is_some_and(is_ours) { Ok(None) } else { Err(Refusal::EmptyBody) };
    }
    let sdk_app_id = query.app.ok_or(Refusal::ForeignApp { claimed: None })?;

    let fields = Fields::read(&body);
    let stated = fields.as_ref().ok().and_then(Fields::command);
    match (command, stated) {
        (Some(claimed), Some(stated)) if !is_same(claimed, stated) => return Err(Refusal::CommandConflict),
        (Some(command), _) | (None, Some(command)) if !is_ours(command) => {
            if fields.as_ref().is_ok_and(Fields::is_event) {
                delivery.record_unknown_command(command);
            }
            return Ok(None);
        }
        (None, None) if fields.is_ok() => return Err(Refusal::NoCommand),
        _ => {}
    }
    let event = fields?.into_event(Origin {
        sdk_app_id: Some(sdk_app_id),
        request_id: query.request_id.map(Into::into),
        client_ip: query.client_ip.map(Into::into),
        platform: query.platform.map(Into::into),
        raw: Some(body),
    })?;
    Ok(Some(Arc::new(event)))
}

/// An empty body, or `{}` where a signature vouches for it.
fn is_blank(body: &str, is_signed: bool) -> bool {
    let body = body.trim_start_matches(BYTE_ORDER_MARK).trim_ascii();
    let members = body.strip_prefix('{').and_then(|body| body.strip_suffix('}'));
    body.is_empty() || is_signed && members.is_some_and(|members| members.trim_ascii().is_empty())
}

fn is_ours(command: &str) -> bool {
    is_same(command, COMMAND)
}

/// Almost all come as documented.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.eq_ignore_ascii_case(other)
}
