//! Why a delivery is refused: the one table of `ErrorCode`s, reasons, texts and remedies.
//!
//! A text repeats nothing that the request held and does not say what would have been right: a stranger learns the receiver's
//! time, and nothing else that this page does not say already.

use std::fmt;

use http::StatusCode;

use crate::event::ParseError;

/// Makes [`Refusal`] of its rows: `Variant => ErrorCode "reason" "text of the response", "remedy";`. A text has no character
/// that JSON would escape.
macro_rules! refusals {
    ($(
        $(#[$attribute:meta])*
        $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })? =>
            $code:literal $reason:literal $text:literal, $remedy:literal;
    )*) => {
        /// Why a delivery is not accepted.
        ///
        /// The `ErrorCode` of each reason is stable: the response's status × 100, and a running number.
        ///
        /// | ErrorCode | reason | what to do |
        /// |---|---|---|
        $(#[doc = concat!(
            "| ", $code, " | [`", stringify!($variant), "`](Self::", stringify!($variant), ") | ", $remedy, " |"
        )])*
        ///
        /// The sender counts everything but status 200 as failed, and may not retry at all: the vendor documents retries for
        /// IM, on time-outs only, and none for Desk. Its pull interface `describe_im_cdr_list` lists the sessions that there
        /// were.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Refusal {$(
            $(#[$attribute])*
            $variant $({ $($(#[$field_doc])* $field: $type,)* })?,
        )*}

        impl Refusal {
            /// Returns one refusal of each reason, ordered by `ErrorCode`, with 0, `false` or `None` in its fields: for a
            /// list of all codes, or to look one up.
            ///
            /// ```
            /// # use tencent_desk_webhook::Refusal;
            /// let refusal = Refusal::all().find(|refusal| refusal.code() == 40104).unwrap();
            /// assert_eq!(refusal.reason(), "wrong_signature");
            /// ```
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$variant $({ $($field: Default::default(),)* })?,)*].into_iter()
            }

            fn row(&self) -> &'static Row {
                match self {$(
                    Self::$variant { .. } => &Row {
                        code: $code,
                        reason: $reason,
                        text: $text,
                        remedy: $remedy,
                        body: concat!(r#"{"ActionStatus":"FAIL","ErrorInfo":""#, $text, r#"","ErrorCode":"#, $code, "}"),
                    },
                )*}
            }
        }
    };
}

struct Row {
    code: u32,
    reason: &'static str,
    text: &'static str,
    remedy: &'static str,
    body: &'static str,
}

