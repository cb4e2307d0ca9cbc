//! The real binary against the real example servers, which `cargo build --workspace --all-features --examples` builds.

mod arguments;
mod explain;
mod listen;
mod play;
mod replay;
mod send;
mod support;
