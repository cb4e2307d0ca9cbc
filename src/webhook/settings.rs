//! The settings of a [`Webhook`].

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Refused, Webhook, runtime::HandlerRuntime};
use crate::{
    decision::{Fallbacks, Responder},
    handler::{AtDeadline, Deliver},
};

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) body_limit: usize,
    pub(super) read_timeout: Duration,
    pub(super) deadline: Duration,
    pub(super) at_deadline: AtDeadline,
    pub(super) runtime: Option<HandlerRuntime>,
    pub(super) on_refusal: Option<Arc<OnRefusal>>,
    pub(super) responder: Option<Arc<dyn Responder>>,
    pub(super) fallbacks: Arc<Fallbacks>,
}

type OnRefusal = dyn Fn(&Refused) + Send + Sync;

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 1024 * 1024,
            read_timeout: Duration::from_secs(1),
            deadline: Duration::from_millis(1500),
            at_deadline: AtDeadline::Acknowledge,
            runtime: HandlerRuntime::current(),
            on_refusal: None,
            responder: None,
            fallbacks: Arc::default(),
        }
    }
}

/// Limits. Call them before the first clone: an earlier clone keeps its own settings, except for
/// [`max_in_flight`](Self::max_in_flight), which all clones share.
impl<H: Deliver> Webhook<H> {
    /// How many bytes a body may have. Default: 1 MiB, as public receivers of the vendor's callbacks cap it; the vendor
    /// documents no maximum.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings_mut().body_limit = bytes;
        self
    }

    /// How long a body may take to arrive, within the [deadline](Self::deadline). Default: 1 s.
    #[must_use]
    pub fn read_timeout(mut self, read_timeout: Duration) -> Self {
        self.settings_mut().read_timeout = read_timeout;
        self
    }

    /// When the sender gets its answer at the latest, counted from the first poll of [`handle`](Self::handle). Default:
    /// 1.5 s: IM callbacks time out after 2 s (the vendor's webhook overview, trtc.io document 34354), and Desk's time-out is not
    /// documented. A handler that is not done by then goes on, and [`at_deadline`](Self::at_deadline) decides the response.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings_mut().deadline = deadline;
        self
    }

    /// The response to a sender whose event is not done at the [deadline](Self::deadline). Default: `Acknowledge`. Set `Refuse` for
    /// a handler of your own that stores events durably. With the inbox it is always `Refuse`.
    #[must_use]
    pub fn at_deadline(mut self, at_deadline: AtDeadline) -> Self {
        self.settings_mut().at_deadline = at_deadline;
        self
    }

    /// How many verified requests may be read or handled at once, over all clones, including handlers whose sender has its
    /// answer already. Default: 1024. Further deliveries get 503, without a byte of their body being kept, and the sender may
    /// never repeat them.
    ///
    /// All of them together take at most `max_in_flight` × (16 × [`body_limit`](Self::body_limit) + 16 KiB) of memory, 16 GiB
    /// by default, if a holder of the token sends the worst possible bodies; the vendor's sample of 600 bytes takes about 2 KiB.
    #[must_use]
    pub fn max_in_flight(self, requests: usize) -> Self {
        self.shared.in_flight.set_max(requests);
        self
    }

    /// Calls `report` for each refused delivery, before the response is sent and on the thread that serves it. It should return
    /// quickly. Refusals are logged as well, at most once a second for each reason.
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
        self.settings_mut().on_refusal = Some(Arc::new(report));
        self
    }

    /// The runtime on which handlers continue that are not ready at once. Default: the one in which the `Webhook` was created,
    /// or the caller's if there was none or if it has shut down.
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings_mut().runtime = Some(HandlerRuntime::new(runtime));
        self
    }

    /// Installs what decides: see [`decision`](crate::decision). Default: none, so that every request for a decision is
    /// acknowledged without one, and logged.
    #[must_use]
    pub fn responder(mut self, responder: impl Responder) -> Self {
        self.settings_mut().responder = Some(Arc::new(responder));
        self
    }

    /// The answers for which no decision could be made. The table in [`decision`](crate::decision#what-the-sender-gets) has the
    /// defaults.
    #[must_use]
    pub fn fallbacks(mut self, fallbacks: Fallbacks) -> Self {
        self.settings_mut().fallbacks = Arc::new(fallbacks);
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}