refusals! {
    /// The handler returned an error or panicked, and the sender was still waiting.
    HandlerFailed =>
        20001 "handler_failed"
        "the handler failed: its reason is in the receiver's log",
        "read the receiver's own log: its handler returned an error or panicked";

    /// The query is longer than 8,192 bytes.
    QueryTooLong =>
        40001 "query_too_long"
        "the query is longer than 8192 bytes",
        "shorten the callback URL: its query may have 8,192 bytes";

    /// A parameter that decides something is given twice with different values.
    AmbiguousQuery =>
        40002 "ambiguous_query"
        "a query parameter is given twice with different values",
        "send `SdkAppid`, `CallbackCommand`, `Sign` and `RequestTime` once each";

    /// `SdkAppid` is not a number.
    MalformedApp =>
        40003 "malformed_app"
        "SdkAppid is not a decimal number",
        "send `SdkAppid` as decimal digits";

    /// The body has a `Content-Encoding` other than `identity`.
    ContentEncoding =>
        40004 "content_encoding"
        "the body has a Content-Encoding: send it as it is",
        "send the body uncompressed";

    /// The connection failed before the body was whole.
    BodyBrokeOff =>
        40005 "body_broke_off"
        "the connection failed before the body was whole",
        "send the body whole: the connection failed while it was read";

    /// The body is not UTF-8.
    #[non_exhaustive]
    NotUtf8 {
        /// It begins as gzip data does: its `Content-Encoding` may have been dropped on the way.
        gzip: bool,
    } =>
        40006 "not_utf8"
        "the body is not UTF-8",
        "send the body as UTF-8";

    /// The query of an unsigned request names our command and the body is empty.
    EmptyBody =>
        40007 "empty_body"
        "the body is empty: it has to hold the event",
        "send the event as the body";

    /// The body is not one JSON object.
    #[non_exhaustive]
    NotJson {
        /// Where reading stopped, counted from 1.
        line: usize,
        /// Where in that line, counted from 1 (0: before its first character).
        column: usize,
    } =>
        40008 "not_json"
        "the body is not one JSON object",
        "send one JSON object";

    /// Neither query nor body names a command.
    NoCommand =>
        40009 "no_command"
        "CallbackCommand is missing in the query and in the body",
        "name the `CallbackCommand` in the query or in the body";

    /// Query and body name different commands.
    CommandConflict =>
        40010 "command_conflict"
        "CallbackCommand differs between the query and the body",
        "name the same `CallbackCommand` in the query and in the body";

    /// A field that every event has is absent, empty or of a wrong type.
    #[non_exhaustive]
    MissingField {
        /// Its name on the wire.
        name: &'static str,
    } =>
        40011 "missing_field"
        "a required field is missing, empty or of a wrong type",
        "send `SessionId`, `Event` and `EventTime`";

    /// `Sign` or `RequestTime` is missing.
    Unsigned =>
        40101 "unsigned"
        "Sign or RequestTime is missing: switch callback authentication on, and let proxies keep the query",
        "switch callback authentication on in the console, or pass `Sign` and `RequestTime` through the proxy";

    /// `RequestTime` is not 1 to 11 digits.
    MalformedTime =>
        40102 "malformed_time"
        "RequestTime is not 1 to 11 decimal digits",
        "send `RequestTime` as 1 to 11 decimal digits: Unix seconds";

    /// `RequestTime` is further from the receiver's clock than the window allows.
    #[non_exhaustive]
    Stale {
        /// `RequestTime` less the receiver's time, in seconds: negative if it is behind.
        skew: i64,
    } =>
        40103 "stale"
        "RequestTime is too far from the receiver's clock",
        "set the clocks; a request held back longer than the window has to be signed again";

    /// `Sign` fits none of the live tokens.
    WrongSignature =>
        40104 "wrong_signature"
        "Sign does not match: compare the token in the console with the receiver's",
        "compare the token in the console with the receiver's";

    /// A decision is asked for, and the app is let in unsigned.
    UnsignedDecision =>
        40105 "unsigned_decision"
        "a decision is given to signed requests only: switch callback authentication on",
        "switch callback authentication on in the console, and give the receiver its token";

    /// `SdkAppid` is missing or names an app that is not served here.
    #[non_exhaustive]
    ForeignApp {
        /// The app that was named.
        claimed: Option<u64>,
    } =>
        40301 "foreign_app"
        "SdkAppid names another app: compare the SDKAppID in the console with the receiver's",
        "compare the SDKAppID in the console with the receiver's";

    /// The request is not a POST.
    Method =>
        40501 "method"
        "only POST is answered here",
        "use POST";

    /// The body did not arrive within the read timeout.
    BodyTooSlow =>
        40801 "body_too_slow"
        "the body took longer than the receiver waits",
        "send the body within the read timeout";

    /// The body is larger than the limit.
    BodyTooLarge =>
        41301 "body_too_large"
        "the body is larger than the receiver's limit",
        "send a smaller body, or raise the receiver's `body_limit`";

    /// As many requests are being read or handled as may be.
    Overloaded =>
        50301 "overloaded"
        "too many events are being handled: try again later",
        "try again later: `max_in_flight` requests are being read or handled";

    /// The handler said that it cannot take the event now.
    Unavailable =>
        50302 "unavailable"
        "the event cannot be taken now: try again later",
        "try again later: the handler could not take the event";

    /// The handler did not finish in time, and must not be acknowledged before it has.
    DeadlinePassed =>
        50303 "deadline_passed"
        "the event could not be taken in time: try again later",
        "try again later: the handler did not finish in time and must not be acknowledged";

    /// The handler had to wait, and there is no tokio runtime on which it could go on.
    NoRuntime =>
        50304 "no_runtime"
        "the receiver has no tokio runtime to go on with: it was made outside of one, or that has shut down",
        "make the `Webhook` inside a tokio runtime that outlives the server";

    /// The runtime shut down while the handler ran.
    Interrupted =>
        50305 "interrupted"
        "the receiver is shutting down: try again later",
        "try again later: the receiver was shutting down";
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code() / 100 {
            200 => StatusCode::OK,
            400 => StatusCode::BAD_REQUEST,
            401 => StatusCode::UNAUTHORIZED,
            403 => StatusCode::FORBIDDEN,
            405 => StatusCode::METHOD_NOT_ALLOWED,
            408 => StatusCode::REQUEST_TIMEOUT,
            413 => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
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

    /// What the sender's or the receiver's operator should do about it, in Markdown.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        self.row().remedy
    }

    /// The whole body of the response, if its text does not depend on the refusal's fields.
    pub(super) fn fixed_body(&self) -> Option<&'static str> {
        self.detail().is_none().then_some(self.row().body)
    }

    /// A text that is more exact than the row's.
    fn detail(&self) -> Option<Detail> {
        match *self {
            Self::Stale { skew } => Some(Detail::Skew(skew)),
            Self::NotJson { line, column } => Some(Detail::Position { line, column }),
            Self::MissingField { name } => Some(Detail::Field(name)),
            Self::NotUtf8 { gzip: true } => Some(Detail::Text(
                "the body is gzip data without Content-Encoding: does a proxy compress it and drop the header?",
            )),
            Self::ForeignApp { claimed: None } => {
                Some(Detail::Text("SdkAppid is missing: does a proxy drop the query?"))
            }
            _ => None,
        }
    }
}

enum Detail {
    Skew(i64),
    Position { line: usize, column: usize },
    Field(&'static str),
    Text(&'static str),
}

/// The `ErrorInfo` of the response.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl Refusal {
    pub(super) fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self.detail() {
            None => out.write_str(self.row().text),
            Some(Detail::Text(text)) => out.write_str(text),
            Some(Detail::Field(name)) => write!(out, "{name} is missing, empty or of a wrong type"),
            Some(Detail::Position { line, column }) => write!(
                out,
                "the body is not one JSON object: reading stopped at line {line}, column {column}"
            ),
            Some(Detail::Skew(skew)) => {
                out.write_str("RequestTime is ")?;
                write_decimal(out, skew.unsigned_abs())?;
                out.write_str(if skew < 0 { " s behind" } else { " s ahead of" })?;
                out.write_str(" the receiver's clock: check both clocks")
            }
        }
    }
}

/// Strangers cause these, and `write!` would cost more than the signature's check.
pub(super) fn write_decimal(out: &mut impl fmt::Write, mut number: u64) -> fmt::Result {
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
    pub(super) fn new(reason: Refusal, app: Option<u64>) -> Self {
        let skew = match reason {
            Refusal::Stale { skew } => Some(skew),
            _ => None,
        };
        Self { reason, app, skew }
    }
}
