//! Changing places with what was there, so that power may fail at any moment.
//!
//! Everything that is to come lies verified in the folder [`RESTORED`]: that it has this name is the decision. From
//! then on the old is moved into it and the new out of it, one rename after the other; whoever finds the folder goes on
//! where the other one was cut off.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::error::{DATABASE, StoreError};

/// What is being written and verified; worth nothing after a crash.
const RESTORING: &str = "restoring";
/// What was verified and is on its way to its place.
const RESTORED: &str = "restored";
/// Within [`RESTORED`]: what was there before.
const BEFORE: &str = "before";

/// What changes places, in this order: a key is there before anything that it opens.
const PARTS: [&str; 3] = ["keys", "blobs", DATABASE];

/// A folder of its own for what is to be restored, empty.
pub(super) fn scratch(data: &Path) -> Result<Scratch, StoreError> {
    let path = data.join(RESTORING);
    remove(&path)?;
    disk::make_folder(&path, 0o700)?;
    for part in ["keys", "blobs"] {
        disk::make_folder(&path.join(part), 0o700)?;
    }
    Ok(Scratch { path })
}

/// Removed when it is dropped, unless it became [`RESTORED`].
pub(super) struct Scratch {
    pub(super) path: PathBuf,
}

impl Scratch {
    /// From here on there is no way back, only forward. Gives the folder with what was there before.
    pub(super) fn put_in_place(self, data: &Path) -> Result<Option<PathBuf>, StoreError> {
        let restored = data.join(RESTORED);
        fs::rename(&self.path, &restored).map_err(StoreError::io("write", &restored))?;
        disk::sync_folder_of(&restored)?;
        finish_restore(data)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Worth nothing; the next restore removes what is left.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Completes a restore that was cut off after everything was verified; does nothing when there is none. To be called
/// before the key is loaded and the store is opened. Gives the folder with what was there before, when there was something.
pub fn finish_restore(data: &Path) -> Result<Option<PathBuf>, StoreError> {
    let restored = data.join(RESTORED);
    if !restored.is_dir() {
        return Ok(None);
    }
    let before = restored.join(BEFORE);
    disk::make_folder(&before, 0o700)?;
    for part in PARTS {
        let new = restored.join(part);
        if !is_there(&new)? {
            continue;
        }
        for old in [part.to_owned(), format!("{part}-wal"), format!("{part}-shm")] {
            let path = data.join(&old);
            if is_there(&path)? {
                fs::rename(&path, before.join(&old)).map_err(StoreError::io("move", &path))?;
            }
        }
        // An old log must never meet a new database.
        disk::sync_folder_of(&restored)?;
        let place = data.join(part);
        fs::rename(&new, &place).map_err(StoreError::io("write", &place))?;
        disk::sync_folder_of(&place)?;
    }
    let kept = keep(data, &before)?;
    remove(&restored)?;
    disk::sync_folder_of(&restored)?;
    Ok(kept)
}

/// Refuses to work on a store whose parts may be of two different ones.
pub(crate) fn refuse_half_restored(data: &Path) -> Result<(), StoreError> {
    let path = data.join(RESTORED);
    if is_there(&path)? { Err(StoreError::RestoreUnfinished { path }) } else { Ok(()) }
}

/// Keeps what was there, if anything, under a name that is free.
fn keep(data: &Path, before: &Path) -> Result<Option<PathBuf>, StoreError> {
    let failed = || StoreError::io("keep", before);
    if fs::read_dir(before).map_err(failed())?.next().is_none() {
        return Ok(None);
    }
    let mut number = 1_u32;
    let kept = loop {
        let name = data.join(format!("before-restore-{number}"));
        if !is_there(&name)? {
            break name;
        }
        number += 1;
    };
    fs::rename(before, &kept).map_err(failed())?;
    Ok(Some(kept))
}

fn is_there(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(StoreError::io("look at", path))
}

fn remove(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state that a power cut can leave: the first n of the renames were made.
    #[test]
    fn power_may_fail_after_any_rename_and_the_next_start_completes_it() {
        let moves = [
            ("keys", "restored/before/keys"),
            ("restored/keys", "keys"),
            ("blobs", "restored/before/blobs"),
            ("restored/blobs", "blobs"),
            (DATABASE, "restored/before/banyan.db"),
            ("banyan.db-wal", "restored/before/banyan.db-wal"),
            ("restored/banyan.db", DATABASE),
            ("restored/before", "before-restore-1"),
        ];
        for done in 0..=moves.len() {
            let dir = tempfile::tempdir().unwrap();
            let data = dir.path();
            for (root, word) in [(data.to_owned(), "old"), (data.join(RESTORED), "new")] {
                for part in ["keys", "blobs"] {
                    fs::create_dir_all(root.join(part)).unwrap();
                    fs::write(root.join(part).join("file"), word).unwrap();
                }
                fs::write(root.join(DATABASE), word).unwrap();
            }
            fs::write(data.join("banyan.db-wal"), "old").unwrap();
            fs::create_dir(data.join("restored/before")).unwrap();
            for (from, to) in &moves[..done] {
                fs::rename(data.join(from), data.join(to)).unwrap();
            }
            assert!(refuse_half_restored(data).is_err(), "after {done}");
            let kept = finish_restore(data).unwrap();
            refuse_half_restored(data).unwrap();
            for part in ["keys/file", "blobs/file", DATABASE] {
                assert_eq!(fs::read_to_string(data.join(part)).unwrap(), "new", "{part} after {done}");
                let old = fs::read_to_string(data.join("before-restore-1").join(part)).unwrap();
                assert_eq!(old, "old", "{part} after {done}");
            }
            assert!(!data.join("banyan.db-wal").exists());
            assert!(kept.is_some() || done == moves.len());
        }
    }
}
