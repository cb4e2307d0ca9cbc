//! Stage 1: what the query claims. Nothing of it is believed yet.
//!
//! The sender appends its parameters in no promised order; names match whatever their case and percent-encoding.
//! Strict where a value decides something, lenient where it only informs.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::refusal::Refusal;

/// The parameters that this library knows. An empty value counts as absent, but for `SdkAppid`.
///
/// Names and meanings: the vendor's page on the session-event callback (product 1229, document 68989), `RequestID` its
/// newer Chinese edition (product 269, document 111212), `Sign` and `RequestTime` the page on callback configuration
/// (product 269, document 32431).
#[derive(Clone, Debug, Default)]
pub(super) struct Query<'a> {
    pub(super) app: Option<u64>,
    pub(super) command: Option<Cow<'a, str>>,
    pub(super) sign: Option<Cow<'a, str>>,
    pub(super) request_time: Option<Cow<'a, str>>,
    pub(super) request_id: Option<Cow<'a, str>>,
    pub(super) client_ip: Option<Cow<'a, str>>,
    pub(super) platform: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str) -> Result<Self, Refusal> {
        if query.len() > QUERY_LIMIT {
            return Err(Refusal::QueryTooLong);
        }
        let mut claims = Self::default();
        let mut app = None;
        for (name, value) in pairs(query) {
            match parameter(&name) {
                Some(Parameter::SdkAppid) => decide(&mut app, value)?,
                Some(Parameter::CallbackCommand) => decide(&mut claims.command, value)?,
                Some(Parameter::Sign) => decide(&mut claims.sign, value)?,
                Some(Parameter::RequestTime) => decide(&mut claims.request_time, value)?,
                Some(Parameter::RequestId) => inform(&mut claims.request_id, value),
                Some(Parameter::ClientIp) => inform(&mut claims.client_ip, value),
                Some(Parameter::OptPlatform) => inform(&mut claims.platform, value),
                _ => {}
            }
        }
        claims.app = app.map(|digits| app_id(&digits)).transpose()?;
        for claim in [&mut claims.command, &mut claims.sign, &mut claims.request_time] {
            claim.take_if(|value| value.is_empty());
        }
        Ok(claims)
    }
}

#[derive(Clone, Copy)]
enum Parameter {
    SdkAppid,
    CallbackCommand,
    ClientIp,
    OptPlatform,
    Sign,
    RequestTime,
    RequestId,
}

static PARAMETERS: [(&str, Parameter); 7] = [
    ("SdkAppid", Parameter::SdkAppid),
    ("CallbackCommand", Parameter::CallbackCommand),
    ("ClientIP", Parameter::ClientIp),
    ("OptPlatform", Parameter::OptPlatform),
    ("Sign", Parameter::Sign),
    ("RequestTime", Parameter::RequestTime),
    ("RequestID", Parameter::RequestId),
];

/// In whatever case it comes; almost all come as documented.
fn parameter(name: &str) -> Option<Parameter> {
    let find = |is: fn(&str, &str) -> bool| PARAMETERS.iter().find(|(known, _)| is(known, name));
    let found = find(|known, name| known == name).or_else(|| find(str::eq_ignore_ascii_case));
    found.map(|(_, parameter)| *parameter)
}

/// Names and values, decoded. Allocates only where something is encoded.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let is_encoded = memchr2(b'%', b'+', query.as_bytes()).is_some();
    let mut rest = Some(query);
    std::iter::from_fn(move || {
        let pair;
        (pair, rest) = split_at(rest?, b'&');
        if is_encoded {
            return Some(form_urlencoded::parse(pair.as_bytes()).next().unwrap_or_default());
        }
        let (name, value) = split_at(pair, b'=');
        Some((Cow::Borrowed(name), Cow::Borrowed(value.unwrap_or_default())))
    })
}

fn split_at(text: &str, separator: u8) -> (&str, Option<&str>) {
    match memchr(separator, text.as_bytes()) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Proxies and receivers disagree on whether the first or the last of two values counts, so two are refused.
fn decide<'a>(claim: &mut Option<Cow<'a, str>>, value: Cow<'a, str>) -> Result<(), Refusal> {
    match claim {
        Some(earlier) if *earlier != value => Err(Refusal::AmbiguousQuery),
        _ => {
            *claim = Some(value);
            Ok(())
        }
    }
}

fn inform<'a>(claim: &mut Option<Cow<'a, str>>, value: Cow<'a, str>) {
    if claim.is_none() && !value.is_empty() {
        *claim = Some(value);
    }
}

fn app_id(digits: &str) -> Result<u64, Refusal> {
    // `u64::from_str` would also take a plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::MalformedApp);
    }
    digits.parse().map_err(|_| Refusal::MalformedApp)
}

/// Far above what the sender appends, far below what servers take.
const QUERY_LIMIT: usize = 8 * 1024;
