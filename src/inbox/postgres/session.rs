//! One session with the server, and the statements that it has prepared.

use std::{
    collections::HashMap,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::{sync::Notify, task::AbortHandle};
use tokio_postgres::{AsyncMessage, Client, Error, Row, SimpleQueryMessage, Statement, types::ToSql};

use super::url::Target;

/// A statement and its parameters.
pub(super) type Step<'a> = (&'static str, &'a [&'a (dyn ToSql + Sync)]);

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    Rollback,
}

/// The server's processes of connections that were given up half-way. One that waits for a synchronous standby does not notice
/// that its client has disconnected, so the next connection terminates it.
#[derive(Clone, Debug, Default)]
pub(super) struct Abandoned(Arc<Mutex<Vec<Backend>>>);

impl Abandoned {
    fn lock(&self) -> MutexGuard<'_, Vec<Backend>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process of the server: its pid and when it started, because pids are reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pid: String,
    started: String,
}

const WHO_AM_I: &str = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";

pub(super) struct Session {
    pub(super) client: Client,
    statements: HashMap<&'static str, Statement>,
    driver: AbortHandle,
    backend: Option<Backend>,
    is_busy: bool,
    abandoned: Abandoned,
}

impl Session {
    /// Executes `greeting` first, and notifies `notified` of each notification.
    pub(super) async fn open(
        target: Arc<Target>,
        greeting: Arc<str>,
        notified: Arc<Notify>,
        abandoned: Abandoned,
    ) -> Result<Self, Error> {
        let (client, mut connection) = target.config.connect(target.tls.clone()).await?;
        let driver = tokio::spawn(async move {
            // It ends with an error that the client gets as well.
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

    /// Returns the process of the server that answers.
    pub(super) async fn backend(&self) -> Result<Option<Backend>, Error> {
        let answer = self.client.simple_query(WHO_AM_I).await?;
        Ok(answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(Backend { pid: row.get(0)?.to_owned(), started: row.get(1)?.to_owned() })
            }
            _ => None,
        }))
    }

    /// A process that cannot be terminated costs no more than its connection.
    async fn end_abandoned(&self) {
        let abandoned = mem::take(&mut *self.abandoned.lock());
        for Backend { pid, started } in abandoned {
            let end = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid = {pid} AND backend_start = '{started}'"
            );
            let _ = self.client.batch_execute(&end).await;
        }
    }

    /// Executes statements, several as one transaction, and returns the rows of each. The session
    /// [is busy](Self::is_busy) afterwards if this was dropped before it ended, or the connection broke.
    pub(super) async fn run(&mut self, steps: &[Step<'_>], ending: Ending) -> Result<Vec<Vec<Row>>, Error> {
        self.is_busy = true;
        let result = self.execute(steps, ending).await;
        // An error with a code comes from the server, and has ended the transaction.
        self.is_busy = result.as_ref().is_err_and(|error| error.code().is_none());
        result
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    async fn execute(&mut self, steps: &[Step<'_>], ending: Ending) -> Result<Vec<Vec<Row>>, Error> {
        for (text, _) in steps {
            if !self.statements.contains_key(text) {
                let statement = self.client.prepare(text).await?;
                self.statements.insert(text, statement);
            }
        }
        let rows = match steps {
            [(text, parameters)] if ending == Ending::Commit => {
                vec![self.client.query(&self.statements[text], parameters).await?]
            }
            steps => self.transaction(steps, ending).await?,
        };
        Ok(rows)
    }

    /// Sends everything at once.
    async fn transaction(&self, steps: &[Step<'_>], ending: Ending) -> Result<Vec<Vec<Row>>, Error> {
        let client = &self.client;
        let mut queries = Vec::with_capacity(steps.len());
        let begin = send(client.batch_execute("BEGIN")).await;
        for (text, parameters) in steps {
            queries.push(send(client.query(&self.statements[text], parameters)).await);
        }
        let end = match ending {
            Ending::Commit => "COMMIT",
            Ending::Rollback => "ROLLBACK",
        };
        let end = send(client.batch_execute(end)).await;

        begin.answer().await?;
        let mut failed = None;
        let mut rows = Vec::with_capacity(steps.len());
        for query in queries {
            match query.answer().await {
                Ok(found) => rows.push(found),
                // The first error has the reason; later statements fail because of it.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let ended = end.answer().await;
        failed.map_or(ended, Err).map(|()| rows)
    }

    /// Sends a statement without waiting for the answer.
    pub(super) async fn send(&self, text: &str) {
        let _ = send(self.client.batch_execute(text)).await;
    }
}

/// Without this the connection would stay open until the server has answered everything that was sent.
impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(backend) = self.backend.take().filter(|_| self.is_busy) {
            self.abandoned.lock().push(backend);
        }
    }
}

/// A request that was sent: tokio-postgres sends at the first poll.
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
