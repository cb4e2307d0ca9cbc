//! Processes that an event's handling aborts.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use tencent_desk_webhook::inbox::{Filter, Inbox};
use tokio::{process::Child, time::sleep};

use crate::{
    places::{Folder, PATIENCE, Place, accept, message, open, postgres, sqlite},
    process::{example, free_port},
};

/// Starts processes again as they end, until nothing waits. Returns how many have ended.
async fn survive(place: &Place, address: &str, log: &Path, processes: usize) -> usize {
    let start = || -> Child {
        let mut command = example(address, free_port(), log);
        command.env("DESK_HANDLER_ABORT", "poison").stdin(Stdio::null()).stdout(Stdio::null());
        command.kill_on_drop(true).spawn().unwrap()
    };
    let mut children: Vec<Child> = (0..processes).map(|_| start()).collect();
    let mut crashes = 0;
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < 4 * PATIENCE, "{}: {crashes} crashes and no end", place.name());
        sleep(Duration::from_millis(50)).await;
        for child in &mut children {
            if child.try_wait().unwrap().is_some() {
                crashes += 1;
                *child = start();
            }
        }
        let Ok(operator) = Inbox::operate(address).await else { continue };
        if operator.stats().await.is_ok_and(|stats| stats.oldest.is_none()) {
            break;
        }
    }
    for mut child in children {
        child.kill().await.unwrap();
    }
    crashes
}

/// How often each good event was delivered.
fn deliveries(log: &Path) -> BTreeMap<String, usize> {
    let mut deliveries = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap_or_default().lines() {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        *deliveries.entry(event["MsgKey"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    deliveries
}

async fn check(place: &Place, address: &str, log: &Path, poison: usize, good: usize) {
    let inbox = open(address).await;
    let letters = inbox.dead_letters(&Filter::all(), 0, 1000).await.unwrap();
    let dead: Vec<_> = letters.iter().map(|letter| &letter.event.as_ref().unwrap().session_id).collect();
    assert_eq!(dead.len(), poison, "{}: {dead:?}", place.name());
    assert!(dead.iter().all(|session| session.starts_with("poison")), "{}: {dead:?}", place.name());
    assert!(letters.iter().all(|letter| letter.error.contains("ended the process")));
    assert_eq!(deliveries(log).len(), good, "{}: all others were delivered", place.name());
}

async fn alone_is_dead_after_three_times(place: &Place) {
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    accept(&inbox, &message("poison", 1)).await;
    drop(inbox);
    let log = folder.join("log");
    assert_eq!(survive(place, &address, &log, 1).await, 3, "{}", place.name());
    check(place, &address, &log, 1, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_aborts_its_process_alone_is_dead_after_three_times_in_sqlite() {
    alone_is_dead_after_three_times(&sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_aborts_its_process_alone_is_dead_after_three_times_in_postgres() {
    let Some(place) = postgres() else { return };
    alone_is_dead_after_three_times(&place).await;
}

async fn among_many(place: &Place) {
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    for session in 0..200 {
        for number in 0..3 {
            accept(&inbox, &message(&format!("good-{session}"), number)).await;
        }
        if session % 100 == 50 {
            accept(&inbox, &message(&format!("poison-{session}"), 1)).await;
        }
    }
    drop(inbox);
    let log = folder.join("log");
    let crashes = survive(place, &address, &log, 1).await;
    assert!((4..=10).contains(&crashes), "{}: {crashes} crashes for two events", place.name());
    check(place, &address, &log, 2, 600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_many_events_those_that_abort_die_and_no_others_in_sqlite() {
    among_many(&sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_many_events_those_that_abort_die_and_no_others_in_postgres() {
    let Some(place) = postgres() else { return };
    among_many(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_are_aborted_a_few_times_in_all() {
    let Some(place) = postgres() else { return };
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    for session in 0..100 {
        accept(&inbox, &message(&format!("good-{session}"), 1)).await;
    }
    accept(&inbox, &message("poison", 1)).await;
    drop(inbox);
    let log = folder.join("log");
    let crashes = survive(&place, &address, &log, 3).await;
    assert!((3..=5).contains(&crashes), "{crashes} crashes");
    check(&place, &address, &log, 1, 100).await;
}
