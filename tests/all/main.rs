//! One binary for all tests: what a user, a sender and a stranger see.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

mod query;

mod signature;

mod body;

mod events;

mod leniency;

mod elements;

mod dispatch;

mod refusals;

mod doors;

mod contract;

mod connections;

mod examples;
