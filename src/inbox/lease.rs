//! Which lanes this process may deliver, by its own clock: the store may meanwhile have given one to another process.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    InboxError,
    outage::Outage,
    store::{Claim, Renewed, Store},
};

/// The lanes that are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<Claim, Lease>>>);

#[derive(Debug)]
struct Lease {
    /// It is held at least until then.
    until: Instant,
    lost: Arc<Notify>,
}

/// A lane that is held, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) claim: Claim,
    lost: Arc<Notify>,
    leases: Leases,
}

impl Leases {
    /// `until` is counted from before the store was asked, so that it never ends later than the store's.
    pub(super) fn hold(&self, claim: Claim, until: Instant) -> Held {
        let lost = Arc::new(Notify::new());
        self.lock().insert(claim, Lease { until, lost: Arc::clone(&lost) });
        Held { claim, lost, leases: self.clone() }
    }

    /// Renews what is held three times in the time of a lease, and what could not be renewed four times as often.
    pub(super) async fn keep(&self, store: &dyn Store, lease: Duration) -> Infallible {
        let mut outage = Outage::default();
        let mut unsure: Vec<Claim> = Vec::new();
        let mut all_at = Instant::now() + lease / 3;
        loop {
            let soon = Instant::now() + lease / 12;
            sleep_until(if unsure.is_empty() { all_at } else { soon.min(all_at) }).await;
            let mut claims = unsure;
            if Instant::now() >= all_at {
                all_at = Instant::now() + lease / 3;
                claims = self.lock().keys().copied().collect();
            }
            claims.retain(|claim| self.lock().contains_key(claim));
            unsure =
                if claims.is_empty() { claims } else { self.renew(store, lease, claims, &mut outage).await };
        }
    }

    /// Returns those of which it is not known whether they are held.
    async fn renew(
        &self,
        store: &dyn Store,
        lease: Duration,
        mut claims: Vec<Claim>,
        outage: &mut Outage,
    ) -> Vec<Claim> {
        let until = Instant::now() + lease;
        let asked = timeout(lease / 3, store.renew(&claims, lease)).await;
        let renewed = asked.unwrap_or_else(|_| Err(InboxError::new("the store does not answer")));
        let renewed = match renewed {
            Ok(renewed) => renewed,
            Err(error) => {
                outage.record("leases are not renewed", &error);
                return claims;
            }
        };
        outage.end();
        for (claim, renewed) in claims.iter().zip(&renewed) {
            match renewed {
                Renewed::Renewed => {
                    if let Some(lease) = self.lock().get_mut(claim) {
                        lease.until = until;
                    }
                }
                Renewed::Lost => self.lose(claim),
                Renewed::Unknown => {}
            }
        }
        let mut renewed = renewed.into_iter();
        claims.retain(|_| renewed.next().is_none_or(|renewed| renewed == Renewed::Unknown));
        claims
    }

    fn lose(&self, claim: &Claim) {
        if let Some(lease) = self.lock().remove(claim) {
            lease.lost.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Claim, Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether no other process can have been given the lane yet.
    pub(super) fn is_valid(&self) -> bool {
        self.leases.lock().get(&self.claim).is_some_and(|lease| lease.until > Instant::now())
    }

    /// The store has said that this claim does not hold the lane any more.
    pub(super) fn lose(&self) {
        self.leases.lose(&self.claim);
    }

    /// Ends when the lane is lost.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.claim);
    }
}
