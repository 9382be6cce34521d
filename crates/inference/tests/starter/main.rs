//! Tests on the real starter models and the real ONNX Runtime, which `cargo xtask test` fetches and names in
//! `BANYAN_TEST_PACKS` and `BANYAN_ORT_LIB`. Without them these tests fail and say so; they are never passed over.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside the test functions")]

mod batched;
mod common;
mod engine;
mod forms;
mod memory;
mod runner;
