//! The real binary as processes: what no unit test can show.
#![allow(
    clippy::unwrap_used,
    reason = "clippy spares only functions marked as tests, and helpers belong to them"
)]

mod answers;
mod grounding;
mod library;
mod store;
mod supervision;
mod test_box;
