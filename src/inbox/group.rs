//! Group commit: whatever waits while the store is busy goes into its next call together.

use std::{future::poll_fn, pin::pin, task::Poll};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::InboxError;
use crate::isolate::{caught, discard};

/// Items go in one by one, and are committed as many at a time as there are.
pub(super) struct Group<T, R> {
    queue: mpsc::Sender<(T, Reply<R>)>,
}

type Reply<R> = oneshot::Sender<Result<R, InboxError>>;

/// More than this at once makes a commit slower for the first of them, and hardly cheaper for each; and so many of the
/// largest events still fit into one message to PostgreSQL.
const LIMIT: usize = 256;

impl<T: Send + 'static, R: Clone + Send + 'static> Group<T, R> {
    /// `commit` has to give as many results as it gets items, in the same order.
    pub(super) fn start<F, C>(runtime: &Handle, commit: F) -> Self
    where
        F: Fn(Vec<T>) -> C + Send + 'static,
        C: Future<Output = Result<Vec<R>, InboxError>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel(LIMIT);
        runtime.spawn(async move {
            let mut batch: Vec<(T, Reply<R>)> = Vec::new();
            while waiting.recv_many(&mut batch, LIMIT).await > 0 {
                let (items, replies): (Vec<T>, Vec<Reply<R>>) = batch.drain(..).unzip();
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
                    // Who has gone need not be told.
                    let _ = reply.send(result);
                }
            }
        });
        Self { queue }
    }

    /// # Errors
    ///
    /// What the whole batch failed with.
    pub(super) async fn commit(&self, item: T) -> Result<R, InboxError> {
        let (reply, result) = oneshot::channel();
        let gone = || InboxError::new("the runtime in which the inbox was made has shut down");
        self.queue.send((item, reply)).await.map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

impl<T, R> Clone for Group<T, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}
