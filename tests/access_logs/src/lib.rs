//! The configurations of access logs that `docs/watching.md` shows, run. See `tests/`.
