//! `desk inbox`, while receivers and workers run, on both engines.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Webhook, async_trait,
    inbox::{Inbox, Workers},
    testing,
};
use tokio::runtime::Runtime;

use crate::{
    postgres,
    support::{Ran, Server, TOKEN, desk, example, place, run, until},
};

/// A receiver with workers in this process, over the real store.
struct Running {
    runtime: Runtime,
    place: String,
    schema: String,
    inbox: Inbox,
    workers: Option<Workers>,
    webhook: Webhook<Inbox>,
    handled: Arc<AtomicU64>,
    mended: Arc<AtomicBool>,
}

/// Gives up every event until it is mended. A session whose name begins with `slow` fails and is tried again.
struct Broken {
    handled: Arc<AtomicU64>,
    mended: Arc<AtomicBool>,
}

#[async_trait]
impl EventHandler for Broken {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        if !self.mended.load(Ordering::Relaxed) {
            if event.session_id.starts_with("slow") {
                return Err(HandlerError::retry_after(Duration::from_secs(3600)).caused_by("the CRM is away"));
            }
            return Err(HandlerError::permanent(format!("no ticket for {}", event.name)));
        }
        self.handled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Running {
    fn new(engine: Engine, schema: &str) -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let _entered = runtime.enter();
        let (place, inbox) = match engine {
            Engine::Sqlite => {
                let path = place("operated.db");
                let inbox = runtime.block_on(Inbox::open(&path)).unwrap();
                (path.to_str().unwrap().to_owned(), inbox)
            }
            Engine::Postgres => {
                let url = postgres::shared()?.url();
                let inbox = runtime.block_on(Inbox::connect_in(&url, schema)).unwrap();
                (url, inbox)
            }
        };
        let (handled, mended) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let handler = Broken { handled: Arc::clone(&handled), mended: Arc::clone(&mended) };
        let workers = Some(inbox.deliver_to(handler).start());
        let webhook = Webhook::new(testing::verifier(), inbox.clone());
        drop(_entered);
        Some(Self { runtime, place, schema: schema.to_owned(), inbox, workers, webhook, handled, mended })
    }

    fn accept(&self, session: &str, user: &str) {
        let delivery = testing::event("Human.UserSendMsg")
            .session(session)
            .user(user)
            .text("my card number is 1234")
            .time(std::time::SystemTime::now())
            .field("MsgKey", session)
            .delivery();
        assert_eq!(self.runtime.block_on(self.webhook.handle(delivery.request())).status(), 200);
    }

