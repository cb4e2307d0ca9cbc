//! Leases on PostgreSQL: what holds one up, and what is done when one is lost.

use std::{
    collections::HashSet,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::{Delivery, Inbox},
};
use tokio::time::sleep;

use crate::{
    places::{accept, deliver, idle, message, unique, until},
    server::{self, Server},
};

/// Which sessions it was called for, in which order, and how often it was cancelled.
#[derive(Clone, Default)]
struct Slow {
    takes: Duration,
    calls: Arc<Mutex<Vec<(String, i64)>>>,
    cancelled: Arc<AtomicUsize>,
}

impl Slow {
    fn that_takes(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }

    fn calls(&self) -> Vec<(String, i64)> {
        self.calls.lock().unwrap().clone()
    }
}

struct Cancelled<'a>(Option<&'a AtomicUsize>);

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl EventHandler for Slow {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        let token = Delivery::current().unwrap().token();
        self.calls.lock().unwrap().push((event.session_id.clone(), token));
        let mut cancelled = Cancelled(Some(&self.cancelled));
        sleep(self.takes).await;
        cancelled.0 = None;
        Ok(())
    }
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_is_locked_costs_no_other_its_lease() {
    let Some(server) = server::shared() else { return };
    let schema = format!("locked_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    for session in 0..20 {
        for number in 0..2 {
            accept(&inbox, &message(&session.to_string(), number)).await;
        }
    }
    let handler = Slow::that_takes(Duration::from_secs(3));
    let workers = inbox.deliver_to(handler.clone()).lease(Duration::from_secs(2)).start();
    until("all run", async || handler.calls().len() == 20).await;
    let lock = format!(
        "BEGIN; SELECT lane FROM {schema}.lane ORDER BY lane LIMIT 1 FOR UPDATE; SELECT pg_sleep(4); COMMIT"
    );
    let mut locking = server.psql("postgres", &lock).stdout(Stdio::null()).spawn().unwrap();
    idle(&inbox).await;
    assert!(locking.wait().unwrap().success());
    let _ = workers.drain().await;
    let calls = handler.calls().len();
    // The event whose lane was locked may have lost its lease, or its record may have had to wait.
    assert!((40..=42).contains(&calls), "{calls} calls for 40 events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_whose_lane_another_worker_has_is_cancelled() {
    let Some(server) = server::shared() else { return };
    let schema = format!("taken_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let handler = Slow::that_takes(LONG);
    let workers = inbox.deliver_to(handler.clone()).lease(Duration::from_secs(1)).start();
    until("it runs", async || handler.calls().len() == 1).await;
    server.sql(&format!("UPDATE {schema}.lane SET epoch = epoch + 1, due = now() + interval '1 hour'"));
    until("it is cancelled", async || handler.cancelled.load(Ordering::Relaxed) == 1).await;
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {schema}.event")), "1", "nothing is recorded of it");
    let _ = workers.drain().await;
}

/// Fails, so that each attempt is a claim of its own.
#[derive(Clone, Default)]
struct Tokens(Arc<Mutex<Vec<i64>>>);

#[async_trait]
impl EventHandler for Tokens {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        self.0.lock().unwrap().push(Delivery::current().unwrap().token());
        Err("once more".into())
    }
}

/// Claims are not synced, so PostgreSQL may have forgotten the last ones when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_after_a_crash_of_postgres_has_a_higher_token_than_all_before() {
    let Some(mut server) = Server::start("") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    let (handler, short) = (Tokens::default(), Duration::from_millis(1));
    let _workers =
        inbox.deliver_to(handler.clone()).lease(Duration::from_secs(1)).backoff(short, short).start();
    let count = || handler.0.lock().unwrap().len();
    for _ in 0..3 {
        let before = count();
        until("it is claimed a few times", async || count() > before + 20).await;
        server.kill();
        server.up();
        // The most that it may have forgotten.
        server.sql("SELECT setval('desk_inbox.epoch', 1)");
    }
    let before = count();
    until("it is claimed a few times", async || count() > before + 20).await;
    let tokens = handler.0.lock().unwrap().clone();
    assert!(tokens.is_sorted_by(|one, next| one < next), "{tokens:?}");
}

