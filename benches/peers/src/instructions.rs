//! User-space instructions per request: the difference between a short and a long run, which excludes start and end. callgrind
//! hides the processor's SHA-256 instructions, so all servers compute it in software.

use std::{env, fs, path::Path, process::Command, time::Duration};

use crate::{
    Result, load, machine,
    process::{Running, pin_load},
    requests::Request,
    servers::Server,
    table::print,
};

const SHORT: u64 = 1_000;
const LONG: u64 = 3_000;

/// The compared servers, and the limit for the ratio of their instructions.
const PAIRS: [(Server, Server, Option<f64>); 7] = [
    (Server::HyperDoor, Server::HyperConstant, Some(2.5)),
    (Server::AxumDoor, Server::AxumByHand, Some(0.62)),
    (Server::ActixDoor, Server::ActixByHand, Some(0.75)),
    (Server::HyperDoor, Server::SlackMorphism, None),
    (Server::AxumDoor, Server::SlackMorphism, None),
    (Server::ActixDoor, Server::SlackMorphism, None),
    (Server::AxumDoor, Server::CloudEvents, None),
];

pub(crate) fn run() -> Result<()> {
    machine::print();
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("cannot start valgrind: is it installed?".into());
    }
    pin_load()?;
    let exe = env::current_exe()?;
    let folder = exe.parent().ok_or("a program that is in no folder")?;
    let mut counts = [0.0; Server::ALL.len()];
    for server in Server::ALL {
        eprintln!("{}", server.name());
        let counted = folder.join(format!("callgrind.{}", server.name()));
        let short = count(server, SHORT, &counted)?;
        let long = count(server, LONG, &counted)?;
        counts[server as usize] = long.saturating_sub(short) as f64 / (LONG - SHORT) as f64;
    }

    let rows =
        Server::ALL.map(|server| vec![server.name().to_owned(), format!("{:.0}", counts[server as usize])]);
    print(&["server", "instructions a request"], rows);
    let rows = PAIRS.map(|(server, peer, bar)| {
        let ratio = counts[server as usize] / counts[peer as usize];
        vec![
            format!("{} / {}", server.name(), peer.name()),
            format!("{ratio:.3}"),
            bar.map_or_else(String::new, |bar| format!("≤ {bar}")),
            bar.map_or("", |bar| if ratio <= bar { "OK" } else { "over" }).to_owned(),
        ]
    });
    print(&["pair", "instructions", "bar", ""], rows);
    println!("Where they go: callgrind_annotate --inclusive=yes {}/callgrind.axum_door", folder.display());
    Ok(())
}

/// The instructions of the whole process.
fn count(server: Server, requests: u64, counted: &Path) -> Result<u64> {
    let out = format!("--callgrind-out-file={}", counted.display());
    let running = Running::start(server, Duration::ZERO, &["valgrind", "-q", "--tool=callgrind", &out])?;
    load::sequence(&running, Request::to(server)?, requests)
        .map_err(|error| format!("{}: {error}", server.name()))?;
    running.stop()?;
    let counted = fs::read_to_string(counted)?;
    let total = counted.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind has written no total")?.trim().parse()?)
}
