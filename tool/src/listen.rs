//! `desk listen`: a receiver that verifies and prints.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http::{Request, Response, StatusCode, header::HOST, uri::Authority};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use serde_json::json;
use tencent_desk_webhook::{
    Event, EventHandler, HandlerError, HandlerResult, Refused, Verifier, Webhook, async_trait,
    page::{Page, PageBody},
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};

use crate::{
    asked::Asked,
    cli::Common,
    describe,
    failure::{Failure, exit},
    forward::Forward,
    output::{Colour, Output},
    quiet,
    recording::Recorder,
    remedy, stop,
    target::Target,
};

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Port; 0 for any that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Append every event to this file, one JSON record a line
    #[arg(long, value_name = "FILE.jsonl")]
    record: Option<PathBuf>,
    /// Pass every event on, signed again, and report the answers
    #[arg(long, value_name = "URL")]
    forward: Option<Target>,
    /// Show sessions in a browser while they happen, at /desk/live
    #[arg(long)]
    page: bool,
    /// Let an address beyond this machine in without a token
    #[arg(long)]
    unsigned: bool,
}

/// The path of the callback URL.
const PATH: &str = "/desk/callback";

/// The path of the live page.
const PAGE_PATH: &str = "/desk/live";

pub(crate) async fn run(common: &Common, args: ListenArgs, output: &Output) -> Result<ExitCode, Failure> {
    quiet::start();
    let mut stop = std::pin::pin!(stop::signal()?);
    let verifier = verifier(common, &args, output)?;
    let counts = Arc::new(Counts::default());
    let forward = args.forward.map(|target| Forward::new(target, common, output)).transpose()?.map(Arc::new);
    let printer = Printer {
        output: *output,
        recorder: args.record.as_deref().map(Recorder::open).transpose()?,
        forward: forward.clone(),
        page: args.page.then(Page::new),
        counts: Arc::clone(&counts),
    };
    let report = report_refusals(*output, Arc::clone(&counts), printer.page.clone());
    let webhook =
        Webhook::new(verifier, printer).on_refusal(report).responder(Asked { output: *output, forward });
    let address = SocketAddr::new(args.host, args.port);
    let cannot = |error: io::Error| Failure::Failed(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    output.remark(&format!("listening on http://{address}{PATH}"));
    if args.page {
        output.remark(&format!("the live page is at http://{address}{PAGE_PATH}"));
    }
    if args.page && !is_local(args.host) {
        output.warn("the live page shows what customers write to anyone who reaches this address");
    }
    serve(listener, webhook.clone(), is_local(args.host), stop.as_mut()).await;
    webhook.drained(DRAIN).await;
    if let Some(recorder) = &webhook.handler().recorder
        && let Err(error) = recorder.sync()
    {
        counts.fail(output, &format!("the recording may be incomplete: {error}"));
    }
    let Counts { events, refused, failed } = &*counts;
    let [events, refused, failed] = [events, refused, failed].map(|count| count.load(Ordering::Relaxed));
    output.remark(&format!("{events} events, {refused} requests refused"));
    Ok(exit(failed == 0))
}

fn verifier(common: &Common, args: &ListenArgs, output: &Output) -> Result<Verifier, Failure> {
    let app = common.app();
    if let [first, others @ ..] = common.tokens()? {
        let first = Verifier::signed(app, first.as_str());
        return Ok(others.iter().fold(first, |verifier, token| verifier.also_accept(token.as_str())));
    }
    if !is_local(args.host) && !args.unsigned {
        let text = "without a token anyone who reaches this address can send events: set DESK_TOKEN, or --unsigned if \
            something else protects the address";
        return Err(Failure::Usage(text.to_owned()));
    }
    output.warn("there is no token, so no signature is checked");
    // They are printed, and no decision is made.
    Ok(Verifier::dangerous_unsigned(app).dangerous_unsigned_decisions())
}

fn is_local(host: IpAddr) -> bool {
    host.to_canonical().is_loopback()
}

/// How long connections may take to end once no new ones are accepted. Every request is answered within 1.5 s.
const GRACE: Duration = Duration::from_secs(3);

/// How long handlers may go on after that: as long as a delivery that is passed on may take.
const DRAIN: Duration = Duration::from_secs(10);

async fn serve(
    listener: TcpListener,
    webhook: Webhook<Printer>,
    is_local: bool,
    mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
) {
    let router = service_fn(move |request: Request<Incoming>| {
        let webhook = webhook.clone();
        async move { Ok::<_, Infallible>(route(&webhook, is_local, request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5));
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of file descriptors, perhaps: others have to be closed first.
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        let connection = connections.watch(server.serve_connection(TokioIo::new(stream), router.clone()));
        tokio::spawn(async move {
            // A client that disconnects is no error.
            let _ = connection.await;
        });
    }
    drop(listener);
    let _ = timeout(GRACE, connections.shutdown()).await;
}

async fn route(
    webhook: &Webhook<Printer>,
    is_local: bool,
    request: Request<Incoming>,
) -> Response<Either<Full<Bytes>, PageBody>> {
    match (request.uri().path(), &webhook.handler().page) {
        (PATH, _) => webhook.handle(request).await.map(Either::Left),
        (PAGE_PATH, Some(_)) if is_local && !names_this_machine(&request) => {
            refuse(StatusCode::MISDIRECTED_REQUEST, "the live page is for this machine alone\n".to_owned())
        }
        (PAGE_PATH, Some(page)) => page.handle(&request).map(Either::Right),
        _ => refuse(StatusCode::NOT_FOUND, format!("deliveries go to {PATH}\n")),
    }
}

fn refuse(status: StatusCode, text: String) -> Response<Either<Full<Bytes>, PageBody>> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response
}

/// Another site's name that was made to point here would let that site's scripts read the page.
fn names_this_machine<B>(request: &Request<B>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_local)
}

#[derive(Debug, Default)]
struct Counts {
    events: AtomicU64,
    refused: AtomicU64,
    /// Events that could not be recorded.
    failed: AtomicU64,
}

impl Counts {
    fn fail(&self, output: &Output, text: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        output.warn(text);
    }
}

struct Printer {
    output: Output,
    recorder: Option<Recorder>,
    forward: Option<Arc<Forward>>,
    page: Option<Page>,
    counts: Arc<Counts>,
}

#[async_trait]
impl EventHandler for Printer {
    async fn on_event(&self, event: &Event) -> HandlerResult {
        // Before anything else: what is acknowledged is in the recording.
        if let Some(recorder) = &self.recorder
            && let Err(error) = recorder.record(event)
        {
            self.counts.fail(&self.output, &format!("an event was not recorded, and is refused: {error}"));
            return Err(HandlerError::unavailable(error));
        }
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        if let Some(page) = &self.page {
            page.record(event);
        }
        if self.output.json {
            self.output.json_line(&serde_json::to_string(event)?);
        } else {
            self.output.line(&describe::line(event, &self.output));
        }
        if let Some(forward) = &self.forward {
            forward.pass_on(event.into(), event.name.as_str(), &event.session_id).await;
        }
        Ok(())
    }
}

fn report_refusals(
    output: Output,
    counts: Arc<Counts>,
    page: Option<Page>,
) -> impl Fn(&Refused) + Send + Sync + 'static {
    move |refused| {
        counts.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(page) = &page {
            page.record_refusal(refused);
        }
        let (reason, code) = (refused.reason, refused.reason.code());
        if output.json {
            output.value(&json!({"refused": {
                "status": reason.status().as_u16(), "ErrorCode": code, "reason": reason.reason(),
                "why": reason.to_string(), "app": refused.app, "skew": refused.skew,
            }}));
            return;
        }
        let remedy =
            remedy::of(code.into()).map(|remedy| format!(" ({})", remedy.remedy())).unwrap_or_default();
        let refused = output.paint(Colour::Red, "refused");
        output.line(&format!("{refused} with {code} {}: {reason}{remedy}", reason.reason()));
    }
}
