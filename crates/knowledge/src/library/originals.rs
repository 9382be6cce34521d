//! The files as they came, kept as encrypted blobs. Two documents may hold the same file, and a blob's name follows
//! from what is in it; so a blob goes only when no version names it any more.
//!
//! ```text
//!   announce: stands in `originals_to_remove` ──▶ write the file ──▶ the change that names it takes it off the list
//!                                                                                │ withdrawn
//!                                  remove the file ◀── on the list again ◀───────┘
//! ```
//! Whenever the power goes, what is on the list at the next start is removed, and what a version names is not on it.

use banyan_store::rusqlite::{Connection, Transaction};
use banyan_store::{BlobId, Store};

use super::Library;
use super::error::LibraryError;

/// Bytes of a file that is kept as it came. It passes through memory; of a larger one only the words are kept.
pub(crate) const MAX_ORIGINAL: u64 = 64 << 20;

/// Remembers, in the change that takes versions away, which blobs nobody names after it.
pub(crate) fn let_go(tx: &Transaction<'_>, originals: &[[u8; 32]]) -> Result<(), LibraryError> {
    for original in originals {
        tx.execute(
            "INSERT OR IGNORE INTO originals_to_remove (original) \
             SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM versions WHERE original = ?1)",
            [&original[..]],
        )?;
    }
    Ok(())
}

/// The blobs that a document's versions name.
pub(crate) fn of_document(connection: &Connection, key: i64) -> Result<Vec<[u8; 32]>, LibraryError> {
    let sql = "SELECT DISTINCT original FROM versions WHERE document = ?1 AND original IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([key], |row| row.get::<_, [u8; 32]>(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes sure, within the change that names it, that the blob is there. It was put before, outside, where its size
/// holds nobody up; here it is mostly only looked at.
pub(crate) fn keep(store: &Store, tx: &Transaction<'_>, bytes: &[u8]) -> Result<BlobId, LibraryError> {
    let id = store.blobs().put(bytes)?;
    tx.execute("DELETE FROM originals_to_remove WHERE original = ?1", [&id.as_bytes()[..]])?;
    Ok(id)
}

impl Library {
    /// Writes a file that a change is going to name. Should it not be named after all, [`Library::remove_originals_blocking`]
    /// removes it, now or at the next start.
    pub(crate) fn announce_original_blocking(&self, bytes: &[u8]) -> Result<(), LibraryError> {
        let id = *self.store.blobs().name_of(bytes).as_bytes();
        self.store.write_blocking(move |tx| let_go(tx, &[id]))?;
        self.store.blobs().put(bytes)?;
        Ok(())
    }

    /// Removes the blobs that nobody names. One writer at a time, so none is named meanwhile.
    pub(crate) fn remove_originals_blocking(&self) -> Result<(), LibraryError> {
        // Of those that are on the list for certain: one that a change put there which shares its transaction with the one
        // below may still be named, should the disk fail before both are written.
        let listed = self.store.read_blocking(|connection| -> Result<Vec<[u8; 32]>, LibraryError> {
            let mut statement = connection.prepare("SELECT original FROM originals_to_remove")?;
            let rows = statement.query_map([], |row| row.get::<_, [u8; 32]>(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        if listed.is_empty() {
            return Ok(());
        }
        let store = self.store.clone();
        self.store.write_blocking(move |tx| {
            let mut take_off = tx.prepare("DELETE FROM originals_to_remove WHERE original = ?1")?;
            for original in listed {
                if take_off.execute([&original[..]])? > 0 {
                    store.blobs().remove(&BlobId::from_bytes(original))?;
                }
            }
            Ok(())
        })
    }
}
