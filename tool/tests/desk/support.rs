//! Programs and servers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tencent_desk_webhook::testing::Delivery;

pub(crate) const TOKEN: &str = "a token of the tests";

/// Far above whatever a program should need.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `desk` with these arguments, and nothing of the tests' own environment that it would read.
pub(crate) fn desk<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_desk")));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn clean(mut command: Command) -> Command {
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("DESK_") || name == "NO_COLOR")
    {
        command.env_remove(variable);
    }
    command
}

/// What a program printed, and its exit status.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    desk(arguments).output().unwrap().into()
}

/// Its output, with `input` on its standard input.
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

/// A file or directory that is no other test's.
pub(crate) fn place(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique)
}

pub(crate) fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --examples --all-features`",
        path.display()
    );
    let mut command = clean(Command::new(path));
    command.env("DESK_LISTEN", "127.0.0.1:0").env("DESK_INBOX", place("inbox.db")).env("DESK_TOKEN", TOKEN);
    command
}

/// A running program. It is killed when the test ends.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    remarks: Receiver<String>,
    /// Host and port.
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn example(name: &str) -> Self {
        Self::start(example(name))
    }

    /// Starts a program that says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        let remarks = read_lines(child.stderr.take().unwrap());
        let mut server = Self { child, lines, remarks, address: String::new() };
        let began = Instant::now();
        while server.address.is_empty() {
            assert!(began.elapsed() < PATIENCE, "it does not listen");
            for from in [&server.lines, &server.remarks] {
                if let Ok(line) = from.recv_timeout(Duration::from_millis(10))
                    && let Some((_, url)) = line.split_once("listening on http://")
                {
                    server.address = url.split('/').next().unwrap().to_owned();
                    break;
                }
            }
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/desk/callback", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on its standard output.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it prints no more")
    }

    /// The next line on its standard error.
    pub(crate) fn remark(&self) -> String {
        self.remarks.recv_timeout(PATIENCE).expect("it says no more")
    }

    /// What it printed up to now and was not read yet.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub(crate) fn signal(&self, signal: &str) {
        signal_to(self.id(), signal);
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end, and returns what was left of its lines.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        let status = ends(&mut self.child);
        (status, self.lines.iter().collect(), self.remarks.iter().collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal_to(id: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

pub(crate) fn ends(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Waits until `done` is true.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}: not in time");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A POST over a socket, with whatever stands in the target: status and `ErrorCode`.
pub(crate) fn post(address: &str, method: &str, target: &str, body: &[u8]) -> (u64, Option<i64>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    (status, json["ErrorCode"].as_i64())
}

/// The query of a delivery that is right in everything now.
pub(crate) fn delivery() -> Delivery {
    Delivery::of("").token(TOKEN).now()
}
