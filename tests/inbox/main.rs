//! The durable inbox, on both engines: what it promises, and what it survives.

#![allow(missing_docs, clippy::unwrap_used)]

mod server;

mod places;

mod promises;

mod operations;

mod operator;

mod files;

mod paths;

mod damage;

mod completion;

mod backup;

mod upkeep;

mod syncs;

mod schemas;

mod memory;

mod dispatcher;

mod notifications;

mod retries;

mod waits;

mod poison;

mod limits;

mod progress;

mod deliveries;

mod wrapped;

mod sessions;

mod dashboard;

mod process;

mod crashes;

mod aborts;

mod receipts;

mod outages;

mod fleet;

mod endurance;

mod tls;

mod leases;

mod blame;

mod poolers;

mod connections;

mod damaged_rows;

#[cfg(all(feature = "tracing", feature = "metrics"))]
#[path = "../all/log.rs"]
mod log;

#[cfg(all(feature = "tracing", feature = "metrics"))]
#[path = "../all/numbers.rs"]
mod numbers;

#[cfg(all(feature = "tracing", feature = "metrics"))]
mod attempts;
