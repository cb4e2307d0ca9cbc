//! What one does around the code, a page each.
//!
//! * [`console`]: the callback's URL, the app's number and the token in the vendor's console.
//! * [`mounting`]: in an application that is there already, on axum, actix-web or hyper.
//! * [`testing`]: your handler, without a network.
//! * [`production`]: the inbox, PostgreSQL, systemd and containers, restarts.
//! * [`tokens`]: changing the token without a gap.
//! * [`proxies`]: TLS, nginx, and what has to be passed on.
//! * [`watching`]: spans, log lines and metrics, and what is worth an alarm.
//! * [`troubleshooting`]: by `ErrorCode`.
//! * [`capturing`]: a real delivery, for a report that leaks nobody's data.

#[doc = include_str!("../docs/console.md")]
pub mod console {}

#[doc = include_str!("../docs/mounting.md")]
pub mod mounting {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/production.md")]
pub mod production {}

#[doc = include_str!("../docs/tokens.md")]
pub mod tokens {}

#[doc = include_str!("../docs/proxies.md")]
pub mod proxies {}

#[doc = include_str!("../docs/watching.md")]
pub mod watching {}

#[doc = include_str!("../docs/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("../docs/capturing.md")]
pub mod capturing {}
