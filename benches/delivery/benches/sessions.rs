//! The instructions of a session's fold, counted by callgrind. Run `cargo bench --bench sessions` in `benches/delivery`.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use delivery::sessions::{event, events};
use gungraun::prelude::*;
use tencent_desk_webhook::{
    Event,
    session::{Board, SessionLog},
};

const EVENTS: usize = 100;

fn in_order() -> Vec<Event> {
    events(EVENTS)
}

fn backwards() -> Vec<Event> {
    let mut events = events(EVENTS);
    events.reverse();
    events
}

fn repeated() -> (SessionLog, Vec<Event>) {
    (fold(&events(EVENTS)), events(EVENTS))
}

fn fold(events: &[Event]) -> SessionLog {
    let mut log = SessionLog::of(&events[0]);
    for event in events {
        log.add(event);
    }
    log
}

// `add` also computes the key that identifies an event.
#[library_benchmark]
#[bench::of_100_events(in_order())]
fn dedup_keys(events: Vec<Event>) -> Vec<Event> {
    events.iter().for_each(|event| drop(black_box(event.dedup_key())));
    events
}

#[library_benchmark]
#[bench::in_order(in_order())]
#[bench::backwards(backwards())]
fn add_100_events(events: Vec<Event>) -> (Vec<Event>, SessionLog) {
    let log = black_box(fold(&events));
    (events, log)
}

#[library_benchmark]
#[bench::of_100_events(repeated())]
fn add_100_repeats((mut log, events): (SessionLog, Vec<Event>)) -> (SessionLog, Vec<Event>) {
    for event in &events {
        black_box(log.add(event));
    }
    (log, events)
}

#[library_benchmark]
#[bench::of_100_events(fold(&in_order()))]
fn figures(log: SessionLog) -> SessionLog {
    black_box(log.session());
    log
}

fn board() -> (Board, Event) {
    let board = Board::new();
    for number in 0..10_000 {
        for place in 0..4 {
            board.observe(&event(&format!("session-{number}"), place));
        }
    }
    (board, event("session-5000", 4))
}

#[library_benchmark]
#[bench::of_10_000_sessions(board())]
fn observe((board, event): (Board, Event)) -> (Board, Event) {
    board.observe(&event);
    (board, event)
}

library_benchmark_group!(
    name = sessions,
    benchmarks = [dedup_keys, add_100_events, add_100_repeats, figures, observe]
);
main!(library_benchmark_groups = [sessions]);
