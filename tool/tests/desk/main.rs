//! The real binary against the real example servers, which `cargo build --workspace --all-features --examples` builds.

mod arguments;
mod explain;
mod send;
mod support;
