//! Processes that an event's handling aborts.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command as Program, Stdio},
    time::Duration,
};

use tencent_desk_webhook::inbox::Inbox;
use tokio::{process::Child, time::sleep};

use crate::{
    places::{Folder, PATIENCE, Place, accept, message, on_each_engine, open, postgres},
    process::{self, Process, Senders, delivered, example, free_port, send},
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
    let letters = inbox.dead_letters(0, 1000).await.unwrap();
    let dead: Vec<_> = letters.iter().map(|letter| &letter.event.as_ref().unwrap().session_id).collect();
    assert_eq!(dead.len(), poison, "{}: {dead:?}", place.name());
    assert!(dead.iter().all(|session| session.starts_with("poison")), "{}: {dead:?}", place.name());
    assert!(letters.iter().all(|letter| letter.error.contains("ended the process")));
    assert_eq!(deliveries(log).len(), good, "{}: all others were delivered", place.name());
}

async fn alone_it_is_dead_after_three_times(place: Place) {
    aborts_of_one_session(&place, 1).await;
}

async fn several_of_a_session_are_dead_after_three_times_each(place: Place) {
    aborts_of_one_session(&place, 2).await;
}

async fn aborts_of_one_session(place: &Place, events: usize) {
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    for number in 0..events {
        accept(&inbox, &message("poison", number)).await;
    }
    drop(inbox);
    let log = folder.join("log");
    let aborts = survive(place, &address, &log, 1).await;
    assert_eq!(aborts, 3 * events, "{}", place.name());
    check(place, &address, &log, events, 0).await;
}

/// Twice beside others, and twice alone.
async fn one_among_many_ends_four_processes_and_no_other_event_dies(place: Place) {
    let (folder, address) = (Folder::new(), place.address());
    let inbox = open(&address).await;
    for session in 0..1000 {
        accept(&inbox, &message(&format!("good-{session}"), 0)).await;
        if session == 500 {
            accept(&inbox, &message("poison", 1)).await;
        }
    }
    drop(inbox);
    let log = folder.join("log");
    let aborts = survive(&place, &address, &log, 1).await;
    assert!((3..=4).contains(&aborts), "{}: {aborts} aborts", place.name());
    check(&place, &address, &log, 1, 1000).await;
}

on_each_engine! {
    alone_it_is_dead_after_three_times,
    several_of_a_session_are_dead_after_three_times_each,
    one_among_many_ends_four_processes_and_no_other_event_dies,
    among_many_events_those_that_abort_die_and_no_others,
    kills_and_aborts_lose_nothing_and_bury_no_innocent_event,
}

async fn among_many_events_those_that_abort_die_and_no_others(place: Place) {
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
    let crashes = survive(&place, &address, &log, 1).await;
    assert!((4..=10).contains(&crashes), "{}: {crashes} crashes for two events", place.name());
    check(&place, &address, &log, 2, 600).await;
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

/// How many events are sent that abort their process.
const POISON: usize = 50;

/// How many times the process ends: by aborts, SIGKILL and SIGTERM. `DESK_TEST_ENDS` sets another number, and
/// `DESK_TEST_MINUTES` how long it goes on at least.
const ENDS: usize = 110;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// While senders load it, the process is frozen, killed or stopped in one round, and sent an event that aborts it in the next.
/// In the end a version is deployed that can handle such events.
async fn kills_and_aborts_lose_nothing_and_bury_no_innocent_event(place: Place) {
    let (ends, minutes) = (setting("DESK_TEST_ENDS", ENDS), setting("DESK_TEST_MINUTES", 0));
    let (folder, address, port) = (Folder::new(), place.address(), free_port());
    let log = folder.join("log");
    let senders = Senders::start(8, &[port]);
    let begun = std::time::Instant::now();
    let mut poison = Vec::new();
    let (mut aborts, mut kills, mut stops, mut freezes) = (0, 0, 0, 0);
    while aborts + kills + stops < ends
        || poison.len() < POISON
        || begun.elapsed().as_secs() < 60 * minutes as u64
    {
        let mut command = example(&address, port, &log);
        command.env("DESK_HANDLER_ABORT", "poison").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        let round = aborts + kills + stops;
        // On an earlier connection there may be the answer to an earlier event.
        let mut client = None;
        let life = async {
            if round % 2 == 1 && poison.len() < POISON {
                let session = format!("poison-{round}");
                while !send(&mut client, port, &session, 0).await {
                    sleep(Duration::from_millis(2)).await;
                }
                poison.push(session);
                sleep(Duration::from_secs(2)).await;
            } else {
                sleep(Duration::from_millis(fastrand::u64(20..150))).await;
                if fastrand::u8(..4) == 0 {
                    signal(pid, "-STOP");
                    sleep(Duration::from_millis(fastrand::u64(50..800))).await;
                    signal(pid, "-CONT");
                    sleep(Duration::from_millis(fastrand::u64(20..150))).await;
                    freezes += 1;
                }
            }
        };
        tokio::select! {
            _ = child.wait() => aborts += 1,
            () = life => if round.is_multiple_of(4) {
                signal(pid, "-TERM");
                // It may meet an event that aborts it before it has stopped.
                tokio::time::timeout(PATIENCE, child.wait()).await.expect("it does not stop").unwrap();
                stops += 1;
            } else {
                child.kill().await.unwrap();
                kills += 1;
            },
        }
    }
    let process = Process::start(example(&address, port, &log)).await;
    sleep(Duration::from_millis(200)).await;
    let acknowledged = senders.stop().await;
    delivered(&acknowledged, &log).await;
    let operator = Inbox::operate(&address).await.unwrap();
    crate::places::idle(&operator).await;
    process.stop().await;
    let deliveries = process::deliveries(&log);
    process::check(&acknowledged, &deliveries);

    let inbox = open(&address).await;
    let letters = inbox.dead_letters(0, 1000).await.unwrap();
    let dead: Vec<_> = letters.iter().map(|letter| &letter.event.as_ref().unwrap().session_id).collect();
    // Some may have been stored, and have aborted the process before it answered.
    assert!(dead.iter().all(|session| session.starts_with("poison")), "{}: {dead:?}", place.name());
    let lost: Vec<_> = poison
        .iter()
        .filter(|session| !dead.contains(session) && !deliveries.contains_key(*session))
        .collect();
    assert!(lost.is_empty(), "{}: {lost:?}", place.name());
    let events: usize = acknowledged.values().sum();
    eprintln!(
        "{}: {} s, {aborts} aborts, {kills} SIGKILL, {stops} SIGTERM, {freezes} freezes; {events} events acknowledged and \
         delivered in order; of {} acknowledged that abort none is lost; {} dead letters, all of which abort",
        place.name(),
        begun.elapsed().as_secs(),
        poison.len(),
        dead.len(),
    );
    assert!(aborts >= POISON && events > ends, "{}: {aborts} aborts, {events} events", place.name());
}

fn signal(pid: u32, signal: &str) {
    // It may have ended meanwhile.
    let _ = Program::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
}
