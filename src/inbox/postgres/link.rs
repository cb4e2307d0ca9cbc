//! A connection that comes back by itself.

use std::{
    collections::HashMap,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{self, Arc, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Mutex, Notify},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{
    AsyncMessage, Client, Error, Row, SimpleQueryMessage, Statement, error::SqlState, types::ToSql,
};

use super::{PATIENCE, schema, url::Target};
use crate::inbox::InboxError;

/// How long the server may take for one thing; then the connection is given up. The server gives up a little earlier, so that
/// nothing of ours holds a lock there for longer.
const ANSWER: Duration = Duration::from_secs(10);
const GIVE_UP: &str = "SET statement_timeout TO '9s'; SET idle_in_transaction_session_timeout TO '9s'";

/// How long connecting may take, with all that is said first.
const CONNECTED: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(50);

/// One thing at a time on one connection.
pub(super) struct Link {
    target: Arc<Target>,
    /// The connection belongs to it, whoever asks for something first.
    runtime: Handle,
    /// What a new connection is told first.
    greeting: Arc<str>,
    /// What is told after each transaction, to nobody in particular.
    notice: Option<String>,
    notified: Arc<Notify>,
    session: Mutex<Option<Session>>,
    abandoned: Abandoned,
}

/// The server's ends of connections that were given up in the middle of something. One that waits for a synchronous standby
/// does not notice that its client has gone, so the next connection ends it.
type Abandoned = Arc<sync::Mutex<Vec<Backend>>>;

/// A process of the server: its number and when it started, because numbers are reused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backend {
    pid: String,
    started: String,
}

const WHO_AM_I: &str = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A statement and its parameters.
pub(super) type Step<'a> = (&'static str, &'a [&'a (dyn ToSql + Sync)]);

/// Why something could not be done, and whether it may be different the next time.
struct Failure {
    error: InboxError,
    passes: bool,
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
        // What has no code is about the connection.
        let passes = error.code().is_none_or(|code| again.contains(&code));
        Self { error: InboxError::caused("PostgreSQL could not do it", &error), passes }
    }
}

impl Link {
    pub(super) fn new(target: Arc<Target>, greeting: &str, notice: Option<String>) -> Self {
        let greeting = format!("{GIVE_UP}; {greeting}").into();
        let runtime = Handle::current();
        Self {
            target,
            runtime,
            greeting,
            notice,
            notified: Arc::default(),
            session: Mutex::default(),
            abandoned: Abandoned::default(),
        }
    }

    /// Runs one statement.
    pub(super) async fn run(&self, step: Step<'_>) -> Result<Vec<Row>, InboxError> {
        self.all([step]).await.map(|[rows]| rows)
    }

    /// Runs statements as one transaction, if there are several, and gives the rows of each. If the connection breaks, or
    /// the server asks for it, they are run again on a new one, for as long as [`PATIENCE`] lasts. So they may be run twice,
    /// and have to bear it.
    pub(super) async fn all<const N: usize>(
        &self,
        steps: [Step<'_>; N],
    ) -> Result<[Vec<Row>; N], InboxError> {
        let mut slot = self.session.lock().await;
        let begun = Instant::now();
        loop {
            match self.attempt(&mut slot, &steps).await {
                Ok(rows) => return Ok(rows),
                Err(Failure { error, passes }) if !passes || begun.elapsed() >= PATIENCE => {
                    return Err(error);
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// A session goes back into its slot only when all went well: what failed, or was dropped half-way, may have left a
    /// transaction open.
    async fn attempt<const N: usize>(
        &self,
        slot: &mut Option<Session>,
        steps: &[Step<'_>; N],
    ) -> Result<[Vec<Row>; N], Failure> {
        let mut session = match slot.take().filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => self.connect().await?,
        };
        let silent = |_| Failure { error: InboxError::new("PostgreSQL does not answer"), passes: false };
        session.is_busy = true;
        let rows = timeout(ANSWER, session.run(steps)).await.map_err(silent)??;
        if let Some(notice) = self.notice.as_ref().filter(|_| N > 1) {
            // Nobody waits for it, nor does a commit: PostgreSQL commits notices one at a time.
            let _ = send(session.client.batch_execute(notice)).await;
        }
        session.is_busy = false;
        *slot = Some(session);
        Ok(rows)
    }

    /// Ends when another process, or this one, has given notice.
    pub(super) async fn notified(&self) {
        self.notified.notified().await;
    }

    /// Makes what the statements need.
    pub(super) async fn prepare(&self, schema: &str) -> Result<(), InboxError> {
        let failed = |error: &InboxError| {
            InboxError::caused(format_args!("the inbox in schema {schema} cannot be used"), error)
        };
        let mut session = self.connect().await.map_err(|failure| failed(&failure.error))?;
        schema::prepare(&mut session.client, schema).await.map_err(|error| failed(&error))?;
        *self.session.lock().await = Some(session);
        Ok(())
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let (target, greeting) = (Arc::clone(&self.target), Arc::clone(&self.greeting));
        let (notified, abandoned) = (Arc::clone(&self.notified), Arc::clone(&self.abandoned));
        let opening = Session::open(target, greeting, notified, abandoned);
        let connecting = self.runtime.spawn(timeout(CONNECTED, opening));
        let failed = |text, passes| Failure { error: InboxError::new(text), passes };
        let connected = connecting
            .await
            .map_err(|_| failed("the runtime in which the inbox was made has shut down", false))?;
        let session =
            connected.map_err(|_| failed("PostgreSQL takes connections and does not answer", false))??;
        // There may have been something while there was no connection.
        self.notified.notify_one();
        Ok(session)
    }
}

struct Session {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    driver: AbortHandle,
    backend: Option<Backend>,
    is_busy: bool,
    abandoned: Abandoned,
}

impl Session {
    async fn open(
        target: Arc<Target>,
        greeting: Arc<str>,
        notified: Arc<Notify>,
        abandoned: Abandoned,
    ) -> Result<Self, Failure> {
        let connected = target.config.connect(target.tls.clone()).await;
        let (client, mut connection) = connected.map_err(|error| advise(error.into()))?;
        let driver = tokio::spawn(async move {
            // It ends with an error that the client gets, too.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    notified.notify_one();
                }
            }
        });
        let driver = driver.abort_handle();
        let mut session =
            Self { client, statements: HashMap::new(), driver, backend: None, is_busy: false, abandoned };
        session.client.batch_execute(&greeting).await?;
        session.backend = session.backend().await?;
        session.end_abandoned().await;
        Ok(session)
    }

    /// Which process of the server answers.
    async fn backend(&self) -> Result<Option<Backend>, Error> {
        let answer = self.client.simple_query(WHO_AM_I).await?;
        Ok(answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(Backend { pid: row.get(0)?.to_owned(), started: row.get(1)?.to_owned() })
            }
            _ => None,
        }))
    }

