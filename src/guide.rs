//! What one does around the code, a page each.
//!
//! * [`console`]: the callback's URL, the app's number and the token in the vendor's console.
//! * [`callbacks`]: all of Desk's callbacks, where each is switched on, and the ones that ask for a decision.
//! * [`mounting`]: in an application that is there already, on axum, actix-web or hyper.
//! * [`testing`]: your handler, without a network.
//! * [`production`]: the inbox, PostgreSQL, systemd and containers, restarts.
//! * [`tokens`]: changing the token without a gap.
//! * [`proxies`]: TLS, nginx, and what has to be passed on.
//! * [`watching`]: spans, log lines and metrics, and what is worth an alarm.
//! * [`troubleshooting`]: by `ErrorCode`.
//! * [`capturing`]: a real delivery, for a report that leaks nobody's data.

/// The pages end with links to each other's files, for those who read them there. Of two definitions the first one counts.
macro_rules! page {
    ($name:ident) => {
        /// [`console`]: crate::guide::console
        /// [`callbacks`]: crate::guide::callbacks
        /// [`mounting`]: crate::guide::mounting
        /// [`testing`]: crate::guide::testing
        /// [`production`]: crate::guide::production
        /// [`tokens`]: crate::guide::tokens
        /// [`proxies`]: crate::guide::proxies
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
page!(testing);
page!(production);
page!(tokens);
page!(proxies);
// Its code needs a subscriber and an exporter: the package in `examples/watched` tests it.
#[cfg(not(doctest))]
page!(watching);
page!(troubleshooting);
page!(capturing);
