//! The example `inbox` as a process, senders that load it, and the log of what it has delivered.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command as Program, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tencent_desk_webhook::testing::event;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::places::PATIENCE;

/// A receiver and worker in one, as it is run in production.
pub(crate) struct Process {
    child: Child,
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn example(inbox: &str, port: u16, log: &Path) -> Command {
    example_named("inbox", inbox, port, log)
}

pub(crate) fn example_named(name: &str, inbox: &str, port: u16, log: &Path) -> Command {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --examples --all-features`", path.display());
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("DESK_")) {
        command.env_remove(variable);
    }
    command
        .env("DESK_LISTEN", format!("127.0.0.1:{port}"))
        .env("DESK_INBOX", inbox)
        .env("DESK_HANDLER_LOG", log)
        .stderr(fs::File::options().create(true).append(true).open(errors(log)).unwrap());
    command
}

/// What the processes said on standard error.
pub(crate) fn errors(log: &Path) -> PathBuf {
    log.with_extension("errors")
}

impl Process {
    pub(crate) async fn start(mut command: Command) -> Self {
        Self::start_again(&mut command).await
    }

    pub(crate) async fn start_again(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("listening on") {
                    return;
                }
            }
            panic!("it ended before it listened");
        };
        timeout(PATIENCE, listening).await.unwrap();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Program::new("kill").args([signal, &self.id().to_string()]).status().unwrap().success());
    }

    pub(crate) async fn kill(mut self) {
        self.kill_now().await;
    }

    pub(crate) async fn kill_now(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn stop(mut self) {
        self.signal("-TERM");
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap();
        assert!(status.success(), "{status}");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

/// Senders, each with one session after another: the next event goes out once the last one was acknowledged, and what was
/// not is sent again.
pub(crate) struct Senders {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<HashMap<String, usize>>>,
    refused: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

pub(crate) const EVENTS_OF_A_SESSION: usize = 6;

impl Senders {
    pub(crate) fn start(count: usize, ports: &[u16]) -> Self {
        let mut senders = Self {
            stop: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
            tasks: JoinSet::new(),
        };
        for sender in 0..count {
            let (stop, acknowledged) = (Arc::clone(&senders.stop), Arc::clone(&senders.acknowledged));
            let (refused, ports) = (Arc::clone(&senders.refused), ports.to_vec());
            senders.tasks.spawn(async move {
                let mut client = None;
                let stopped = || stop.load(Ordering::Relaxed);
                for number in 0.. {
                    let session = format!("{sender}-{}", number / EVENTS_OF_A_SESSION);
                    let place = number % EVENTS_OF_A_SESSION;
                    loop {
                        if stopped() {
                            return;
                        }
                        // To any of them: a repeat may go to another receiver than the first try.
                        let port = ports[fastrand::usize(..ports.len())];
                        if send(&mut client, port, &session, place).await {
                            break;
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(2)).await;
                    }
                    acknowledged.lock().unwrap().insert(session, place + 1);
                }
            });
        }
        senders
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().values().sum()
    }

    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many events of each session were acknowledged: the first so many.
    pub(crate) async fn stop(mut self) -> HashMap<String, usize> {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

type Client = Option<(u16, TcpStream)>;

/// Whether it was acknowledged.
pub(crate) async fn send(client: &mut Client, port: u16, session: &str, number: usize) -> bool {
    let sent = timeout(Duration::from_secs(5), try_send(client, port, session, number)).await;
    let status = sent.ok().and_then(Result::ok);
    if status != Some(200) {
        *client = None;
    }
    status == Some(200)
}

async fn try_send(client: &mut Client, port: u16, session: &str, number: usize) -> std::io::Result<u16> {
    if client.as_ref().is_none_or(|(other, _)| *other != port) {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        stream.set_nodelay(true)?;
        *client = Some((port, stream));
    }
    let Some((_, stream)) = client else { unreachable!() };
    let body = event("Human.UserSendMsg")
        .session(session)
        .field("EventTime", 1_725_540_020_017_u64)
        .field("MsgKey", format!("{session}-{number}"))
        .to_string();
    // Half of them as the international edition sends them.
    let request =
        if number.is_multiple_of(2) { format!("&RequestID={session}-{number}") } else { String::new() };
    let request = format!(
        "POST /desk/callback?SdkAppid=1400000000{request} HTTP/1.1\r\nHost: desk.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        if text.ends_with('}') {
            let status: u16 = text[9..12].parse().unwrap();
            let ok = text.contains(r#""ErrorCode":0}"#);
            return Ok(if ok { status } else { 0 });
        }
    }
}

/// Each session's numbers, in the order in which they were delivered. A line that is not whole is no delivery: its process was
/// killed, or is still writing it.
pub(crate) fn deliveries(log: &Path) -> HashMap<String, Vec<usize>> {
    let mut sessions: HashMap<String, Vec<usize>> = HashMap::new();
    for line in String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).lines() {
        let event: Value = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(error) if error.is_eof() => continue,
            Err(error) => panic!("{error}: {line}"),
        };
        let session = event["SessionId"].as_str().unwrap().to_owned();
        let number = event["MsgKey"].as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap();
        sessions.entry(session).or_default().push(number);
    }
    sessions
}

/// Every acknowledged event at least once, and the first deliveries of each session in order, none left out.
pub(crate) fn check(acknowledged: &HashMap<String, usize>, delivered: &HashMap<String, Vec<usize>>) {
    for (session, count) in acknowledged {
        let first = delivered.get(session).map(|all| first_deliveries(all)).unwrap_or_default();
        assert!(first.len() >= *count, "session {session}: {count} were acknowledged, {first:?} delivered");
        assert!(first.is_sorted(), "session {session}: {first:?}");
        assert_eq!(first, (0..first.len()).collect::<Vec<_>>(), "session {session}");
    }
}

pub(crate) fn first_deliveries(all: &[usize]) -> Vec<usize> {
    let mut first = Vec::new();
    for number in all {
        if !first.contains(number) {
            first.push(*number);
        }
    }
    first
}

/// Waits until everything that was acknowledged is delivered.
pub(crate) async fn delivered(acknowledged: &HashMap<String, usize>, log: &Path) {
    let complete = async {
        loop {
            let delivered = deliveries(log);
            let missing = |(session, count): (&String, &usize)| {
                delivered.get(session).is_none_or(|all| first_deliveries(all).len() < *count)
            };
            if !acknowledged.iter().any(missing) {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    if timeout(PATIENCE, complete).await.is_err() {
        check(acknowledged, &deliveries(log));
    }
}