    /// If one cannot be ended, nothing but its connection is lost.
    async fn end_abandoned(&self) {
        let abandoned = mem::take(&mut *lock(&self.abandoned));
        for Backend { pid, started } in abandoned {
            let end = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid = {pid} AND backend_start = '{started}'"
            );
            let _ = self.client.batch_execute(&end).await;
        }
    }

    async fn run<const N: usize>(&mut self, steps: &[Step<'_>; N]) -> Result<[Vec<Row>; N], Error> {
        for (text, _) in steps {
            if !self.statements.contains_key(text) {
                let statement = self.client.prepare(text).await?;
                self.statements.insert(text, statement);
            }
        }
        let client = &self.client;
        let mut rows = [const { Vec::new() }; N];
        if let ([row], [(text, parameters)]) = (&mut rows[..], &steps[..]) {
            *row = client.query(&self.statements[text], parameters).await?;
            return Ok(rows);
        }
        let mut queries = Vec::with_capacity(N);
        let begin = send(client.batch_execute("BEGIN")).await;
        for (text, parameters) in steps {
            queries.push(send(client.query(&self.statements[text], parameters)).await);
        }
        let commit = send(client.batch_execute("COMMIT")).await;

        begin.answer().await?;
        let mut failed = None;
        for (rows, query) in rows.iter_mut().zip(queries) {
            match query.answer().await {
                Ok(found) => *rows = found,
                // The first one tells why; those after it fail because it has.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let committed = commit.answer().await;
        failed.map_or(committed, Err).map(|()| rows)
    }
}

/// Without this a connection would stay until the server has answered everything that was sent.
impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(backend) = self.backend.take().filter(|_| self.is_busy) {
            lock(&self.abandoned).push(backend);
        }
    }
}

fn lock(abandoned: &Abandoned) -> sync::MutexGuard<'_, Vec<Backend>> {
    abandoned.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most likely failure of a first start over a network says what to do.
fn advise(failure: Failure) -> Failure {
    if !failure.error.to_string().contains("does not support TLS") {
        return failure;
    }
    let error = InboxError::new(format!(
        "{}: switch TLS on there, or add sslmode=disable to the URL if everything on the way may read what it sends",
        failure.error
    ));
    Failure { error, passes: false }
}

/// A request that is on its way: tokio-postgres sends at the first poll.
enum Sent<F: Future> {
    Answered(F::Output),
    Waiting(Pin<Box<F>>),
}

async fn send<F: Future>(request: F) -> Sent<F> {
    let mut request = Box::pin(request);
    match poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx))).await {
        Poll::Ready(answer) => Sent::Answered(answer),
        Poll::Pending => Sent::Waiting(request),
    }
}

impl<F: Future> Sent<F> {
    async fn answer(self) -> F::Output {
        match self {
            Self::Answered(answer) => answer,
            Self::Waiting(request) => request.await,
        }
    }
}
