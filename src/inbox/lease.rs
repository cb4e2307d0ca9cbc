//! Which lanes this process may deliver, by its own clock: the store may meanwhile have given one to somebody else.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::store::{Claim, Renewed, Store};
use crate::telemetry::Trouble;

/// The lanes that are held, and until when at least.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<Claim, Instant>>>);

/// A lane that is held, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    claim: Claim,
    leases: Leases,
}

impl Leases {
    /// `until` is counted from before the store was asked, so that it never ends later than the store's.
    pub(super) fn hold(&self, claim: Claim, until: Instant) -> Held {
        self.lock().insert(claim, until);
        Held { claim, leases: self.clone() }
    }

    /// Renews what is held, for ever.
    pub(super) async fn keep(&self, store: &dyn Store, lease: Duration) -> Infallible {
        let mut trouble = Trouble::default();
        loop {
            sleep(lease / 3).await;
            let claims: Vec<Claim> = self.lock().keys().copied().collect();
            if claims.is_empty() {
                continue;
            }
            let until = Instant::now() + lease;
            match store.renew(&claims, lease).await {
                Ok(renewed) => {
                    trouble.over();
                    let mut held = self.lock();
                    for (claim, renewed) in claims.iter().zip(renewed) {
                        match (renewed, held.get_mut(claim)) {
                            (Renewed::Renewed, Some(end)) => *end = until,
                            (Renewed::Lost, Some(_)) => drop(held.remove(claim)),
                            (Renewed::Unknown, _) | (_, None) => {}
                        }
                    }
                }
                Err(error) => trouble.is("leases are not renewed", &error),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Claim, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether nobody else can have been given the lane yet.
    pub(super) fn is_valid(&self) -> bool {
        self.leases.lock().get(&self.claim).is_some_and(|until| *until > Instant::now())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.claim);
    }
}
