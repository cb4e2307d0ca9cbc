//! Requests/s and CPU time per request.

use std::time::Duration;

use crate::{
    Result, Settings, load, machine,
    process::{Running, pin_load},
    requests::Request,
    servers::Server,
    table::{Samples, print},
};

/// The compared servers, and the limit for the ratio of their requests/s.
const PAIRS: [(Server, Server, Option<f64>); 8] = [
    (Server::HyperDoor, Server::HyperConstant, Some(0.78)),
    (Server::AxumDoor, Server::AxumByHand, Some(1.25)),
    (Server::ActixDoor, Server::ActixByHand, Some(1.1)),
    (Server::HyperDoor, Server::SlackMorphism, Some(1.4)),
    (Server::AxumDoor, Server::SlackMorphism, Some(1.4)),
    (Server::ActixDoor, Server::SlackMorphism, Some(1.4)),
    (Server::AxumDoor, Server::CloudEvents, None),
    (Server::AxumDoor, Server::HyperConstant, None),
];

#[derive(Clone, Default)]
struct Measured {
    per_second: Samples,
    cpu_micros: Samples,
    busy: Samples,
    load_busy: Samples,
}

pub(crate) fn run(settings: &Settings) -> Result<()> {
    machine::print();
    pin_load()?;
    let mut measured = vec![Measured::default(); Server::ALL.len()];
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        for server in in_turn(round) {
            let running = Running::start(server, Duration::ZERO, &[])?;
            let throughput = load::closed(&running, Request::to(server)?, settings.time)
                .map_err(|error| format!("{}: {error}", server.name()))?;
            running.stop()?;
            let measured = &mut measured[server as usize];
            measured.per_second.push(throughput.per_second);
            measured.cpu_micros.push(throughput.cpu_micros);
            measured.busy.push(throughput.busy);
            measured.load_busy.push(throughput.load_busy);
        }
    }

    let rows = Server::ALL.map(|server| {
        let Measured { per_second, cpu_micros, busy, load_busy } = &measured[server as usize];
        let name = server.name().to_owned();
        vec![name, per_second.show(0), cpu_micros.show(2), busy.show(2), load_busy.show(2)]
    });
    print(&["server", "requests/s", "CPU µs a request", "share of its core", "the load's of its"], rows);

    let rows = PAIRS.map(|(server, peer, bar)| {
        let (of, to) = (&measured[server as usize], &measured[peer as usize]);
        let rates = of.per_second.ratios(&to.per_second);
        vec![
            format!("{} / {}", server.name(), peer.name()),
            rates.show(3),
            bar.map_or_else(String::new, |bar| format!("≥ {bar}")),
            bar.map_or("", |bar| if rates.median() >= bar { "OK" } else { "under" }).to_owned(),
            of.cpu_micros.ratios(&to.cpu_micros).show(3),
        ]
    });
    print(&["pair", "requests/s", "bar", "", "CPU a request"], rows);
    Ok(())
}

/// Every other round runs in reverse order, so that a machine that slows down affects all servers equally.
pub(crate) fn in_turn(round: usize) -> Vec<Server> {
    let mut servers = Server::ALL.to_vec();
    if round % 2 == 1 {
        servers.reverse();
    }
    servers
}
