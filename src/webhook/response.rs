//! Stage 5: the response.
//!
//! It takes status 200 with parseable JSON as success and everything else as failure (the vendor's webhook overview,
//! trtc.io document 34354): hence never 202 or 204.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};
use http_body_util::Full;

use super::refusal::{Refusal, write_decimal};
use crate::decision::Reply;

/// Why a request was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// The handler has ended.
    Handled,
    /// The deadline has passed, and the handler continues.
    Unfinished,
    /// There was nothing for a handler: another command, or the console's URL check.
    Ignored,
    /// A decision was asked for.
    Decided,
}

/// An acknowledgement, and the decision in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) why: Acknowledged,
    pub(super) reply: Option<Box<Reply>>,
}

impl From<Acknowledged> for Accepted {
    fn from(why: Acknowledged) -> Self {
        Self { why, reply: None }
    }
}

/// An answer in no server's types.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// `Allow`, where the method was wrong.
    pub(crate) allow: Option<&'static str>,
    /// Whether it ends its connection, because the rest of the body would be read as the next request.
    pub(crate) closes: bool,
    /// For the response's extensions.
    pub(crate) refusal: Option<Refusal>,
}

pub(crate) const JSON: &str = "application/json";

impl Answer {
    pub(super) fn to(result: Result<Accepted, Refusal>) -> Self {
        let refusal = match result {
            Err(refusal) => refusal,
            Ok(accepted) => {
                let body = accepted
                    .reply
                    .and_then(|reply| reply.body)
                    .unwrap_or(Bytes::from_static(ACKNOWLEDGEMENT));
                return Self { status: StatusCode::OK, body, allow: None, closes: false, refusal: None };
            }
        };
        let allow = (refusal == Refusal::Method).then_some("POST");
        Self { status: refusal.status(), body: body(refusal), allow, closes: false, refusal: Some(refusal) }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        if let Some(method) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(method));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(refusal) = self.refusal {
            response.extensions_mut().insert(refusal);
        }
        response
    }
}

fn body(refusal: Refusal) -> Bytes {
    if let Some(body) = refusal.fixed_body() {
        return Bytes::from_static(body.as_bytes());
    }
    // On the stack, because strangers cause these.
    let mut text = Text { room: [0; ROOM], length: 0 };
    let _ = text.write_str(r#"{"ActionStatus":"FAIL","ErrorInfo":""#);
    let _ = refusal.write_to(&mut text);
    let _ = text.write_str(r#"","ErrorCode":"#);
    let _ = write_decimal(&mut text, refusal.code().into());
    let _ = text.write_str("}");
    Bytes::copy_from_slice(&text.room[..text.length])
}

/// A response that is being written.
struct Text {
    room: [u8; ROOM],
    length: usize,
}

/// For the longest response.
const ROOM: usize = 256;

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// The one answer that the sender takes as success, as the vendor prints it.
const ACKNOWLEDGEMENT: &[u8] = br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;
