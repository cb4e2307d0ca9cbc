//! Which ends of a process are no event's fault, on PostgreSQL.

use std::time::Duration;

use tencent_desk_webhook::{
    inbox::{Filter, Inbox},
    testing::{Behaviour, Recorder},
};

use crate::{
    places::{Folder, accept, message, open, postgres, unique, until},
    process::{Process, example, free_port},
    server,
};

/// Its lease ends while it is frozen. Another worker claims the session, and counts a crash for the event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_frozen_takes_the_blame_from_its_event() {
    let Some(server) = server::shared() else { return };
    let schema = format!("blame_{}", unique());
    let (one, other) = (
        Inbox::connect_in(&server.url(), &schema).await.unwrap(),
        Inbox::connect_in(&server.url(), &schema).await.unwrap(),
    );
    accept(&one, &message("s", 1)).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    // With one session at a time the first worker claims nothing more.
    let first = one.deliver_to(recorder.clone()).sessions(1).lease(Duration::from_secs(6)).start();
    recorder.called(1).await;
    let second = other.deliver_to(recorder.clone()).start();
    let crashes = || server.sql(&format!("SELECT crashes FROM {schema}.event"));
    until("the event is blamed", async || {
        if recorder.events().len() == 1 {
            server.sql(&format!("UPDATE {schema}.lane SET due = now() - interval '1 second'"));
        }
        crashes() == "1"
    })
    .await;
    until("that is taken back", async || crashes() == "0").await;
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    let _ = tokio::join!(first.drain(), second.drain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_while_it_shuts_down_blames_no_event() {
    let Some(place) = postgres() else { return };
    let crate::places::Place::Schema(server, database) = &place else { return };
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    accept(&inbox, &message("slow", 1)).await;
    let start = async || {
        let mut command = example(&address, free_port(), &folder.join("log"));
        command.env("DESK_HANDLER_MS", "600000");
        Process::start(command).await
    };
    let process = start().await;
    let held =
        async || inbox.pending(&Filter::all().page(0, 1)).await.unwrap().iter().any(|event| event.held);
    until("it is being handled", held).await;
    process.signal("-TERM");
    until("it is excused", async || {
        server.sql_in(database, "SELECT blamed = epoch FROM desk_inbox.lane") == "t"
    })
    .await;
    process.kill().await;
    until("its lease has ended", async || !held().await).await;
    let process = start().await;
    until("it is being handled again", held).await;
    assert_eq!(inbox.pending(&Filter::all().page(0, 1)).await.unwrap()[0].crashes, 0);
    process.kill().await;
}
