//! Runs the configurations of access logs from `docs/watching.md`. See `tests/`.