    fn operate<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        let (place, schema) = (self.place.clone(), self.schema.clone());
        let arguments: Vec<&str> = arguments.into_iter().collect();
        run(["inbox", "--at", &place, "--schema", &schema, "--json"].into_iter().chain(arguments))
    }

    fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Value {
        let ran = self.operate(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }

    fn stat(&self, name: &str) -> u64 {
        self.json(["stats"])[name].as_u64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            self.runtime.block_on(workers.drain());
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Engine {
    Sqlite,
    Postgres,
}

fn on_both(name: &str, test: impl Fn(&Running)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        // It says so itself where there is no PostgreSQL.
        if let Some(running) = Running::new(engine, name) {
            test(&running);
        }
    }
}

#[test]
fn dead_letters_are_listed_shown_requeued_discarded_and_purged() {
    on_both("dead", |running| {
        for number in 0..6 {
            running.accept(&format!("s-{number}"), &format!("user-{}", number % 2));
        }
        until("they are dead", || running.stat("dead") == 6);

        let list = |arguments: &[&str]| {
            let listed = running.json(["list"].into_iter().chain(arguments.iter().copied()));
            listed.as_array().unwrap().clone()
        };
        assert_eq!(list(&[]).len(), 6);
        for (arguments, count) in [
            (&["--state", "dead"][..], 6),
            (&["--state", "waiting,running,retrying"], 0),
            (&["--session", "s-3"], 1),
            (&["--user", "user-1"], 3),
            (&["--user", "user-1", "--session", "s-2"], 0),
            (&["--user", "user-1", "--app", "7"], 0),
            (&["--error", "no ticket for Human"], 6),
            (&["--error", "another"], 0),
            (&["--event", "SessionEnd"], 0),
            (&["--older-than", "1h"], 0),
            (&["--newer-than", "1h"], 6),
            (&["--limit", "4"], 4),
        ] {
            assert_eq!(list(arguments).len(), count, "{arguments:?}");
        }
        let ids: Vec<i64> = list(&[]).iter().map(|event| event["id"].as_i64().unwrap()).collect();
        let rest = list(&["--after", &ids[1].to_string()]);
        assert_eq!(rest.iter().map(|event| event["id"].as_i64().unwrap()).collect::<Vec<_>>(), &ids[2..]);

        // Personal data.
        let hidden =
            running.operate(["list"]).stdout + &running.operate(["show", &ids[0].to_string()]).stdout;
        for personal in ["user-0", "my card number", "test@qq.com"] {
            assert!(!hidden.contains(personal), "{personal}");
        }
        let shown = running.json(["show", &ids[0].to_string(), "--reveal"]);
        assert_eq!(shown["user"], "user-0");
        assert_eq!(shown["text"], "my card number is 1234");
        assert_eq!((&shown["state"], &shown["attempts"]), (&json!("dead"), &json!(1)));
        assert_eq!(running.operate(["show", "999999"]).code, 1);

        assert_eq!(running.json(["discard", &ids[0].to_string()])["count"], 1);
        assert_eq!(running.operate(["discard", &ids[0].to_string()]).code, 1);
        assert_eq!(running.json(["discard", "--all", "--session", "s-1"])["count"], 1);
        assert_eq!(running.json(["purge", "--older-than", "1h"])["count"], 0);
        running.mended.store(true, Ordering::Relaxed);
        assert_eq!(running.json(["requeue", &ids[2].to_string()])["count"], 1);
        assert_eq!(running.operate(["requeue", "999999"]).code, 1);
        assert_eq!(running.json(["requeue", "--all", "--error", "another"])["count"], 0);
        assert_eq!(
            running.json(["requeue", "--all", "--session", "s-3", "--error", "no ticket"])["count"],
            1
        );
        until("they are delivered", || running.handled.load(Ordering::Relaxed) == 2);
        assert_eq!(running.json(["purge", "--older-than", "0s"])["count"], 2);
        assert_eq!(running.stat("dead"), 0);
    });
}

#[test]
fn retries_pauses_checks_and_forgotten_users() {
    on_both("acts", |running| {
        running.accept("slow-1", "user-1");
        running.accept("slow-2", "user-2");
        until("they have failed", || running.stat("retrying") == 2);
        let listed = running.json(["list", "--state", "retrying", "--error", "the CRM is away"]);
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert!(listed[0]["next_attempt"].is_string());

        assert_eq!(running.operate(["retry"]).code, 2);
        running.mended.store(true, Ordering::Relaxed);
        assert_eq!(running.json(["retry", "--session", "slow-1"])["count"], 1);
        until("it is delivered", || running.handled.load(Ordering::Relaxed) == 1);

        assert_eq!(running.json(["pause"]), json!({"paused": true}));
        assert_eq!(running.json(["stats"])["paused"], true);
        running.accept("s-3", "user-1");
        running.accept("s-4", "user-3");
        assert_eq!(running.json(["list", "--state", "waiting"]).as_array().unwrap().len(), 2);
        assert_eq!(running.json(["forget", "--user", "user-1"])["count"], 1);
        assert_eq!(running.json(["forget", "--session", "slow-2"])["count"], 1);
        assert_eq!(running.json(["forget", "--user", "user-3", "--app", "7"])["count"], 0);
        assert_eq!(running.operate(["forget"]).code, 2);
        assert_eq!(running.json(["resume"]), json!({"resumed": true}));
        until("the rest is delivered", || running.handled.load(Ordering::Relaxed) == 2);
        assert_eq!(running.json(["check"]), json!({"ok": true}));
        assert_eq!(running.json(["stats"])["oldest_seconds"], Value::Null);
    });
}

/// Nothing is lost, and nothing is delivered before its time, while events come in and operators act.
#[test]
fn an_inbox_is_operated_while_it_is_filled() {
    on_both("filled", |running| {
        let accepted = AtomicU64::new(0);
        let filling = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let (accepted, filling) = (&accepted, &filling);
                scope.spawn(move || {
                    while filling.load(Ordering::Relaxed) {
                        let number = accepted.fetch_add(1, Ordering::Relaxed);
                        running.accept(&format!("s-{sender}-{number}"), "user");
                    }
                });
            }
            until("many are dead", || running.stat("dead") > 300);
            assert!(
                !running.json(["list", "--state", "dead", "--limit", "50"]).as_array().unwrap().is_empty()
            );
            running.json(["pause"]);
            running.mended.store(true, Ordering::Relaxed);
            let requeued =
                running.json(["requeue", "--all", "--error", "no ticket"])["count"].as_u64().unwrap();
            assert!(requeued > 300);
            running.json(["resume"]);
            filling.store(false, Ordering::Relaxed);
        });
        // Events that were running when it was mended may have been given up since.
        until("all are delivered", || {
            running.json(["requeue", "--all"]);
            running.handled.load(Ordering::Relaxed) == accepted.load(Ordering::Relaxed)
        });
        let stats = running.json(["stats"]);
        assert_eq!((&stats["waiting"], &stats["dead"]), (&json!(0), &json!(0)));
        let _ = &running.inbox;
    });
}

