//! Events whose handling ends the process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tencent_desk_webhook::{
    Event, EventHandler, HandlerResult, async_trait,
    inbox::Inbox,
    testing::{Behaviour, Recorder},
};
use tokio::time::sleep;

use crate::{
    memory::{Memory, Mood},
    places::{accept, idle, message, numbers, until},
};

async fn with_crashes(crashes: u32, alone: u32) -> (Memory, Inbox) {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("poison", 1)).await;
    accept(&inbox, &message("poison", 2)).await;
    memory.state().crashes.insert(1, (crashes, alone));
    (memory, inbox)
}

#[tokio::test(start_paused = true)]
async fn an_event_that_has_ended_three_processes_is_a_dead_letter_and_its_session_goes_on() {
    for (crashes, alone, limit, is_dead) in [
        (3, 2, 3, true),
        (2, 2, 3, false),
        (3, 1, 3, false),
        (9, 0, 3, true),
        (8, 1, 3, false),
        (9, 1, 3, true),
        (3, 2, 4, false),
        (5, 2, 5, true),
        (1, 0, 1, false),
        (1, 1, 1, true),
        (3, 0, 1, true),
        (2, 1, 2, false),
        (2, 2, 2, true),
    ] {
        let (_, inbox) = with_crashes(crashes, alone).await;
        let recorder = Recorder::default();
        let workers = inbox.deliver_to(recorder.clone()).crashes(limit).start();
        idle(&inbox).await;
        let expected = if is_dead { vec![2] } else { vec![1, 2] };
        assert_eq!(numbers(&recorder, "poison"), expected, "{crashes} crashes, {alone} alone, of {limit}");
        let letters = inbox.dead_letters(0, 10).await.unwrap();
        assert_eq!(letters.len(), usize::from(is_dead));
        if let Some(letter) = letters.first() {
            assert!(letter.error.contains(&format!("ended the process {crashes} times")), "{}", letter.error);
            assert_eq!(letter.event, Some(message("poison", 1)));
            assert_eq!(recorder.late_failures().len(), 1, "it is reported");
        }
        let _ = workers.drain().await;
    }
}

/// Not for long, lest it is a slow one that is innocent.
#[tokio::test(start_paused = true)]
async fn a_suspect_runs_alone_at_first() {
    let (_, inbox) = with_crashes(2, 0).await;
    for session in 0..10 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
    }
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).start();
    recorder.called(1).await;
    sleep(Duration::from_millis(90)).await;
    let sessions: Vec<String> = recorder.events().into_iter().map(|event| event.session_id).collect();
    assert_eq!(sessions, ["poison"]);
    recorder.called(11).await;
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
}

/// Also when it is not the first of its session.
#[tokio::test(start_paused = true)]
async fn a_suspect_behind_others_of_its_session_runs_alone_when_its_turn_comes() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    for number in 1..=3 {
        accept(&inbox, &message("s", number)).await;
    }
    accept(&inbox, &message("other", 1)).await;
    memory.state().crashes.insert(3, (2, 1));
    let recorder = Recorder::default();
    let workers = inbox.deliver_to(recorder.clone()).start();
    idle(&inbox).await;
    assert_eq!(numbers(&recorder, "s"), [1, 2, 3]);
    assert_eq!(memory.state().claims, 3, "the suspect was claimed as the first of its lane");
    let _ = workers.drain().await;
}

/// Counts what is stored whenever it is called.
struct Counting(Memory, Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl EventHandler for Counting {
    async fn on_event(&self, _: &Event) -> HandlerResult {
        let waiting = self.0.state().waiting();
        self.1.lock().unwrap().push(waiting);
        Ok(())
    }
}

/// Otherwise a crash of the next one could be taken for its own.
#[tokio::test(start_paused = true)]
async fn a_suspect_is_recorded_before_the_next_one_starts() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    for session in 0..3 {
        accept(&inbox, &message(&session.to_string(), 1)).await;
        memory.state().crashes.insert(session + 1, (2, 0));
    }
    memory.will(Mood::Slow(Duration::from_millis(20)));
    let counts = Arc::default();
    let workers = inbox.deliver_to(Counting(memory, Arc::clone(&counts))).start();
    idle(&inbox).await;
    assert_eq!(*counts.lock().unwrap(), [3, 2, 1]);
    let _ = workers.drain().await;
}

/// With many slow suspects, or many that come again and again, all others go on after two seconds.
#[tokio::test(start_paused = true)]
async fn suspects_hold_up_others_for_a_bounded_time() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    for session in 0..60 {
        accept(&inbox, &message(&format!("suspect-{session}"), 1)).await;
        memory.state().crashes.insert(session + 1, (2, 1));
    }
    accept(&inbox, &message("other", 1)).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let _workers = inbox.deliver_to(recorder.clone()).start();
    sleep(Duration::from_millis(2300)).await;
    assert!(recorder.events().iter().any(|event| event.session_id == "other"));
    recorder.set_behaviour(Behaviour::Succeed);
    recorder.release();
    idle(&inbox).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_process_that_drains_is_no_events_fault() {
    let memory = Memory::default();
    let inbox = Inbox::over(memory.clone());
    accept(&inbox, &message("s", 1)).await;
    let recorder = Recorder::default();
    recorder.set_behaviour(Behaviour::Stall);
    let workers = inbox.deliver_to(recorder.clone()).start();
    recorder.called(1).await;
    assert_eq!(memory.state().running.len(), 1);
    let draining = tokio::spawn(workers.drain());
    until("it is not blamed", async || memory.state().running.is_empty()).await;
    assert_eq!(recorder.finished(), 0, "it is still running");
    recorder.release();
    assert_eq!(draining.await.unwrap().finished, 1);
}
