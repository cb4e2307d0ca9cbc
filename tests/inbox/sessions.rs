//! Kept sessions: what is in their tables, whatever happens to the processes that write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::{Delivery, Inbox, OrderKey, SessionFilter},
    session::{Session, sessions},
    testing::{self, Behaviour, Recorder, Scenario},
};
use tokio::time::sleep;

use crate::{
    places::{Folder, Place, accept, deliver, idle, on_each_engine, postgres, sqlite, until},
    process::{Process, example_named, free_port},
};

const LONG: Duration = Duration::from_secs(3600);

on_each_engine! {
    kept_sessions_are_the_fold_of_their_events,
    an_event_that_is_given_up_counts_and_counts_once,
    what_is_forgotten_is_gone_from_all_tables,
    a_handler_that_runs_while_its_user_is_forgotten_brings_nothing_back,
    sessions_go_when_they_are_old,
    events_of_one_session_may_be_recorded_side_by_side,
    the_tables_have_the_columns_that_the_guide_lists,
    a_name_may_have_any_characters,
    without_the_setting_nothing_is_kept,
}

async fn open(place: &Place) -> Inbox {
    place.open().await.keep_sessions(LONG)
}

async fn kept(inbox: &Inbox) -> Vec<Session> {
    let mut kept: Vec<Session> = Vec::new();
    let mut after = 0;
    loop {
        let page = inbox.sessions(&SessionFilter::all().page(after, 7)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        kept.extend(page.iter().map(|kept| kept.log.session()));
    }
    kept.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    kept
}

fn expected(events: &[Event]) -> Vec<Session> {
    let mut expected = sessions(events);
    expected.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    expected
}

/// What a query of the tables gives, one row a line.
async fn query(place: &Place, sql: &str) -> String {
    match place {
        Place::File(folder) => {
            let file = rusqlite::Connection::open(folder.join("desk.db")).unwrap();
            let mut statement = file.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(int) => int.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    _ => String::new(),
                })
            });
            rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap().join("\n")
        }
        Place::Schema(server, schema) => {
            let sql = format!("SET search_path TO {schema}; {sql}");
            server.sql(&sql).lines().filter(|line| *line != "SET").collect::<Vec<_>>().join("\n")
        }
    }
}

async fn kept_sessions_are_the_fold_of_their_events(place: Place) {
    let inbox = open(&place).await;
    let events: Vec<Event> = (0..20)
        .flat_map(|number| Scenario::new(&format!("s-{number:02}")).shuffled(number))
        .map(|event| event.build())
        .collect();
    let workers = deliver(&inbox, &Recorder::default());
    for (number, event) in events.iter().enumerate() {
        accept(&inbox, event).await;
        if number % 50 == 0 {
            idle(&inbox).await;
        }
    }
    idle(&inbox).await;
    assert_eq!(kept(&inbox).await, expected(&events), "{}", place.name());
    let named = inbox.sessions(&SessionFilter::all().of_app(testing::APP).named("s-07")).await.unwrap();
    assert_eq!((named.len(), named[0].log.session_id()), (1, "s-07"));
    assert!(inbox.sessions(&SessionFilter::all().of_app(1)).await.unwrap().is_empty());
    assert!(inbox.sessions(&SessionFilter::all().named("nowhere")).await.unwrap().is_empty());
    let since = |time| SessionFilter::all().changed_since(time);
    assert_eq!(inbox.sessions(&since(SystemTime::now() - LONG)).await.unwrap().len(), 20);
    assert!(inbox.sessions(&since(SystemTime::now() + LONG)).await.unwrap().is_empty());
    let operator = place.operate().await.unwrap();
    assert_eq!(kept(&operator).await, expected(&events), "as another process sees it");
    // A second delivery, as after a power loss, and a restart change nothing.
    let _ = workers.drain().await;
    drop((operator, inbox));
    let inbox = open(&place).await;
    assert_eq!(kept(&inbox).await, expected(&events), "after a restart");
}

async fn an_event_that_is_given_up_counts_and_counts_once(place: Place) {
    let inbox = open(&place).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::FailPermanently);
    let events: Vec<Event> = Scenario::new("s").into_iter().map(|event| event.build()).collect();
    let workers = deliver(&inbox, &recorder);
    for event in &events {
        accept(&inbox, event).await;
    }
    let stats = idle(&inbox).await;
    assert_eq!(stats.dead, events.len() as u64);
    assert_eq!(kept(&inbox).await, expected(&events), "{}", place.name());
    recorder.set_behaviour(Behaviour::Succeed);
    inbox.requeue_all(&tencent_desk_webhook::inbox::Filter::all()).await.unwrap();
    idle(&inbox).await;
    assert_eq!(kept(&inbox).await, expected(&events), "{}", place.name());
    let messages = query(&place, "SELECT count(*) FROM desk_message").await;
    assert_eq!(messages, "6", "{}", place.name());
    let _ = workers.drain().await;
}

