//! The memory of sessions, and of a board with 100,000 of them.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Instant;

use allocation_counter::measure;
use delivery::sessions::{event, events};
use tencent_desk_webhook::session::{Board, SessionLog};

#[test]
fn an_event_takes_sixteen_bytes_of_a_log() {
    let events = events(1000);
    let mut log = None;
    let (one, all) = (events[..1].to_vec(), events.clone());
    let fold = |events: &[tencent_desk_webhook::Event]| {
        let mut log = SessionLog::of(&events[0]);
        events.iter().for_each(|event| drop(log.add(event)));
        log
    };
    let small = measure(|| log = Some(fold(&one))).bytes_current;
    drop(log.take());
    let large = measure(|| log = Some(fold(&all))).bytes_current;
    let bytes = (large - small) as f64 / 999.0;
    println!("{small} bytes with the first event, {bytes:.1} bytes with each further one");
    // A vector grows to twice its size.
    assert!(bytes <= 33.0 && small <= 1500, "{bytes} bytes an event, {small} of a session");
}

const SESSIONS: usize = 100_000;
const EVENTS: usize = 5;

#[test]
fn a_board_of_a_hundred_thousand_open_sessions() {
    let mut board = None;
    let mut micros = 0.0;
    let fill = || {
        let open = Board::new();
        for session in 0..SESSIONS {
            let name = format!("2baf4d84-beb4-4607-a1ea-{session:012}");
            let events: Vec<_> = (0..EVENTS).map(|number| event(&name, number)).collect();
            let begun = Instant::now();
            events.iter().for_each(|event| open.observe(event));
            micros += begun.elapsed().as_secs_f64() * 1e6;
        }
        board = Some(open);
    };
    let bytes = measure(fill).bytes_current as f64 / SESSIONS as f64;
    let board = board.unwrap();
    let begun = Instant::now();
    let view = board.view();
    let took = begun.elapsed();
    println!(
        "{bytes:.0} bytes a session of {EVENTS} events; {:.2} µs an event; a view takes {took:?}",
        micros / (SESSIONS * EVENTS) as f64
    );
    assert_eq!((view.open, view.served.len()), (SESSIONS, SESSIONS));
    assert!(bytes <= 2048.0, "{bytes} bytes a session");
}
