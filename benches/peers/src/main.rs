//! The library served over loopback, beside what one would write by hand, and beside what other crates do.
//!
//! * `cargo run --release -- rates`: requests/s and the server's CPU time a request, 64 connections, each sending its next
//!   request once it has its answer. Five minutes.
//! * `cargo run --release -- latency`: the wait for an answer at a fixed rate, counted from when the request was due, with
//!   handlers that take no time and that take 10 ms. Nine minutes.
//! * `cargo run --release -- instructions`: user-space instructions a request, one connection, counted by callgrind. They
//!   repeat; it needs valgrind. Half a minute.
//!
//! The server has core 0 and the load core 1 (by `taskset`). A server is a process of its own, started for each run; a round
//! runs each once, every other round backwards, and ratios are of two runs of one round. `PEERS_ROUNDS` (9),
//! `PEERS_SECONDS` (3, of each run) and `PEERS_RATE` (2000, of `latency`) change what is said in brackets.
//!
//! All servers are in this one binary: their dependencies' features are united, the same for all. What each one does stands
//! at the head of its file in `servers/`.

mod servers;

mod documented;

mod requests;

mod process;

mod load;

mod rates;

mod latency;

mod instructions;

mod machine;

mod table;

use std::{env, process::ExitCode, str::FromStr, time::Duration};

use self::servers::Server;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        ["rates"] => Settings::from_env().and_then(|settings| rates::run(&settings)),
        ["latency"] => Settings::from_env().and_then(|settings| latency::run(&settings)),
        ["instructions"] => instructions::run(),
        // How `process.rs` starts a server.
        ["serve", server, delay] => serve(server, delay),
        _ => Err("say what to measure: rates, latency or instructions".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(server: &str, delay: &str) -> Result<()> {
    let delay = delay.parse().map_err(|_| format!("{delay} is no number of milliseconds"))?;
    Server::named(server)?.serve(Duration::from_millis(delay))
}

struct Settings {
    rounds: usize,
    time: Duration,
    rate: u64,
}

impl Settings {
    fn from_env() -> Result<Self> {
        let settings = Self {
            rounds: setting("PEERS_ROUNDS", 9)?,
            time: Duration::from_secs(setting("PEERS_SECONDS", 3)?),
            rate: setting("PEERS_RATE", 2000)?,
        };
        if settings.rounds == 0 || settings.time.is_zero() || settings.rate == 0 {
            return Err("PEERS_ROUNDS, PEERS_SECONDS and PEERS_RATE are at least 1".into());
        }
        Ok(settings)
    }
}

fn setting<T: FromStr>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Ok(value) => value.parse().map_err(|_| format!("{name} is no number: {value}").into()),
        Err(_) => Ok(default),
    }
}
