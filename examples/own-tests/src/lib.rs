//! A crate of its own whose tests are cases: see `tests/cases.rs`, and the case in `cases/`.