async fn what_is_forgotten_is_gone_from_all_tables(place: Place) {
    let inbox = open(&place).await.keep_message_texts();
    let workers = deliver(&inbox, &Recorder::default());
    let of_user = |session: &str, user: &str| -> Vec<Event> {
        let events = Scenario::new(session).into_iter();
        events.map(|event| event.user(user).agent("agent@qq.com").build()).collect()
    };
    let events =
        [of_user("s-1", "ann"), of_user("s-2", "ann"), of_user("s-3", "bob"), of_user("s-4", "cid")].concat();
    for event in &events {
        accept(&inbox, event).await;
    }
    idle(&inbox).await;
    assert_eq!(query(&place, "SELECT count(*) FROM desk_message WHERE text LIKE '%退费%'").await, "8");
    inbox.forget_user(testing::APP + 1, "ann").await.unwrap();
    assert_eq!(kept(&inbox).await.len(), 4, "{}: another app's user", place.name());
    inbox.forget_user(testing::APP, "ann").await.unwrap();
    inbox.forget_session(testing::APP, "s-4").await.unwrap();
    assert_eq!(kept(&inbox).await, expected(&of_user("s-3", "bob")), "{}", place.name());
    let users = query(&place, "SELECT DISTINCT client_user_id FROM desk_message").await;
    assert_eq!(users, "bob", "{}", place.name());
    let _ = workers.drain().await;
}

async fn a_handler_that_runs_while_its_user_is_forgotten_brings_nothing_back(place: Place) {
    let inbox = open(&place).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = deliver(&inbox, &recorder);
    accept(&inbox, &testing::event("SessionBegin").session("s").user("ann").build()).await;
    recorder.called(1).await;
    inbox.forget_user(testing::APP, "ann").await.unwrap();
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    accept(&inbox, &testing::event("SessionBegin").session("t").user("bob").build()).await;
    until("the other session is kept", async || !kept(&inbox).await.is_empty()).await;
    let _ = workers.drain().await;
    let sessions: Vec<String> = kept(&inbox).await.into_iter().map(|session| session.session_id).collect();
    assert_eq!(sessions, ["t"], "{}", place.name());
}

async fn sessions_go_when_they_are_old(place: Place) {
    let inbox = open(&place).await;
    let workers = deliver(&inbox, &Recorder::default());
    for session in ["s", "t"] {
        for event in Scenario::new(session) {
            accept(&inbox, &event.build()).await;
        }
    }
    idle(&inbox).await;
    assert_eq!(inbox.purge_sessions(LONG).await.unwrap(), 0);
    query_write(&place, "UPDATE desk_session SET changed_at = changed_at - 7200000 WHERE session_id = 's'")
        .await;
    assert_eq!(inbox.purge_sessions(LONG).await.unwrap(), 1, "{}", place.name());
    assert_eq!(query(&place, "SELECT DISTINCT session_id FROM desk_message").await, "t", "{}", place.name());
    // By itself, too: soon after a start, and every minute.
    let _ = workers.drain().await;
    drop(inbox);
    query_write(&place, "UPDATE desk_session SET changed_at = changed_at - 7200000").await;
    let inbox = open(&place).await;
    until("the inbox deletes it", async || kept(&inbox).await.is_empty()).await;
}

async fn query_write(place: &Place, sql: &str) {
    match place {
        Place::File(folder) => {
            let file = rusqlite::Connection::open(folder.join("desk.db")).unwrap();
            file.busy_timeout(Duration::from_secs(10)).unwrap();
            file.execute(sql, []).unwrap();
        }
        Place::Schema(..) => drop(query(place, sql).await),
    }
}

