//! A server in a process of its own, and where processes run.

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

/// Puts this process, which is the load, on its core.
pub(crate) fn pin_load() -> Result<()> {
    let pinned = Command::new("taskset").args(["-cp", LOAD_CORE, &process::id().to_string()]).output();
    let pinned = pinned.map_err(|error| format!("cannot start taskset (util-linux): {error}"))?;
    if !pinned.status.success() {
        let why = String::from_utf8_lossy(&pinned.stderr).trim().to_owned();
        return Err(format!("two cores are needed, and taskset says: {why}").into());
    }
    Ok(())
}

/// What all threads of a process have had of the processor; of those that have ended it knows nothing.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let told = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = told.split_whitespace().next().ok_or("an empty schedstat")?;
        nanoseconds += on_cpu.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// `under`: what the server runs under, with its arguments; nothing, for most.
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

    /// Ends it as it wants to be ended, so that what it runs under can write what it has counted.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}
