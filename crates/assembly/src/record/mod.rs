//! What was decided and what holds now, for everybody to read and to check.
//!
//! * `ledger` shows, verifies and hands out the ledger itself.
//! * `policies` is what is in force in plain words, and every version before it.
//!
//! Nothing here changes anything.

mod ledger;
mod policies;

pub use ledger::{FirstBad, LedgerEntry, LedgerHead, LedgerPage, LedgerVerdict};
pub use policies::{ConstitutionView, PolicyVersion, PolicyView};
