//! The flow of a delivery: query → verify → body → parse → dispatch → response.
//!
//! A [`Webhook`] is made once, of a [`Verifier`], which says whose deliveries are let in, and of a handler. Its clones are
//! mounted where requests come in, and one is kept for what is to be done meanwhile:
//!
//! ```
//! use std::time::Duration;
//! use tencent_desk_webhook::{EventHandler, Verifier, Webhook};
//!
//! struct Support;
//! impl EventHandler for Support {}
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let app = 1_400_000_000;
//! let webhook = Webhook::new(Verifier::signed(app, "the console's token"), Support).deadline(Duration::from_secs(1));
//!
//! let mounted = webhook.clone(); // `any(mounted)` in axum, `web::route().to(mounted)` in actix-web, or called by hand:
//! let unsigned = || http::Request::post("/?SdkAppid=1400000000").body(String::new()).unwrap();
//! assert_eq!(mounted.handle(unsigned()).await.status(), 401);
//!
//! // The token changes while it runs, for all clones:
//! webhook.set_verifier(Verifier::signed(app, "the next token").also_accept("the console's token"));
//! assert_eq!(mounted.handle(unsigned()).await.status(), 401);
//!
//! // After the server has ended, and before the program does: handlers may still run.
//! assert!(webhook.drained(Duration::from_secs(20)).await);
//! assert_eq!(webhook.in_flight(), 0);
//! # }
//! ```

mod head;

mod query;

mod verify;

mod body;

mod parse;

mod dispatch;

mod response;

mod token;

mod in_flight;

mod home;

mod timer;

#[cfg(desk_stages)]
#[allow(missing_docs, clippy::missing_errors_doc)]
pub mod stages;

