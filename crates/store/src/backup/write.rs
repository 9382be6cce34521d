//! Writing a backup, while the box goes on working.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup as PageCopy, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::contents::Backup;
use super::stream::{SealedReader, SealedWriter};
use super::{Activity, Meter, Progress, lock};
use crate::blobs::{BlobId, Blobs};
use crate::claim::{Claim, Found};
use crate::error::{DATABASE, StoreError};
use crate::key::StoreKey;
use crate::{connection, disk};

/// Keys that a backup leaves out: the store key is in it already, and the code of an unfinished set-up is worth nothing
/// elsewhere.
const LEFT_OUT: [&str; 2] = ["store.key", "setup-code"];

/// Pages that are copied at a time.
const PAGES: i32 = 1024;

/// How long one waits for a source that is locked at this moment.
const LOCKED: Duration = Duration::from_millis(20);

/// What is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Blobs.
    pub blobs: usize,
    /// Size of the file.
    pub bytes: u64,
}

type Out = SealedWriter<BufWriter<File>>;

/// Writes the store in `data` and the other keys of the box into one encrypted file, reads it again to see that it can
/// be, and gives it its name only then. The box may be running. Without `replace` a file that is there stays.
pub fn backup(
    data: &Path,
    key: &StoreKey,
    to: &Path,
    passphrase: Option<&str>,
    replace: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<BackedUp, StoreError> {
    let database = data.join(DATABASE);
    super::refuse_half_restored(data)?;
    let (_claim, found) = Claim::to_read(&database, key)?;
    if found == Found::Nothing {
        return Err(StoreError::io("read", &database)(io::ErrorKind::NotFound.into()));
    }
    if !replace && to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let (header, stream_key) = lock::lock(key, passphrase)?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (unfinished, file) = disk::Unfinished::create(folder)?;
    let backup = Backup(to);
    let mut out = BufWriter::new(file);
    out.write_all(&header).map_err(backup.unwritten())?;
    let mut out = SealedWriter::new(out, &stream_key);
    out.write_all(key.as_bytes()).map_err(backup.unwritten())?;

    let blobs = put_store(data, key, folder, backup, &mut out, progress)?;

    backup.put_end(&mut out)?;
    let out = out.finish().map_err(backup.unwritten())?;
    let file = out.into_inner().map_err(|error| backup.unwritten()(error.into_error()))?;
    file.sync_all().map_err(backup.unwritten())?;
    drop(file);
    let bytes = check(&unfinished.path, backup, &header, &stream_key, progress)?;
    unfinished.replace(to)?;
    Ok(BackedUp { blobs, bytes })
}

/// Blobs, database, the blobs that came meanwhile, keys; gives the number of blobs.
fn put_store(
    data: &Path,
    key: &StoreKey,
    folder: &Path,
    backup: Backup<'_>,
    out: &mut Out,
    progress: &mut dyn FnMut(Progress),
) -> Result<usize, StoreError> {
    let blobs = Blobs::at(&data.join("blobs"), key);
    let mut known: BTreeSet<BlobId> = BTreeSet::new();
    let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let of_blobs: u64 = blobs.list()?.iter().map(|id| size(&blobs.path(id))).sum();
    let database = data.join(DATABASE);
    let mut meter = Meter::start(Activity::Writing, size(&database) + of_blobs, progress);

    put_new_blobs(&blobs, &mut known, backup, out, &mut meter)?;
    // Beside the backup, where there is room for it; under the store key, as ever.
    let copy = copy_database(&database, key, folder)?;
    backup.put(out, DATABASE, &copy.path, &mut meter)?;
    drop(copy);
    put_new_blobs(&blobs, &mut known, backup, out, &mut meter)?;
    for (name, path) in other_keys(data)? {
        backup.put(out, &format!("keys/{name}"), &path, &mut meter)?;
    }
    Ok(known.len())
}

fn put_new_blobs(
    blobs: &Blobs,
    known: &mut BTreeSet<BlobId>,
    backup: Backup<'_>,
    out: &mut Out,
    meter: &mut Meter<'_>,
) -> Result<(), StoreError> {
    for id in blobs.list()? {
        let name = format!("blobs/{}", Blobs::place(&id).display());
        // One that was removed meanwhile is named by no row any more.
        if !known.contains(&id) && backup.put(out, &name, &blobs.path(&id), meter)? {
            known.insert(id);
        }
    }
    Ok(())
}

/// The database as it is at one moment, whatever is written meanwhile.
fn copy_database(database: &Path, key: &StoreKey, folder: &Path) -> Result<disk::Unfinished, StoreError> {
    let (copy, file) = disk::Unfinished::create(folder)?;
    // SQLite writes it by a descriptor of its own.
    drop(file);
    match connection::reader(database, key) {
        Ok(source) => copy_pages(&source, &copy.path, key)?,
        Err(_) if is_on_read_only_disk(database) => copy_files(database, &copy.path, key)?,
        Err(error) => return Err(error.at(database)),
    }
    Ok(copy)
}

fn copy_pages(source: &Connection, copy: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let at_copy = |error: rusqlite::Error| StoreError::from(error).at(copy);
    // Reading from here on, so that what others write from now on is not seen and does not begin the copy anew.
    let moment = source.unchecked_transaction()?;
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut target = connection::blank(copy, key).map_err(|error| error.at(copy))?;
    {
        let pages = PageCopy::new(&moment, &mut target).map_err(at_copy)?;
        loop {
            match pages.step(PAGES).map_err(at_copy)? {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => std::thread::sleep(LOCKED),
                _ => {}
            }
        }
    }
    target.close().map_err(|(_, error)| at_copy(error))
}

/// A failing disk is often made read-only by the kernel, and that is when a backup is needed most. SQLite reads no
/// database there that has a log, since readers share a file that it would have to make. But where nobody can write,
/// the files themselves are one moment: they are copied, and the log is written into the copy.
fn copy_files(database: &Path, copy: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let beside = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(database, copy).map_err(StoreError::io("copy", database))?;
    let log = match fs::copy(beside(database), beside(copy)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("copy", &beside(database))(error))
        }
        _ => Ok(()),
    };
    let whole = log.and_then(|()| {
        let connection = connection::open(copy, key, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error.into())
    });
    // Gone already when all went well.
    let _ = fs::remove_file(beside(copy));
    whole.map_err(|error| error.at(copy))
}

