//! Where an inbox can be: a file or a schema, each test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tencent_desk_webhook::{
    Deliver as _, Event,
    inbox::{Inbox, InboxError, Stats, Workers},
    testing::{Recorder, event},
};
use tokio::time::{sleep, timeout};

use crate::server::{self, Server};

/// Far above whatever anything should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inbox-{}", unique()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) enum Place {
    File(Folder),
    Schema(&'static Server, String),
}

pub(crate) fn postgres() -> Option<Place> {
    server::shared().map(|server| Place::Schema(server, format!("desk_{}", unique())))
}

pub(crate) fn sqlite() -> Place {
    Place::File(Folder::new())
}

/// Makes a test for each engine of each function, which takes a [`Place`]: `name::sqlite` and `name::postgres`.
macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$test(crate::places::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(place) = crate::places::postgres() {
                    super::$test(place).await;
                }
            }
        }
    )+};
}

pub(crate) use on_each_engine;

impl Place {
    pub(crate) async fn open(&self) -> Inbox {
        match self {
            Self::File(folder) => Inbox::open(folder.join("desk.db")).await.unwrap(),
            Self::Schema(server, schema) => Inbox::connect_in(&server.url(), schema).await.unwrap(),
        }
    }

    /// As an operator's process would open it, while the first one delivers.
    pub(crate) async fn operate(&self) -> Result<Inbox, InboxError> {
        match self {
            Self::File(folder) => Inbox::operate(folder.join("desk.db").to_str().unwrap()).await,
            Self::Schema(server, schema) => Inbox::operate_in(&server.url(), schema).await,
        }
    }

    /// What the example takes as `DESK_INBOX`. Each call makes another database in PostgreSQL.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::File(folder) => folder.join("desk.db").display().to_string(),
            Self::Schema(server, name) => server.database(name),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "sqlite",
            Self::Schema(..) => "postgres",
        }
    }
}

/// The `number`th event of a session.
pub(crate) fn message(session: &str, number: usize) -> Event {
    event("Human.UserSendMsg").session(session).field("MsgKey", format!("{session}-{number}")).build()
}

/// Stores it, as a webhook would.
pub(crate) async fn accept(inbox: &Inbox, event: &Event) {
    inbox.deliver(event).await.unwrap();
}

/// Delivers to `handler`, with waits so short that no test waits for them.
pub(crate) fn deliver(inbox: &Inbox, handler: &Recorder) -> Workers {
    let short = Duration::from_millis(1);
    inbox.deliver_to(handler.clone()).attempts(3).backoff(short, short).start()
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// What the example has opened.
pub(crate) async fn open(address: &str) -> Inbox {
    let postgres = address.starts_with("postgres");
    if postgres { Inbox::connect(address).await } else { Inbox::open(address).await }.unwrap()
}

/// Waits until nothing is to be delivered any more.
pub(crate) async fn idle(inbox: &Inbox) -> Stats {
    until("nothing waits", async || inbox.stats().await.unwrap().oldest.is_none()).await;
    inbox.stats().await.unwrap()
}

/// The numbers of the messages of a session, in the order in which the handler got them.
pub(crate) fn numbers(recorder: &Recorder, session: &str) -> Vec<usize> {
    let of_session = recorder.events().into_iter().filter(|event| event.session_id == session);
    of_session.map(|event| number(&event)).collect()
}

pub(crate) fn number(event: &Event) -> usize {
    let json: serde_json::Value = serde_json::from_str(event.raw()).unwrap();
    json["MsgKey"].as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap()
}
