//! The durable inbox: acknowledge once the event is on disk, deliver it afterwards, in order, until it is done.
//!
//! The sender wants an answer within 2 seconds and repeats little, so what was acknowledged must survive here. An [`Inbox`]
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
//! let webhook = Webhook::new(Verifier::signed(1_400_000_000, "the console's token"), inbox.clone());
//! // Serve the webhook, and when the server has ended:
//! webhook.drained().await;
//! assert_eq!(workers.drain().await.left, Some(0));
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **At least once.** What the sender was told OK for is delivered, also after a crash of the process or the machine. It can
//!   be delivered more than once: when a process dies between the handler's end and the record of it, when a lease runs out
//!   under a worker that stood still, when the machine loses its power (records of what is done are not synced). So make
//!   handlers idempotent, by [`Event::dedup_key`].
//! * **In order.** Events of one session reach the handler one after another, as they were accepted. Sessions run side by
//!   side, up to [a limit](Dispatcher::sessions). An event that fails holds back its own session alone.
//! * **Until it is done.** A failure or a panic is retried, later and later; after [the last attempt](Dispatcher::attempts),
//!   or at once when the error is [permanent](crate::HandlerError::permanent), the event becomes a dead letter, which can be
//!   listed and queued again, and its session goes on. Not counted are attempts that end with their process: an event that
//!   crashes it is delivered again at the next start. A handler that never ends holds its session for ever: put a time-out
//!   around what may hang.
//! * **Once for repeats.** A delivery with the `RequestID` of an earlier one of its session, or with its
//!   [key](Event::dedup_key), is acknowledged and not stored again, for at least [24 hours](Inbox::duplicate_horizon).
//! * **Or not at all.** While the store cannot take an event, or has not by the webhook's deadline, the sender is told 503 and
//!   standard error, or `tracing`, says why.
//!
//! # Which engine
//!
//! | | [`Inbox::open`], feature `sqlite` | [`Inbox::connect`], feature `postgres` |
//! |---|---|---|
//! | receivers and workers | one process | any number, on any number of machines |
//! | to be installed | nothing | a PostgreSQL; tested with 15 |
//! | survives the loss of | power | power, and the machine if PostgreSQL does |
//!
//! Each session that is being delivered has up to 16 events in memory: by default 64 sessions at once.
//!
//! Another engine is an implementation of [`store::Store`].

#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
mod postgres;

pub mod store;

mod operations;

mod order;

mod dispatcher;

mod lane;

mod lease;

mod group;

mod backoff;

mod error;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use self::{
    backoff::Backoff,
    group::Group,
    store::{Appended, NewEvent, Outcome, Store},
};
pub use self::{
    dispatcher::{Dispatcher, Drained, Workers},
    error::InboxError,
    order::OrderKey,
    store::{Archived, DeadLetter, Filter, Pending, Receipt, ReceiptValue, Stats},
};
use crate::{
    event::Event,
    handler::{AtDeadline, Deliver, Delivering, HandlerError, Sealed},
    telemetry::{self, Trouble},
};

/// Stores events durably before they are acknowledged. Clones share one store.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    arrivals: Group<NewEvent, Appended>,
    outcomes: Group<Outcome, bool>,
    runtime: Handle,
    horizon_ms: AtomicU64,
    /// 0: delivered events are deleted.
    archive_ms: AtomicU64,
}

const SOON: Duration = Duration::from_secs(1);

