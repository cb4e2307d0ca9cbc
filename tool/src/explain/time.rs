//! The time.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Check, claims::Claims, receiver::Receiver};

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// For people.
pub(super) fn shown(time: SystemTime) -> String {
    jiff::Timestamp::from_second(seconds(time).cast_signed())
        .map_or_else(|_| seconds(time).to_string(), |time| time.to_string())
}

pub(super) fn check(receiver: &Receiver, claims: &Claims) -> Check {
    let check = |ok, why: String| Check::new("time", ok, why);
    if !receiver.checks_signatures() {
        return check(true, "not checked, because the receiver has no token".to_owned());
    }
    let Some(claimed) = claims.present("RequestTime") else {
        let why = if claims.first("RequestTime").is_some() { "empty" } else { "missing" };
        return check(false, format!("RequestTime is {why}"));
    };
    if !claimed.bytes().all(|byte| byte.is_ascii_digit()) {
        return check(
            false,
            "RequestTime is not made of decimal digits alone: it has to be Unix seconds".to_owned(),
        );
    }
    let digits = claimed.len();
    if digits > 11 {
        let guess = if digits == 13 { ", as milliseconds have" } else { "" };
        return check(
            false,
            format!("RequestTime has {digits} digits{guess}: it has to be Unix seconds, of at most 11"),
        );
    }
    let (claimed, now) = (claimed.parse().unwrap_or(0_u64), seconds(receiver.now));
    let window = receiver.window.as_secs();
    let off = now.abs_diff(claimed);
    let direction = if claimed < now { "behind" } else { "ahead of" };
    let why = match off {
        0 => "RequestTime is the receiver's time to the second".to_owned(),
        _ => format!("RequestTime is {off} s {direction} the receiver's clock"),
    };
    if off <= window {
        return check(true, format!("{why}, and {window} s are allowed"));
    }
    let cause =
        if claimed < now { "a clock is wrong, or the request was held back" } else { "a clock is wrong" };
    check(false, format!("{why}, and {window} s are allowed: {cause}"))
}
