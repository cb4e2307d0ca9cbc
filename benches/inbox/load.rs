//! Senders, and how long each of their events took.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tencent_desk_webhook::Deliver as _;
use tokio::task::JoinSet;

use crate::place::{Place, events};

pub(crate) const SENDERS: u64 = 64;
const TIME: Duration = Duration::from_secs(4);

pub(crate) struct Measured {
    pub(crate) took: Duration,
    pub(crate) micros: Vec<f64>,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn at(&self, share: f64) -> f64 {
        self.micros[((self.micros.len() - 1) as f64 * share) as usize]
    }
}

/// Each sender sends one event after another, for a time.
pub(crate) async fn load<F, S>(send: F) -> Measured
where
    F: Fn(u64) -> S + Clone + Send + 'static,
    S: Future<Output = ()> + Send,
{
    let begun = Instant::now();
    let count = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (send, count) = (send.clone(), Arc::clone(&count));
        senders.spawn(async move {
            let mut micros = Vec::new();
            while begun.elapsed() < TIME {
                let sent = Instant::now();
                send(count.fetch_add(1, Ordering::Relaxed)).await;
                micros.push(sent.elapsed().as_secs_f64() * 1e6);
            }
            micros
        });
    }
    let mut micros = Vec::new();
    while let Some(some) = senders.join_next().await {
        micros.extend(some.unwrap());
    }
    micros.sort_by(f64::total_cmp);
    Measured { took: begun.elapsed(), micros }
}

pub(crate) async fn accept(place: Place) -> Measured {
    let (inbox, event) = (place.open().await, events());
    load(move |number| {
        let (inbox, event) = (inbox.clone(), event(number));
        async move { inbox.deliver(&event).await.unwrap() }
    })
    .await
}