/// How soon a store that fails is asked again.
const RECONNECT: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

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
        Ok(Self::over(sqlite::Sqlite::open(path.as_ref()).await?))
    }

    /// On an existing PostgreSQL, in the schema `desk_inbox`, which is made if it is not there.
    ///
    /// `url` is `postgres://user:password@host:port/database`, with these parameters among others: `sslmode` (`disable`,
    /// `prefer`, `require`, `verify-ca` or `verify-full`, as libpq has them; default `prefer`) and `sslrootcert` (a file of
    /// certificates to trust; default: the system's). Connect to the server itself: a pooler that shares connections between
    /// transactions breaks what this relies on.
    ///
    /// # Errors
    ///
    /// When the URL cannot be read, the server cannot be reached, or the schema can be neither used nor made.
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
    /// run: the file, or the PostgreSQL by its URL. It is neither made nor upgraded. This inbox stores and delivers nothing.
    ///
    /// # Errors
    ///
    /// When it is not there, is of another version, or cannot be opened.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub async fn operate(place: &str) -> Result<Self, InboxError> {
        #[cfg(feature = "postgres")]
        if place.contains("://") {
            return Self::operate_in(place, "desk_inbox").await;
        }
        #[cfg(feature = "sqlite")]
        return Ok(Self::over(sqlite::Sqlite::operate(std::path::Path::new(place)).await?));
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
        Ok(Self::over(postgres::Postgres::operate(url, schema).await?))
    }

    /// On an engine of your own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn over(store: impl Store) -> Self {
        telemetry::describe_inbox();
        let runtime = Handle::current();
        let store: Arc<dyn Store> = Arc::new(store);
        let (appending, finishing) = (Arc::clone(&store), Arc::clone(&store));
        let shared = Arc::new(Shared {
            arrivals: Group::start(&runtime, move |events| {
                let store = Arc::clone(&appending);
                async move { store.append(events).await }
            }),
            outcomes: Group::start(&runtime, move |outcomes| {
                let store = Arc::clone(&finishing);
                async move { store.finish(outcomes).await }
            }),
            store,
            horizon_ms: AtomicU64::new(24 * 60 * 60 * 1000),
            archive_ms: AtomicU64::new(0),
            runtime,
        });
        shared.runtime.spawn(forget(Arc::downgrade(&shared)));
        Self { shared }
    }

    /// For how long, from its storing, an event is remembered to recognise a repeat of it. Default: 24 hours. One that is still
    /// waiting or dead is recognised in any case. It holds for all clones; of several processes on one PostgreSQL the
    /// shortest counts.
    #[must_use]
    pub fn duplicate_horizon(self, horizon: Duration) -> Self {
        let millis = u64::try_from(horizon.as_millis()).unwrap_or(u64::MAX);
        self.shared.horizon_ms.store(millis, Ordering::Relaxed);
        self
    }

    /// Keeps delivered events for this long in an archive, from which they can be [delivered again](Self::replay). Default:
    /// they are deleted when they are delivered.
    #[must_use]
    pub fn archive(self, age: Duration) -> Self {
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.shared.archive_ms.store(millis, Ordering::Relaxed);
        self
    }

    /// Delivers the stored events to `handler`, once [`start`](Dispatcher::start)ed: to its `on_event`. What is given up is
    /// told to its `on_late_failure`.
    pub fn deliver_to<H: Deliver>(&self, handler: H) -> Dispatcher<H> {
        Dispatcher::new(self.clone(), handler)
    }
}

impl Deliver for Inbox {
    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        Box::pin(async move {
            let arrival = NewEvent::new(event, OrderKey::Session).map_err(HandlerError::permanent)?;
            match self.shared.arrivals.commit(arrival).await {
                Ok(Appended::Stored) => {
                    telemetry::stored();
                    Ok(())
                }
                Ok(Appended::Duplicate) => {
                    telemetry::duplicate(event);
                    Ok(())
                }
                Err(error) => Err(HandlerError::unavailable(format!("the inbox has not stored it: {error}"))),
            }
        })
    }

    fn at_deadline(&self) -> AtDeadline {
        AtDeadline::Refuse
    }

    /// The sender got 503, and the log has the reason.
    fn late(&self, _: &Event, _: &HandlerError) {}
}

impl Sealed for Inbox {}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let horizon = Duration::from_millis(self.shared.horizon_ms.load(Ordering::Relaxed));
        f.debug_struct("Inbox").field("duplicate_horizon", &horizon).finish_non_exhaustive()
    }
}

/// Forgets what is older than the horizon, as long as there is an inbox.
async fn forget(inbox: Weak<Shared>) {
    let mut trouble = Trouble::default();
    // Not at once: the horizon may be about to be set.
    let mut pause = SOON;
    loop {
        sleep(pause).await;
        let Some(shared) = inbox.upgrade() else { return };
        let horizon = Duration::from_millis(shared.horizon_ms.load(Ordering::Relaxed));
        match shared.store.forget(horizon).await {
            Ok(_) => trouble.over(),
            Err(error) => trouble.is("keys past the duplicate horizon are not deleted", &error),
        }
        pause = (horizon / 30).clamp(SOON, Duration::from_secs(60));
    }
}
