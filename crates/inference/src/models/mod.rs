//! Models beside each other: every pack of the box is known by its name, and those that are asked for are in memory.
//!
//! - [`residency`]: who is in memory and who has to go; pure.
//! - `registry`: the thread that loads and unloads, and the door where requests wait for their model.
//! - [`memory`]: what a model takes, estimated before and measured after.
//! - `serial`: models that answer one request at a time.
//!
//! A chat model is an engine thread with key/value memory of its own. Of several chat models the default one has half
//! of the key/value budget and each other one a quarter; where there is only one it has all of it. An unloaded model
//! gives everything back: its thread is waited for, and memory that the allocator keeps is handed to the system.

pub(crate) mod loader;
pub mod memory;
pub(crate) mod registry;
pub mod residency;
#[cfg(test)]
mod residency_tests;
pub(crate) mod serial;