/// The next request does not wait for the connection of one that was given up, and the server does not keep it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_were_given_up_do_not_accumulate_while_a_standby_is_missing() {
    let Some(server) = Server::start("") else { return };
    let inbox = Inbox::connect(&server.url()).await.unwrap();
    accept(&inbox, &message("s", 1)).await;
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'missing'");
    server.sql("SELECT pg_reload_conf()");
    for _ in 0..20 {
        // It writes, so its commit waits for the standby, longer than its caller does.
        let _ = tokio::time::timeout(Duration::from_millis(300), inbox.pause()).await;
    }
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tencent-desk-webhook'";
    let count: u32 = server.sql(ours).parse().unwrap();
    assert!(count <= 5, "{count} connections");
    server.sql("ALTER SYSTEM RESET synchronous_standby_names");
    server.sql("SELECT pg_reload_conf()");
    inbox.resume().await.unwrap();
    accept(&inbox, &message("s", 2)).await;
    let recorder = tencent_desk_webhook::testing::Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 2);
    let _ = workers.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_within_its_grace_while_postgres_is_frozen() {
    let Some(server) = Server::start("") else { return };
    // Handlers that end have nothing to record it in; the others are cancelled.
    for (schema, takes, interrupted) in [("quick", Duration::from_millis(500), 0), ("slow", LONG, 3)] {
        let inbox = Inbox::connect_in(&server.url(), schema).await.unwrap();
        for session in 0..3 {
            accept(&inbox, &message(&session.to_string(), 1)).await;
        }
        let handler = Slow::that_takes(takes);
        let workers = inbox.deliver_to(handler.clone()).lease(Duration::from_secs(1)).grace(GRACE).start();
        until("all run", async || handler.calls().len() == 3).await;
        server.signal("-STOP");
        // It is in the middle of asking for more, too.
        sleep(Duration::from_secs(1)).await;
        let begun = std::time::Instant::now();
        let drained = workers.drain().await;
        let took = begun.elapsed();
        server.signal("-CONT");
        assert_eq!((drained.interrupted, drained.left), (interrupted, None));
        assert!(took < GRACE + Duration::from_millis(500), "{took:?} with a grace of {GRACE:?}");
    }
}

const GRACE: Duration = Duration::from_secs(2);

/// A role that cannot read an event can claim its lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_cannot_be_read_is_given_back() {
    let Some(server) = server::shared() else { return };
    let (schema, role) = (format!("unread_{}", unique()), format!("blind_{}", unique()));
    let owner = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    accept(&owner, &message("s", 1)).await;
    server.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
         REVOKE SELECT ON {schema}.event FROM {role}; GRANT SELECT (id, lane, attempts, stored, retry_at) ON {schema}.event TO {role}"
    ));
    let url = format!("postgres://{role}@127.0.0.1:{}/postgres", server.port);
    let inbox = Inbox::connect_in(&url, &schema).await.unwrap();
    let handler = Slow::default();
    let workers = inbox.deliver_to(handler.clone()).lease(LONG).start();
    // A claim and what gives the lane back are a transaction each.
    let transaction = format!("SELECT xmin FROM {schema}.lane");
    let mut transactions = HashSet::new();
    until("it is claimed and given back again and again", async || {
        transactions.insert(server.sql(&transaction));
        transactions.len() > 3
    })
    .await;
    server.sql(&format!("GRANT SELECT ON {schema}.event TO {role}"));
    until("it is delivered", async || handler.calls().len() == 1).await;
    let _ = workers.drain().await;
}

/// A repeat of a delivered event leaves a lane without events, which a worker claims and gives back. The next event of the
/// session may be stored at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_stored_while_its_empty_lane_is_given_back_is_delivered() {
    let Some(server) = server::shared() else { return };
    let schema = format!("empty_{}", unique());
    let inbox = Inbox::connect_in(&server.url(), &schema).await.unwrap();
    let recorder = tencent_desk_webhook::testing::Recorder::default();
    let workers = deliver(&inbox, &recorder);
    accept(&inbox, &message("s", 1)).await;
    idle(&inbox).await;
    // Between a worker's look at the events and its delete.
    server.sql(&format!(
        "CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
         CREATE TRIGGER wait BEFORE DELETE ON {schema}.lane FOR EACH STATEMENT EXECUTE FUNCTION {schema}.wait()"
    ));
    accept(&inbox, &message("s", 1)).await;
    until("the empty lane is given back", async || {
        server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "0"
    })
    .await;
    accept(&inbox, &message("s", 2)).await;
    idle(&inbox).await;
    assert_eq!(recorder.events().len(), 2);
    let _ = workers.drain().await;
}
