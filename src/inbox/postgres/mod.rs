//! The engine for many machines: a schema in a PostgreSQL.
//!
//! Every change is one round trip: the statements of its transaction are sent together. Each statement of a transaction sees
//! what was committed before it began, so statements after the one that locks the lanes see all of their events.

mod append;

mod busy;

mod claim;

mod columns;

mod connection;

mod connections;

mod crashes;

mod failure;

mod finish;

mod operations;

mod owners;

mod pooler;

mod receipt;

mod release;

mod renew;

mod retention;

mod rows;

mod schema;

mod session;

mod sessions;

mod stats;

mod table;

mod tls;

mod url;

use std::{sync::atomic::AtomicBool, time::Duration};

use async_trait::async_trait;

use self::{
    connections::Connections,
    crashes::Crashes,
    operations::Change,
    table::{ARCHIVE, DEAD_LETTERS, EVENTS},
};
use super::{
    InboxError,
    store::{
        Appended, Archived, Claim, DeadLetter, Filter, Finished, KeptSession, Lane, NewEvent, Outcome,
        Pending, Receipt, Renewed, SessionFilter, Stats, Store,
    },
};

pub(super) struct Postgres {
    schema: String,
    to: Connections,
    crashes: Crashes,
    /// Whether the database's encoding has been found not to be UTF-8.
    ascii_only: AtomicBool,
}

impl Postgres {
    /// Creates or upgrades the schema, if necessary.
    pub(super) async fn connect(url: &str, schema: &str) -> Result<Self, InboxError> {
        let store = Self::new(url, schema)?;
        store.to.arrivals.prepare(schema, false).await?;
        // Not with the connection that listens: the server would wake it for every event, also where nothing is delivered.
        pooler::check(&store.to.arrivals, &store.to.operations).await?;
        Ok(store)
    }

    /// For an operator's process: the schema has to exist.
    pub(super) async fn operate(url: &str, schema: &str) -> Result<Self, InboxError> {
        let store = Self::new(url, schema)?;
        store.to.operations.prepare(schema, true).await?;
        Ok(store)
    }

    fn new(url: &str, schema: &str) -> Result<Self, InboxError> {
        Ok(Self {
            schema: schema.to_owned(),
            to: Connections::new(url, schema)?,
            crashes: Crashes::new(),
            ascii_only: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Store for Postgres {
    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>, InboxError> {
        append::append(&self.to.arrivals, events).await
    }

    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<Lane>, InboxError> {
        claim::claim(&self.to.claims, &self.crashes, limit, lease).await
    }

    async fn started(&self, claim: &Claim, _id: i64) -> Result<(), InboxError> {
        crashes::record_start(&self.to.leases, &self.crashes, *claim).await
    }

    async fn ended(&self, claim: &Claim, _id: i64) {
        self.crashes.ended(*claim);
    }

    async fn renew(&self, claims: &[Claim], lease: Duration) -> Result<Vec<Renewed>, InboxError> {
        renew::renew(&self.to.leases, &self.crashes, claims, lease).await
    }

    async fn finish(&self, outcomes: Vec<Outcome>) -> Result<Vec<Finished>, InboxError> {
        finish::finish(&self.to.outcomes, &self.crashes, &self.ascii_only, &outcomes).await
    }

    async fn changed(&self) {
        self.to.claims.notified().await;
    }

    fn receipt(&self, claim: &Claim, id: i64, archive: bool) -> Option<Receipt> {
        Some(receipt::receipt(&self.schema, claim, id, archive))
    }

    async fn forget(&self, age: Duration) -> Result<u64, InboxError> {
        stats::sum_up(&self.to.operations).await?;
        retention::forget_keys(&self.to.operations, age).await
    }

    async fn stats(&self) -> Result<Stats, InboxError> {
        stats::stats(&self.to.operations).await
    }

    async fn check(&self) -> Result<(), InboxError> {
        append::try_to_append(&self.to.operations).await
    }

    async fn pending(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Pending>, InboxError> {
        table::list(&self.to.operations, &EVENTS, filter, after, limit, table::pending).await
    }

    async fn dead_letters(
        &self,
        filter: &Filter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, InboxError> {
        table::list(&self.to.operations, &DEAD_LETTERS, filter, after, limit, table::dead_letter).await
    }

    async fn requeue(&self, id: i64) -> Result<bool, InboxError> {
        Ok(operations::requeue(&self.to.operations, &[id]).await? > 0)
    }

    async fn requeue_all(&self, filter: &Filter) -> Result<u64, InboxError> {
        operations::change_all(&self.to.operations, &DEAD_LETTERS, filter, Change::Requeue).await
    }

    async fn discard(&self, id: i64) -> Result<bool, InboxError> {
        let waiting = operations::delete(&self.to.operations, &EVENTS, &[id]).await?;
        Ok(waiting + operations::delete(&self.to.operations, &DEAD_LETTERS, &[id]).await? > 0)
    }

    async fn retry_now(&self, filter: &Filter) -> Result<u64, InboxError> {
        operations::retry_now(&self.to.operations, filter).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), InboxError> {
        operations::set_paused(&self.to.operations, paused).await
    }

    async fn purge(&self, age: Duration) -> Result<u64, InboxError> {
        retention::delete_older(&self.to.operations, retention::DEAD_LETTERS, age).await
    }

    async fn erase(&self, filter: &Filter) -> Result<u64, InboxError> {
        let mut erased = 0;
        for table in [&EVENTS, &DEAD_LETTERS, &ARCHIVE] {
            erased += operations::change_all(&self.to.operations, table, filter, Change::Delete).await?;
        }
        if let Some(subject) = filter.subject() {
            sessions::erase(&self.to.operations, &self.ascii_only, subject).await?;
        }
        Ok(erased)
    }

    async fn archived(&self, filter: &Filter, after: i64, limit: usize) -> Result<Vec<Archived>, InboxError> {
        table::list(&self.to.operations, &ARCHIVE, filter, after, limit, table::archived).await
    }

    async fn replay(&self, filter: &Filter) -> Result<u64, InboxError> {
        operations::change_all(&self.to.operations, &ARCHIVE, filter, Change::Replay).await
    }

    async fn purge_archive(&self, age: Duration) -> Result<u64, InboxError> {
        retention::delete_older(&self.to.operations, retention::ARCHIVE, age).await
    }

    async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<KeptSession>, InboxError> {
        sessions::list(&self.to.operations, &self.ascii_only, filter).await
    }

    async fn purge_sessions(&self, age: Duration) -> Result<u64, InboxError> {
        sessions::delete_older(&self.to.operations, age).await
    }
}
