//! The answer, and what it means.

use std::time::Duration;

use serde_json::json;

use crate::{
    client::Answer,
    output::{Colour, Output},
    remedy,
    text::{printable, shortened},
};

/// When a receiver of this library answers at the latest.
const USUAL: Duration = Duration::from_millis(1500);

pub(super) fn print(answer: &Answer, output: &Output) {
    let (json, code) = (answer.json(), answer.error_code());
    let remedy = code.and_then(remedy::of);
    let millis = answer.took.as_secs_f64() * 1000.0;
    let is_slow = answer.took > USUAL;
    if output.json {
        output.value(&json!({
            "status": answer.status.as_u16(), "accepted": answer.is_accepted(), "ErrorCode": code,
            "ErrorInfo": json["ErrorInfo"], "reason": remedy.map(|remedy| remedy.reason()),
            "remedy": remedy.map(|remedy| remedy.remedy()), "milliseconds": (millis * 10.0).round() / 10.0,
            "slow": is_slow, "answer": if json.is_null() { String::from_utf8_lossy(&answer.body).into() } else { json.clone() },
        }));
    } else {
        let colour = if answer.is_accepted() { Colour::Green } else { Colour::Red };
        let verdict = if answer.is_accepted() { "accepted" } else { "refused" };
        let reason = remedy.map(|remedy| format!(": {}", remedy.reason())).unwrap_or_default();
        let code = code.map(|code| format!(", ErrorCode {code}")).unwrap_or_default();
        let status = answer.status.as_u16();
        output.line(&format!(
            "{} status {status}{code}{reason}, after {millis:.0} ms",
            output.paint(colour, verdict)
        ));
        output.line(&format!(
            "  answer: {}",
            printable(&shortened(&String::from_utf8_lossy(&answer.body), 2000))
        ));
        if let Some(remedy) = remedy {
            output.line(&format!("  remedy: {}", remedy.remedy()));
        } else if !json.is_object() {
            output.line("  remedy: this is no answer of a webhook of this library: look at the path, and at proxies on the way");
        }
    }
    if is_slow {
        output.warn(&format!(
            "the answer took {:.1} s: a webhook of this library answers within 1.5 s, and the sender of IM callbacks gives up after 2 s",
            answer.took.as_secs_f64()
        ));
    }
}
