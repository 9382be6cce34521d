//! Connections to the encrypted database.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::key::StoreKey;
use crate::room::{Room, migrate};
use crate::{disk, hex};

/// How long one waits for another process (a backup, a command) that holds the database. Longer than any of our own
/// changes takes on a slow card; short enough that somebody who waits for an answer still does.
const BUSY: Duration = Duration::from_secs(5);

/// What every connection is told. `secure_delete` overwrites what is deleted, so that a text that was erased is in no
/// free page either.
const EVERY: &str = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;";

/// What the writer is told. FULL: a commit is on the disk when it returns. The limit (bytes) gives back what a single
/// large change made of the write-ahead log; the cache is in KiB.
const WRITER: &str =
    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -8000;";

/// Makes a new database with every room in it, and gives it its name when it is whole.
pub(crate) fn create(folder: &Path, path: &Path, key: &StoreKey, rooms: &[Room]) -> Result<(), StoreError> {
    let (unfinished, file) = disk::Unfinished::create(folder)?;
    let mut connection = open(&unfinished.path, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate(&mut connection, rooms)?;
    // A database without rooms has no pages yet, and no beginning by which it is known.
    connection.execute_batch("PRAGMA user_version = 1")?;
    connection.close().map_err(|(_, error)| error)?;
    file.sync_all().map_err(StoreError::io("write", path))?;
    // Before it can be opened under its name (see `claim`).
    drop(file);
    // Another process may have made one meanwhile: then that is the database.
    unfinished.publish(path).map(|_| ())
}

/// The one connection that writes.
pub(crate) fn writer(path: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    let connection = open(path, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        // SQLite says so instead of failing when it cannot write.
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    connection.execute_batch(WRITER)?;
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn reader(path: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    open(path, key, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// A file that is going to be the copy of a database; worth nothing before it is whole, so it needs no journal.
pub(crate) fn blank(path: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    unlock(&connection, key)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    Ok(connection)
}

/// Unlocked, and known to hold a database that this key opens.
pub(crate) fn open(path: &Path, key: &StoreKey, flags: OpenFlags) -> Result<Connection, StoreError> {
    // Each connection is used by one thread at a time.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    unlock(&connection, key)?;
    connection.execute_batch(EVERY)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// The key as it is (no passphrase, so no slow derivation), and the salt that is known by it.
fn unlock(connection: &Connection, key: &StoreKey) -> Result<(), StoreError> {
    let (digits, salt) = (hex::encode(key.as_bytes()), hex::encode(&key.salt()));
    // What SQLCipher would write to standard error is in our own errors, in better words.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    let statement = Zeroizing::new(format!("PRAGMA key = \"x'{}{}'\"", *digits, *salt));
    Ok(connection.execute_batch(&statement)?)
}
