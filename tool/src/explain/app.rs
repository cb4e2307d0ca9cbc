//! The app.

use super::{Check, claims::Claims, receiver::Receiver};
use crate::text::{printable, shortened};

pub(super) fn check(receiver: &Receiver, claims: &Claims) -> Check {
    let app = receiver.app;
    let check = |ok, why: String| Check::new("app", ok, why);
    let Some(claimed) = claims.first("SdkAppid") else {
        let why =
            "SdkAppid is missing: only the console's URL check may lack it, and the receiver serves app";
        return check(false, format!("{why} {app}"));
    };
    if claimed.is_empty() || !claimed.bytes().all(|byte| byte.is_ascii_digit()) {
        let why = if claimed.is_empty() { "SdkAppid is empty" } else { "SdkAppid is not a decimal number" };
        return check(false, why.to_owned());
    }
    match claimed.parse::<u64>() {
        Ok(claimed) if claimed == app => check(true, format!("SdkAppid is {app}, which the receiver serves")),
        Ok(claimed) => check(false, format!("SdkAppid is {claimed}, and the receiver serves {app} (--app)")),
        Err(_) => check(false, format!("SdkAppid is {}: too large", printable(&shortened(claimed, 40)))),
    }
}
