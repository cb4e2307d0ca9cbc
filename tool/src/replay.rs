//! `desk replay`: sends a recording again.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use clap::Args;
use tencent_desk_webhook::Event;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    again::Original,
    cli::Common,
    client::Client,
    failure::{Failure, exit},
    output::Output,
    progress,
    recording::{self, Recording},
    stop,
    tally::Tally,
    target::Target,
    text::printable,
};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Recording of `desk listen --record`, or any file of one event a line
    file: PathBuf,
    /// Callback URL
    #[arg(long, value_name = "URL")]
    to: Target,
    /// How many times faster than it happened, or max
    #[arg(long, value_name = "NUMBER|max", default_value = "max")]
    speed: Speed,
    /// Only events of this session or of this name; of several of a kind, any
    #[arg(long, value_name = "session=ID|event=NAME")]
    only: Vec<Only>,
    /// How many sessions at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Leave out lines that are no events, such as one that a crash cut off
    #[arg(long)]
    skip_broken: bool,
}

#[derive(Clone, Copy, Debug)]
enum Speed {
    Max,
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let times = text.trim_end_matches(['x', 'X']).parse().ok();
        times
            .filter(|times| (1e-3..=1e9).contains(times))
            .map(Self::Times)
            .ok_or("it has to be a number above 0, or max".to_owned())
    }
}

#[derive(Clone, Debug)]
enum Only {
    Session(String),
    Event(String),
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("session", id)) => Ok(Self::Session(id.to_owned())),
            Some(("event", name)) => Ok(Self::Event(name.to_owned())),
            _ => Err("it has to be session=ID or event=NAME".to_owned()),
        }
    }
}

pub(crate) async fn run(common: &Common, args: ReplayArgs, output: &Output) -> Result<ExitCode, Failure> {
    let mut stop = std::pin::pin!(stop::signal()?);
    let token = common.signing_token()?.map(ToOwned::to_owned);
    let mut events = read(&args, output)?;
    events.retain(|event| is_wanted(event, &args.only));
    if events.is_empty() {
        output.warn("no event of the recording is to be sent");
    }
    let bar = progress::bar(events.len() as u64, output);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let begin = Instant::now();
    let sending = Arc::new(Sending {
        client: Client::new(&args.to)?,
        permits: Semaphore::new(args.concurrency.into()),
        tally: Arc::clone(&tally),
        app: common.named_app(),
        pace: Pace { speed: args.speed, begin, first: events.first().map(|event| event.time) },
        target: args.to,
        token,
        bar: bar.clone(),
    });
    let mut sessions = JoinSet::new();
    for events in by_session(events) {
        sessions.spawn(Arc::clone(&sending).send(events));
    }
    let ended = async {
        while let Some(ended) = sessions.join_next().await {
            ended.map_err(|error| Failure::Failed(error.to_string()))??;
        }
        Ok::<_, Failure>(())
    };
    let interrupted = tokio::select! {
        ended = ended => ended.map(|()| false)?,
        () = &mut stop => true,
    };
    sessions.shutdown().await;
    bar.finish_and_clear();
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.print(begin.elapsed(), interrupted, output);
    Ok(exit(tally.all_accepted() && !interrupted))
}

fn read(args: &ReplayArgs, output: &Output) -> Result<Vec<Event>, Failure> {
    let Recording { events, broken } = recording::read(&args.file)?;
    let Some((line, why)) = broken.first() else { return Ok(events) };
    let more = match broken.len() - 1 {
        0 => String::new(),
        more => format!(", nor are {more} other lines"),
    };
    let text = format!("line {line} of {} is no event{more}: {}", args.file.display(), printable(why));
    if !args.skip_broken {
        return Err(Failure::Failed(format!(
            "{text}. Nothing was sent; --skip-broken leaves such lines out"
        )));
    }
    output.warn(&text);
    Ok(events)
}

fn is_wanted(event: &Event, only: &[Only]) -> bool {
    let (mut sessions, mut names) = (Vec::new(), Vec::new());
    for only in only {
        match only {
            Only::Session(id) => sessions.push(id.as_str()),
            Only::Event(name) => names.push(name.as_str()),
        }
    }
    (sessions.is_empty() || sessions.contains(&event.session_id.as_str()))
        && (names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(event.name.as_str())))
}

/// In the order of their first events, each in its own order.
fn by_session(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut places = HashMap::new();
    let mut sessions: Vec<Vec<Event>> = Vec::new();
    for event in events {
        let place = *places.entry((event.sdk_app_id, event.session_id.clone())).or_insert(sessions.len());
        if place == sessions.len() {
            sessions.push(Vec::new());
        }
        sessions[place].push(event);
    }
    sessions
}

/// When an event is due.
struct Pace {
    speed: Speed,
    begin: Instant,
    /// The time of the first event.
    first: Option<SystemTime>,
}

impl Pace {
    fn due(&self, event: &Event) -> Option<Instant> {
        let Speed::Times(times) = self.speed else { return None };
        let since = event.time.duration_since(self.first?).unwrap_or_default();
        let since = Duration::try_from_secs_f64(since.as_secs_f64() / times).ok()?;
        self.begin.checked_add(since)
    }
}

struct Sending {
    client: Client,
    target: Target,
    app: Option<u64>,
    token: Option<String>,
    permits: Semaphore,
    tally: Arc<Mutex<Tally>>,
    pace: Pace,
    bar: indicatif::ProgressBar,
}

impl Sending {
    /// One after the other, so that they arrive in order.
    async fn send(self: Arc<Self>, events: Vec<Event>) -> Result<(), Failure> {
        for event in events {
            if let Some(due) = self.pace.due(&event) {
                sleep_until(due).await;
            }
            let Ok(_permit) = self.permits.acquire().await else { return Ok(()) };
            let request = Original::from(&event).to(&self.target, self.app, self.token.as_deref())?;
            let began = Instant::now();
            let answer = self.client.send(request).await;
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(&answer, began.elapsed());
            self.bar.inc(1);
        }
        Ok(())
    }
}
