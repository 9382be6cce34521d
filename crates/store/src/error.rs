//! Why the store did not do something, and what helps.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

/// What the database's file is called; also in messages where only SQLite knows the whole path.
pub(crate) const DATABASE: &str = "banyan.db";

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The key belongs to another store.
    #[error(
        "the key does not open {}: it belongs to another store, or the file's beginning is damaged; put the right key \
         back, or rebuild it from the stewards' shares with `banyan recover`; nothing was changed", .path.display()
    )]
    WrongKey {
        /// The database.
        path: PathBuf,
    },
    /// There is a database and no key.
    #[error(
        "the key {} is missing, and the database cannot be opened without it; put the key back, or rebuild it from \
         the stewards' shares with `banyan recover`; no new key was made", .path.display()
    )]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A key file that holds something else.
    #[error("{} holds no key: 64 hexadecimal digits or 32 bytes are expected; put the right file there", .path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// A key file that is not its owner's alone.
    #[error(
        "others on this machine may read the key {} (its mode is {mode:03o}); if nobody has, run `chmod 600` on it",
        .path.display()
    )]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key is not this program's to change.
    #[error(
        "the key comes from systemd's credential {name}, which banyan cannot change; seal the key anew with \
         `systemd-creds encrypt --name={name}`, or take the credential away so that the key file is used"
    )]
    KeyNotOurs {
        /// The credential.
        name: String,
    },
    /// The database was written by a newer version.
    #[error(
        "the database's part \"{room}\" has version {found}, and this banyan knows versions up to {known}; install the \
         banyan that wrote it or a newer one; nothing was changed"
    )]
    Newer {
        /// The room.
        room: String,
        /// What the database has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// A migration failed; the database is as it was.
    #[error(
        "the database's part \"{room}\" could not be brought to version {step}: {reason}; it is as it was before"
    )]
    Migration {
        /// The room.
        room: String,
        /// The version that was not reached.
        step: u32,
        /// Why.
        reason: String,
    },
    /// The file is cut off or damaged.
    #[error(
        "{} is damaged or cut off ({reason}); keep the file, and put the latest backup back with \
         `banyan restore FILE --replace`", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// No space left.
    #[error("the disk that holds {} is full; nothing was lost, and what was not saved can be tried again once there is space", .path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The disk or the file cannot be written to.
    #[error(
        "{} cannot be written to: the disk is mounted read-only, or the file is not ours; a disk that became read-only by \
         itself is often failing, so make a backup first", .path.display()
    )]
    ReadOnly {
        /// What was being written.
        path: PathBuf,
    },
    /// Another process held the database too long.
    #[error("another program keeps the database busy; try again, and see with `banyan status` what runs")]
    Busy,
    /// A file cannot be used.
    #[error("cannot {action} {}: {source}; is it there, and does it belong to the user that runs banyan?", .path.display())]
    Io {
        /// `read`, `write` …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A statement failed; a mistake in the program, mostly.
    #[error("the database refused a statement: {0}; the change was undone, and this is worth a report")]
    Sql(rusqlite::Error),
    /// SQLite undid several changes together.
    #[error("the disk failed while changes were written together, and this one was undone whole; try again")]
    Undone,
    /// The work on the store panicked.
    #[error(
        "a mistake in the program stopped work on the store; the change was undone, and this is worth a report"
    )]
    Panicked,
    /// The store is being closed.
    #[error("the store is closed; is banyan being stopped?")]
    Closed,
    /// The system has no randomness.
    #[error("the system gave no random numbers ({0}), so nothing was encrypted and nothing was written")]
    NoRandomness(String),
    /// A blob's name that is none.
    #[error("\"{0}\" names no blob: 64 hexadecimal digits are expected")]
    NotABlobId(String),
    /// Something is there already.
    #[error("{} exists already and was left alone; give --replace if it may go", .path.display())]
    Exists {
        /// What would have been replaced.
        path: PathBuf,
    },
    /// Not a backup at all, or one of a newer version.
    #[error("{} is no backup that this banyan can read: {reason}", .path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// No key at hand opens the backup.
    #[error(
        "{} cannot be opened: {reason}; give the right --passphrase-file, or put the store key of the box that made it \
         in place (`banyan recover` rebuilds it from the stewards' shares)", .path.display()
    )]
    BackupLocked {
        /// The file.
        path: PathBuf,
        /// What was tried.
        reason: String,
    },
    /// The backup is cut off or was changed.
    #[error("the backup {} is cut off or was changed ({reason}); nothing was replaced; try another copy of it", .path.display())]
    BackupDamaged {
        /// The file.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// A passphrase that a machine guesses.
    #[error("the passphrase has {0} characters, and whoever finds the backup can guess at it for years; give at least {min}, such as five words", min = crate::backup::MIN_PASSPHRASE)]
    WeakPassphrase(usize),
    /// A restore was cut off between its last steps.
    #[error("a restore was cut off when everything was verified and half in place: {} has the rest; `banyan restore --finish` completes it", .path.display())]
    RestoreUnfinished {
        /// The folder with what is still to be put in place.
        path: PathBuf,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// The same with the whole path of the database, where that is known.
    pub(crate) fn at(self, database: &Path) -> Self {
        let path = database.to_owned();
        match self {
            Self::Damaged { reason, .. } => Self::Damaged { path, reason },
            Self::DiskFull { .. } => Self::DiskFull { path },
            Self::ReadOnly { .. } => Self::ReadOnly { path },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let path = PathBuf::from(DATABASE);
        let Some(failure) = error.sqlite_error().copied() else { return Self::Sql(error) };
        match (failure.code, failure.extended_code) {
            // The memory that WAL's readers share is a file too, and the first to notice a full disk.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::DiskFull { path },
            (_, ffi::SQLITE_ABORT_ROLLBACK) => Self::Undone,
            (ErrorCode::ReadOnly, _) => Self::ReadOnly { path },
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
                Self::Damaged { path, reason: error.to_string() }
            }
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy,
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen, _) => {
                Self::Io { action: "use", path, source: io::Error::other(error) }
            }
            _ => Self::Sql(error),
        }
    }
}
