//! Why a delivery is not accepted, and what its sender is told.
//!
//! The sender sees a status, an `ErrorCode` and one sentence. None of them repeats what the request held, and none
//! says what would have been right, so a stranger learns nothing that this page does not say already.

use std::fmt;

use http::StatusCode;

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
/// | 50301 | 503 | [`Overloaded`](Self::Overloaded) | try again later: `max_in_flight` handlers are running |
/// | 50302 | 503 | [`Unavailable`](Self::Unavailable) | try again later: the handler could not take the event |
/// | 50303 | 503 | [`DeadlinePassed`](Self::DeadlinePassed) | try again later: the handler did not finish in time and must not be acknowledged |
/// | 50304 | 503 | [`NoRuntime`](Self::NoRuntime) | run the receiver inside a tokio runtime with timers |
/// | 50305 | 503 | [`Interrupted`](Self::Interrupted) | try again later: the receiver was shutting down |
///
/// The sender counts everything but status 200 as failed, and may not retry at all (the vendor documents retries on
/// time-outs only). Its pull interface `describe_im_cdr_list` tells which sessions there were.
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
    ForeignApp,
    /// `Sign` or `RequestTime` is missing.
    Unsigned,
    /// `RequestTime` is not 1 to 11 digits.
    MalformedTime,
    /// `RequestTime` is further from the receiver's clock than the window allows.
    Stale,
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
    NotUtf8,
    /// The query names our command and the body is empty.
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
    /// As many handlers are running as may.
    Overloaded,
    /// The handler said that it cannot take the event now.
    Unavailable,
    /// The handler did not finish in time, and must not be acknowledged before it has.
    DeadlinePassed,
    /// Waiting was necessary, and there is no tokio runtime with timers to wait on.
    NoRuntime,
    /// The runtime shut down while the handler ran.
    Interrupted,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.answer().0
    }

    /// The `ErrorCode` in the response's body: never 0, and stable.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.answer().1
    }

    /// The name that logs and metrics have for it: bounded, and stable.
    pub(crate) fn reason(&self) -> &'static str {
        self.answer().2
    }

    /// The one place that maps a reason to what its sender is told.
    fn answer(&self) -> (StatusCode, u32, &'static str) {
        match self {
            Self::HandlerFailed => (StatusCode::OK, 20001, "handler_failed"),
            Self::QueryTooLong => (StatusCode::BAD_REQUEST, 40001, "query_too_long"),
            Self::AmbiguousQuery => (StatusCode::BAD_REQUEST, 40002, "ambiguous_query"),
            Self::MalformedApp => (StatusCode::BAD_REQUEST, 40003, "malformed_app"),
            Self::ContentEncoding => (StatusCode::BAD_REQUEST, 40004, "content_encoding"),
            Self::BodyBrokeOff => (StatusCode::BAD_REQUEST, 40005, "body_broke_off"),
            Self::NotUtf8 => (StatusCode::BAD_REQUEST, 40006, "not_utf8"),
            Self::EmptyBody => (StatusCode::BAD_REQUEST, 40007, "empty_body"),
            Self::NotJson { .. } => (StatusCode::BAD_REQUEST, 40008, "not_json"),
            Self::NoCommand => (StatusCode::BAD_REQUEST, 40009, "no_command"),
            Self::CommandConflict => (StatusCode::BAD_REQUEST, 40010, "command_conflict"),
            Self::MissingField { .. } => (StatusCode::BAD_REQUEST, 40011, "missing_field"),
            Self::Unsigned => (StatusCode::UNAUTHORIZED, 40101, "unsigned"),
            Self::MalformedTime => (StatusCode::UNAUTHORIZED, 40102, "malformed_time"),
            Self::Stale => (StatusCode::UNAUTHORIZED, 40103, "stale"),
            Self::WrongSignature => (StatusCode::UNAUTHORIZED, 40104, "wrong_signature"),
            Self::ForeignApp => (StatusCode::FORBIDDEN, 40301, "foreign_app"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, 40501, "method"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, 40801, "body_too_slow"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 41301, "body_too_large"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, 50301, "overloaded"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, 50302, "unavailable"),
            Self::DeadlinePassed => (StatusCode::SERVICE_UNAVAILABLE, 50303, "deadline_passed"),
            Self::NoRuntime => (StatusCode::SERVICE_UNAVAILABLE, 50304, "no_runtime"),
            Self::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, 50305, "interrupted"),
        }
    }
}

/// The sentence that the sender is told as `ErrorInfo`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "only POST is answered here",
            Self::QueryTooLong => "the query is longer than 8192 bytes",
            Self::AmbiguousQuery => "a query parameter is given twice with different values",
            Self::MalformedApp => "SdkAppid is not a decimal number",
            Self::ForeignApp => "SdkAppid is missing or names another app: compare it with the receiver's",
            Self::Unsigned => {
                "Sign or RequestTime is missing: switch callback authentication on, and let proxies keep the query"
            }
            Self::MalformedTime => "RequestTime is not 1 to 11 decimal digits",
            Self::Stale => "RequestTime is too far from the receiver's clock",
            Self::WrongSignature => "Sign does not match: compare the token in the console with the receiver's",
            Self::ContentEncoding => "the body has a Content-Encoding: send it as it is",
            Self::BodyTooLarge => "the body is larger than the receiver's limit",
            Self::BodyTooSlow => "the body took longer than the receiver waits",
            Self::BodyBrokeOff => "the connection failed before the body was whole",
            Self::NotUtf8 => "the body is not UTF-8",
            Self::EmptyBody => "the body is empty: it has to hold the event",
            Self::NotJson { line, column } => {
                return write!(f, "the body is not one JSON object: reading stopped at line {line}, column {column}");
            }
            Self::NoCommand => "CallbackCommand is missing in the query and in the body",
            Self::CommandConflict => "CallbackCommand differs between the query and the body",
            Self::MissingField { name } => return write!(f, "{name} is missing, empty or of a wrong type"),
            Self::HandlerFailed => "the handler failed: its reason is in the receiver's log",
            Self::Overloaded => "too many events are being handled: try again later",
            Self::Unavailable => "the event cannot be taken now: try again later",
            Self::DeadlinePassed => "the event could not be taken in time: try again later",
            Self::NoRuntime => "the receiver has no tokio runtime with timers to wait on",
            Self::Interrupted => "the receiver is shutting down: try again later",
        })
    }
}

impl std::error::Error for Refusal {}