/// By user, a session whose events name several users is in several lanes.
async fn events_of_one_session_may_be_recorded_side_by_side(place: Place) {
    let inbox = open(&place).await.order_by(OrderKey::User);
    let events: Vec<Event> = (0..400)
        .map(|number: u64| {
            let time = UNIX_EPOCH + Duration::from_millis(1000 + number);
            let message = testing::event("ChatBot.UserSendMsg").session("s").time(time);
            message.user(&format!("u-{}", number % 40)).field("MsgKey", number.to_string()).build()
        })
        .collect();
    let workers = inbox.deliver_to(Recorder::default()).sessions(16).start();
    let other = match &place {
        Place::Schema(..) => {
            let inbox = open(&place).await.order_by(OrderKey::User);
            Some(inbox.deliver_to(Recorder::default()).sessions(16).start())
        }
        Place::File(_) => None,
    };
    for event in &events {
        accept(&inbox, event).await;
    }
    idle(&inbox).await;
    assert_eq!(kept(&inbox).await, expected(&events), "{}", place.name());
    assert_eq!(query(&place, "SELECT count(*) FROM desk_message").await, "400", "{}", place.name());
    let _ = workers.drain().await;
    if let Some(other) = other {
        let _ = other.drain().await;
    }
}

async fn the_tables_have_the_columns_that_the_guide_lists(place: Place) {
    let inbox = open(&place).await;
    let workers = deliver(&inbox, &Recorder::default());
    for event in Scenario::new("s-1") {
        accept(&inbox, &event.agent("a@qq.com").build()).await;
    }
    idle(&inbox).await;
    let figures = "SELECT session_id || ' ' || client_user_id || ' ' || account || ' ' || channel || ' ' || opened_at \
                   || ' ' || closed_at || ' ' || end_reason || ' ' || user_messages || bot_messages || agent_messages \
                   || agent_requests || no_agent_online || ' ' || queue_ms || ' ' || first_answer_ms || ' ' || handling_ms \
                   || ' ' || rating FROM desk_session WHERE longest_user_wait_ms IS NULL";
    assert_eq!(
        query(&place, figures).await,
        "s-1 your_user_id @customer_service_account SDK 1725540020017 1725540031017 user 32110 2000 1000 4000 5",
        "{}",
        place.name()
    );
    let agents = query(&place, "SELECT agents FROM desk_session").await;
    assert!(agents.contains("a@qq.com"), "{agents}");
    let messages = "SELECT sender || '/' || stage FROM desk_message WHERE text IS NULL ORDER BY sent_at";
    assert_eq!(
        query(&place, messages).await.replace('\n', " "),
        "bot/bot user/bot bot/bot user/bot agent/human user/human",
        "{}",
        place.name()
    );
    let _ = workers.drain().await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sessions.md")).unwrap();
    for table in ["desk_session", "desk_message"] {
        let columns = match &place {
            Place::File(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Place::Schema(_, schema) => format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND table_schema = '{schema}'"
            ),
        };
        let documented = page.split("\n## ").find(|part| part.contains(&format!("`{table}` has"))).unwrap();
        for column in query(&place, &columns).await.lines() {
            assert!(documented.contains(&format!("`{column}`")), "{table}.{column} is not in the guide");
        }
    }
}

async fn a_name_may_have_any_characters(place: Place) {
    let inbox = open(&place).await.keep_message_texts();
    let workers = deliver(&inbox, &Recorder::default());
    let odd = ["zero\0zero", "引号'\"\\", "\u{1F600}\n\t", &"long".repeat(5000)];
    let mut events = Vec::new();
    for name in odd {
        let event = testing::event("Human.UserSendMsg").session(name).user(name).agent(name).text(name);
        events.push(event.build());
        accept(&inbox, &events[events.len() - 1]).await;
    }
    idle(&inbox).await;
    assert_eq!(kept(&inbox).await, expected(&events), "{}", place.name());
    for name in odd {
        let named = inbox.sessions(&SessionFilter::all().named(name)).await.unwrap();
        assert_eq!(named.len(), 1, "{}: {name:?}", place.name());
        inbox.forget_user(testing::APP, name).await.unwrap();
    }
    assert!(kept(&inbox).await.is_empty());
    assert_eq!(query(&place, "SELECT count(*) FROM desk_message").await, "0");
    let _ = workers.drain().await;
}

/// Has a receipt, or not.
struct Asking(tokio::sync::mpsc::UnboundedSender<bool>);

#[async_trait]
impl EventHandler for Asking {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.send(Delivery::current().is_some_and(|delivery| delivery.receipt().is_some()))?;
        Ok(())
    }
}

