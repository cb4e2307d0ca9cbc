//! Acknowledgements beside handlers that sleep.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tencent_desk_webhook::{Event, EventHandler, HandlerResult, Verifier, Webhook, async_trait};
use tokio::task::JoinSet;

use crate::{
    load::Measured,
    place::{Folder, Place, SAMPLE},
    run,
    server::Server,
    table::{ROUNDS, Table},
};

pub(crate) fn measure(folder: &Folder, server: Option<&Server>) {
    let mut table = Table::default();
    for round in 0..ROUNDS {
        let file = |name: &str| Place::File(folder.0.join(format!("{name}_{round}.db")));
        let idle = run(acknowledge(file("idle"), Duration::ZERO)).at(0.99);
        let busy = run(acknowledge(file("busy"), Duration::from_secs(10))).at(0.99);
        table.note("sqlite: acknowledgement p99, handlers do nothing, µs", idle);
        table.note("sqlite: acknowledgement p99, 1,000 handlers sleep, µs", busy);
        table.note("sqlite: of that beside handlers that do nothing", busy / idle);
        let Some(server) = server else { continue };
        let schema = |name: &str| Place::Schema(server.url(), format!("{name}_{round}"));
        let idle = run(acknowledge(schema("idle"), Duration::ZERO)).at(0.99);
        let busy = run(acknowledge(schema("busy"), Duration::from_secs(10))).at(0.99);
        table.note("postgres: acknowledgement p99, handlers do nothing, µs", idle);
        table.note("postgres: acknowledgement p99, 1,000 handlers sleep, µs", busy);
        table.note("postgres: of that beside handlers that do nothing", busy / idle);
    }
    table.print();
}

/// Deliveries at a pace that leaves the machine time, each for the next of 1,000 sessions, whose handlers run meanwhile.
async fn acknowledge(place: Place, sleep: Duration) -> Measured {
    const A_SECOND: u32 = 2000;
    const SECONDS: u32 = 20;
    let inbox = place.open().await;
    let sleeper = Sleeper { sleep, running: Arc::default(), most: Arc::default() };
    let most = Arc::clone(&sleeper.most);
    let workers = inbox.deliver_to(sleeper).sessions(1000).start();
    let webhook = Webhook::new(Verifier::dangerous_unsigned(7), inbox);
    let begun = Instant::now();
    let mut deliveries = JoinSet::new();
    for number in 0..A_SECOND * SECONDS {
        tokio::time::sleep_until((begun + Duration::from_secs(1) * number / A_SECOND).into()).await;
        let webhook = webhook.clone();
        let body = SAMPLE
            .replace("2baf4d84", &(number % 1000).to_string())
            .replace("1725540020017", &(1_725_540_020_017 + u64::from(number)).to_string());
        let request = http::Request::post("/?SdkAppid=7").body(body).unwrap();
        deliveries.spawn(async move {
            let sent = Instant::now();
            assert_eq!(webhook.handle(request).await.status(), 200);
            sent.elapsed().as_secs_f64() * 1e6
        });
    }
    let mut micros = deliveries.join_all().await;
    assert!(sleep.is_zero() || most.load(Ordering::Relaxed) == 1000, "1,000 sessions are active");
    let took = begun.elapsed();
    drop(workers);
    micros.sort_by(f64::total_cmp);
    Measured { took, micros }
}

struct Sleeper {
    sleep: Duration,
    running: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

#[async_trait]
impl EventHandler for Sleeper {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        if !self.sleep.is_zero() {
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(running, Ordering::Relaxed);
            tokio::time::sleep(self.sleep).await;
            self.running.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
