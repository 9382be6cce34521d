//! Archives that are open. A stick may be pulled at any moment and come back: whether the file is there is looked at
//! before each use, and what fails to read it closes it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::rows::Row;
use super::{Parts, index};
use crate::library::LibraryError;
use crate::zim::archive::Zim;
use crate::zim::error::ZimError;
use crate::zim::index::Index;

/// An index without a row that was written to within this time is left alone.
const FRESH: Duration = Duration::from_secs(600);

/// An open archive and its index.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) zim: Zim,
    pub(super) index: Index,
    /// Which file it was.
    file: [u64; 4],
}

fn which(about: &Metadata) -> [u64; 4] {
    [about.dev(), about.ino(), about.size(), about.mtime().unsigned_abs()]
}

impl Parts {
    /// The archive, opened if it is not open; else why it cannot be read, in words.
    pub(super) fn opened(&self, row: &Row) -> Result<Arc<Opened>, String> {
        let path = Path::new(&row.path);
        let about = std::fs::metadata(path).map_err(|error| {
            self.close(&row.id);
            format!("{} cannot be read ({error}); plug in the stick or disk that it is on", path.display())
        })?;
        let file = which(&about);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&row.id).cloned();
        if let Some(opened) = open.filter(|opened| opened.file == file) {
            return Ok(opened);
        }
        self.close(&row.id);
        let zim = Zim::open(path).map_err(|error| error.to_string())?;
        if zim.fingerprint() != row.fingerprint {
            return Err(format!(
                "another edition lies at {} now; add that as a new archive, and remove this one",
                path.display()
            ));
        }
        let index = Index::at(self.index_path(&row.id), row.fingerprint);
        let opened = Arc::new(Opened { zim, index, file });
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id.clone(), opened.clone());
        Ok(opened)
    }

    /// Closes an archive that cannot be read any more, so that it is opened anew when it is back.
    pub(super) fn noted<T>(&self, row: &Row, result: Result<T, ZimError>) -> Result<T, LibraryError> {
        if let Err(ZimError::Io(error)) = &result {
            tracing::warn!(archive = row.id, %error, "an archive cannot be read");
            self.close(&row.id);
        }
        Ok(result?)
    }

    /// Closes archives that have no row any more, and removes indexes without one: another process took the row away.
    pub(super) fn sweep(&self, rows: &[Row]) {
        let kept = |zim: &str| rows.iter().any(|row| row.id == zim);
        let open: Vec<String> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.keys().filter(|zim| !kept(zim)).cloned().collect()
        };
        open.iter().for_each(|zim| self.close(zim));
        for file in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = file.path();
            let is_index = path.extension().is_some_and(|end| end == "index");
            // One that is being written now may be of an archive that was added a moment ago.
            let is_old = file
                .metadata()
                .and_then(|about| about.modified())
                .is_ok_and(|written| written.elapsed().is_ok_and(|age| age > FRESH));
            if is_index
                && is_old
                && path.file_stem().and_then(|name| name.to_str()).is_some_and(|zim| !kept(zim))
            {
                index::remove(&path);
            }
        }
    }
}
