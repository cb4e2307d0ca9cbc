//! A connection that is made again when it breaks.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{Mutex, Notify},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Row;

use super::{
    failure::Failure,
    schema,
    session::{Abandoned, Backend, Ending, Session, Step},
    url::Target,
};
use crate::inbox::InboxError;

/// For how long something is tried again while the server is away: within the webhook's deadline, so that a short restart of the
/// server causes no refusals.
const RETRY_FOR: Duration = Duration::from_secs(1);

const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How long the server may take for one thing; then the connection is given up. The server's own limit is a little shorter, so
/// that it holds no locks of ours for longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const SERVER_TIMEOUTS: &str =
    "SET statement_timeout TO '9s'; SET idle_in_transaction_session_timeout TO '9s'";

/// How long connecting may take, with the first statements.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Does one thing at a time.
pub(super) struct Connection {
    target: Arc<Target>,
    /// The connection belongs to it, whatever task uses it first.
    runtime: Handle,
    /// What a new session executes first.
    greeting: Arc<str>,
    /// What is executed after each change, without waiting for it.
    notice: Option<String>,
    notified: Arc<Notify>,
    session: Mutex<Option<Session>>,
    abandoned: Abandoned,
}

impl Connection {
    pub(super) fn new(target: Arc<Target>, greeting: &str, notice: Option<String>) -> Self {
        Self {
            target,
            runtime: Handle::current(),
            greeting: format!("{SERVER_TIMEOUTS}; {greeting}").into(),
            notice,
            notified: Arc::default(),
            session: Mutex::default(),
            abandoned: Abandoned::default(),
        }
    }

    /// Executes one statement.
    pub(super) async fn run(&self, step: Step<'_>) -> Result<Vec<Row>, Failure> {
        Ok(self.all(&[step], Ending::Commit).await?.pop().unwrap_or_default())
    }

    /// Executes statements as one transaction, and returns the rows of each. Then notifies workers, if this connection does
    /// that. They may be executed twice, as [`all`](Self::all) says.
    pub(super) async fn change(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        let mut slot = self.session.lock().await;
        let rows = self.repeatedly(&mut slot, steps, Ending::Commit).await?;
        if let (Some(notice), Some(session)) = (&self.notice, &*slot) {
            // Neither a caller nor a commit waits for it: PostgreSQL commits notices one at a time.
            session.send(notice).await;
        }
        Ok(rows)
    }

    /// Executes statements, several as one transaction, and returns the rows of each. If the connection breaks, or the server
    /// asks for it, they are executed again on a new one. So they may be executed twice, and have to be idempotent.
    pub(super) async fn all(&self, steps: &[Step<'_>], ending: Ending) -> Result<Vec<Vec<Row>>, Failure> {
        let mut slot = self.session.lock().await;
        self.repeatedly(&mut slot, steps, ending).await
    }

    async fn repeatedly(
        &self,
        slot: &mut Option<Session>,
        steps: &[Step<'_>],
        ending: Ending,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let begun = Instant::now();
        loop {
            match self.attempt(slot, steps, ending).await {
                Ok(rows) => return Ok(rows),
                Err(failure) if !failure.is_transient() || begun.elapsed() >= RETRY_FOR => {
                    return Err(failure);
                }
                Err(_) => sleep(RETRY_AFTER).await,
            }
        }
    }

    /// A session goes back into its slot when the server has answered everything, be it with an error. One that broke, or was
    /// dropped half-way, may have left a transaction open.
    async fn attempt(
        &self,
        slot: &mut Option<Session>,
        steps: &[Step<'_>],
        ending: Ending,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let mut session = match slot.take().filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => self.connect().await?,
        };
        let silent = |_| Failure::silent("PostgreSQL does not answer");
        let rows = timeout(ANSWER_TIMEOUT, session.run(steps, ending)).await.map_err(silent)?;
        if !session.is_busy() {
            *slot = Some(session);
        }
        Ok(rows?)
    }

    /// Returns when this process or another has notified.
    pub(super) async fn notified(&self) {
        self.notified.notified().await;
    }

    /// Creates or upgrades the schema; or, with `only_check`, checks that it is up to date.
    pub(super) async fn prepare(&self, schema: &str, only_check: bool) -> Result<(), InboxError> {
        let failed = |error: InboxError| {
            InboxError::caused(format_args!("the inbox in schema {schema} cannot be used"), &error)
        };
        let mut session = self.connect().await.map_err(|failure| failed(failure.into()))?;
        let prepared = if only_check {
            schema::check(&mut session.client, schema).await
        } else {
            schema::prepare(&mut session.client, schema).await
        };
        prepared.map_err(failed)?;
        *self.session.lock().await = Some(session);
        Ok(())
    }

    /// Which process of the server answers.
    pub(super) async fn backend(&self) -> Result<Option<Backend>, Failure> {
        let mut slot = self.session.lock().await;
        let session = match slot.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(slot.insert(session).backend().await?)
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let (target, greeting) = (Arc::clone(&self.target), Arc::clone(&self.greeting));
        let opening = Session::open(target, greeting, Arc::clone(&self.notified), self.abandoned.clone());
        let connecting = self.runtime.spawn(timeout(CONNECT_TIMEOUT, opening));
        let gone = |_| Failure::permanent("the runtime in which the inbox was made has shut down");
        let silent = |_| Failure::silent("PostgreSQL accepts connections and does not answer");
        let connected = connecting.await.map_err(gone)?.map_err(silent)?;
        let session = connected.map_err(Failure::of_connecting)?;
        // Notifications may have been missed while there was no connection.
        self.notified.notify_one();
        Ok(session)
    }
}
