//! Where a box keeps what its community entrusts to it: one encrypted database, one folder of encrypted blobs.
//!
//! **What it promises.** What [`Store::write`] acknowledged is on the disk and survives a power cut at any instruction;
//! what it did not acknowledge is gone whole. Nothing readable leaves the process: the database is SQLCipher's, blobs
//! and backups are sealed with XChaCha20-Poly1305, and their names say nothing of what is in them. A wrong key, a file
//! that was cut off, a full disk and one that cannot be written to are told apart, in words, and lose nothing.
//!
//! **What it refuses.** It knows no table of its own but `rooms`, the versions of what the rooms above keep here. It makes no new key beside an
//! existing database, opens no database of a newer version, and replaces nothing that it has not verified first.
//!
//! **Map.** [`StoreKey`] and where it comes from ([`KeySource`]); [`Room`], the numbered migrations of one room above;
//! [`Store`] with its one writer and its readers; [`Blobs`]; [`backup()`] and [`restore()`].
//!
//! ```
//! use banyan_store::{KeySource, Room, Store, StoreError, rusqlite};
//!
//! const NOTES: Room = Room { name: "notes", steps: &["CREATE TABLE notes (text TEXT NOT NULL) STRICT"] };
//!
//! let data = tempfile::tempdir()?;
//! let key = KeySource::of_box(data.path()).load_or_create(Store::exists(data.path()))?;
//! let store = Store::open(data.path(), &key, &[NOTES])?;
//! store.write_blocking(|tx| tx.execute("INSERT INTO notes VALUES ('rain')", []).map_err(StoreError::from))?;
//! let notes = store.read_blocking(|connection| -> Result<i64, StoreError> {
//!     Ok(connection.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?)
//! })?;
//! assert_eq!(notes, 1);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod blobs;
mod claim;
mod connection;
mod disk;
mod error;
mod hex;
mod key;
mod readers;
mod room;
mod source;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod writer;

pub use backup::{Activity, BackedUp, MIN_PASSPHRASE, Progress, Restored, backup, finish_restore, restore};
pub use blobs::{BlobId, Blobs};
pub use error::StoreError;
pub use key::StoreKey;
pub use room::Room;
pub use rusqlite;
pub use source::KeySource;
pub use store::Store;
