//! `desk explain`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tencent_desk_webhook::testing::{self, Delivery};

use crate::support::{Ran, Server, TOKEN, delivery, desk, place, post, run, run_with};

struct Explained {
    checks: BTreeMap<String, (bool, String)>,
    answer: (u64, Option<i64>),
    ran: Ran,
}

impl Explained {
    fn failed(&self) -> Vec<&str> {
        self.checks.iter().filter(|(_, (ok, _))| !ok).map(|(name, _)| name.as_str()).collect()
    }

    fn why(&self, check: &str) -> &str {
        &self.checks[check].1
    }
}

fn explain<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Explained {
    read(run(["explain", "--json"].into_iter().chain(arguments)))
}

fn read(ran: Ran) -> Explained {
    let json = ran.json();
    let checks = json["checks"].as_array().unwrap().iter().map(|check| {
        let name = check["check"].as_str().unwrap().to_owned();
        (name, (check["ok"].as_bool().unwrap(), check["why"].as_str().unwrap().to_owned()))
    });
    let answer = (json["answer"]["status"].as_u64().unwrap(), json["answer"]["ErrorCode"].as_i64());
    Explained { checks: checks.collect(), answer, ran }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sender's query with other values for some names. `None` leaves one out.
fn altered(changes: &[(&str, Option<&str>)]) -> String {
    let query = delivery().query();
    let pairs = query.split('&').filter_map(|pair| {
        let name = pair.split('=').next().unwrap();
        match changes.iter().find(|(changed, _)| *changed == name) {
            Some((_, value)) => value.map(|value| format!("{name}={value}")),
            None => Some(pair.to_owned()),
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn parameter(query: &str, name: &str) -> String {
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    pair.unwrap().to_owned()
}

/// A broken target, the checks that fail, and a word of the reason of the first.
struct Way(&'static str, String, &'static [&'static str], &'static str);

fn ways() -> Vec<Way> {
    let good = delivery().query();
    let now: u64 = parameter(&good, "RequestTime").parse().unwrap();
    let sign = parameter(&good, "Sign");
    let path = |query: &str| format!("/desk/callback?{query}");
    let with = |changes: &[(&str, Option<&str>)]| path(&altered(changes));
    let time =
        |time: &str| with(&[("RequestTime", Some(time)), ("Sign", Some(&hex(&format!("{TOKEN}{time}"))))]);
    let signed = |sign: &str| with(&[("Sign", Some(sign))]);
    let lower = good.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        format!("{}={value}", name.to_lowercase())
    });
    let lower: Vec<String> = lower.collect();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let cut = |at: &str, keep: usize| path(&good[..good.find(at).unwrap() + keep]);
    vec![
        Way("nothing is wrong", path(&good), &[], ""),
        Way("names in lower case", path(&lower.join("&")), &[], ""),
        Way("another order", path(&good.split('&').rev().collect::<Vec<_>>().join("&")), &[], ""),
        Way("hex in upper case", signed(&sign.to_uppercase()), &[], ""),
        Way("an unknown parameter", path(&format!("x=y&{good}")), &[], ""),
        Way("the same twice", path(&format!("{good}&Sign={sign}")), &[], ""),
        Way("ClientIP twice", path(&format!("{good}&ClientIP=1.2.3.4")), &[], ""),
        Way("no command", with(&[("CallbackCommand", None)]), &[], ""),
        Way("another command", with(&[("CallbackCommand", Some("C2C.CallbackAfterSendMsg"))]), &[], ""),
        Way("30 s old", time(&(now - 30).to_string()), &[], ""),
        Way("a leading zero", time(&format!("0{now}")), &[], ""),
        Way("another app", with(&[("SdkAppid", Some("1400000001"))]), &["app"], "1400000001"),
        Way("no app", with(&[("SdkAppid", None)]), &["app"], "missing"),
        Way("an app that is text", with(&[("SdkAppid", Some("abc"))]), &["app"], "decimal"),
        Way("an app with a sign", with(&[("SdkAppid", Some("%2B1400000000"))]), &["app"], "decimal"),
        Way("an empty app", with(&[("SdkAppid", Some(""))]), &["app"], "empty"),
        Way(
            "an app beyond all numbers",
            with(&[("SdkAppid", Some("99999999999999999999"))]),
            &["app"],
            "large",
        ),
        Way("an hour old", time(&(now - 3600).to_string()), &["time"], "behind"),
        Way("an hour ahead", time(&(now + 3600).to_string()), &["time"], "ahead"),
        Way("milliseconds", time(&format!("{now}000")), &["time"], "milliseconds"),
        Way("twelve digits", time(&format!("{now}00")), &["time"], "12 digits"),
        Way("a time that is text", time("now"), &["time"], "decimal"),
        Way("a negative time", time("-5"), &["time"], "decimal"),
        Way("a time with a fraction", time(&format!("{now}.5")), &["time"], "decimal"),
        Way(
            "no time",
            with(&[("RequestTime", None)]),
            &["query", "signature", "time"],
            "RequestTime is missing",
        ),
        Way(
            "an empty time",
            with(&[("RequestTime", Some(""))]),
            &["query", "signature", "time"],
            "RequestTime is empty",
        ),
        Way("no signature", with(&[("Sign", None)]), &["signature"], "Sign is missing"),
        Way("an empty signature", signed(""), &["signature"], "empty"),
        Way("neither", with(&[("Sign", None), ("RequestTime", None)]), &["signature", "time"], "missing"),
        Way(
            "the signature of another token",
            signed(&hex("another token")),
            &["signature"],
            "not of this token",
        ),
        Way(
            "an altered signature",
            signed(&format!("{}{}", &sign[..63], if sign.ends_with('0') { '1' } else { '0' })),
            &["signature"],
            "not of this token",
        ),
        Way("a short signature", signed(&sign[..40]), &["signature"], "SHA-1"),
        Way("a long signature", signed(&format!("{sign}00")), &["signature"], "66"),
        Way("no hexadecimal digits", signed(&"x".repeat(64)), &["signature"], "hexadecimal"),
        Way("a masked signature", signed("***"), &["signature"], "masked"),
        Way(
            "the time of another second",
            with(&[("RequestTime", Some(&(now - 1).to_string()))]),
            &["signature"],
            "changed on the way",
        ),
        Way("signed in the wrong order", signed(&hex(&format!("{now}{TOKEN}"))), &["signature"], "order"),
        Way(
            "the console's token ends with a space",
            signed(&hex(&format!("{TOKEN} {now}"))),
            &["signature"],
            "console",
        ),
        Way(
            "two apps",
            path(&format!("{good}&SdkAppid=1400000001")),
            &["query"],
            "SdkAppid is there 2 times",
        ),
        Way(
            "two signatures",
            path(&format!("{good}&sign={}", hex("x"))),
            &["query"],
            "Sign is there 2 times",
        ),
        Way("two times", path(&format!("{good}&RequestTime=5")), &["query"], "RequestTime is there 2 times"),
        Way(
            "two commands",
            path(&format!("{good}&CallbackCommand=Other")),
            &["query"],
            "CallbackCommand is there 2",
        ),
        Way(
            "encoded as a whole",
            path(&encoded(&good)),
            &["app", "query", "signature", "time"],
            "double-encoded",
        ),
        Way(
            "a value encoded twice",
            with(&[("RequestTime", Some(&format!("%25{:x}{}", b'1', &now.to_string()[1..])))]),
            &["query", "signature", "time"],
            "double-encoded",
        ),
        Way("copied from HTML", path(&good.replace('&', "&amp;")), &["query", "signature", "time"], "&amp;"),
        Way("semicolons", path(&good.replace('&', ";")), &["app", "query", "signature", "time"], "semicolon"),
        Way("two question marks", path(&format!("own=1?{good}")), &["app", "query"], "question mark"),
        Way("cut in the signature", cut("&Sign=", 20), &["query", "signature", "time"], "cut"),
        Way("cut before the signature", cut("&Sign=", 0), &["signature", "time"], "cut"),
        Way("cut in a name", cut("&Sign=", 3), &["query", "signature", "time"], "cut"),
        Way("cut behind the app", cut("&CallbackCommand", 0), &["query", "signature", "time"], "missing"),
        Way("no query", "/desk/callback".to_owned(), &["app", "query", "signature", "time"], "no query"),
        Way("a query that is too long", path(&format!("{good}&x={}", "y".repeat(9000))), &["query"], "bytes"),
    ]
}

/// The answer is what a real server answers, and the checks that fail are those that are wrong.
#[test]
fn every_way_of_breaking_a_url_is_explained_as_the_server_answers_it() {
    let server = Server::example("axum");
    let ways = ways();
    assert!(ways.len() > 40);
    for Way(name, target, failed, reason) in ways {
        let explained = explain([&format!("https://desk.example.com{target}"), "--token", TOKEN]);
        let command = target.split("CallbackCommand=").nth(1).and_then(|rest| rest.split('&').next());
        let command = command.filter(|command| !command.is_empty()).unwrap_or("Desk.SessionEventNotify");
        let body = testing::event("SessionBegin").field("CallbackCommand", command).to_string();
        assert_eq!(
            explained.answer,
            post(&server.address, "POST", &target, body.as_bytes()),
            "{name}: {target}"
        );
        assert_eq!(explained.failed(), failed, "{name}: {:?}", explained.checks);
        let names: Vec<&str> = explained.checks.keys().map(String::as_str).collect();
        assert_eq!(names, ["app", "body", "query", "signature", "time"]);
        let reasons: String = explained.checks.values().map(|(_, why)| why.as_str()).collect();
        assert!(reasons.contains(reason), "{name}: {reasons}");
        assert_eq!(explained.ran.code == 0, failed.is_empty(), "{name}");

        let query = target.split_once('?').map_or("", |(_, query)| query);
        let time = query.split('&').find_map(|pair| pair.strip_prefix("RequestTime="));
        let valid = time.map(|time| hex(&format!("{TOKEN}{time}")));
        let printed = [&explained.ran.stdout[..], &explained.ran.stderr].concat();
        assert!(!printed.contains(TOKEN), "{name}");
        assert!(!valid.is_some_and(|valid| printed.to_lowercase().contains(&valid)), "{name}");
    }
}

#[test]
fn the_json_is_as_documented() {
    let ran = run(["explain", "--json", &format!("/?{}", delivery().query()), "--token", TOKEN]);
    assert!(ran.stdout.starts_with(r#"{"checks":[{"check":"app","ok":true,"why":""#), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("],\"answer\":{\"status\":200,\"ErrorCode\":0}}\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn another_method_is_refused() {
    let server = Server::example("axum");
    let target = format!("/desk/callback?{}", delivery().query());
    let explained = explain([&format!("\"GET {target} HTTP/1.1\" 405"), "--token", TOKEN]);
    assert_eq!(explained.answer, post(&server.address, "GET", &target, b""));
    assert_eq!(explained.answer, (405, Some(40501)));
    assert_eq!(explained.failed(), ["query"]);
}

#[test]
fn several_tokens_are_live_and_white_space_around_one_is_seen() {
    let url = format!("/?{}", delivery().query());
    let explained = explain([&url, "--token", "the next token", "--token", TOKEN]);
    assert_eq!(explained.answer, (200, Some(0)));
    assert_eq!(explained.why("signature"), "valid for another live token: token 2 of 2");

    let explained = explain([&url, "--token", &format!("{TOKEN}\n")]);
    assert_eq!(explained.answer, (401, Some(40104)));
    assert_eq!(explained.failed(), ["signature"]);
    assert!(explained.why("signature").contains("white space"), "{}", explained.why("signature"));

    let explained = explain([&url, "--token", &format!("\"{TOKEN}\"")]);
    assert!(explained.why("signature").contains("quotation"), "{}", explained.why("signature"));

    let from_environment = desk(["explain", &url, "--json"]).env("DESK_TOKEN", TOKEN).output().unwrap();
    assert_eq!(read(from_environment.into()).answer, (200, Some(0)));
}

/// As the examples do without `DESK_TOKEN`.
#[test]
fn without_a_token_signatures_are_not_checked() {
    let explained = explain(["/?SdkAppid=1400000000"]);
    assert_eq!(explained.answer, (200, Some(0)));
    assert!(explained.why("signature").contains("not checked"));
    let explained = explain(["/?SdkAppid=1400000000", "--app", "7"]);
    assert_eq!((explained.answer, explained.failed()), ((403, Some(40301)), vec!["app"]));
}

/// It is judged at the time at which it was written, unless it is fresh now.
#[test]
fn a_line_of_a_log_is_judged_at_its_own_time() {
    let old = Delivery::of("").token(TOKEN).query(); // signed at 2022-12-01T05:21:52Z
    let line = |query: &str| {
        format!(r#"10.0.0.1 - - [01/Dec/2022:05:22:02 +0000] "POST /cb?{query} HTTP/1.1" 200 54 "-" "-""#)
    };
    let explained = explain([&line(&old), "--token", TOKEN]);
    assert_eq!(explained.answer, (200, Some(0)));
    assert!(explained.why("time").starts_with("RequestTime is 10 s behind"), "{}", explained.why("time"));
    assert_eq!(explain([&line(&delivery().query()), "--token", TOKEN]).answer, (200, Some(0)));
    assert_eq!(explain([&format!("/cb?{old}"), "--token", TOKEN]).answer, (401, Some(40103)));
    assert_eq!(
        explain([&format!("/cb?{old}"), "--token", TOKEN, "--time", "1669872172"]).answer,
        (200, Some(0))
    );
    assert_eq!(
        explain([&format!("/cb?{old}"), "--token", TOKEN, "--time", "1669872173"]).answer,
        (401, Some(40103))
    );

    let lines = format!("{}\n\n{}\n", line(&old), line("SdkAppid=1"));
    let ran = run_with(desk(["explain", "-", "--json", "--token", TOKEN]), lines.as_bytes());
    let answers: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        answers.iter().map(|explained| explained["answer"].clone()).collect::<Vec<_>>(),
        [json!({"status": 200, "ErrorCode": 0}), json!({"status": 403, "ErrorCode": 40301}),]
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn a_body_is_judged_too() {
    let server = Server::example("axum");
    let target = format!("/desk/callback?{}", delivery().query());
    for (body, failed) in [
        (&br#"{"SessionId":"s","Event":"SessionBegin","EventTime":1}"#[..], false),
        (b"", false), // the console's URL check
        (b"not JSON", true),
        (br#"{"SessionId":"s"}"#, true),
        (b"\xff", true),
        (br#"{"CallbackCommand":"Other"}"#, true),
    ] {
        let path = place("body");
        std::fs::write(&path, body).unwrap();
        let explained = explain([&target, "--token", TOKEN, "--body", path.to_str().unwrap()]);
        assert_eq!(explained.answer, post(&server.address, "POST", &target, body), "{:?}", explained.checks);
        assert_eq!(explained.failed(), if failed { vec!["body"] } else { vec![] });
    }
    assert_eq!(run(["explain", &target, "--body", "/does/not/exist"]).code, 1);
}

#[test]
fn untrusted_parts_cannot_write_to_the_terminal() {
    let ran = run(["explain", "/?SdkAppid=%1b[31m1&x=%1b]0;title%07&Sign=%0a%0d"]);
    assert!(!ran.stdout.contains(['\x1b', '\x07', '\r']), "{:?}", ran.stdout);
}
