//! Whatever is killed, the stream has every event once, and each session's in order.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::HashMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use async_nats::jetstream;
use futures_util::StreamExt as _;
use serde_json::Value;
use tencent_desk_webhook::{Event, testing::event};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

const SESSIONS: usize = 20;
const EVENTS: usize = 20;

/// Far above whatever anything should take.
const PATIENCE: Duration = Duration::from_secs(120);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `None` where it is not installed; with `CI=true` that is a failure.
fn nats_server() -> Option<PathBuf> {
    let places = std::env::var("PATH").unwrap_or_default();
    let places = places.split(':').chain(["/usr/sbin"]).map(|place| Path::new(place).join("nats-server"));
    let found = places.into_iter().find(|place| place.exists());
    if found.is_none() {
        assert!(std::env::var("CI").is_err(), "nats-server is missing (Debian: nats-server)");
        eprintln!("not tested: nats-server is missing");
    }
    found
}

struct Setting {
    folder: PathBuf,
    nats_server: PathBuf,
    nats: u16,
    port: u16,
}

impl Setting {
    fn nats(&self) -> Child {
        let mut command = Command::new(&self.nats_server);
        command
            .args(["-a", "127.0.0.1", "-p", &self.nats.to_string(), "-js", "-sd"])
            .arg(self.folder.join("nats"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
    }

    async fn forwarder(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward_nats"));
        let mut child = command
            .env_remove("DESK_TOKEN")
            .env_remove("DESK_SDK_APP_ID")
            .env("DESK_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("DESK_INBOX", self.folder.join("desk.db"))
            .env("DESK_NATS", self.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening =
            async { while !lines.next_line().await.unwrap().unwrap().contains("listening on") {} };
        timeout(PATIENCE, listening).await.unwrap();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        child
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats)
    }

    async fn accept(&self, event: &Event) {
        while !self.send(event).await {
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, event: &Event) -> bool {
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let head =
                "POST /desk/callback?SdkAppid=1400000000&CallbackCommand=Desk.SessionEventNotify HTTP/1.1";
            let length = event.raw().len();
            let request = format!(
                "{head}\r\nHost: desk.test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{}",
                event.raw()
            );
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
        };
        exchange.await.unwrap_or(false)
    }

    /// The CloudEvents of the stream so far, in its order; `None` while the server is away.
    async fn stream(&self, expected: usize) -> Option<Vec<Value>> {
        let client = async_nats::connect(self.url()).await.ok()?;
        let jetstream = jetstream::new(client);
        let mut stream = jetstream.get_stream("DESK").await.ok()?;
        let count = stream.info().await.ok()?.state.messages;
        if count < expected as u64 {
            return None;
        }
        let config = jetstream::consumer::pull::OrderedConfig::default();
        let messages = stream.create_consumer(config).await.ok()?.messages().await.ok()?;
        let messages: Vec<_> = messages.take(count as usize).collect().await;
        Some(
            messages
                .into_iter()
                .map(|message| serde_json::from_slice(&message.unwrap().payload).unwrap())
                .collect(),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_event_is_forwarded_once_and_in_order() {
    let Some(nats_server) = nats_server() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("nats-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let setting = Setting { folder, nats_server, nats: free_port(), port: free_port() };

    // The forwarder is there before the server.
    let mut forwarder = setting.forwarder().await;
    let mut expected: HashMap<String, Vec<String>> = HashMap::new();
    let mut events = Vec::new();
    for number in 0..EVENTS {
        for session in 0..SESSIONS {
            let session =
                if session == 0 { "a session. with > odd *".to_owned() } else { format!("s-{session}") };
            let event =
                event("Human.UserSendMsg").session(&session).field("MsgKey", format!("{session}-{number}"));
            let event = event.build();
            expected.entry(session).or_default().push(event.dedup_key().to_string());
            events.push(event);
        }
    }
    let mut nats: Option<Child> = None;
    for (round, some) in events.chunks(SESSIONS).enumerate() {
        // The server is away while some arrive, and killed while it confirms.
        if let Some(mut running) = nats.take() {
            running.kill().await.unwrap();
        }
        for event in some {
            setting.accept(event).await;
        }
        sleep(Duration::from_millis(200)).await;
        if round % 4 == 3 {
            forwarder.kill().await.unwrap();
            forwarder = setting.forwarder().await;
        }
        nats = Some(setting.nats());
        sleep(Duration::from_millis(fastrand::u64(0..400))).await;
    }
    let all = async {
        loop {
            if let Some(stream) = setting.stream(events.len()).await {
                return stream;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let stream = timeout(PATIENCE, all).await.expect("all events are forwarded");
    let mut forwarded: HashMap<String, Vec<String>> = HashMap::new();
    for event in &stream {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        forwarded.entry(text("subject")).or_default().push(text("id"));
    }
    assert_eq!(forwarded, expected);
    assert_eq!(stream[0]["data"]["Event"], "Human.UserSendMsg");
    forwarder.kill().await.unwrap();
    drop(nats);
    let _ = std::fs::remove_dir_all(&setting.folder);
}