fn is_on_read_only_disk(database: &Path) -> bool {
    let folder = database.parent().unwrap_or(Path::new("."));
    matches!(disk::Unfinished::create(folder), Err(StoreError::ReadOnly { .. }))
}

/// The keys beside the store key, by name.
fn other_keys(data: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let folder = data.join("keys");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("read the folder", &folder)(error)),
    };
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("read the folder", &folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str()) {
            keys.push((name, path));
        }
    }
    keys.sort();
    Ok(keys)
}

/// Reads everything again: a backup that cannot be read is none. Gives its size.
fn check(
    path: &Path,
    backup: Backup<'_>,
    header: &[u8],
    stream_key: &[u8; 32],
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, StoreError> {
    let unread = |error| backup.unread(error);
    let mut file = BufReader::new(File::open(path).map_err(unread)?);
    let bytes = file.get_ref().metadata().map_err(unread)?.len();
    let mut again = vec![0; header.len()];
    io::Read::read_exact(&mut file, &mut again).map_err(unread)?;
    let mut stream = SealedReader::new(file, stream_key);
    io::Read::read_exact(&mut stream, &mut [0; 32]).map_err(unread)?;
    let mut meter = Meter::start(Activity::Checking, bytes, progress);
    backup.take_all(&mut stream, &mut meter, &mut |_| Ok(None))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The copy is made with SQLite's own pages; none of them is readable.
    #[test]
    fn a_copy_of_the_database_is_as_encrypted_as_the_database() {
        let (dir, key) = (tempfile::tempdir().unwrap(), StoreKey::from_bytes([3; 32]));
        let room = crate::Room { name: "n", steps: &["CREATE TABLE secretname (text TEXT) STRICT"] };
        let _store = crate::Store::open(dir.path(), &key, &[room]).unwrap();
        let copy = copy_database(&dir.path().join(DATABASE), &key, dir.path()).unwrap();
        let bytes = fs::read(&copy.path).unwrap();
        assert!(bytes.len() >= 4096 && bytes.starts_with(&key.salt()));
        assert!(!bytes.windows(10).any(|window| window == b"secretname"));
        let opened = connection::open(&copy.path, &key, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        assert_eq!(
            opened.query_row("SELECT count(*) FROM secretname", [], |row| row.get::<_, i64>(0)).unwrap(),
            0
        );
    }
}
