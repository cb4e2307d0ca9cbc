//! `desk play`: whole sessions, many at once, at a rate.

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use clap::Args;
use http::Request;
use http_body_util::Full;
use indicatif::ProgressBar;
use tencent_desk_webhook::testing::{EventFixture, Scenario};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    age::Age,
    cli::Common,
    client::Client,
    failure::{Failure, exit},
    output::Output,
    progress, send, stop,
    tally::Tally,
    target::Target,
};

#[derive(Debug, Args)]
pub(crate) struct PlayArgs {
    /// Callback URL
    #[arg(long, value_name = "URL")]
    to: Target,
    /// How sessions go; several are played in turn [default: all]
    #[arg(long, value_name = "NAME", value_parser = scenario_names())]
    scenario: Vec<String>,
    /// How many sessions [default: 1, or as many as the duration allows]
    #[arg(long, value_name = "NUMBER")]
    sessions: Option<u64>,
    /// How many sessions at once. Events of one session follow one another
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// How many events a second, whatever the answers take. Latencies are counted from when an event was due
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    rate: Option<f64>,
    /// How long to go on, such as 30s or 5m
    #[arg(long, value_name = "TIME")]
    duration: Option<Age>,
    /// Deliver every event so many times
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Shuffle the events of each session
    #[arg(long)]
    shuffle: bool,
    /// Choose names and orders by this number [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

type MakeScenario = fn(&str) -> Scenario;

/// The test kit's.
const SCENARIOS: [(&str, MakeScenario); 6] = [
    ("rated", Scenario::new),
    ("no-agent-online", Scenario::no_agent_online),
    ("forwarded", Scenario::forwarded),
    ("user-timeout", Scenario::user_timeout),
    ("agent-timeout", Scenario::agent_timeout),
    ("left-queue", Scenario::left_queue),
];

fn scenario_names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1e-3..=1e6).contains(rate));
    rate.ok_or_else(|| "it has to be a number of events a second, up to a million".to_owned())
}

pub(crate) async fn run(common: &Common, args: PlayArgs, output: &Output) -> Result<ExitCode, Failure> {
    let mut stop = std::pin::pin!(stop::signal()?);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = args.seed.unwrap_or(since_epoch.as_millis() as u64);
    let sessions = args.sessions.or(args.duration.is_none().then_some(1));
    let (begin, concurrency) = (Instant::now(), args.concurrency);
    let end = args.duration.and_then(|Age(duration)| begin.checked_add(duration));
    let scenarios: Vec<MakeScenario> = SCENARIOS
        .iter()
        .filter(|(name, _)| args.scenario.is_empty() || args.scenario.iter().any(|wanted| wanted == name))
        .map(|(_, make)| *make)
        .collect();
    let play = Arc::new(Play {
        client: Client::new(&args.to)?,
        app: common.app(),
        token: common.signing_token()?.map(ToOwned::to_owned),
        begin,
        end,
        seed,
        sessions,
        next_session: AtomicU64::new(0),
        next_event: AtomicU64::new(0),
        bar: bar(&scenarios, sessions, args.repeat, output),
        scenarios,
        tally: Mutex::default(),
        args,
    });
    let mut players = JoinSet::new();
    for _ in 0..concurrency {
        players.spawn(Arc::clone(&play).play());
    }
    let ended = async {
        while let Some(ended) = players.join_next().await {
            ended.map_err(|error| Failure::Failed(error.to_string()))??;
        }
        Ok::<_, Failure>(())
    };
    let interrupted = tokio::select! {
        ended = ended => ended.map(|()| false)?,
        () = &mut stop => true,
    };
    players.shutdown().await;
    play.bar.finish_and_clear();
    let mut tally = play.tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.print(begin.elapsed(), interrupted, output);
    Ok(exit(tally.all_accepted()))
}

fn bar(scenarios: &[MakeScenario], sessions: Option<u64>, repeat: u32, output: &Output) -> ProgressBar {
    let Some(sessions) = sessions else { return progress::spinner(output) };
    let kinds = scenarios.len() as u64;
    let events = (0..kinds).zip(scenarios).map(|(kind, make)| {
        let times = sessions / kinds + u64::from(kind < sessions % kinds);
        times * make("").into_iter().count() as u64
    });
    progress::bar(events.sum::<u64>() * u64::from(repeat), output)
}

struct Play {
    client: Client,
    args: PlayArgs,
    scenarios: Vec<MakeScenario>,
    app: u64,
    token: Option<String>,
    begin: Instant,
    end: Option<Instant>,
    seed: u64,
    sessions: Option<u64>,
    next_session: AtomicU64,
    next_event: AtomicU64,
    bar: ProgressBar,
    tally: Mutex<Tally>,
}

impl Play {
    /// One session after another.
    async fn play(self: Arc<Self>) -> Result<(), Failure> {
        loop {
            let number = self.next_session.fetch_add(1, Ordering::Relaxed);
            if self.sessions.is_some_and(|sessions| number >= sessions) {
                return Ok(());
            }
            for (event, request_id) in self.session(number) {
                let Some(due) = self.turn().await else { return Ok(()) };
                let request = self.request(&event, &request_id)?;
                let answer = self.client.send(request).await;
                self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(&answer, due.elapsed());
                self.bar.inc(1);
            }
        }
    }

    /// Waits until the next event is due, and returns when that was. The schedule does not wait for answers. `None`: the time is
    /// over.
    async fn turn(&self) -> Option<Instant> {
        let due = match self.args.rate {
            Some(rate) => {
                let number = self.next_event.fetch_add(1, Ordering::Relaxed);
                let due = self.begin + Duration::from_secs_f64(number as f64 / rate);
                if self.end.is_some_and(|end| due >= end) {
                    return None;
                }
                sleep_until(due).await;
                due
            }
            None => Instant::now(),
        };
        (self.end.is_none_or(|end| Instant::now() < end)).then_some(due)
    }

    /// The events of a session, each with its `RequestID`, which repetitions share.
    fn session(&self, number: u64) -> Vec<(EventFixture, String)> {
        let session = format!("play-{:x}-{number}", self.seed);
        let make = self.scenarios[number as usize % self.scenarios.len()];
        let mut scenario = make(&session).gaps([self.gap()]).repeated(self.args.repeat as usize);
        if self.args.shuffle {
            scenario = scenario.shuffled(self.seed.wrapping_add(number));
        }
        let events: Vec<EventFixture> = scenario.into_iter().collect();
        let time = |event: &EventFixture| event.json()["EventTime"].as_u64().unwrap_or_default();
        let first = events.iter().map(time).min().unwrap_or_default();
        let now = SystemTime::now();
        let place = |event: EventFixture| {
            let since = time(&event) - first;
            let event = event.user(&format!("user-{number}")).time(now + Duration::from_millis(since));
            (event, format!("{session}-{since}"))
        };
        events.into_iter().map(place).collect()
    }

    /// About how long it takes from one event of a session to the next.
    fn gap(&self) -> Duration {
        let usual = Duration::from_millis(1);
        self.args
            .rate
            .map_or(usual, |rate| Duration::from_secs_f64(f64::from(self.args.concurrency) / rate).max(usual))
    }

    fn request(&self, event: &EventFixture, request_id: &str) -> Result<Request<Full<Bytes>>, Failure> {
        let mut delivery = event.delivery().app(self.app).request_id(request_id).now();
        delivery = match &self.token {
            Some(token) => delivery.token(token),
            None => delivery.unsigned(),
        };
        if let Some(command) = event.json()["CallbackCommand"].as_str() {
            delivery = delivery.command(command);
        }
        send::request(&delivery, &self.args.to)
    }
}
