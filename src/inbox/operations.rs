//! What operators see and do.

use std::time::Duration;

use super::{
    Inbox, InboxError,
    store::{Archived, DeadLetter, Filter, KeptSession, Pending, SessionFilter, Stats},
    telemetry,
};

/// For operators, also through [`Inbox::operate`] from another process while receiver and workers run.
///
/// Every method returns an error when the store fails. One that changes many events does so some at a time, so that neither
/// acceptance nor delivery has to wait; when it fails, some may have been changed.
impl Inbox {
    /// Counts events, for all processes on the same store. Cheap also with millions of events.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn stats(&self) -> Result<Stats, InboxError> {
        let stats = self.shared.store.stats().await?;
        telemetry::record_stats(&stats);
        Ok(stats)
    }

    /// Checks that an event could be stored now: writes as for an event, and rolls it back. For health checks.
    ///
    /// # Errors
    ///
    /// When it could not: the disk is full, the server is read-only or cannot be reached.
    pub async fn check(&self) -> Result<(), InboxError> {
        self.shared.store.check().await
    }

    /// Returns the events that are neither delivered nor dead and match `filter`, a [page](Filter::page) of them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn pending(&self, filter: &Filter) -> Result<Vec<Pending>, InboxError> {
        let (after, limit) = filter.page_bounds();
        self.shared.store.pending(filter, after, limit).await
    }

    /// Returns a page of the dead letters: at most `limit`, with ids above `after`. Begin with 0, and go on with the last
    /// one's id.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn dead_letters(&self, after: i64, limit: usize) -> Result<Vec<DeadLetter>, InboxError> {
        self.dead_letters_matching(&Filter::all().page(after, limit)).await
    }

    /// Returns the dead letters that match `filter`, a [page](Filter::page) of them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn dead_letters_matching(&self, filter: &Filter) -> Result<Vec<DeadLetter>, InboxError> {
        let (after, limit) = filter.page_bounds();
        self.shared.store.dead_letters(filter, after, limit).await
    }

    /// Makes a dead letter a waiting event again, as if it had not been tried, before the later events of its session except
    /// for those that a worker has claimed already. `false`: there is no such dead letter.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        self.shared.store.requeue(id).await
    }

    /// [Requeues](Self::requeue) all dead letters that match `filter`, and returns how many.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.shared.store.requeue_all(filter).await
    }

    /// Deletes a pending event or a dead letter. `false`: there is none with this id. If its handler is running, that goes on
    /// to its end.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        self.shared.store.discard(id).await
    }

    /// Lets a session that waits for a retry go on at once, and returns how many did: apps can have sessions of one name.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn retry_now(&self, session: &str) -> Result<u64, InboxError> {
        self.shared.store.retry_now(&Filter::all().in_session(session)).await
    }

    /// Lets all sessions with an event that matches `filter` and waits for a retry go on at once, and returns how many did.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn retry_all_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.shared.store.retry_now(filter).await
    }

    /// Pauses delivery for all processes on this store, also after a restart, until it is [resumed](Self::resume). Events are
    /// accepted as before; a handler that runs goes on to its end, and so do the up to 16 events that its session has
    /// claimed.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn pause(&self) -> Result<(), InboxError> {
        self.shared.store.set_paused(true).await
    }

    /// Resumes what was [paused](Self::pause).
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn resume(&self) -> Result<(), InboxError> {
        self.shared.store.set_paused(false).await
    }

    /// Deletes the dead letters that were given up longer than `age` ago, and returns how many.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        self.shared.store.purge(age).await
    }

    /// Deletes everything stored of a user of an app, by `ClientUserId`: pending events, dead letters and archived events, and
    /// the user's kept sessions and messages. Returns how many events. If a handler is running for one of them, it goes on to its end.
    ///
    /// # Errors
    ///
    /// When the store fails. Call it again then.
    pub async fn forget_user(&self, app: u64, user: &str) -> Result<u64, InboxError> {
        self.shared.store.erase(&Filter::user(app, user)).await
    }

    /// Deletes everything stored of a session of an app, as [`forget_user`](Self::forget_user) does.
    ///
    /// # Errors
    ///
    /// When the store fails. Call it again then.
    pub async fn forget_session(&self, app: u64, session: &str) -> Result<u64, InboxError> {
        self.shared.store.erase(&Filter::session(app, session)).await
    }

    /// Returns the [archived](Self::archive) events that match `filter`, a [page](Filter::page) of them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn archived(&self, filter: &Filter) -> Result<Vec<Archived>, InboxError> {
        let (after, limit) = filter.page_bounds();
        self.shared.store.archived(filter, after, limit).await
    }

    /// Delivers the [archived](Self::archive) events that match `filter` again, each session's in their order and after what
    /// waits now, and returns how many.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        self.shared.store.replay(filter).await
    }

    /// Returns the [kept](Self::keep_sessions) sessions that match `filter`, a [page](SessionFilter::page) of them.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        self.shared.store.sessions(filter).await
    }

    /// Deletes the kept sessions whose last change is longer than `age` ago, and their messages. Returns how many sessions. The
    /// inbox does so by itself, by the age of [`keep_sessions`](Self::keep_sessions).
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        self.shared.store.purge_sessions(age).await
    }
}
