//! See `tests/page.rs`.
