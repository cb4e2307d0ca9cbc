//! What to do about each `ErrorCode`, as the library's table of refusals says.

pub(crate) struct Remedy {
    pub(crate) code: i64,
    pub(crate) reason: &'static str,
    pub(crate) what_to_do: &'static str,
}

pub(crate) fn of(code: i64) -> Option<&'static Remedy> {
    REMEDIES.iter().find(|remedy| remedy.code == code)
}

const fn row(code: i64, reason: &'static str, what_to_do: &'static str) -> Remedy {
    Remedy { code, reason, what_to_do }
}

#[rustfmt::skip]
static REMEDIES: [Remedy; 25] = [
    row(20001, "handler_failed", "read the receiver's own log: its handler returned an error or panicked"),
    row(40001, "query_too_long", "shorten the callback URL: its query may have 8,192 bytes"),
    row(40002, "ambiguous_query", "send `SdkAppid`, `CallbackCommand`, `Sign` and `RequestTime` once each"),
    row(40003, "malformed_app", "send `SdkAppid` as decimal digits"),
    row(40004, "content_encoding", "send the body uncompressed"),
    row(40005, "body_broke_off", "send the body whole: the connection failed while it was read"),
    row(40006, "not_utf8", "send the body as UTF-8"),
    row(40007, "empty_body", "send the event as the body"),
    row(40008, "not_json", "send one JSON object"),
    row(40009, "no_command", "name the `CallbackCommand` in the query or in the body"),
    row(40010, "command_conflict", "name the same `CallbackCommand` in the query and in the body"),
    row(40011, "missing_field", "send `SessionId`, `Event` and `EventTime`"),
    row(40101, "unsigned", "switch callback authentication on in the console, or pass `Sign` and `RequestTime` through the proxy"),
    row(40102, "malformed_time", "send `RequestTime` as 1 to 11 decimal digits: Unix seconds"),
    row(40103, "stale", "set the clocks; a request held back longer than the window has to be signed again"),
    row(40104, "wrong_signature", "compare the token in the console with the receiver's"),
    row(40301, "foreign_app", "compare the SDKAppID in the console with the receiver's"),
    row(40501, "method", "use POST"),
    row(40801, "body_too_slow", "send the body within the read timeout"),
    row(41301, "body_too_large", "send a smaller body, or raise the receiver's `body_limit`"),
    row(50301, "overloaded", "try again later: `max_in_flight` requests are being read or handled"),
    row(50302, "unavailable", "try again later: the handler could not take the event"),
    row(50303, "deadline_passed", "try again later: the handler did not finish in time and must not be acknowledged"),
    row(50304, "no_runtime", "make the `Webhook` inside a tokio runtime that outlives the server"),
    row(50305, "interrupted", "try again later: the receiver was shutting down"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The library shows its table in its documentation alone.
    #[test]
    fn they_are_those_of_the_librarys_table() {
        let source = include_str!("../../src/error.rs");
        let rows = source.lines().filter_map(|line| line.strip_prefix("/// | ")).filter_map(|row| {
            let mut cells = row.split(" | ");
            let code: i64 = cells.next()?.parse().ok()?;
            Some((code, cells.nth(2)?.trim_end_matches(" |").to_owned()))
        });
        let mut codes = 0;
        for (code, what_to_do) in rows {
            assert_eq!(of(code).map(|remedy| remedy.what_to_do), Some(what_to_do.as_str()), "{code}");
            codes += 1;
        }
        assert_eq!(codes, REMEDIES.len());
        for remedy in &REMEDIES {
            assert!(source.contains(&format!("\"{}\"", remedy.reason)), "{}", remedy.reason);
        }
    }
}