async fn without_the_setting_nothing_is_kept(place: Place) {
    for (keep, has_receipt) in [(false, true), (true, false)] {
        let inbox = place.open().await;
        let inbox = if keep { inbox.keep_sessions(LONG) } else { inbox };
        let (sender, mut receipts) = tokio::sync::mpsc::unbounded_channel();
        let workers = inbox.deliver_to(Asking(sender)).start();
        accept(&inbox, &testing::event("SessionBegin").session(&keep.to_string()).build()).await;
        idle(&inbox).await;
        assert_eq!(receipts.recv().await, Some(has_receipt), "{}", place.name());
        assert_eq!(kept(&inbox).await.len(), usize::from(keep), "{}", place.name());
        let _ = workers.drain().await;
    }
}

/// What a log in the table was, before something damaged it.
#[tokio::test]
async fn a_log_that_cannot_be_read_begins_anew_and_says_so() {
    let places = [Some(sqlite()), postgres()];
    for place in places.into_iter().flatten() {
        let inbox = open(&place).await;
        let workers = deliver(&inbox, &Recorder::default());
        accept(&inbox, &testing::event("SessionBegin").session("s").build()).await;
        idle(&inbox).await;
        query_write(&place, "UPDATE desk_session SET log = '{}'").await;
        accept(&inbox, &testing::event("SessionUserEnd").session("s").build()).await;
        idle(&inbox).await;
        let [session] = &kept(&inbox).await[..] else { panic!("{}", place.name()) };
        assert!(!session.exact && session.closed_at.is_some(), "{}", place.name());
        let _ = workers.drain().await;
    }
}

const SESSIONS: usize = 40;
const KILLS: usize = 25;

pub(crate) async fn send(port: u16, event: &Event, request: usize) -> bool {
    let body = event.raw();
    let app = testing::APP;
    let request = format!(
        "POST /desk/callback?SdkAppid={app}&CallbackCommand=Desk.SessionEventNotify&RequestID=r-{request} HTTP/1.1\r\n\
         Host: desk.test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(port, &request).await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

pub(crate) async fn exchange(port: u16, request: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

pub(crate) async fn get(port: u16, path: &str) -> (u16, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: desk.test\r\nConnection: close\r\n\r\n");
    let answer = exchange(port, &request).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Each kill falls somewhere: into a reception, a handler, a transaction, a start.
async fn whatever_is_killed(place: Place) {
    let (folder, address) = (Folder::new(), place.address());
    let (port, admin, log) = (free_port(), free_port(), folder.join("log"));
    let start = || {
        let mut command = example_named("dashboard", &address, port, &log);
        command.env("DESK_ADMIN_LISTEN", format!("127.0.0.1:{admin}")).stdout(std::process::Stdio::piped());
        Process::start(command)
    };
    let mut events: Vec<Event> = (0..SESSIONS)
        .flat_map(|number| Scenario::new(&format!("s-{number}")).repeated(2).shuffled(number as u64))
        .map(|event| event.build())
        .collect();
    fastrand::shuffle(&mut events);
    // The sender repeats what was not acknowledged.
    let mut acknowledged = 0;
    for _ in 0..KILLS {
        let process = start().await;
        let sending = async {
            while acknowledged < events.len() && send(port, &events[acknowledged], acknowledged).await {
                acknowledged += 1;
            }
        };
        tokio::select! {
            () = sending => {}
            () = sleep(Duration::from_millis(fastrand::u64(20..250))) => {}
        }
        process.kill().await;
    }
    let killed = acknowledged;
    let process = start().await;
    while acknowledged < events.len() {
        assert!(send(port, &events[acknowledged], acknowledged).await);
        acknowledged += 1;
    }
    let operator = Inbox::operate(&address).await.unwrap();
    until("all is recorded", async || operator.stats().await.unwrap().oldest.is_none()).await;
    let (status, json) = get(admin, "/api/sessions").await;
    let mut served = serde_json::from_value::<Vec<Session>>(json).unwrap();
    served.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    assert_eq!((status, &served), (200, &expected(&events)), "{}", place.name());
    assert!(killed > 0, "no event was acknowledged before the last start");
    assert_eq!(operator.stats().await.unwrap().dead, 0);
    let (status, board) = get(admin, "/api/board").await;
    assert_eq!((status, board["open"].as_u64()), (200, Some(0)), "{board}");
    assert_eq!(get(admin, "/api/sessions/nowhere").await.0, 404);
    let (status, one) = get(admin, "/api/sessions/s-3").await;
    assert_eq!((status, one["session_id"].as_str()), (200, Some("s-3")));
    process.stop().await;
}

on_each_engine!(whatever_is_killed);
