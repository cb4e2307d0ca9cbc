//! The flow of a delivery: query → verify → body → parse → dispatch → response.
//!
//! A program creates one [`Webhook`] from a [`Verifier`], which decides which deliveries are accepted, and a handler. It mounts
//! clones where requests come in, and keeps one to rotate tokens and to shut down:
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
//! let webhook = Webhook::new(Verifier::signed(app, "the IM console's token"), Support).deadline(Duration::from_secs(1));
//!
//! let mounted = webhook.clone(); // `any(mounted)` in axum, `web::route().to(mounted)` in actix-web, or called by hand:
//! let unsigned = || http::Request::post("/?SdkAppid=1400000000").body(String::new()).unwrap();
//! assert_eq!(mounted.handle(unsigned()).await.status(), 401);
//!
//! // The token changes while the program runs, for all clones. The old one is still accepted:
//! webhook.rotate("the next token");
//! assert_eq!(mounted.handle(unsigned()).await.status(), 401);
//!
//! // Handlers may still run when the server has shut down:
//! assert!(webhook.drained(Duration::from_secs(20)).await);
//! assert_eq!(webhook.in_flight(), 0);
//! # }
//! ```

mod settings;

mod head;

mod query;

mod verify;

mod token;

mod body;

mod parse;

mod dispatch;

mod decide;

mod response;

mod refusal;

mod in_flight;

mod runtime;

mod timer;

mod telemetry;

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
use tokio::time::Instant;

use self::{
    body::BodyReader,
    dispatch::Slot,
    head::OwnHead,
    in_flight::InFlight,
    parse::Parsed,
    query::Query,
    response::{Accepted, Acknowledged},
    settings::Settings,
    telemetry::Delivery,
    verify::Trust,
};
pub(crate) use self::{head::Head, response::Answer};
#[cfg(feature = "actix-web")]
pub(crate) use self::{head::is_identity, response::JSON};
pub use self::{
    refusal::{Refusal, Refused},
    token::{InvalidToken, Token},
    verify::Verifier,
};
use crate::{handler::Deliver, isolate::isolated, telemetry::RateLimit};

/// Receives deliveries, verifies them, and hands their events to a handler.
///
/// A clone shares the verifier, the handler and the limit of requests in flight. Cloning copies an [`Arc`] and the settings.
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
    settings: Arc<Settings>,
}

/// What all clones share.
struct Shared<H> {
    verifier: RwLock<Verifier>,
    handler: H,
    in_flight: InFlight,
    log_limit: RateLimit,
}

impl<H: Deliver> Webhook<H> {
    /// Call it inside the tokio runtime on which handlers should run: in `main` under `#[tokio::main]`, never in actix-web's
    /// `App` factory, whose workers drop their runtimes when they shut down.
    #[must_use]
    pub fn new(verifier: Verifier, handler: H) -> Self {
        telemetry::describe();
        let shared = Shared {
            verifier: RwLock::new(verifier),
            handler,
            in_flight: InFlight::default(),
            log_limit: RateLimit::default(),
        };
        Self { shared: Arc::new(shared), settings: Arc::default() }
    }

    /// Answers one request. It needs no network, and a tokio runtime only if the handler is not ready at once.
    ///
    /// The [table of refusals](crate::Refusal) lists the responses. The future owns all that it needs, so it can be spawned.
    /// Dropping it does not stop a handler that has started.
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

    /// [`handle`](Self::handle) for a door with a response type of its own. A test holds the future to 1,032 bytes, the
    /// allocator's quick path, because doors box it.
    pub(crate) fn handle_as<B: Body, R>(
        &self,
        request: Request<B>,
        respond: fn(Answer) -> R,
    ) -> impl Future<Output = R> + use<H, B, R> {
        let webhook = self.clone();
        let (head, body) = OwnHead::split(request);
        async move { respond(webhook.answer(head.get(), body).await) }
    }

