//! The guide: how to set up, run and observe a receiver.
//!
//! * [`console`]: set the callback URL and the token in the vendor's consoles.
//! * [`callbacks`]: all of Desk's callbacks, and those that ask for a decision.
//! * [`mounting`]: mount the webhook in an existing application on axum, actix-web or hyper.
//! * [`desk`]: the command-line tool and the live page.
//! * [`testing`]: test your handler without a network.
//! * [`production`]: run the inbox with PostgreSQL, systemd and containers, and restart it.
//! * [`tokens`]: change the token without a gap.
//! * [`proxies`]: configure TLS and nginx.
//! * [`sessions`]: waiting, first answer, handling and rating of sessions, live and in tables.
//! * [`watching`]: logs, spans, metrics, and alerts.
//! * [`troubleshooting`]: causes and remedies by `ErrorCode`.
//! * [`capturing`]: report a real delivery without personal data.

/// Each page ends with link definitions for its readers in the repository. Rustdoc uses the first definition of a link, so these
/// take precedence.
macro_rules! page {
    ($name:ident) => {
        /// [`console`]: crate::guide::console
        /// [`callbacks`]: crate::guide::callbacks
        /// [`mounting`]: crate::guide::mounting
        /// [`desk`]: crate::guide::desk
        /// [`testing`]: crate::guide::testing
        /// [`production`]: crate::guide::production
        /// [`tokens`]: crate::guide::tokens
        /// [`proxies`]: crate::guide::proxies
        /// [`sessions`]: crate::guide::sessions
        /// [`watching`]: crate::guide::watching
        /// [`troubleshooting`]: crate::guide::troubleshooting
        /// [`capturing`]: crate::guide::capturing
        #[doc = ""]
        #[doc = include_str!(concat!("../docs/", stringify!($name), ".md"))]
        pub mod $name {}
    };
}

page!(console);
page!(callbacks);
page!(mounting);
page!(desk);
page!(testing);
page!(production);
page!(tokens);
page!(proxies);
page!(sessions);
// Its code needs a subscriber and an exporter: the package in `examples/watched` tests it.
#[cfg(not(doctest))]
page!(watching);
page!(troubleshooting);
page!(capturing);
