//! The figures are a function of the set of events.

mod oracle;

pub(crate) mod scenarios;

use proptest::{prelude::*, sample::Index};
use serde_json::Value;
use tencent_desk_webhook::{
    Event,
    session::{Session, SessionLog, sessions},
};

use self::{oracle::expected, scenarios::events};

fn log(events: &[Event]) -> SessionLog {
    let mut log = SessionLog::of(&events[0]);
    for event in events {
        log.add(event);
    }
    log
}

/// Without what the oracle does not know.
fn figures(session: &Session) -> Value {
    let mut json = serde_json::to_value(session).unwrap();
    let fields = json.as_object_mut().unwrap();
    assert_eq!(fields.remove("exact"), Some(true.into()));
    assert_eq!(fields.remove("version"), Some(1.into()));
    json
}

/// The same events as they arrive: some of them missing, all others in any order and up to three times each, as other
/// deliveries.
fn arrivals() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    events().prop_flat_map(|events| {
        let count = events.len();
        let kept = proptest::collection::vec(prop::bool::weighted(0.8), count);
        (Just(events), kept).prop_flat_map(|(mut events, kept)| {
            let mut keep = kept.iter();
            let first = events[0].clone();
            events.retain(|_| *keep.next().unwrap());
            if events.is_empty() {
                events.push(first);
            }
            let times = proptest::collection::vec(1..=3_usize, events.len());
            (Just(events), times).prop_flat_map(|(events, times)| {
                let deliveries: Vec<Event> = events
                    .iter()
                    .zip(times)
                    .flat_map(|(event, times)| std::iter::repeat_n(event.clone(), times))
                    .enumerate()
                    .map(|(number, mut event)| {
                        event.request_id = Some(format!("r-{number}"));
                        event.client_ip = Some("127.0.0.1".to_owned());
                        event
                    })
                    .collect();
                (Just(events), Just(deliveries).prop_shuffle())
            })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_figures_are_those_of_their_definitions((events, deliveries) in arrivals()) {
        let expected = expected(&events);
        prop_assert_eq!(figures(&log(&events).session()), expected.clone(), "in order");
        prop_assert_eq!(figures(&log(&deliveries).session()), expected.clone(), "as they arrive");
        let [session] = &sessions(&deliveries)[..] else { panic!("one session") };
        prop_assert_eq!(figures(session), expected);
    }

    #[test]
    fn equal_sets_make_equal_logs((events, deliveries) in arrivals()) {
        let (in_order, arrived) = (log(&events), log(&deliveries));
        prop_assert_eq!(&in_order, &arrived);
        prop_assert_eq!(serde_json::to_string(&in_order)?, serde_json::to_string(&arrived)?);
        prop_assert!(in_order.len() <= events.len() && in_order.is_exact());
    }

    #[test]
    fn a_log_that_was_stored_goes_on((events, deliveries) in arrivals(), cut in any::<Index>()) {
        let (before, after) = deliveries.split_at(cut.index(deliveries.len()).max(1));
        let stored = serde_json::to_string(&log(before))?;
        let mut restored: SessionLog = serde_json::from_str(&stored)?;
        prop_assert_eq!(&restored, &log(before));
        for event in after.iter() {
        restored.add(event);
    }
        prop_assert_eq!(restored.session(), log(&events).session());
    }

    #[test]
    fn parts_merge_to_the_whole((events, deliveries) in arrivals(), cut in any::<Index>()) {
        let (left, right) = deliveries.split_at(cut.index(deliveries.len()).max(1));
        let whole = log(&events);
        let mut merged = log(left);
        if !right.is_empty() {
            merged.merge(&log(right));
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert!(!merged.merge(&whole), "it has all of that");
    }

    #[test]
    fn a_session_comes_back_from_its_json((events, _) in arrivals()) {
        let session = log(&events).session();
        let json = serde_json::to_string(&session)?;
        prop_assert_eq!(serde_json::from_str::<Session>(&json)?, session);
    }
}
