//! The real binary against the real example servers, which `cargo build --workspace --all-features --examples` builds.

#![allow(clippy::unwrap_used)]

mod arguments;
mod explain;
mod inbox;
mod listen;
mod play;
#[allow(dead_code)] // some of it is for the library's tests
#[path = "../../../tests/inbox/server.rs"]
mod postgres;
mod replay;
mod send;
mod support;
mod tls;
