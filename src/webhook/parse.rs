//! Stage 3, second half: from the body's text to an [`Event`] or a [`Request`].
//!
//! `CallbackCommand` stands in the query, in the body, or in both (the vendor's page on the session-event callback,
//! product 1229, document 68989), and its case is not consistent on the vendor's own pages. The console's URL check is a signed
//! request with an empty body or `{}`, with or without a command: it is acknowledged.

use std::sync::Arc;

use super::{query::Query, refusal::Refusal, verify::Trust};
use crate::{
    decision::{Method, Request},
    event::{BYTE_ORDER_MARK, Command, Event, Fields, Origin},
};

/// What a verified request holds.
pub(super) enum Parsed {
    /// The console's URL check, or a body that is not JSON under a command that is not Desk's.
    Nothing,
    Event(Arc<Event>),
    /// Boxed, because almost every request is an event.
    DecisionRequest(Box<DecisionRequest>),
}

/// A request with another command than those of events.
pub(super) struct DecisionRequest {
    pub(super) request: Request,
    pub(super) method: Method,
    /// Whether the body has what every session event has.
    pub(super) is_event: bool,
}

pub(super) fn parse(body: String, query: Query<'_>, trust: Trust) -> Result<Parsed, Refusal> {
    let is_signed = trust == Trust::Signed;
    let claimed = query.command.as_deref();
    if is_blank(&body, is_signed) {
        let may_be_blank = is_signed || !claimed.is_some_and(is_ours);
        return if may_be_blank { Ok(Parsed::Nothing) } else { Err(Refusal::EmptyBody) };
    }
    let sdk_app_id = query.app.ok_or(Refusal::ForeignApp { claimed: None })?;

    let fields = Fields::read(&body, claimed.and_then(Command::named));
    let stated = fields.as_ref().ok().and_then(Fields::command);
    match (claimed, stated) {
        (Some(claimed), Some(stated)) if !is_same(claimed, stated) => return Err(Refusal::CommandConflict),
        (Some(command), _) | (None, Some(command)) if !is_ours(command) => {
            let method = Method::of_command(command);
            if method == Method::Other && fields.is_err() {
                return Ok(Parsed::Nothing);
            }
            let is_event = fields.as_ref().is_ok_and(Fields::is_event);
            let request =
                Request::new(sdk_app_id, command, [query.request_id, query.client_ip, query.platform], &body);
            return Ok(Parsed::DecisionRequest(Box::new(DecisionRequest { request, method, is_event })));
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
    Ok(Parsed::Event(Arc::new(event)))
}

/// An empty body, or `{}` where a signature vouches for it.
fn is_blank(body: &str, is_signed: bool) -> bool {
    let body = body.trim_start_matches(BYTE_ORDER_MARK).trim_ascii();
    let members = body.strip_prefix('{').and_then(|body| body.strip_suffix('}'));
    body.is_empty() || is_signed && members.is_some_and(|members| members.trim_ascii().is_empty())
}

/// Whether its events are for the handler.
pub(super) fn is_ours(command: &str) -> bool {
    Command::named(command).is_some()
}

/// Almost all come as documented.
fn is_same(one: &str, other: &str) -> bool {
    one == other || one.eq_ignore_ascii_case(other)
}
