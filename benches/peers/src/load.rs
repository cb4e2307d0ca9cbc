//! The load. It looks at every answer, and one that is not the right one ends the measurement.

use std::{future::Future, net::SocketAddr, process, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime,
    task::{JoinSet, yield_now},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Result,
    process::{Running, cpu_time},
    requests::Request,
};

const CONNECTIONS: u64 = 64;
/// Not counted, before each measurement.
const WARM_UP: Duration = Duration::from_millis(500);
/// How much longer than planned a run may take, before a connection counts as stuck; valgrind is slow.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Throughput {
    pub(crate) per_second: f64,
    pub(crate) cpu_micros: f64,
    /// The server's share of its core. Much less than 1: it was not the server that was measured,
    pub(crate) busy: f64,
    /// but the load, if its own share is 1, or else whatever else ran.
    pub(crate) load_busy: f64,
}

/// Each connection sends its next request once it has its answer.
pub(crate) fn closed(server: &Running, request: Request, time: Duration) -> Result<Throughput> {
    block_on(WARM_UP + time, async {
        let connections = connect(server.address, request).await?;
        let begin = Instant::now() + WARM_UP;
        let end = begin + time;
        let mut counts = JoinSet::new();
        for mut connection in connections {
            counts.spawn(async move {
                let mut count = 0_u64;
                loop {
                    connection.exchange().await?;
                    let now = Instant::now();
                    if now >= end {
                        return Result::Ok(count);
                    }
                    count += u64::from(now >= begin);
                }
            });
        }
        sleep_until(begin).await;
        let before = (server.cpu_time()?, cpu_time(process::id())?);
        sleep_until(end).await;
        let cpu = server.cpu_time()?.saturating_sub(before.0).as_secs_f64();
        let load_cpu = cpu_time(process::id())?.saturating_sub(before.1).as_secs_f64();
        let count: u64 = joined(counts).await?.into_iter().sum();
        let (count, time) = (count as f64, time.as_secs_f64());
        Ok(Throughput {
            per_second: count / time,
            cpu_micros: cpu / count * 1e6,
            busy: cpu / time,
            load_busy: load_cpu / time,
        })
    })
}

/// How long answers took, sorted.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn micros_at(&self, quantile: f64) -> f64 {
        let index = (self.0.len().saturating_sub(1)) as f64 * quantile;
        self.0.get(index.round() as usize).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// A request is due every so often, whatever has become of those before it, and its answer's time counts from then.
pub(crate) fn fixed_rate(
    server: &Running,
    request: Request,
    per_second: u64,
    time: Duration,
) -> Result<Latencies> {
    block_on(WARM_UP + time, async {
        let connections = connect(server.address, request).await?;
        let start = Instant::now() + Duration::from_millis(10);
        let due = move |number: u64| start + Duration::from_secs_f64(number as f64 / per_second as f64);
        let end = start + WARM_UP + time;
        let mut latencies = JoinSet::new();
        for (first, mut connection) in (0..).zip(connections) {
            latencies.spawn(async move {
                let mut latencies = Vec::new();
                for due in (first..).step_by(CONNECTIONS as usize).map(due).take_while(|due| *due < end) {
                    wait_until(due).await;
                    connection.exchange().await?;
                    if due >= start + WARM_UP {
                        latencies.push(due.elapsed());
                    }
                }
                Result::Ok(latencies)
            });
        }
        let mut latencies = joined(latencies).await?.concat();
        latencies.sort_unstable();
        Ok(Latencies(latencies))
    })
}

/// One connection, one request after another, and no clock.
pub(crate) fn sequence(server: &Running, request: Request, requests: u64) -> Result<()> {
    block_on(Duration::ZERO, async {
        let mut connection = Connection::new(server.address, Arc::new(request)).await?;
        for _ in 0..requests {
            connection.exchange().await?;
        }
        Ok(())
    })
}

struct Connection {
    stream: TcpStream,
    request: Arc<Request>,
    received: Vec<u8>,
}

impl Connection {
    async fn new(address: SocketAddr, request: Arc<Request>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, received: Vec::with_capacity(1024) })
    }

    async fn exchange(&mut self) -> Result<()> {
        self.stream.write_all(&self.request.bytes).await?;
        self.received.clear();
        while !self.request.is_answered(&self.received)? {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                let received = String::from_utf8_lossy(&self.received);
                return Err(format!("the server has hung up after {received:?}").into());
            }
        }
        Ok(())
    }
}

async fn connect(address: SocketAddr, request: Request) -> Result<Vec<Connection>> {
    let request = Arc::new(request);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::new(address, Arc::clone(&request)).await?);
    }
    Ok(connections)
}

/// To the microsecond: tokio's timers keep milliseconds, so the last ones are spent asking for the time.
async fn wait_until(due: Instant) {
    sleep_until(due - Duration::from_millis(2)).await;
    while Instant::now() < due {
        yield_now().await;
    }
}

async fn joined<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        all.push(ended??);
    }
    Ok(all)
}

fn block_on<T>(planned: Duration, load: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async { timeout(planned + PATIENCE, load).await });
    ended.map_err(|_| "a connection has waited in vain for the rest of its answer")?
}
