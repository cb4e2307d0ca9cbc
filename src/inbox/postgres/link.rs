//! A connection that is made again when it breaks.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{Mutex, Notify},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Error, Row, error::SqlState};

pub(super) use super::session::{Ending, Step};
use super::{
    PATIENCE, schema,
    session::{Abandoned, Session},
    url::Target,
};
use crate::inbox::InboxError;

/// How long the server may take for one thing; then the connection is given up. The server gives up a little earlier, so that
/// nothing of ours holds a lock there for longer.
const ANSWER: Duration = Duration::from_secs(10);
const GIVE_UP: &str = "SET statement_timeout TO '9s'; SET idle_in_transaction_session_timeout TO '9s'";

/// How long connecting may take, with everything that is asked first.
const CONNECTED: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(50);

/// One thing at a time on one connection.
pub(super) struct Link {
    target: Arc<Target>,
    /// The connection belongs to it, whatever task uses it first.
    runtime: Handle,
    /// What a new connection executes first.
    greeting: Arc<str>,
    /// What is executed after each change, without waiting for it.
    notice: Option<String>,
    notified: Arc<Notify>,
    session: Mutex<Option<Session>>,
    abandoned: Abandoned,
}

/// Why something could not be done.
#[derive(Debug)]
pub(super) struct Failure {
    error: InboxError,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It may succeed on a new connection.
    Passing,
    /// A lock was held for too long.
    Locked,
    /// What was read before has changed since.
    Changed,
    /// The database's encoding lacks a character.
    Untranslatable,
    Lasting,
}

impl Failure {
    fn lasting(text: &str) -> Self {
        Self { error: InboxError::new(text), kind: Kind::Lasting }
    }

    /// Whether a statement has found what was read before to have changed.
    pub(super) fn is_changed(&self) -> bool {
        self.kind == Kind::Changed
    }

    /// Whether a text has a character that the database's encoding lacks.
    pub(super) fn is_untranslatable(&self) -> bool {
        self.kind == Kind::Untranslatable
    }

    /// Whether a lock was held for longer than the connection's `lock_timeout`.
    pub(super) fn is_locked(&self) -> bool {
        self.kind == Kind::Locked
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let again = [
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
        ];
        let kind = match error.code() {
            // What has no code is about the connection.
            None => Kind::Passing,
            Some(code) if again.contains(&code) => Kind::Passing,
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Kind::Locked,
            // Statements that look for changes raise it.
            Some(code) if *code == SqlState::INVALID_TEXT_REPRESENTATION => Kind::Changed,
            Some(code) if *code == SqlState::UNTRANSLATABLE_CHARACTER => Kind::Untranslatable,
            Some(_) => Kind::Lasting,
        };
        Self { error: InboxError::caused("PostgreSQL could not do it", &error), kind }
    }
}

impl From<Failure> for InboxError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Link {
    pub(super) fn new(target: Arc<Target>, greeting: &str, notice: Option<String>) -> Self {
        Self {
            target,
            runtime: Handle::current(),
            greeting: format!("{GIVE_UP}; {greeting}").into(),
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

    /// Executes statements as one transaction, and returns the rows of each. Workers are notified if this connection does
    /// that. May be executed twice, as [`all`](Self::all) says.
    pub(super) async fn change(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        let mut slot = self.session.lock().await;
        let rows = self.repeatedly(&mut slot, steps, Ending::Commit).await?;
        if let (Some(notice), Some(session)) = (&self.notice, &*slot) {
            // Nothing waits for it, nor does a commit: PostgreSQL commits notices one at a time.
            session.send(notice).await;
        }
        Ok(rows)
    }

    /// Executes statements, several as one transaction, and returns the rows of each. If the connection breaks, or the server
    /// asks for it, they are executed again on a new one, for as long as [`PATIENCE`] lasts. So they may be executed twice,
    /// and have to bear it.
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
                Err(failure) if failure.kind != Kind::Passing || begun.elapsed() >= PATIENCE => {
                    return Err(failure);
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// A session goes back into its slot when the server has answered everything, be it with an error: what broke, or was
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
        let silent = |_| Failure::lasting("PostgreSQL does not answer");
        let rows = timeout(ANSWER, session.run(steps, ending)).await.map_err(silent)?;
        if !session.is_busy() {
            *slot = Some(session);
        }
        Ok(rows?)
    }

    /// Ends when this process or another has sent a notice.
    pub(super) async fn notified(&self) {
        self.notified.notified().await;
    }

    /// Makes what the statements need, or with `only_check` looks whether it is there.
    pub(super) async fn prepare(&self, schema: &str, only_check: bool) -> Result<(), InboxError> {
        let failed = |error: &InboxError| {
            InboxError::caused(format_args!("the inbox in schema {schema} cannot be used"), error)
        };
        let mut session = self.connect().await.map_err(|failure| failed(&failure.error))?;
        let prepared = if only_check {
            schema::check(&mut session.client, schema).await
        } else {
            schema::prepare(&mut session.client, schema).await
        };
        prepared.map_err(|error| failed(&error))?;
        *self.session.lock().await = Some(session);
        Ok(())
    }

    /// # Errors
    ///
    /// When this connection and `other` are served by the same process of the server, or either by changing ones: then a
    /// pooler shares connections between transactions.
    pub(super) async fn check_pooler(&self, other: &Self) -> Result<(), InboxError> {
        let (mut ours, mut theirs) = (self.session.lock().await, other.session.lock().await);
        let mut pairs = Vec::new();
        for (slot, link) in [(&mut ours, self), (&mut theirs, other)] {
            if slot.is_none() {
                **slot = Some(link.connect().await?);
            }
        }
        let (Some(one), Some(two)) = (&*ours, &*theirs) else { return Ok(()) };
        for _ in 0..3 {
            let failed = |error: Error| Failure::from(error);
            pairs.push((one.backend().await.map_err(failed)?, two.backend().await.map_err(failed)?));
        }
        let is_direct = |pair: &(_, _)| pair.0 != pair.1 && *pair == pairs[0];
        if pairs.iter().all(is_direct) {
            return Ok(());
        }
        Err(InboxError::new(
            "this PostgreSQL is reached through a pooler that shares connections between transactions, which breaks \
             notifications and settings: connect to the server itself, or let the pooler share sessions (PgBouncer: \
             pool_mode = session)",
        ))
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let (target, greeting) = (Arc::clone(&self.target), Arc::clone(&self.greeting));
        let opening = Session::open(target, greeting, Arc::clone(&self.notified), self.abandoned.clone());
        let connecting = self.runtime.spawn(timeout(CONNECTED, opening));
        let gone = |_| Failure::lasting("the runtime in which the inbox was made has shut down");
        let silent = |_| Failure::lasting("PostgreSQL takes connections and does not answer");
        let connected = connecting.await.map_err(gone)?.map_err(silent)?;
        let session = connected.map_err(|error| advise(error.into()))?;
        // There may have been something while there was no connection.
        self.notified.notify_one();
        Ok(session)
    }
}

/// The most likely failure of a first start over a network comes with what to do.
fn advise(failure: Failure) -> Failure {
    if !failure.error.to_string().contains("does not support TLS") {
        return failure;
    }
    let error = InboxError::new(format!(
        "{}: switch TLS on there, or add sslmode=disable to the URL if everything on the way may read what it sends",
        failure.error
    ));
    Failure { error, kind: Kind::Lasting }
}