    /// The five stages, in the order that keeps a stranger's body unread.
    pub(crate) async fn answer<B: Body>(&self, head: Head<'_>, body: B) -> Answer {
        let arrived = Instant::now();
        let mut delivery = Delivery::begin(&self.shared.log_limit);
        let body = pin!(body);
        let mut body = BodyReader::new(body);

        let stages = async {
            let (parsed, trust, slot) = {
                let (query, trust) = self.authenticate(head, &delivery)?;
                // A body that is being read takes up memory as an event does.
                let Some(slot) = Slot::take(&self.shared) else {
                    let undecided = decide::overloaded(query, trust, &self.settings, &delivery);
                    body.skip(&self.settings).await;
                    return undecided.ok_or(Refusal::Overloaded);
                };
                let text = body.read(head.is_encoded, &self.settings).await?;
                (parse::parse(text, query, trust)?, trust, slot)
            };
            match parsed {
                Parsed::Nothing => Ok(Acknowledged::Ignored.into()),
                Parsed::Event(event) => {
                    delivery.record_event(&event);
                    let Some(decision) = decide::about_message(&event, trust, &self.settings) else {
                        let dispatch = dispatch::dispatch(event, slot, &self.settings, &delivery, arrived);
                        return dispatch.await.map(Accepted::from);
                    };
                    let (slot, beside) = slot.split();
                    let dispatch =
                        dispatch::dispatch(Arc::clone(&event), slot, &self.settings, &delivery, arrived);
                    let decided = decide::beside_dispatch(
                        decision,
                        dispatch,
                        beside,
                        event,
                        &self.settings,
                        &delivery,
                        arrived,
                    );
                    Box::pin(decided).await
                }
                Parsed::DecisionRequest(asked) => {
                    Box::pin(decide::decide(asked, trust, &self.settings, &delivery, arrived)).await
                }
            }
        };
        let result = delivery.carry(pin!(stages)).await;
        delivery.record_result(&result);

        if let (Err(refusal), Some(report)) = (&result, &self.settings.on_refusal) {
            isolated(|| report(&Refused::new(*refusal, delivery.app())));
        }
        Answer { closes: body.is_unread() && head.is_alone, ..Answer::to(result) }
    }

    /// Stages 1 and 2. Not a part of [`answer`](Self::answer), because what an `async` block has borrowed takes up room in its
    /// future.
    fn authenticate<'q>(
        &self,
        head: Head<'q>,
        delivery: &Delivery<'_>,
    ) -> Result<(Query<'q>, Trust), Refusal> {
        if !head.is_post {
            return Err(Refusal::Method);
        }
        let query = Query::parse(head.query)?;
        delivery.record_claimed_app(query.app);
        let trust = self.verify(&query)?;
        delivery.record_verified(query.command.as_deref(), query.request_id.as_deref());
        Ok((query, trust))
    }
}

impl<H: Deliver> Webhook<H> {
    /// Replaces the verifier, for all clones and from the next request on.
    pub fn set_verifier(&self, verifier: Verifier) {
        *self.shared.verifier.write().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    /// Accepts `token` as well as the newest token so far, for all clones and from the next request on. Tokens that are older
    /// than these two are accepted no longer. It is for the app that the verifier names last;
    /// [`set_verifier`](Self::set_verifier) is for all others.
    ///
    /// ```
    /// # use tencent_desk_webhook::{EventHandler, Verifier, Webhook};
    /// # struct Support;
    /// # impl EventHandler for Support {}
    /// let webhook = Webhook::new(Verifier::signed(1_400_000_000, "old"), Support);
    /// webhook.rotate("new"); // then set it in the IM console; requests signed with either are accepted meanwhile
    /// ```
    ///
    /// # Panics
    ///
    /// When that app is unsigned, and when `token` is text that is blank or has white space around it.
    pub fn rotate(&self, token: impl Into<Token>) {
        let token = token.into();
        self.shared.verifier.write().unwrap_or_else(PoisonError::into_inner).rotate(token);
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

    fn verify(&self, query: &Query<'_>) -> Result<Trust, Refusal> {
        self.shared.verifier.read().unwrap_or_else(PoisonError::into_inner).verify(query)
    }
}

impl<H> Clone for Webhook<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), settings: Arc::clone(&self.settings) }
    }
}

impl<H> fmt::Debug for Webhook<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("body_limit", &self.settings.body_limit)
            .field("read_timeout", &self.settings.read_timeout)
            .field("deadline", &self.settings.deadline)
            .field("at_deadline", &self.settings.at_deadline)
            .field("in_flight", &self.shared.in_flight)
            .finish_non_exhaustive()
    }
}
