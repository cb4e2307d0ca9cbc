//! How fast events are delivered while sessions are kept, beside the inbox without that.

use std::time::{Duration, Instant};

use tencent_desk_webhook::{
    Deliver as _, Event,
    inbox::{Inbox, SessionFilter},
    testing::Scenario,
};
use tokio::task::JoinSet;

use crate::{
    load::SENDERS,
    place::{Folder, Nothing, Place},
    run,
    server::Server,
    table::{ROUNDS, Table},
};

/// Sessions of a round, of 13 events each.
const SESSIONS: usize = 2000;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(crate) fn measure(folder: &Folder, server: Option<&Server>) {
    let scenarios: Vec<Vec<Event>> = (0..SESSIONS)
        .map(|number| {
            let events = Scenario::new(&format!("2baf4d84-beb4-4607-a1ea-{number:012}")).into_iter();
            events.map(|event| event.agent("test@qq.com").build()).collect()
        })
        .collect();
    // Side by side, as sessions are.
    let events: Vec<Event> =
        (0..13).flat_map(|place| scenarios.iter().map(move |session| session[place].clone())).collect();
    let mut table = Table::default();
    for round in 0..ROUNDS {
        let file = |name: &str| Place::File(folder.0.join(format!("{name}-{round}.db")));
        let without = run(deliver(file("without"), &events, false));
        let with = run(deliver(file("with"), &events, true));
        table.note("sqlite: delivered without sessions, events/s", without);
        table.note("sqlite: delivered and kept, events/s", with);
        table.note("sqlite: of the rate without", with / without);
        let Some(server) = server else { continue };
        let schema = |name: &str| Place::Schema(server.url(), format!("{name}_{round}"));
        let without = run(deliver(schema("without"), &events, false));
        let with = run(deliver(schema("with"), &events, true));
        table.note("postgres: delivered without sessions, events/s", without);
        table.note("postgres: delivered and kept, events/s", with);
        table.note("postgres: of the rate without", with / without);
    }
    table.print();
}

/// Stores them, and then delivers them until nothing is left. Returns events a second of the latter.
async fn deliver(place: Place, events: &[Event], keep: bool) -> f64 {
    let inbox = place.open().await;
    store(&inbox, events).await;
    let inbox = if keep { inbox.keep_sessions(YEAR) } else { inbox };
    let begun = Instant::now();
    let workers = inbox.deliver_to(Nothing::default()).start();
    while inbox.stats().await.unwrap().oldest.is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rate = events.len() as f64 / begun.elapsed().as_secs_f64();
    let _ = workers.drain().await;
    let kept = inbox.sessions(&SessionFilter::all().page(0, usize::MAX)).await.unwrap();
    assert_eq!(kept.len(), if keep { SESSIONS } else { 0 });
    rate
}

async fn store(inbox: &Inbox, events: &[Event]) {
    let mut senders = JoinSet::new();
    for some in events.chunks(events.len().div_ceil(SENDERS as usize)) {
        let (inbox, some) = (inbox.clone(), some.to_vec());
        senders.spawn(async move {
            for event in &some {
                inbox.deliver(event).await.unwrap();
            }
        });
    }
    senders.join_all().await;
}
