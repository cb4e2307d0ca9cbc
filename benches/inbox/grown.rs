//! The same acceptance with an empty store and with one that holds much.

use tencent_desk_webhook::Deliver as _;
use tokio::task::JoinSet;

use crate::{
    load::{SENDERS, accept},
    place::{Folder, Place, events},
    run,
    server::Server,
    table::{ROUNDS, Table},
};

pub(crate) fn measure(folder: &Folder, server: Option<&Server>) {
    let mut table = Table::default();
    // The empty one before and after, because the disk's mood changes meanwhile.
    let share = |place: &dyn Fn(&str) -> Place| {
        let rate = |name: &str| run(accept(place(name))).rate();
        let before = rate("before");
        run(fill(place("grown")));
        settle(server);
        let grown = rate("grown");
        settle(server);
        grown / ((before + rate("after")) / 2.0)
    };
    for round in 0..ROUNDS {
        let share_of_file = share(&|name| Place::File(folder.0.join(format!("{name}_{round}.db"))));
        table.note("sqlite: accepted/s with 500,000 events, of those with none", share_of_file);
        let Some(server) = server else { continue };
        let share_of_schema = share(&|name| Place::Schema(server.url(), format!("{name}_{round}")));
        table.note("postgres: accepted/s with 500,000 events, of those with none", share_of_schema);
    }
    table.print();
}

/// What was written in a rush is on the disk before the next is measured.
fn settle(server: Option<&Server>) {
    if let Some(server) = server {
        server.sql("CHECKPOINT");
    }
    assert!(std::process::Command::new("sync").status().unwrap().success());
}

/// Stores 500,000 events that are never delivered, unlike those of [`accept`].
async fn fill(place: Place) {
    let (inbox, event) = (place.open().await, events());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (inbox, event) = (inbox.clone(), event.clone());
        senders.spawn(async move {
            for number in (sender..500_000).step_by(SENDERS as usize) {
                inbox.deliver(&event(u64::MAX / 2 + number)).await.unwrap();
            }
        });
    }
    senders.join_all().await;
}
