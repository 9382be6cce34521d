//! Putting a backup in place of what is there, after all of it was verified.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use zeroize::Zeroizing;

use super::contents::Backup;
use super::stream::SealedReader;
use super::{Activity, Meter, Progress, lock, place};
use crate::blobs::{BlobId, Blobs};
use crate::error::{DATABASE, StoreError};
use crate::key::StoreKey;
use crate::room::{self, Room};
use crate::source::{self, KeySource};
use crate::{connection, disk};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Blobs.
    pub blobs: usize,
    /// The folder that keeps what was there before, if anything was.
    pub before: Option<PathBuf>,
}

/// Puts the store of a backup in place in `data`. The box must not be running. Everything is read and verified beside
/// what is there; only then they change places, and what was there is kept. Without `replace` a store that is there
/// stays. `rooms` are what this program knows: a backup of a newer version is refused.
pub fn restore(
    data: &Path,
    from: &Path,
    passphrase: Option<&str>,
    rooms: &[Room],
    replace: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Restored, StoreError> {
    super::refuse_half_restored(data)?;
    disk::make_folder(data, 0o755)?;
    let source = KeySource::of_box(data);
    let present = match source.load() {
        Ok(key) => Some(key),
        Err(StoreError::KeyMissing { .. }) => None,
        Err(error) => return Err(error),
    };
    let file = File::open(from).map_err(StoreError::io("read", from))?;
    let bytes = file.metadata().map_err(StoreError::io("read", from))?.len();
    let mut file = BufReader::new(file);
    let stream_key = lock::unlock(from, &mut file, present.as_ref(), passphrase)?;
    let mut stream = SealedReader::new(file, &stream_key);
    let backup = Backup(from);
    let mut key = Zeroizing::new([0; 32]);
    stream.read_exact(&mut key[..]).map_err(|error| backup.unread(error))?;
    let key = StoreKey::from_bytes(*key);
    let is_present = present.as_ref().is_some_and(|present| present.as_bytes() == key.as_bytes());
    if !replace {
        refuse_to_replace(data, is_present)?;
    }

    let scratch = place::scratch(data)?;
    match &source {
        KeySource::File(_) => write_key(&scratch.path, &key)?,
        KeySource::Credential { .. } if is_present => {}
        KeySource::Credential { name } => return Err(StoreError::KeyNotOurs { name: name.clone() }),
    }
    let mut meter = Meter::start(Activity::Reading, bytes, progress);
    backup.take_all(&mut stream, &mut meter, &mut |name| {
        let path = place_of(name).ok_or_else(|| StoreError::BackupDamaged {
            path: from.to_owned(),
            reason: format!("the name {name:?} in it is none of ours"),
        })?;
        create(&scratch.path.join(path)).map(Some)
    })?;
    let blobs = verify(&scratch.path, &key, rooms, bytes, progress)
        .map_err(|error| in_backup(error, from, &scratch.path))?;
    disk::sync_disk_of(&scratch.path)?;
    let before = scratch.put_in_place(data)?;
    Ok(Restored { blobs, before })
}

/// Says what would go.
fn refuse_to_replace(data: &Path, is_key_present: bool) -> Result<(), StoreError> {
    let refuse = |path: PathBuf| Err(StoreError::Exists { path });
    if data.join(DATABASE).exists() {
        return refuse(data.join(DATABASE));
    }
    let Ok(entries) = data.join("keys").read_dir() else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        // The key that the stewards' shares just rebuilt is why this can be read at all.
        if !(path.ends_with("setup-code") || path.ends_with("store.key") && is_key_present) {
            return refuse(path);
        }
    }
    Ok(())
}

/// Where a file of a backup goes; a name that is none of ours goes nowhere.
fn place_of(name: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    match name.split('/').collect::<Vec<_>>()[..] {
        [DATABASE] => Some(name.into()),
        ["keys", key] if is_plain(key) && key != "store.key" => Some(name.into()),
        ["blobs", folder, file]
            if folder.len() == 2 && format!("{folder}{file}").parse::<BlobId>().is_ok() =>
        {
            Some(name.into())
        }
        _ => None,
    }
}

fn create(path: &Path) -> Result<File, StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
    }
    // Never twice: two files of one name are not ours.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(StoreError::io("write", path))
}

fn write_key(scratch: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let path = scratch.join("keys/store.key");
    let mut file = create(&path)?;
    file.write_all(source::text(key).as_bytes()).map_err(StoreError::io("write", &path))
}

/// Every page of the database, every reference between rows, every blob; gives the number of blobs.
fn verify(
    scratch: &Path,
    key: &StoreKey,
    rooms: &[Room],
    bytes: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<usize, StoreError> {
    let mut meter = Meter::start(Activity::Verifying, bytes, progress);
    let path = scratch.join(DATABASE);
    let damaged = |reason: String| StoreError::Damaged { path: path.clone(), reason };
    let size = path.metadata().map_err(|_| damaged("there is no database in it".to_owned()))?.len();
    let connection = connection::open(&path, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    room::refuse_newer(&connection, rooms)?;
    // Says nothing when every page is what was written under this key.
    if connection.prepare("PRAGMA cipher_integrity_check")?.exists([])? {
        return Err(damaged("a page of the database is not what was written".to_owned()));
    }
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(damaged(found));
    }
    if connection.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(damaged("a row refers to one that is not there".to_owned()));
    }
    connection.close().map_err(|(_, error)| error)?;
    meter.add(size);

    let blobs = Blobs::open(&scratch.join("blobs"), key)?;
    let all = blobs.list()?;
    for id in &all {
        let content = blobs.get(id)?.ok_or_else(|| damaged(format!("the blob {id} is not there")))?;
        meter.add(content.len() as u64);
    }
    Ok(all.len())
}

/// What was found wrong is the backup's, not the scratch folder's, which is gone when this is read.
fn in_backup(error: StoreError, from: &Path, scratch: &Path) -> StoreError {
    match error {
        StoreError::Damaged { path, reason } => {
            let part = path.strip_prefix(scratch).unwrap_or(&path);
            let reason = format!("{} in it: {reason}", part.display());
            StoreError::BackupDamaged { path: from.to_owned(), reason }
        }
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            StoreError::BackupDamaged { path: from.to_owned(), reason: source.to_string() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_its_place() {
        let blob = format!("blobs/ab/{}", "c".repeat(62));
        for name in [DATABASE, "keys/box.key", "keys/api-keys.toml", &blob] {
            assert_eq!(place_of(name), Some(PathBuf::from(name)));
        }
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "keys/../x",
            "keys/store.key",
            "keys/.x",
            "keys/a/b",
            "blobs/ab/cd",
            "models/x",
            "keys/",
        ] {
            assert_eq!(place_of(name), None, "{name:?}");
        }
    }
}
