//! A connection that comes back by itself.

use std::{collections::HashMap, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Error, Row, Statement, error::SqlState, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PATIENCE, schema, url::Target};
use crate::inbox::InboxError;

/// How long the server may take for one thing; then the connection is given up.
const ANSWER: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(50);

/// One thing at a time on one connection.
pub(super) struct Link {
    target: Arc<Target>,
    tls: MakeRustlsConnect,
    /// What a new connection is told first.
    greeting: String,
    /// What ends a transaction.
    commit: String,
    notified: Arc<Notify>,
    session: Mutex<Option<Session>>,
}

/// A statement and its parameters.
pub(super) type Step<'a> = (&'static str, &'a [&'a (dyn ToSql + Sync)]);

impl Link {
    pub(super) fn new(target: Arc<Target>, tls: MakeRustlsConnect, greeting: String, commit: String) -> Self {
        Self { target, tls, greeting, commit, notified: Arc::default(), session: Mutex::new(None) }
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
            // Out of the slot while it is at work: whoever drops this future leaves no connection half-way in a transaction.
            let error = match slot.take().filter(|session| !session.client.is_closed()) {
                Some(mut session) => match timeout(ANSWER, session.run(&steps, &self.commit)).await {
                    Ok(Ok(rows)) => {
                        *slot = Some(session);
                        return Ok(rows);
                    }
                    Ok(Err(error)) => {
                        if error.as_db_error().is_some() {
                            *slot = Some(session);
                        }
                        error
                    }
                    Err(_) => return Err(InboxError::new("PostgreSQL does not answer")),
                },
                None => match self.connect().await {
                    Ok(session) => {
                        *slot = Some(session);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            if !passes(&error) || begun.elapsed() >= PATIENCE {
                return Err(InboxError::caused("PostgreSQL could not do it", &error));
            }
            sleep(PAUSE).await;
        }
    }

    /// Ends when another process, or this one, has given notice.
    pub(super) async fn notified(&self) {
        self.notified.notified().await;
    }

    /// Makes what the statements need.
    pub(super) async fn prepare(&self, schema: &str) -> Result<(), InboxError> {
        let failed =
            |error| InboxError::caused(format_args!("the inbox in schema {schema} cannot be used"), &error);
        let mut session = self.connect().await.map_err(failed)?;
        let version = schema::prepare(&mut session.client, schema).await.map_err(failed)?;
        schema::check_version(version, schema)?;
        *self.session.lock().await = Some(session);
        Ok(())
    }

    async fn connect(&self) -> Result<Session, Error> {
        let (client, mut connection) = self.target.config.connect(self.tls.clone()).await?;
        let notified = Arc::clone(&self.notified);
        tokio::spawn(async move {
            // It ends when the client is dropped, or with an error that the client gets, too.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    notified.notify_one();
                }
            }
        });
        client.batch_execute(&self.greeting).await?;
        // There may have been something while there was no connection.
        self.notified.notify_one();
        Ok(Session { client, statements: HashMap::new() })
    }
}

/// Whether it may be different the next time: the connection broke, or the server said so.
fn passes(error: &Error) -> bool {
    error.code().is_none_or(|code| {
        let again = [
            &SqlState::T_R_DEADLOCK_DETECTED,
            &SqlState::T_R_SERIALIZATION_FAILURE,
            &SqlState::ADMIN_SHUTDOWN,
            &SqlState::CRASH_SHUTDOWN,
            &SqlState::CANNOT_CONNECT_NOW,
        ];
        again.contains(&code)
    })
}

struct Session {
    client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    async fn run<const N: usize>(
        &mut self,
        steps: &[Step<'_>; N],
        commit: &str,
    ) -> Result<[Vec<Row>; N], Error> {
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
        let commit = send(client.batch_execute(commit)).await;

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
