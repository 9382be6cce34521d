//! Files that are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StoreError;
use crate::hex;
use crate::key::random;

/// What names of unfinished files begin with.
const UNFINISHED: &str = ".tmp-";

/// How old an unfinished file is before it counts as left over by a crash. Long enough that no other process can still
/// be writing it; short enough that what a crash left does not fill the disk.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);

/// A file under way, in the folder where it is going to be. Removed when it is dropped before it was kept.
pub(crate) struct Unfinished {
    pub(crate) path: PathBuf,
    kept: bool,
}

impl Unfinished {
    /// Opens it for its owner alone.
    pub(crate) fn create(folder: &Path) -> Result<(Unfinished, File), StoreError> {
        let name = format!("{UNFINISHED}{}", *hex::encode(&random::<8>()?));
        let path = folder.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(StoreError::io("create a file in", folder))?;
        Ok((Unfinished { path, kept: false }, file))
    }

    /// Gives it its name, whatever had that name before. The caller has synced the file.
    pub(crate) fn replace(mut self, path: &Path) -> Result<(), StoreError> {
        fs::rename(&self.path, path).map_err(StoreError::io("write", path))?;
        self.kept = true;
        sync_folder_of(path)
    }

    /// Gives it its name unless something has that name: then false, and that is left alone.
    pub(crate) fn publish(self, path: &Path) -> Result<bool, StoreError> {
        match fs::hard_link(&self.path, path) {
            Ok(()) => sync_folder_of(path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("write", path)(error)),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // It may never have come to be, and a left-over is swept later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Bytes on the disk under a name of their own, not yet under `path`.
pub(crate) fn prepare(folder: &Path, bytes: &[u8]) -> Result<Unfinished, StoreError> {
    let (unfinished, mut file) = Unfinished::create(folder)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(StoreError::io("write", &unfinished.path))?;
    Ok(unfinished)
}

/// Makes a folder, and those above it, unless it is there.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(StoreError::io("make the folder", path))?;
    sync_folder_of(path)
}

/// Names are on the disk only when the folder that holds them is.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Ok(()),
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems of USB sticks sync no folders, and have nothing better.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result.map_err(StoreError::io("sync the folder", folder)),
    }
}

/// Everything that was written to the disk of a folder so far. One call for thousands of files: a card takes longer to sync
/// each than to write all.
pub(crate) fn sync_disk_of(folder: &Path) -> Result<(), StoreError> {
    let opened = File::open(folder);
    let synced = opened.and_then(|folder| Ok(nix::unistd::syncfs(folder)?));
    synced.map_err(StoreError::io("sync the disk of", folder))
}

/// Removes what crashes left over. Nothing depends on it, so troubles are only logged.
pub(crate) fn sweep(folder: &Path) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return tracing::debug!(%error, folder = %folder.display(), "nothing swept"),
    };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED))
    {
        let age = entry.metadata().and_then(|meta| meta.modified()).map(|modified| modified.elapsed());
        if matches!(age, Ok(Ok(age)) if age > LEFT_OVER_AFTER) {
            let removed = fs::remove_file(entry.path());
            tracing::debug!(path = %entry.path().display(), ?removed, "left over by a crash");
        }
    }
}

/// `None` when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}