/// The example is aborted by an event, which becomes a dead letter.
#[test]
fn the_examples_inbox_is_operated_from_another_process() {
    let path = place("example.db");
    let server = |fail: &str| {
        let mut command = example("inbox");
        command.env("DESK_INBOX", &path).env("DESK_HANDLER_ABORT", "poison").env("DESK_CRASHES", "1");
        command.env("DESK_HANDLER_FAIL", fail);
        Server::start(command)
    };
    let at = path.to_str().unwrap();
    let inbox = |arguments: &[&str]| {
        let ran = run(["inbox", "--at", at, "--json"].into_iter().chain(arguments.iter().copied()));
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    };
    let send = |server: &Server, session: &str| {
        run(["send", "SessionEnd", "--session", session, "--to", &server.url(), "--token", TOKEN]).code
    };
    let running = server("100");
    assert_eq!(send(&running, "s-1"), 0);
    until("it has failed", || inbox(&["stats"])["retrying"] == 1);
    assert!(inbox(&["list"])[0]["error"].as_str().unwrap().contains("DESK_HANDLER_FAIL has chosen"));
    send(&running, "poison-1"); // stored, and perhaps not answered any more
    running.end();
    let left = inbox(&["stats"]); // without an owner
    assert_eq!(left["waiting"].as_u64().unwrap() + left["retrying"].as_u64().unwrap(), 2, "{left}");

    // It becomes a dead letter once it has ended a process while nothing else ran, which may take more than one.
    let running = loop {
        let mut running = server("0");
        let mut dead = false;
        until("it is dead, or ends the process again", || {
            dead = inbox(&["stats"])["dead"] == 1;
            dead || running.has_ended()
        });
        if dead {
            break running;
        }
    };
    assert_eq!(inbox(&["list", "--session", "poison-1"])[0]["state"], "dead");
    assert_eq!(send(&running, "s-2"), 0);
    until("the others are delivered", || {
        inbox(&["list", "--state", "waiting,running,retrying"]) == json!([])
    });
    assert_eq!(inbox(&["discard", "--all"])["count"], 1);
}

#[test]
fn what_is_no_inbox_is_refused_without_a_secret() {
    let missing: PathBuf = place("missing.db");
    let text = place("text.db");
    std::fs::write(&text, "this is no database").unwrap();
    for at in [
        missing.to_str().unwrap(),
        text.to_str().unwrap(),
        "postgres://desk:a-secret@127.0.0.1:1/desk",
        "postgres://desk:a-secret@127.0.0.1:none/desk",
    ] {
        let ran = run(["inbox", "stats", "--at", at]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.stderr.contains("a-secret"), "{ran:?}");
    }
    assert!(!missing.exists(), "it was made");
    assert_eq!(run(["inbox", "stats"]).code, 2);
    assert_eq!(run(["inbox", "requeue", "--at", "x"]).code, 2);
    assert_eq!(run(["inbox", "requeue", "1", "--all", "--at", "x"]).code, 2);
    let at_variable =
        desk(["inbox", "stats"]).env("DESK_INBOX", &text).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(at_variable.status.code(), Some(1));
}

#[test]
fn people_read_it_as_text() {
    let Some(running) = Running::new(Engine::Sqlite, "text") else { return };
    running.accept("s-\u{1b}[31m", "user-1");
    until("it is dead", || running.stat("dead") == 1);
    let text = |arguments: &[&str]| {
        let ran = run(["inbox", "--at", &running.place].into_iter().chain(arguments.iter().copied()));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!ran.stdout.contains('\x1b'));
        ran.stdout
    };
    assert!(text(&["stats"]).contains("dead      1"));
    let list = text(&["list"]);
    assert!(
        list.contains("dead") && list.contains("Human.UserSendMsg") && list.contains("no ticket"),
        "{list}"
    );
    assert!(!list.contains("user-1"));
    assert!(text(&["list", "--reveal"]).contains("user user-1: my card number is 1234"));
    let id = running.json(["list"])[0]["id"].to_string();
    assert!(text(&["show", &id]).contains("\"ClientUserId\": \"(hidden)\""));
    assert!(text(&["show", &id, "--reveal"]).contains("my card number"));
    assert!(text(&["check"]).contains("could be stored"));
    assert!(text(&["requeue", "--all"]).contains("1 dead letters requeued"));
}