use std::{
    fmt,
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::{runtime::Handle, time::Instant};

use self::{
    body::Inbound, dispatch::Slot, head::OwnHead, home::Home, in_flight::InFlight, query::Query,
    verify::Verified,
};
pub(crate) use self::{head::Head, response::Answer};
#[cfg(feature = "actix-web")]
pub(crate) use self::{head::is_identity, response::JSON};
pub use self::{
    token::{InvalidToken, Token},
    verify::Verifier,
};
use crate::{
    error::{Refusal, Refused},
    handler::{AtDeadline, Deliver},
    isolate::isolated,
    telemetry::{self, Accepted, Delivery, Refusals},
};

/// Receives deliveries, verifies them, and hands their events to a handler.
///
/// A clone shares verifier, handler and the count of what is in flight; it is as cheap as two [`Arc`]s.
///
/// ```
/// use tencent_desk_webhook::{EventHandler, Verifier, Webhook};
///
/// struct Support;
/// impl EventHandler for Support {}
///
/// let webhook = Webhook::new(Verifier::signed(1_400_000_000, "token"), Support).body_limit(256 * 1024);
/// # assert_eq!(webhook.in_flight(), 0);
/// ```
pub struct Webhook<H> {
    shared: Arc<Shared<H>>,
    settings: Settings,
}

/// What all clones have in common.
struct Shared<H> {
    verifier: RwLock<Verifier>,
    handler: H,
    in_flight: InFlight,
    refusals: Refusals,
}

#[derive(Clone)]
struct Settings {
    body_limit: usize,
    read_timeout: Duration,
    deadline: Duration,
    at_deadline: AtDeadline,
    max_in_flight: usize,
    home: Option<Home>,
    on_refusal: Option<Arc<OnRefusal>>,
}

type OnRefusal = dyn Fn(&Refused) + Send + Sync;

impl<H: Deliver> Webhook<H> {
    /// Make it inside the tokio runtime on which handlers are to run, if need be: in `main` under `#[tokio::main]`, never
    /// in actix-web's `App` factory, whose workers take their runtime with them when they shut down.
    #[must_use]
    pub fn new(verifier: Verifier, handler: H) -> Self {
        telemetry::describe();
        let shared = Shared {
            verifier: RwLock::new(verifier),
            handler,
            in_flight: InFlight::default(),
            refusals: Refusals::default(),
        };
        let settings = Settings {
            body_limit: 1024 * 1024,
            read_timeout: Duration::from_secs(1),
            deadline: Duration::from_millis(1500),
            at_deadline: AtDeadline::Acknowledge,
            max_in_flight: 1024,
            home: Home::current(),
            on_refusal: None,
        };
        Self { shared: Arc::new(shared), settings }
    }

    /// Answers one request, whatever it holds. It needs a tokio runtime only if the handler is not ready at once, and it needs
    /// no network.
    ///
    /// The [table of refusals](crate::Refusal) tells what is answered to whom. The future owns all that it needs, so it can be
    /// spawned; dropping it does not stop a handler that has started.
    ///
    /// ```
    /// # use tencent_desk_webhook::{EventHandler, Verifier, Webhook};
    /// # struct Support;
    /// # impl EventHandler for Support {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let webhook = Webhook::new(Verifier::signed(1_400_000_000, "token"), Support);
    /// let stranger = http::Request::post("/?SdkAppid=1400000000").body(String::new()).unwrap();
    /// assert_eq!(tokio::spawn(webhook.handle(stranger)).await.unwrap().status(), 401);
    /// # }
    /// ```
    pub fn handle<B: Body>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + use<H, B> {
        self.handle_as(request, Answer::into_response)
    }

    /// [`handle`](Self::handle) for a door that answers in other words. The future is small enough for the allocator's
    /// quick path: doors box it.
    pub(crate) fn handle_as<B: Body, R>(
        &self,
        request: Request<B>,
        respond: fn(Answer) -> R,
    ) -> impl Future<Output = R> + use<H, B, R> {
        let webhook = self.clone();
        let (head, body) = OwnHead::split(request);
        async move { respond(webhook.answer(head.get(), body).await) }
    }

    /// [`handle`](Self::handle) for servers with other types than `http`'s.
    pub(crate) async fn answer<B: Body>(&self, head: Head<'_>, body: B) -> Answer {
        let arrived = Instant::now();
        let mut delivery = Delivery::begin();
        let body = pin!(body);
        let mut body = Inbound::new(body);

        let received = delivery.carry(pin!(self.receive(head, &mut body, &delivery, arrived))).await;
        delivery.answered(&received, &self.shared.refusals, arrived);
        let mut answer = match received {
            Ok(_) => Answer::accepted(),
            Err(refusal) => {
                if let Some(report) = &self.settings.on_refusal {
                    isolated(|| report(&Refused::new(refusal, delivery.app())));
                }
                Answer::refused(&refusal)
            }
        };
        answer.closes = body.is_unread() && head.is_alone;
        answer
    }

    /// The stages, in the order that keeps a stranger's body unread.
    async fn receive<B: Body>(
        &self,
        head: Head<'_>,
        body: &mut Inbound<'_, B>,
        delivery: &Delivery,
        arrived: Instant,
    ) -> Result<Accepted, Refusal> {
        if !head.is_post {
            return Err(Refusal::Method);
        }
        // What is verified is given up before the handler starts: doors box this future.
        let slot;
        let event = {
            let query = Query::parse(head.query)?;
            delivery.claims(query.app);
            let verified = self.verify(query)?;
            delivery.is_authentic(verified.query.command.as_deref(), verified.query.request_id.as_deref());
            // Bodies that are being read take up memory as events do.
            let Some(taken) = Slot::take(&self.shared, self.settings.max_in_flight) else {
                body.skip(&self.settings).await;
                return Err(Refusal::Overloaded);
            };
            slot = taken;
            let text = body.read(head.is_encoded, &self.settings).await?;
            parse::parse(text, verified)?
        };
        let Some(event) = event else { return Ok(Accepted::Ignored) };
        delivery.brings(&event);
        dispatch::dispatch(event, slot, &self.settings, delivery, arrived).await
    }
}

/// Limits. Each setter belongs before the first clone: a clone made earlier keeps its own.
impl<H: Deliver> Webhook<H> {
    /// How many bytes a body may have. Default: 1 MiB, as public receivers of the vendor's callbacks cap it; the vendor
    /// documents no maximum.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// How long a body may take to arrive, within the [deadline](Self::deadline). Default: 1 s.
    #[must_use]
    pub fn read_timeout(mut self, read_timeout: Duration) -> Self {
        self.settings.read_timeout = read_timeout;
        self
    }

    /// When the sender gets its answer at the latest, counted from the first poll of [`handle`](Self::handle). Default:
    /// 1.5 s: IM callbacks time out after 2 s (the vendor's webhook overview, trtc.io document 34354), and Desk's time-out is not
    /// documented. A handler that is
    /// not done by then goes on, and [`at_deadline`](Self::at_deadline) decides the response.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// The response to a sender whose event is not done at the [deadline](Self::deadline). Default: `Acknowledge`. Set `Refuse` for
    /// a handler of your own that stores events durably. With the inbox it is always `Refuse`.
    #[must_use]
    pub fn at_deadline(mut self, at_deadline: AtDeadline) -> Self {
        self.settings.at_deadline = at_deadline;
        self
    }

    /// How many verified requests may be read or handled at once, including handlers whose sender has its answer already.
    /// Default: 1024. Further deliveries get 503, without a byte of their body being kept, and the sender may never repeat them.
    ///
    /// All of them together take at most `max_in_flight` × (16 × [`body_limit`](Self::body_limit) + 16 KiB) of memory, 16 GiB by default, and
    /// only if whoever can sign sends the worst bodies that there are; the vendor's sample of 600 bytes takes about 2 KiB.
    #[must_use]
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.settings.max_in_flight = requests;
        self
    }

    /// Calls `report` for each refused delivery, before the response is sent and on the thread that serves it, so it should be
    /// quick. Refusals are logged as well, at most once a second for each reason.
    ///
    /// ```
    /// use tencent_desk_webhook::{EventHandler, Webhook, testing};
    ///
    /// struct Support;
    /// impl EventHandler for Support {}
    ///
    /// let webhook = Webhook::new(testing::verifier(), Support).on_refusal(|refused| {
    ///     eprintln!("app {:?}: {} ({:?} s off)", refused.app, refused.reason.reason(), refused.skew);
    /// });
    /// ```
    #[must_use]
    pub fn on_refusal(mut self, report: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        self.settings.on_refusal = Some(Arc::new(report));
        self
    }

    /// The runtime on which handlers go on that are not ready at once. Default: the one in which the `Webhook` was made. Once
    /// that has shut down, and where there was none, it is the caller's.
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings.home = Some(Home::new(runtime));
        self
    }
}

