//! Recent `RequestID`s, so that one that comes with different events can be logged. The store does not rely on them.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasher as _,
    sync::{Mutex, PoisonError},
};

use super::store::RequestKey;
use crate::event::Event;

/// How many are remembered.
const LIMIT: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct RecentRequests(Mutex<Recent>);

/// By hashes of apps, sessions and `RequestID`s: two that collide cost a log line.
#[derive(Debug, Default)]
struct Recent {
    events: HashMap<u64, RequestKey>,
    order: VecDeque<u64>,
}

impl RecentRequests {
    /// Notes the `RequestID` of an event that was stored. `true`: it came with a different event before.
    pub(super) fn is_reused(&self, event: &Event, key: Option<RequestKey>) -> bool {
        let (Some(request), Some(key)) = (&event.request_id, key) else { return false };
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = recent.events.hasher().hash_one((event.sdk_app_id, &event.session_id, request));
        let before = recent.events.insert(id, key);
        if before.is_none() {
            recent.order.push_back(id);
            if recent.order.len() > LIMIT
                && let Some(oldest) = recent.order.pop_front()
            {
                recent.events.remove(&oldest);
            }
        }
        before.is_some_and(|before| before != key)
    }
}
