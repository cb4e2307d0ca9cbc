//! The durable inbox: acknowledge once the event is on disk, deliver it afterwards, in order, until it is done.
//!
//! Tencent documents a time-out of 2 seconds for IM callbacks, and for Desk neither that nor retries, so an event that was
//! acknowledged must survive here. An [`Inbox`]
//! receives deliveries in a handler's place: it stores each event and returns, and workers hand the stored events to your handler.
//!
//! ```
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("desk-inbox-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("desk.db");
//! use tencent_desk_webhook::{EventHandler, Verifier, Webhook, inbox::Inbox};
//!
//! struct Support;
//! impl EventHandler for Support {}
//!
//! let inbox = Inbox::open(path).await?; // a file of its own, such as "desk.db"
//! let workers = inbox.deliver_to(Support).start();
//! let webhook = Webhook::new(Verifier::signed(1_400_000_000, "the IM console's token"), inbox.clone());
//! // Serve the webhook, and when the server has ended:
//! webhook.drained(std::time::Duration::from_secs(20)).await;
//! assert_eq!(workers.drain().await.left, Some(0));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **At least once.** An event that was acknowledged is delivered, also after a crash of the process or the machine. It can
//!   be delivered more than once: when a process dies between the handler's end and the record of it, when a lease runs out
//!   under a worker that stood still, when the machine loses its power (records of what is done are not synced). So make
//!   handlers idempotent, by [`Event::dedup_key`](crate::Event::dedup_key), or let them use a [receipt](#exactly-once).
//! * **In order.** Events of one session reach the handler one after another, as they were accepted. Sessions run side by
//!   side, up to [a limit](Dispatcher::sessions). [Another key](Inbox::order_by) than the session can be chosen. An event that
//!   fails holds back its own session alone.
//! * **Retried for a day.** An error, a panic and a [time-out](Dispatcher::timeout) are failures. A failed event is tried again
//!   at growing intervals up to 10 minutes, [for 24 hours](Dispatcher::retry_for) from its first failure, so that an outage of
//!   what handlers call leaves no dead letters. [`HandlerError::retry_after`](crate::HandlerError::retry_after) sets the interval.
//!   After the last attempt, or at once with [`HandlerError::permanent`](crate::HandlerError::permanent), the event becomes a
//!   dead letter, and its session goes on. Each dead letter is reported at least once, to the log and the handler's
//!   [`on_late_failure`](crate::EventHandler::on_late_failure). It is kept for [30 days](Inbox::dead_letter_retention).
//! * **No crash for ever.** An event whose handling ends the process (an abort, a stack overflow, out of memory) becomes a dead
//!   letter after [three times](Dispatcher::crashes). An event that merely ran beside it does not, because a suspect is
//!   delivered alone at first. That holds under `kill -9` as long as handlers are much shorter than the time between kills.
//! * **Duplicates are stored once.** A delivery with the [key](crate::Event::dedup_key) of an earlier one, or with the `RequestID`,
//!   session, `Event`, `EventTime` and `MsgKey` of an earlier one, is acknowledged and not stored again, for at least
//!   [24 hours](Inbox::duplicate_horizon). A `RequestID` that comes with a different event is logged, and the event is stored.
//! * **Stored or refused.** While the store cannot take an event, has not taken it by the webhook's deadline, or holds more than
//!   the [backlog limit](Inbox::backlog_limit), the sender gets 503, and the log has the reason.
//!
//! # Exactly once
//!
//! A handler whose effect is in the inbox's own database can record its event as done in the same transaction: the last
//! statement before the commit is the delivery's [receipt](Delivery::receipt). Whatever crashes, the effect happens exactly once.
//! That is so for tables in the same PostgreSQL database or in the same SQLite file, and for nothing else: not for an SQLite
//! file that is attached, not for a call of another service.
//!
//! # Operations
//!
//! [`stats`](Inbox::stats) counts, [`pending`](Inbox::pending) and [`dead_letters`](Inbox::dead_letters) list,
//! [`requeue`](Inbox::requeue), [`discard`](Inbox::discard), [`retry_now`](Inbox::retry_now) and [`pause`](Inbox::pause) act,
//! [`forget_user`](Inbox::forget_user) deletes a person's data, and [`replay`](Inbox::replay) delivers
//! [archived](Inbox::archive) events again. `Inbox::operate` opens the store for all of this from another process, while
//! receivers and workers run.
//!
//! # Which engine
//!
//! | | `Inbox::open`, feature `sqlite` | `Inbox::connect`, feature `postgres` |
//! |---|---|---|
//! | receivers and workers | one process | any number, on any number of machines |
//! | operators | any number of processes on the machine | any number |
//! | to be installed | nothing | a PostgreSQL; tested with 15 |
//! | survives the loss of | power | power, and the machine if PostgreSQL does |
//!
//! In memory are at most 16 events and 1 MiB of each session that is being delivered (by default 64 sessions at once), and
//! 8 MiB of all that one claim brings.
//!
//! Another engine is an implementation of [`store::Store`].

#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
mod postgres;

pub mod store;

mod settings;

mod order;

mod accept;

mod backlog;

mod requests;

mod operations;

mod housekeeping;

mod dispatcher;

mod workers;

mod dispatching;

mod isolation;

mod lane;

mod progress;

mod delivery;

mod retry;

mod lease;

mod group;

mod backoff;

mod error;

mod outage;

mod telemetry;

use std::{fmt, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use self::{
    backlog::Backlog,
    backoff::Backoff,
    group::Group,
    requests::RecentRequests,
    settings::Settings,
    store::{Appended, Finished, NewEvent, Outcome, Store},
};
pub use self::{
    delivery::Delivery,
    dispatcher::Dispatcher,
    error::InboxError,
    order::OrderKey,
    store::{
        Archived, DeadLetter, Filter, KeptSession, Pending, Receipt, ReceiptValue, SessionFilter, Stats,
    },
    workers::{Drained, Workers},
};
use crate::handler::Deliver;

/// Stores events durably before they are acknowledged. Clones share one store.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    settings: Settings,
    arrivals: Group<NewEvent, Appended>,
    outcomes: Group<Outcome, Finished>,
    backlog: Backlog,
    requests: RecentRequests,
    runtime: Handle,
}

/// How soon a store that fails is asked again.
const RECONNECT: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// How long an event waits to be stored: the sender has its 503 by then, at the latest, so it should not be stored as well.
const PATIENCE: Duration = Duration::from_millis(1500);

impl Inbox {
    /// On an SQLite file, which is made if it is not there. It has to be on a local disk, and belongs to one process at a time;
    /// others may read it.
    ///
    /// # Errors
    ///
    /// When another process has it (after waiting a second for that one to end), when it is not an inbox or of a later
    /// version, or when its directory cannot be written.
    #[cfg(feature = "sqlite")]
    pub async fn open(path: impl AsRef<std::path::Path>) -> Result<Self, InboxError> {
        Ok(Self::over(sqlite::Owner::open(path.as_ref()).await?))
    }

    /// On an existing PostgreSQL, in the schema `desk_inbox`, which is created if it is not there, and upgraded if it is of an
    /// earlier release.
    ///
    /// `url` is `postgres://user:password@host:port/database?sslmode=verify-full`. Encode special characters of the password:
    /// `%40` for `@`, `%2F` for `/`, `%3F` for `?`. Among the parameters are:
    ///
    /// * `sslrootcert`: a file of certificates to trust, or `system`, the default. With it the server's certificate and name
    ///   are verified.
    /// * `sslmode`: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`, as in libpq. The default without
    ///   `sslrootcert` is `prefer` on loopback and sockets, and `require` on any other host: it encrypts, and does not
    ///   verify whom it talks to. Over a network use `verify-full`.
    ///
    /// Connect to the server itself, or through a pooler in session mode. One that shares connections between transactions
    /// is detected and refused. A process opens up to five connections.
    ///
    /// # Roles
    ///
    /// The schema and everything in it have to belong to the role that connects, one that it is a member of, the database's
    /// owner or a superuser, and no other role may create objects in the schema: such a role could copy every event. A role
    /// that does not own the schema needs these grants, again after each upgrade:
    ///
    /// ```sql
    /// GRANT USAGE ON SCHEMA desk_inbox TO desk;
    /// GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA desk_inbox TO desk;
    /// GRANT USAGE ON ALL SEQUENCES IN SCHEMA desk_inbox TO desk;
    /// ```
    ///
    /// # Errors
    ///
    /// When the URL cannot be read, the server cannot be reached, or the schema can be neither used nor made. No part of a
    /// URL that cannot be read is in the error.
    #[cfg(feature = "postgres")]
    pub async fn connect(url: &str) -> Result<Self, InboxError> {
        Self::connect_in(url, "desk_inbox").await
    }

    /// As [`connect`](Self::connect), in another schema: lower-case letters, digits and underscores.
    ///
    /// # Errors
    ///
    /// As for `connect`.
    #[cfg(feature = "postgres")]
    pub async fn connect_in(url: &str, schema: &str) -> Result<Self, InboxError> {
        Ok(Self::over(postgres::Postgres::connect(url, schema).await?))
    }

    /// Opens an existing inbox for [operations](Self#method.pending) from another process, while receivers and workers may
    /// run: the path of the file, as for [`open`](Self::open), or the URL of the PostgreSQL, as for `connect`. It is neither
    /// made nor upgraded. This inbox stores and delivers nothing.
    ///
    /// # Errors
    ///
    /// When it is not there, is of another version, or cannot be opened.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub async fn operate(place: impl AsRef<std::path::Path>) -> Result<Self, InboxError> {
        let place = place.as_ref();
        #[cfg(feature = "postgres")]
        if let Some(url) = place.to_str().filter(|place| place.contains("://")) {
            return Self::operate_in(url, "desk_inbox").await;
        }
        #[cfg(feature = "sqlite")]
        return Ok(Self::on(Arc::new(sqlite::Operator::open(place).await?)));
        #[cfg(not(feature = "sqlite"))]
        Err(InboxError::new("the feature `sqlite` is needed to operate an inbox in a file"))
    }

    /// As [`operate`](Self::operate), in another schema of a PostgreSQL.
    ///
    /// # Errors
    ///
    /// As for `operate`.
    #[cfg(feature = "postgres")]
    pub async fn operate_in(url: &str, schema: &str) -> Result<Self, InboxError> {
        Ok(Self::on(Arc::new(postgres::Postgres::operate(url, schema).await?)))
    }

    /// On an engine of your own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn over(store: impl Store) -> Self {
        telemetry::describe();
        let inbox = Self::on(Arc::new(store));
        let shared = &inbox.shared;
        shared.runtime.spawn(housekeeping::count(Arc::downgrade(shared)));
        shared.runtime.spawn(housekeeping::delete_old(Arc::downgrade(shared)));
        inbox
    }

    fn on(store: Arc<dyn Store>) -> Self {
        let runtime = Handle::current();
        let (appending, finishing) = (Arc::clone(&store), Arc::clone(&store));
        let append = move |events| {
            let store = Arc::clone(&appending);
            async move { store.append(events).await }
        };
        let finish = move |outcomes| {
            let store = Arc::clone(&finishing);
            async move { store.finish(outcomes).await }
        };
        let shared = Shared {
            arrivals: Group::start(&runtime, |event: &NewEvent| event.json.len(), PATIENCE, append),
            outcomes: Group::start(&runtime, |_| 0, Duration::MAX, finish),
            store,
            settings: Settings::default(),
            backlog: Backlog::default(),
            requests: RecentRequests::default(),
            runtime,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Delivers the stored events to `handler`, once [`start`](Dispatcher::start)ed: to its `on_event`. A dead letter is
    /// reported to its `on_late_failure`.
    pub fn deliver_to<H: Deliver>(&self, handler: H) -> Dispatcher<H> {
        Dispatcher::new(self.clone(), handler)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
