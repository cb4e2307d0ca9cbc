//! `desk explain`: what a receiver decides about a request, and why.
//!
//! The answer is the one of a real webhook. The reasons are found beside it, each check by itself.

mod app;
mod claims;
mod input;
mod query;
mod receiver;
mod signature;
mod time;

use std::{
    fs,
    io::{self, Read as _},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;
use serde::Serialize;

use self::{
    claims::Claims,
    input::Asked,
    receiver::{Judgement, Receiver},
};
use crate::{
    catalog,
    cli::Common,
    failure::{Failure, exit},
    output::{Colour, Output},
    quiet, remedy,
    text::printable,
};

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Callback URL or line of an access log; - reads lines from standard input, which keeps them out of the shell's history
    #[arg(value_name = "URL")]
    input: String,
    /// Body of the request: a file. Default: one that fits
    #[arg(long, value_name = "FILE")]
    body: Option<String>,
    /// Judge it at this time, in Unix seconds. Default: now, or the time of a log's line that is too old by now
    #[arg(long, value_name = "SECONDS")]
    time: Option<u64>,
    /// How far RequestTime may be from the clock, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    window: u64,
}

#[derive(Serialize)]
struct Explained<'e> {
    checks: &'e [Check],
    answer: Answered,
}

#[derive(Serialize)]
struct Answered {
    status: u16,
    /// None where a server would refuse the request before the webhook.
    #[serde(rename = "ErrorCode")]
    code: Option<i64>,
}

/// What one part of the receiver decides.
#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: &'static str,
    ok: bool,
    why: String,
}

impl Check {
    fn new(name: &'static str, ok: bool, why: impl Into<String>) -> Self {
        Self { name, ok, why: why.into() }
    }
}

pub(crate) async fn run(common: &Common, args: ExplainArgs, output: &Output) -> Result<ExitCode, Failure> {
    quiet::start();
    let body = args.body.as_deref().map(fs::read).transpose();
    let body = body.map_err(|error| Failure::Failed(format!("--body cannot be read: {error}")))?;
    let mut accepted = true;
    for line in lines(&args.input)? {
        let asked = Asked::read(&line).map_err(Failure::Usage)?;
        let receiver = Receiver::new(common, Duration::from_secs(args.window), clock(&args, &asked))?;
        let (checks, judgement) = explain(&receiver, &asked, body.as_deref()).await;
        print(&checks, &judgement, &receiver, output);
        accepted &= judgement.is_accepted();
    }
    Ok(exit(accepted))
}

fn lines(input: &str) -> Result<Vec<String>, Failure> {
    if input != "-" {
        return Ok(vec![input.to_owned()]);
    }
    let mut text = Vec::new();
    io::stdin()
        .read_to_end(&mut text)
        .map_err(|error| Failure::Failed(format!("standard input cannot be read: {error}")))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<String> =
        text.lines().filter(|line| !line.trim().is_empty()).map(ToOwned::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::Usage("standard input has no line to explain".to_owned()));
    }
    Ok(lines)
}

/// A line of a log was written when its request arrived. It is judged then, unless it would still be fresh now.
fn clock(args: &ExplainArgs, asked: &Asked) -> SystemTime {
    if let Some(seconds) = args.time {
        return UNIX_EPOCH + Duration::from_secs(seconds);
    }
    let now = SystemTime::now();
    let claims = Claims::of(asked.query());
    let claimed = claims.first("RequestTime").and_then(|time| time.parse().ok());
    let is_fresh = claimed.is_some_and(|claimed: u64| time::seconds(now).abs_diff(claimed) <= args.window);
    asked.logged.filter(|_| !is_fresh).unwrap_or(now)
}

async fn explain(receiver: &Receiver, asked: &Asked, body: Option<&[u8]>) -> (Vec<Check>, Judgement) {
    let claims = Claims::of(asked.query());
    let assumed = assumed_body(&claims);
    let judgement = receiver.judge(asked, body.unwrap_or(assumed.as_bytes())).await;
    let mut checks = vec![
        app::check(receiver, &claims),
        time::check(receiver, &claims),
        signature::check(receiver, &claims),
        query::check(receiver, asked, &claims),
        body_check(receiver, &claims, body, &judgement).await,
    ];
    judgement.overrule(&mut checks);
    (checks, judgement)
}

/// A body of the command that the query names.
fn assumed_body(claims: &Claims) -> String {
    let command = claims.present("CallbackCommand").unwrap_or("Desk.SessionEventNotify");
    catalog::body_of_command(command).to_string()
}

async fn body_check(
    receiver: &Receiver,
    claims: &Claims,
    body: Option<&[u8]>,
    judgement: &Judgement,
) -> Check {
    let Some(body) = body else {
        return Check::new("body", true, "not given: one that fits is assumed (--body FILE)");
    };
    // As if the query were right in everything else.
    let alone = receiver.judge_body(claims.first("CallbackCommand"), body).await;
    let unread = if judgement.is_before_body() { " (not read: the request is refused before)" } else { "" };
    let why = if alone.is_accepted() { "it can be read" } else { alone.text.as_str() };
    Check::new("body", alone.is_accepted(), format!("{why}{unread}"))
}

fn print(checks: &[Check], judgement: &Judgement, receiver: &Receiver, output: &Output) {
    if output.json {
        let answer = Answered { status: judgement.status, code: judgement.code };
        output.json_line(&serde_json::to_string(&Explained { checks, answer }).unwrap_or_default());
        return;
    }
    for check in checks {
        let verdict =
            if check.ok { output.paint(Colour::Green, "ok ") } else { output.paint(Colour::Red, "no ") };
        output.line(&format!("{verdict} {:<9} {}", check.name, printable(&check.why)));
    }
    let colour = if judgement.is_accepted() { Colour::Green } else { Colour::Red };
    let answer = output.paint(colour, &format!("status {}", judgement.status));
    let code = judgement.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    output.line(&format!("answer: {answer}, ErrorCode {code}, at {}", time::shown(receiver.now)));
    if let Some(remedy) = judgement.code.and_then(remedy::of) {
        output.line(&format!("remedy: {}", remedy.remedy()));
    }
}
