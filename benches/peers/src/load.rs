//! The load generator. It checks every response, and an unexpected one ends the measurement.

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
/// Time before each measurement that is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// How much longer than planned a run may take before a connection counts as stuck. valgrind is slow.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Throughput {
    pub(crate) per_second: f64,
    pub(crate) cpu_micros: f64,
    /// The server's share of its core. If it is much less than 1, something else was the bottleneck.
    pub(crate) busy: f64,
    /// The load generator's share of its core.
    pub(crate) load_busy: f64,
}

/// Each connection sends its next request after a response.
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

/// Response times, sorted.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn micros_at(&self, quantile: f64) -> f64 {
        let index = (self.0.len().saturating_sub(1)) as f64 * quantile;
        self.0.get(index.round() as usize).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// Requests are due at a fixed rate, whether or not earlier ones have completed, and their times count from when they are due.
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

/// One connection that sends one request after another, without measuring time.
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

/// Sleeps with a precision of microseconds: tokio's timers have milliseconds, so it polls the clock at the end.
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
