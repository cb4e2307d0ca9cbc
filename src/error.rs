//! Why a delivery is refused, and the response that the sender gets.
//!
//! The response has a status, an `ErrorCode` and one sentence. None of them repeats what the request held, and none says what
//! would have been right: a stranger learns the receiver's time, and nothing else that this page does not say already.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::StatusCode;

use crate::event::ParseError;

/// A row of the table, with the whole response's body as a constant.
macro_rules! row {
    ($status:expr, $code:literal, $reason:literal, $text:literal) => {
        Row {
            status: $status,
            code: $code,
            reason: $reason,
            text: $text,
            body: concat!(r#"{"ActionStatus":"FAIL","ErrorInfo":""#, $text, r#"","ErrorCode":"#, $code, "}"),
        }
    };
}

/// Why a delivery is not accepted.
///
/// The `ErrorCode` of each reason is stable: status × 100, and a running number.
///
/// | ErrorCode | status | reason | what to do |
/// |---|---|---|---|
/// | 20001 | 200 | [`HandlerFailed`](Self::HandlerFailed) | read the receiver's own log: its handler returned an error or panicked |
/// | 40001 | 400 | [`QueryTooLong`](Self::QueryTooLong) | shorten the callback URL: its query may have 8,192 bytes |
/// | 40002 | 400 | [`AmbiguousQuery`](Self::AmbiguousQuery) | send `SdkAppid`, `CallbackCommand`, `Sign` and `RequestTime` once each |
/// | 40003 | 400 | [`MalformedApp`](Self::MalformedApp) | send `SdkAppid` as decimal digits |
/// | 40004 | 400 | [`ContentEncoding`](Self::ContentEncoding) | send the body uncompressed |
/// | 40005 | 400 | [`BodyBrokeOff`](Self::BodyBrokeOff) | send the body whole: the connection failed while it was read |
/// | 40006 | 400 | [`NotUtf8`](Self::NotUtf8) | send the body as UTF-8 |
/// | 40007 | 400 | [`EmptyBody`](Self::EmptyBody) | send the event as the body |
/// | 40008 | 400 | [`NotJson`](Self::NotJson) | send one JSON object |
/// | 40009 | 400 | [`NoCommand`](Self::NoCommand) | name the `CallbackCommand` in the query or in the body |
/// | 40010 | 400 | [`CommandConflict`](Self::CommandConflict) | name the same `CallbackCommand` in the query and in the body |
/// | 40011 | 400 | [`MissingField`](Self::MissingField) | send `SessionId`, `Event` and `EventTime` |
/// | 40101 | 401 | [`Unsigned`](Self::Unsigned) | switch callback authentication on in the console, or pass `Sign` and `RequestTime` through the proxy |
/// | 40102 | 401 | [`MalformedTime`](Self::MalformedTime) | send `RequestTime` as 1 to 11 decimal digits: Unix seconds |
/// | 40103 | 401 | [`Stale`](Self::Stale) | set the clocks; a request held back longer than the window has to be signed again |
/// | 40104 | 401 | [`WrongSignature`](Self::WrongSignature) | compare the token in the console with the receiver's |
/// | 40301 | 403 | [`ForeignApp`](Self::ForeignApp) | compare the SDKAppID in the console with the receiver's |
/// | 40501 | 405 | [`Method`](Self::Method) | use POST |
/// | 40801 | 408 | [`BodyTooSlow`](Self::BodyTooSlow) | send the body within the read timeout |
/// | 41301 | 413 | [`BodyTooLarge`](Self::BodyTooLarge) | send a smaller body, or raise the receiver's `body_limit` |
/// | 50301 | 503 | [`Overloaded`](Self::Overloaded) | try again later: `max_in_flight` requests are being read or handled |
/// | 50302 | 503 | [`Unavailable`](Self::Unavailable) | try again later: the handler could not take the event |
/// | 50303 | 503 | [`DeadlinePassed`](Self::DeadlinePassed) | try again later: the handler did not finish in time and must not be acknowledged |
/// | 50304 | 503 | [`NoRuntime`](Self::NoRuntime) | make the `Webhook` inside a tokio runtime that outlives the server |
/// | 50305 | 503 | [`Interrupted`](Self::Interrupted) | try again later: the receiver was shutting down |
///
/// The sender counts everything but status 200 as failed, and may not retry at all: the vendor documents retries for IM, on
/// time-outs only, and none for Desk. Its pull interface `describe_im_cdr_list` tells which sessions there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is not a POST.
    Method,
    /// The query is longer than 8,192 bytes.
    QueryTooLong,
    /// A parameter that decides something is given twice with different values.
    AmbiguousQuery,
    /// `SdkAppid` is not a number.
    MalformedApp,
    /// `SdkAppid` is missing or names an app that is not served here.
    #[non_exhaustive]
    ForeignApp {
        /// The app that was named.
        claimed: Option<u64>,
    },
    /// `Sign` or `RequestTime` is missing.
    Unsigned,
    /// `RequestTime` is not 1 to 11 digits.
    MalformedTime,
    /// `RequestTime` is further from the receiver's clock than the window allows.
    #[non_exhaustive]
    Stale {
        /// `RequestTime` less the receiver's time, in seconds: negative if it is behind.
        skew: i64,
    },
    /// `Sign` fits none of the live tokens.
    WrongSignature,
    /// The body has a `Content-Encoding` other than `identity`.
    ContentEncoding,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body did not arrive within the read timeout.
    BodyTooSlow,
    /// The connection failed before the body was whole.
    BodyBrokeOff,
    /// The body is not UTF-8.
    #[non_exhaustive]
    NotUtf8 {
        /// It begins as gzip data does: its `Content-Encoding` may have been dropped on the way.
        gzip: bool,
    },
    /// The query of an unsigned request names our command and the body is empty.
    EmptyBody,
    /// The body is not one JSON object.
    #[non_exhaustive]
    NotJson {
        /// Where reading stopped, counted from 1.
        line: usize,
        /// Where in that line, counted from 1 (0: before its first character).
        column: usize,
    },
    /// Neither query nor body names a command.
    NoCommand,
    /// Query and body name different commands.
    CommandConflict,
    /// A field that every event has is absent, empty or of a wrong type.
    #[non_exhaustive]
    MissingField {
        /// Its name on the wire.
        name: &'static str,
    },
    /// The handler returned an error or panicked, and the sender was still waiting.
    HandlerFailed,
    /// As many requests are being read or handled as may be.
    Overloaded,
    /// The handler said that it cannot take the event now.
    Unavailable,
    /// The handler did not finish in time, and must not be acknowledged before it has.
    DeadlinePassed,
    /// The handler had to wait, and there is no tokio runtime on which it could go on.
    NoRuntime,
    /// The runtime shut down while the handler ran.
    Interrupted,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// The `ErrorCode` in the response's body: never 0, and stable.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.row().code
    }

    /// The name that logs and metrics have for it, such as `wrong_signature`: stable, and one of a fixed list.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.row().reason
    }

    /// The response's body.
    pub(crate) fn body(&self) -> Bytes {
        let Row { text, body, .. } = self.row();
        if !matches!(self, Self::Stale { .. } | Self::NotJson { .. } | Self::MissingField { .. }) {
            return Bytes::from_static(body.as_bytes());
        }
        // On the stack, because strangers cause these. No sentence holds a character that JSON would escape.
        let mut sentence = Sentence { room: [0; ROOM], length: 0 };
        let (before, after) = (&body[..BEFORE_TEXT.len()], &body[BEFORE_TEXT.len() + text.len()..]);
        let _ = sentence.write_str(before);
        let _ = self.write_to(&mut sentence);
        let _ = sentence.write_str(after);
        Bytes::copy_from_slice(&sentence.room[..sentence.length])
    }

    /// The one table of responses.
    #[rustfmt::skip]
    fn row(&self) -> Row {
        use StatusCode as S;
        match self {
            Self::HandlerFailed => row!(S::OK, 20001, "handler_failed",
                "the handler failed: its reason is in the receiver's log"),
            Self::QueryTooLong => row!(S::BAD_REQUEST, 40001, "query_too_long",
                "the query is longer than 8192 bytes"),
            Self::AmbiguousQuery => row!(S::BAD_REQUEST, 40002, "ambiguous_query",
                "a query parameter is given twice with different values"),
            Self::MalformedApp => row!(S::BAD_REQUEST, 40003, "malformed_app",
                "SdkAppid is not a decimal number"),
            Self::ContentEncoding => row!(S::BAD_REQUEST, 40004, "content_encoding",
                "the body has a Content-Encoding: send it as it is"),
            Self::BodyBrokeOff => row!(S::BAD_REQUEST, 40005, "body_broke_off",
                "the connection failed before the body was whole"),
            Self::NotUtf8 { gzip: false } => row!(S::BAD_REQUEST, 40006, "not_utf8",
                "the body is not UTF-8"),
            Self::NotUtf8 { gzip: true } => row!(S::BAD_REQUEST, 40006, "not_utf8",
                "the body is gzip data without Content-Encoding: does a proxy compress it and drop the header?"),
            Self::EmptyBody => row!(S::BAD_REQUEST, 40007, "empty_body",
                "the body is empty: it has to hold the event"),
            Self::NotJson { .. } => row!(S::BAD_REQUEST, 40008, "not_json",
                "the body is not one JSON object"),
            Self::NoCommand => row!(S::BAD_REQUEST, 40009, "no_command",
                "CallbackCommand is missing in the query and in the body"),
            Self::CommandConflict => row!(S::BAD_REQUEST, 40010, "command_conflict",
                "CallbackCommand differs between the query and the body"),
            Self::MissingField { .. } => row!(S::BAD_REQUEST, 40011, "missing_field",
                "a required field is missing, empty or of a wrong type"),
            Self::Unsigned => row!(S::UNAUTHORIZED, 40101, "unsigned",
                "Sign or RequestTime is missing: switch callback authentication on, and let proxies keep the query"),
            Self::MalformedTime => row!(S::UNAUTHORIZED, 40102, "malformed_time",
                "RequestTime is not 1 to 11 decimal digits"),
            Self::Stale { .. } => row!(S::UNAUTHORIZED, 40103, "stale",
                "RequestTime is too far from the receiver's clock"),
            Self::WrongSignature => row!(S::UNAUTHORIZED, 40104, "wrong_signature",
                "Sign does not match: compare the token in the console with the receiver's"),
            Self::ForeignApp { claimed: None } => row!(S::FORBIDDEN, 40301, "foreign_app",
                "SdkAppid is missing: does a proxy drop the query?"),
            Self::ForeignApp { claimed: Some(_) } => row!(S::FORBIDDEN, 40301, "foreign_app",
                "SdkAppid names another app: compare the SDKAppID in the console with the receiver's"),
            Self::Method => row!(S::METHOD_NOT_ALLOWED, 40501, "method",
                "only POST is answered here"),
            Self::BodyTooSlow => row!(S::REQUEST_TIMEOUT, 40801, "body_too_slow",
                "the body took longer than the receiver waits"),
            Self::BodyTooLarge => row!(S::PAYLOAD_TOO_LARGE, 41301, "body_too_large",
                "the body is larger than the receiver's limit"),
            Self::Overloaded => row!(S::SERVICE_UNAVAILABLE, 50301, "overloaded",
                "too many events are being handled: try again later"),
            Self::Unavailable => row!(S::SERVICE_UNAVAILABLE, 50302, "unavailable",
                "the event cannot be taken now: try again later"),
            Self::DeadlinePassed => row!(S::SERVICE_UNAVAILABLE, 50303, "deadline_passed",
                "the event could not be taken in time: try again later"),
            Self::NoRuntime => row!(S::SERVICE_UNAVAILABLE, 50304, "no_runtime",
                "the receiver has no tokio runtime to go on with: it was made outside of one, or that has shut down"),
            Self::Interrupted => row!(S::SERVICE_UNAVAILABLE, 50305, "interrupted",
                "the receiver is shutting down: try again later"),
        }
    }
}

