//! The graphs, run by ONNX Runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adapters;
mod exact;
mod kv8;
mod parity;
mod peft;
mod session;
