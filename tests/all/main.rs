//! One binary for the tests of everything but the inbox, through the public API.

#![allow(missing_docs, clippy::unwrap_used)]
// Without all doors, some shared helpers are unused.
#![cfg_attr(not(all(feature = "axum", feature = "actix-web", feature = "hyper")), allow(unused))]

mod support;

mod query;

mod signature;

mod body;

mod events;

mod leniency;

mod elements;

mod dispatch;

mod refusals;

mod reported;

mod doors;

mod contract;

mod connections;

mod examples;

#[allow(dead_code, unreachable_pub)] // shared with the fuzz targets
mod checks;

mod corpora;

mod decisions;

mod abuse;

mod kit;

#[cfg(feature = "page")]
mod page;

mod readme;

mod translation;

mod translation_guide;

mod pages;

#[cfg(feature = "tracing")]
mod log;

mod notifications;

#[cfg(all(feature = "tracing", feature = "metrics"))]
mod numbers;

#[cfg(all(feature = "tracing", feature = "metrics"))]
mod watched;

#[cfg(all(feature = "tracing", feature = "metrics"))]
mod broken_watchers;
