//! A server in a separate process, and the cores that processes run on.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{self, Child, Command, Stdio},
    time::Duration,
};

use crate::{Result, servers::Server};

const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// Pins this process, which generates the load, to its core.
pub(crate) fn pin_load() -> Result<()> {
    let pinned = Command::new("taskset").args(["-cp", LOAD_CORE, &process::id().to_string()]).output();
    let pinned = pinned.map_err(|error| format!("cannot start taskset (util-linux): {error}"))?;
    if !pinned.status.success() {
        let why = String::from_utf8_lossy(&pinned.stderr).trim().to_owned();
        return Err(format!("two cores are needed, and taskset says: {why}").into());
    }
    Ok(())
}

/// The CPU time of a process's threads, without those that have ended.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = schedstat.split_whitespace().next().ok_or("an empty schedstat")?;
        nanoseconds += on_cpu.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// `under` is the program that the server runs under, with its arguments; empty for most.
    pub(crate) fn start(server: Server, delay: Duration, under: &[&str]) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).args(under).arg(env::current_exe()?);
        command.args(["serve", server.name(), &delay.as_millis().to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("a server without standard output")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        let address = address.trim().parse().map_err(|_| {
            format!("{} did not say where it listens, but {address:?}: see above", server.name())
        })?;
        Ok(Self { child, address })
    }

    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        cpu_time(self.child.id())
    }

    /// Closes the server's standard input, so that it ends and the program that it runs under can write its counts.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}
