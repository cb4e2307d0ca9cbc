//! How fast events are accepted and delivered, beside what the disk allows, and how much room they take.
//!
//! * `cargo bench --bench inbox --all-features`: rates and waits. Ratios of one run count; absolute figures are this
//!   machine's, and its mood's.
//! * `… -- grown`: the same acceptance with an empty store and with one of 500,000 events.
//! * `… -- busy`: how long an acknowledgement takes beside 1,000 handlers that sleep, and beside ones that do nothing.
//! * `… -- sessions`: the rate of delivery while sessions are kept, beside the rate without that.
//! * `… -- soak`: a million events of one millisecond go in and out, with a duplicate horizon of 30 s.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../tests/inbox/server.rs"]
#[allow(dead_code)]
mod server;

mod place;

mod load;

mod table;

mod rates;

mod grown;

mod busy;

mod soak;

mod work;

#[cfg(feature = "testing")]
mod sessions;

use self::{place::Folder, server::Server};

fn main() {
    let folder = Folder::new();
    let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != "work").collect();
    if let [_, count, url @ ..] = &arguments[..] {
        let url = url.iter().find(|url| url.contains("://"));
        return work::measure(&folder, count.parse().unwrap(), url.map(String::as_str));
    }
    let server = Server::start("max_connections = 300");
    match std::env::args().find(|argument| !argument.starts_with('-') && !argument.contains('/')).as_deref() {
        Some("grown") => grown::measure(&folder, server.as_ref()),
        Some("busy") => busy::measure(&folder, server.as_ref()),
        Some("soak") => soak::measure(&folder, server.as_ref()),
        #[cfg(feature = "testing")]
        Some("sessions") => sessions::measure(&folder, server.as_ref()),
        _ => rates::measure(&folder, server.as_ref()),
    }
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}
