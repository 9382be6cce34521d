//! Which databases this process has open.
//!
//! SQLite's locks are the kernel's record locks, and those have a trap: when a process closes *any* descriptor of a
//! file, it loses *all* its locks on it. Another process (a backup) that closes the database may then take itself for
//! the last one. SQLite has a second fence, a lock on the memory that readers share, so that the log is not removed
//! under the hands of those who write; we do not lean on the second one alone. So a database file is looked at with a
//! descriptor of our own only while no connection in this process has it open, and this is where that is known.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk;
use crate::error::StoreError;
use crate::key::{SALT, StoreKey};

/// By path: the beginning of the file, and how many stores have it open.
static OPEN: Mutex<BTreeMap<PathBuf, ([u8; SALT], usize)>> = Mutex::new(BTreeMap::new());

/// What is at a database's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// It begins as a database under this key does.
    Database,
}

/// Held as long as connections of this process are open.
#[derive(Debug)]
pub(crate) struct Claim(PathBuf);

impl Claim {
    /// For a store: it must be possible to write.
    pub(crate) fn to_write(path: &Path, key: &StoreKey) -> Result<(Claim, Found), StoreError> {
        Self::take(path, key, writable)
    }

    /// For a backup, which also a disk that is read-only allows.
    pub(crate) fn to_read(path: &Path, key: &StoreKey) -> Result<(Claim, Found), StoreError> {
        Self::take(path, key, |_| Ok(()))
    }

    /// Looks at the file while that is allowed, and forbids it from now on.
    fn take(
        path: &Path,
        key: &StoreKey,
        allowed: impl FnOnce(&Path) -> Result<(), StoreError>,
    ) -> Result<(Claim, Found), StoreError> {
        let path = absolute(path);
        let mut open = open();
        let found = match open.get_mut(&path) {
            Some((salt, stores)) => {
                let found = compare(*salt, &path, key)?;
                *stores += 1;
                found
            }
            None => {
                let found = read(&path, key)?;
                allowed(&path)?;
                open.insert(path.clone(), (key.salt(), 1));
                found
            }
        };
        Ok((Claim(path), found))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut open = open();
        if let Some((_, stores)) = open.get_mut(&self.0) {
            *stores -= 1;
            if *stores == 0 {
                open.remove(&self.0);
            }
        }
    }
}

/// Whether there is a database under this key.
pub(crate) fn look(path: &Path, key: &StoreKey) -> Result<Found, StoreError> {
    let path = absolute(path);
    match open().get(&path) {
        Some((salt, _)) => compare(*salt, &path, key),
        None => read(&path, key),
    }
}

fn open() -> MutexGuard<'static, BTreeMap<PathBuf, ([u8; SALT], usize)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for every way to write it, as far as the folder is there.
fn absolute(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn compare(salt: [u8; SALT], path: &Path, key: &StoreKey) -> Result<Found, StoreError> {
    if salt == key.salt() { Ok(Found::Database) } else { Err(StoreError::WrongKey { path: path.to_owned() }) }
}

fn read(path: &Path, key: &StoreKey) -> Result<Found, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    let mut salt = [0; SALT];
    match file.read_exact(&mut salt) {
        Ok(()) => compare(salt, path, key),
        // A database gets its name only when it is whole, so this is never one that was just begun.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(StoreError::Damaged { path: path.to_owned(), reason: "it has hardly any content".to_owned() })
        }
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

/// Whether this process may write here at all; asked first, because SQLite takes a read-only disk for a database that
/// cannot be opened.
fn writable(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    disk::Unfinished::create(folder)?;
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(StoreError::ReadOnly { path: path.to_owned() })
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("write", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::Store;

    #[test]
    fn looking_at_an_open_database_takes_no_lock_away() {
        let (dir, key) = (tempfile::tempdir().unwrap(), StoreKey::from_bytes([1; 32]));
        let _store = Store::open(dir.path(), &key, &[]).unwrap();
        let inode = format!(":{} ", std::fs::metadata(dir.path().join("banyan.db")).unwrap().ino());
        let own = format!(" {} ", std::process::id());
        let is_locked = || {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|lock| lock.contains(&inode) && lock.contains(&own))
        };
        assert!(is_locked());
        assert!(Store::is_key_of(dir.path(), &key).unwrap());
        assert!(!Store::is_key_of(dir.path(), &StoreKey::from_bytes([2; 32])).unwrap());
        assert!(is_locked());
    }
}
