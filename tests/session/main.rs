//! Sessions: figures from any set of events, and what watches them.

#![allow(missing_docs, clippy::unwrap_used)]

mod board;

mod figures;
