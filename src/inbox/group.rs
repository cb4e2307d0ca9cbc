//! Group commit: what waits while the store is busy goes into its next call together.

use std::{collections::VecDeque, future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::yield_now,
    time::Instant,
};

use super::InboxError;
use crate::isolate::{caught, discard};

/// Items go in one by one, and are committed as many at a time as there are, within limits.
pub(super) struct Group<T, R> {
    queue: mpsc::Sender<Item<T, R>>,
}

struct Item<T, R> {
    item: T,
    since: Instant,
    reply: oneshot::Sender<Result<R, InboxError>>,
}

/// More than this at once makes a commit slower for the first of them, and hardly cheaper for each.
const LIMIT: usize = 256;

/// More than this at once would keep the first of them waiting for longer than the sender waits, on a slow network or disk.
const BYTES: usize = 8 * 1024 * 1024;

impl<T: Send + 'static, R: Clone + Send + 'static> Group<T, R> {
    /// `commit` has to return as many results as it gets items, in the same order. `bytes` is an item's size. An item that
    /// has waited for longer than `patience` before its commit begins fails instead.
    pub(super) fn start<F, C>(
        runtime: &Handle,
        bytes: impl Fn(&T) -> usize + Send + 'static,
        patience: Duration,
        commit: F,
    ) -> Self
    where
        F: Fn(Vec<T>) -> C + Send + 'static,
        C: Future<Output = Result<Vec<R>, InboxError>> + Send,
    {
        let (queue, mut arriving) = mpsc::channel(LIMIT);
        runtime.spawn(async move {
            let mut waiting = VecDeque::new();
            let mut arrived = Vec::new();
            loop {
                if waiting.is_empty() && arriving.recv_many(&mut arrived, LIMIT).await == 0 {
                    return;
                }
                waiting.extend(arrived.drain(..));
                while waiting.len() < LIMIT
                    && let Ok(item) = arriving.try_recv()
                {
                    waiting.push_back(item);
                }
                let (items, replies) = next(&mut waiting, &bytes, patience);
                if items.is_empty() {
                    continue;
                }
                let mut committing = pin!(commit(items));
                let committed = poll_fn(|cx| {
                    caught(|| committing.as_mut().poll(cx)).unwrap_or_else(|panic| {
                        discard(panic);
                        Poll::Ready(Err(InboxError::new("the store panicked")))
                    })
                });
                let results: Vec<_> = match committed.await {
                    Ok(results) if results.len() == replies.len() => results.into_iter().map(Ok).collect(),
                    Ok(_) => vec![Err(InboxError::new("the store has not answered for each")); replies.len()],
                    Err(error) => vec![Err(error); replies.len()],
                };
                for (reply, result) in replies.into_iter().zip(results) {
                    // It fails when the caller has gone.
                    let _ = reply.send(result);
                }
                // Callers that go on at once with their next item get into this group instead of the one after it.
                yield_now().await;
            }
        });
        Self { queue }
    }

    /// # Errors
    ///
    /// The whole group's error, or that the store has no time for it.
    pub(super) async fn commit(&self, item: T) -> Result<R, InboxError> {
        let (reply, result) = oneshot::channel();
        let gone = || InboxError::new("the runtime in which the inbox was made has shut down");
        let item = Item { item, since: Instant::now(), reply };
        self.queue.send(item).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

type Replies<R> = Vec<oneshot::Sender<Result<R, InboxError>>>;

/// The first of those that wait, as many as fit into one commit.
fn next<T, R>(
    waiting: &mut VecDeque<Item<T, R>>,
    bytes: impl Fn(&T) -> usize,
    patience: Duration,
) -> (Vec<T>, Replies<R>) {
    let (mut items, mut replies, mut size) = (Vec::new(), Vec::new(), 0_usize);
    while let Some(Item { item, since, reply }) = waiting.pop_front() {
        if since.elapsed() > patience {
            let _ = reply.send(Err(InboxError::new("the store is too slow for what arrives").unavailable()));
            continue;
        }
        size = size.saturating_add(bytes(&item));
        if size > BYTES && !items.is_empty() {
            waiting.push_front(Item { item, since, reply });
            break;
        }
        items.push(item);
        replies.push(reply);
    }
    (items, replies)
}

impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}
