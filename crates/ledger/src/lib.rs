//! The community's record of what was decided and done: append-only, each entry chained to the one before and signed
//! by the box.
//!
//! **What it promises.** [`append()`] takes the transaction of the change that the entry records, so both are on the
//! disk or neither. Whoever changes, drops, moves or inserts an entry, in the database or in an exported file, is
//! found by [`verify()`] and [`verify_file`], which name the first bad entry. What even the box's own key cannot forge
//! is a [`Head`] that somebody else keeps: stewards [`countersign`] heads, and a member's older export is one.
//!
//! **What it refuses.** It holds no words of a person and no name: kinds, ids, settings and counts. A text that must be
//! withdrawable lies beside it under a key of its own ([`withheld`]); erasing that key leaves the chain whole. It reads
//! no clock: whoever appends says what time it is.
//!
//! ```
//! use banyan_identity::SigningKey;
//! use banyan_ledger::LedgerError;
//! use banyan_store::{Store, StoreKey};
//!
//! let data = tempfile::tempdir()?;
//! let store = Store::open(data.path(), &StoreKey::generate()?, &[banyan_ledger::ROOM])?;
//! let key = SigningKey::generate()?;
//! let public = key.public();
//! let entry = store.write_blocking(move |tx| {
//!     banyan_ledger::append(tx, &key, 1_790_000_000, "founding", br#"{"kit":"circle"}"#)
//! })?;
//! assert_eq!(entry.seq, 1);
//! let verified = store.read_blocking(move |connection| banyan_ledger::verify(connection, &public, |_| ()))?;
//! assert_eq!(verified.entries, 1);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod append;
mod chain;
mod entry;
mod error;
mod export;
mod file;
mod head;
mod hex32;
mod read;
mod verify;
pub mod withheld;

use banyan_store::Room;

pub use append::{MAX_KIND, MAX_PAYLOAD, append};
pub use entry::{ENTRY, Entry};
pub use error::{BadEntry, LedgerError, VerifyError};
pub use export::export;
pub use file::{VerifiedFile, head_of_file, verify_file};
pub use head::{Countersignature, HEAD, Head, countersign, countersignatures};
pub use read::{entry, head, page};
pub use verify::{Verified, verify, verify_against};

/// The ledger's tables, for [`banyan_store::Store::open`].
pub const ROOM: Room = Room { name: "ledger", steps: &[include_str!("schema/ledger_1.sql")] };