/// A response that is being written.
struct Sentence {
    room: [u8; ROOM],
    length: usize,
}

/// For the longest response.
const ROOM: usize = 256;

impl fmt::Write for Sentence {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// How every response's body begins.
const BEFORE_TEXT: &str = r#"{"ActionStatus":"FAIL","ErrorInfo":""#;

struct Row {
    status: StatusCode,
    code: u32,
    reason: &'static str,
    text: &'static str,
    body: &'static str,
}

/// The `ErrorInfo` of the response.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl Refusal {
    fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Stale { skew } => {
                out.write_str("RequestTime is ")?;
                write_decimal(out, skew.unsigned_abs())?;
                out.write_str(if *skew < 0 { " s behind" } else { " s ahead of" })?;
                out.write_str(" the receiver's clock: check both clocks")
            }
            Self::NotJson { line, column } => {
                write!(
                    out,
                    "the body is not one JSON object: reading stopped at line {line}, column {column}"
                )
            }
            Self::MissingField { name } => write!(out, "{name} is missing, empty or of a wrong type"),
            _ => out.write_str(self.row().text),
        }
    }
}

/// Strangers cause these, and `write!` would cost more than the signature's check.
fn write_decimal(out: &mut impl fmt::Write, mut number: u64) -> fmt::Result {
    let (mut digits, mut at) = ([b'0'; 20], 20);
    loop {
        at -= 1;
        digits[at] += (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.write_str(str::from_utf8(&digits[at..]).unwrap_or_default());
        }
    }
}

impl std::error::Error for Refusal {}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NotJson { line, column } => Self::NotJson { line, column },
            ParseError::MissingField { name } => Self::MissingField { name },
        }
    }
}

/// A refused delivery, as [`Webhook::on_refusal`](crate::Webhook::on_refusal) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Why it was refused.
    pub reason: Refusal,
    /// `SdkAppid`, as the request claimed it. Nothing vouches for it unless the signature was verified.
    pub app: Option<u64>,
    /// `RequestTime` less the receiver's time, in seconds, of a delivery that is [stale](Refusal::Stale).
    pub skew: Option<i64>,
}

impl Refused {
    pub(crate) fn new(reason: Refusal, app: Option<u64>) -> Self {
        let skew = match reason {
            Refusal::Stale { skew } => Some(skew),
            _ => None,
        };
        Self { reason, app, skew }
    }
}