impl<H: Deliver> Webhook<H> {
    /// Exchanges the verifier, for all clones and from the next request on: to change tokens while running.
    pub fn set_verifier(&self, verifier: Verifier) {
        *self.shared.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    /// How many verified requests are being read or handled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.count()
    }

    /// Waits until no handler runs and every late failure has been reported, for at most `limit`. Await it after the server
    /// has ended: servers do not wait for handlers whose caller has disconnected.
    ///
    /// Returns whether all handlers have ended. If a handler has failed but its [`handle`](Self::handle) future is neither
    /// polled nor dropped, it keeps waiting.
    pub async fn drained(&self, limit: Duration) -> bool {
        matches!(timer::within(limit, self.shared.in_flight.drained()).await, Ok(Some(())))
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.shared.handler
    }

    fn verify<'q>(&self, query: Query<'q>) -> Result<Verified<'q>, Refusal> {
        self.shared.verifier.read().unwrap_or_else(PoisonError::into_inner).verify(query)
    }
}

impl<H> Clone for Webhook<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), settings: self.settings.clone() }
    }
}

impl<H> fmt::Debug for Webhook<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("body_limit", &self.settings.body_limit)
            .field("read_timeout", &self.settings.read_timeout)
            .field("deadline", &self.settings.deadline)
            .field("at_deadline", &self.settings.at_deadline)
            .field("max_in_flight", &self.settings.max_in_flight)
            .field("in_flight", &self.shared.in_flight)
            .finish_non_exhaustive()
    }
}
