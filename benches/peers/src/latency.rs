//! Response times at a moderate rate.

use std::time::Duration;

use crate::{
    Result, Settings, load, machine,
    process::{Running, pin_load},
    rates::in_turn,
    requests::Request,
    servers::Server,
    table::{Samples, print},
};

const DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(10)];

#[derive(Clone, Default)]
struct Measured {
    median: Samples,
    high: Samples,
}

pub(crate) fn run(settings: &Settings) -> Result<()> {
    machine::print();
    pin_load()?;
    let mut measured = vec![[(); DELAYS.len()].map(|()| Measured::default()); Server::ALL.len()];
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        for server in in_turn(round) {
            for (delay, measured) in DELAYS.into_iter().zip(&mut measured[server as usize]) {
                let running = Running::start(server, delay, &[])?;
                let request = Request::to(server)?;
                let latencies = load::fixed_rate(&running, request, settings.rate, settings.time)
                    .map_err(|error| format!("{}: {error}", server.name()))?;
                running.stop()?;
                measured.median.push(latencies.micros_at(0.5));
                measured.high.push(latencies.micros_at(0.99));
            }
        }
    }

    println!("{} requests/s, in µs:", settings.rate);
    let rows = Server::ALL.map(|server| {
        let measured = measured[server as usize].iter();
        let shown = measured.flat_map(|measured| [measured.median.show(0), measured.high.show(0)]);
        [server.name().to_owned()].into_iter().chain(shown).collect()
    });
    print(&["server", "0 ms: p50", "0 ms: p99", "10 ms: p50", "10 ms: p99"], rows);
    Ok(())
}
