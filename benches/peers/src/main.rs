//! Compares the library, served over loopback, with handwritten handlers and with other crates.
//!
//! * `cargo run --release -- rates`: requests/s and the server's CPU time per request, with 64 connections that each send the next
//!   request after a response. Takes five minutes.
//! * `cargo run --release -- latency`: response times at a fixed rate, measured from when each request was due, with handlers that
//!   take no time and handlers that take 10 ms. Takes nine minutes.
//! * `cargo run --release -- instructions`: user-space instructions per request on one connection, counted by callgrind. The counts
//!   repeat. Needs valgrind and takes half a minute.
//!
//! The server runs on core 0 and the load on core 1 (`taskset`). Each run starts the server as a new process. A round runs each
//! server once, every other round in reverse order, and ratios compare two runs of the same round. `PEERS_ROUNDS` (default 9),
//! `PEERS_SECONDS` (3, per run) and `PEERS_RATE` (2000, for `latency`) change the settings.
//!
//! All servers are in one binary, so all have the same features of their dependencies. The comment at the head of each file in
//! `servers/` describes the server.

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
        // `process.rs` starts a server this way.
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
