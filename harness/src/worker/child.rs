//! The worker itself.
