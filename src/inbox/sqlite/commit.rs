//! Transactions: what is synced, and when nothing may be added.

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::file::Disk;
use crate::inbox::InboxError;

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It adds something, and survives the loss of power once it has ended.
    Add,
    /// It takes something away. It survives a crash of the process, and the loss of power once something is added after it.
    Take,
    /// It takes something away of which nothing may be left, not even for a moment.
    Erase,
}

impl Disk {
    /// Runs `work` in a transaction that is committed if it succeeds. `work` runs again if the disk was full.
    pub(super) fn change<T>(
        &mut self,
        change: Change,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, InboxError> {
        if change == Change::Add {
            self.check_can_add()?;
        }
        let mut result = self.commit(change, &work);
        if result.as_ref().is_err_and(is_full) && change != Change::Add && self.reserve.spend() {
            result = self.commit(change, &work);
        }
        if result.as_ref().is_err_and(is_full) {
            self.log.empty(&mut self.connection);
        }
        self.upkeep.changed();
        let output = result.map_err(failed)?;
        if change == Change::Add {
            self.log.accepted();
            // What went into a deleted file shall not be acknowledged.
            self.presence.check()?;
        }
        Ok(output)
    }

    /// Writes an event and rolls it back, and tries whether the disk takes more: a transaction that is rolled back may never
    /// reach it.
    pub(super) fn check(&mut self) -> Result<(), InboxError> {
        self.check_can_add()?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let event = "INSERT INTO event (id, lane, stored, json) VALUES (-1, zeroblob(16), 0, '{}')";
        transaction.execute(event, []).and_then(|_| transaction.rollback()).map_err(failed)?;
        let failed = |error| InboxError::caused("the inbox's disk takes nothing more", &error).unavailable();
        self.reserve.probe().map_err(failed)
    }

    fn check_can_add(&mut self) -> Result<(), InboxError> {
        self.presence.check()?;
        if self.log.is_broken() && !self.log.empty(&mut self.connection) {
            return Err(InboxError::new(
                "the disk has failed to sync the write-ahead log, and nothing is stored until all of it is in the database; a reader's open transaction, or the disk, is in the way",
            )
            .unavailable());
        }
        if !self.reserve.is_kept() {
            self.log.empty(&mut self.connection);
            if !self.reserve.keep() {
                return Err(InboxError::new("the disk is full").unavailable());
            }
        }
        Ok(())
    }

    fn commit<T>(
        &mut self,
        change: Change,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let secure = |level| self.connection.pragma_update(None, "secure_delete", level);
        let result = if change == Change::Erase { secure("ON") } else { Ok(()) };
        let result = result.and_then(|()| self.set_synced(change == Change::Add));
        let result = result.and_then(|()| commit(&mut self.connection, work));
        if change == Change::Erase {
            let _ = self.connection.pragma_update(None, "secure_delete", "FAST");
        }
        self.committed = true;
        self.log.observe(&result);
        result
    }

    /// Whether commits are synced from now on.
    pub(super) fn set_synced(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != Some(synced) {
            self.synced = None;
            let level = if synced { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.synced = Some(synced);
        }
        Ok(())
    }
}

fn commit<T>(
    connection: &mut Connection,
    work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // IMMEDIATE: a read that is followed by a write would fail if another connection has written in between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let output = work(&transaction)?;
    transaction.commit()?;
    Ok(output)
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

pub(super) fn failed(error: rusqlite::Error) -> InboxError {
    let may_succeed_later =
        matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy));
    let error = InboxError::caused("SQLite could not do it", &error);
    if may_succeed_later { error.unavailable() } else { error }
}
