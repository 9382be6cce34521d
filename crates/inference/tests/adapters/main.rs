//! Adapters on the real runtime, with tiny models of random weights: rows of one batch, exchange while others answer, and
//! the whole engine over its socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside the test functions")]

mod batch;
mod place;
mod served;
