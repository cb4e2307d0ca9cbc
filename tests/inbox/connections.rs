//! The connections that an inbox keeps to its PostgreSQL.

use tencent_desk_webhook::{inbox::Inbox, testing::Recorder};

use crate::{
    places::{accept, deliver, idle, message, unique, until},
    server,
};

/// The server would wake a connection that listens for every event that any process stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_delivers_nothing_has_no_connection_that_listens() {
    let Some(server) = server::shared() else { return };
    let database = format!("receiver_{}", unique());
    let inbox = Inbox::connect(&server.database(&database)).await.unwrap();
    let connections = || {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname";
        server.sql(&format!("{count} = '{database}'"))
    };
    accept(&inbox, &message("s", 1)).await;
    inbox.stats().await.unwrap();
    assert_eq!(connections(), "2", "one stores, and one is for operators");

    let recorder = Recorder::default();
    let workers = deliver(&inbox, &recorder);
    idle(&inbox).await;
    until("one claims, and one records", async || connections() == "4").await;
    let _ = workers.drain().await;
}
