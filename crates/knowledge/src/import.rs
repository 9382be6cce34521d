//! Taking in folders and files: once (a stick, a command) or again and again (a watched folder).
//!
//! A run goes through the folder file by file. Each file is on its own: what cannot be read is refused with a reason and
//! the rest goes on. What became of each is written down right after, so a run that was cut off goes on where it was;
//! a file that has not changed since is not opened again. The same file under another name is taken once. A file that
//! changed becomes the next version of its document. A file that is gone from the folder changes nothing: documents
//! are withdrawn by people, who say why.

pub(crate) mod rows;
mod run;
#[cfg(test)]
mod tests;
mod walk;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::run::{Importer, Upload};
use crate::document::line;
use crate::extracted::Extracted;
use crate::library::{CollectionId, DocumentId, Hand, Library, LibraryError, load_collection};

/// Takes the words out of a file. The box does it in a process without rights; `Err` is the reason, in words a
/// librarian understands.
pub trait Extract: Send + Sync {
    /// The words of this file. `name` is what whoever gives it calls it: its ending says the format where what is in the
    /// file does not.
    fn extract(&self, path: &Path, name: &str) -> Result<Extracted, String>;
}

/// A folder or a file that is to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// Which.
    pub path: PathBuf,
    /// Where its documents are to stand.
    pub collection: CollectionId,
    /// Whether what comes into the folder later is taken in too.
    pub watched: bool,
    /// Where the folder was fetched from; stands before the names of its files. Empty: it is a folder of the box.
    pub origin: String,
    /// How each of its documents wants to be named when it is cited; empty: as the files say.
    pub attribution: String,
    /// The licence of each; empty: the collection's.
    pub licence: String,
    /// The language of each; empty: as the files say.
    pub language: String,
}

impl NewImport {
    /// With nothing said but what is taken in and where it is to stand.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, collection: CollectionId) -> Self {
        Self {
            path: path.into(),
            collection,
            watched: false,
            origin: String::new(),
            attribution: String::new(),
            licence: String::new(),
            language: String::new(),
        }
    }
}

/// A folder or file that is or was taken in, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Import {
    /// Its number.
    pub id: i64,
    /// The folder or file.
    pub path: String,
    /// Where its documents stand.
    pub collection: CollectionId,
    /// Who asked for it; none: the box itself.
    pub by: Option<String>,
    /// Whether what comes into the folder later is taken in too.
    pub watched: bool,
    /// Where the latest run stands.
    pub state: ImportState,
    /// When that began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// How far it is.
    pub progress: Progress,
    /// Where the folder was fetched from; empty: a folder of the box.
    pub origin: String,
    /// How each document wants to be named; empty: as the files say.
    pub attribution: String,
    /// The licence of each; empty: the collection's.
    pub licence: String,
    /// The language of each; empty: as the files say.
    pub language: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// It has not begun.
    Ready,
    /// It runs, or was cut off and goes on when it is run again.
    Running,
    /// It came to its end.
    Done,
}

/// How far a run is, in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// All there are.
    pub total: u32,
    /// Became documents.
    pub added: u32,
    /// Became new versions.
    pub updated: u32,
    /// Were in the library already.
    pub known: u32,
    /// Were refused.
    pub refused: u32,
}

impl Progress {
    /// Files that were looked at.
    #[must_use]
    pub fn done(&self) -> u32 {
        self.added + self.updated + self.known + self.refused
    }

    fn count(&mut self, outcome: FileOutcome) {
        *match outcome {
            FileOutcome::Added => &mut self.added,
            FileOutcome::Updated => &mut self.updated,
            FileOutcome::Known => &mut self.known,
            FileOutcome::Refused => &mut self.refused,
        } += 1;
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedFile {
    /// Its path within the folder. Of one whose document was withdrawn: a hash of it.
    pub path: String,
    /// What became of it.
    pub outcome: FileOutcome,
    /// Its document.
    pub document: Option<DocumentId>,
    /// Why it was refused, or which other it equals; may be empty.
    pub reason: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileOutcome {
    /// It became a document.
    Added,
    /// It became a new version of its document.
    Updated,
    /// The library had it already.
    Known,
    /// It was refused.
    Refused,
}

impl Library {
    /// Notes a folder or file that is to be taken in; an [`Importer`] runs it. One that is noted already can become watched
    /// by this; it ceases to be with [`Library::unwatch`].
    pub fn add_import_blocking(&self, new: NewImport, hand: &Hand) -> Result<Import, LibraryError> {
        hand.keeps_library()?;
        let new = NewImport {
            origin: line::optional("origin", &new.origin)?,
            attribution: line::optional("attribution", &new.attribution)?,
            licence: line::optional("licence", &new.licence)?,
            language: line::language(&new.language)?.unwrap_or_default(),
            ..new
        };
        let path = std::fs::canonicalize(&new.path).map_err(LibraryError::file("read", &new.path))?;
        let Some(path) = path.to_str().map(str::to_owned) else {
            let message = "its name is no Unicode text; rename it".to_owned();
            return Err(LibraryError::Invalid { field: "path", message });
        };
        let by = hand.name().map(str::to_owned);
        self.store().write_blocking(move |tx| {
            load_collection(tx, &new.collection)?;
            rows::insert(tx, &path, &new, by.as_deref())
        })
    }

    /// All that is or was taken in, the newest first.
    pub async fn imports(&self) -> Result<Vec<Import>, LibraryError> {
        self.read_rows(rows::all).await
    }

    /// One of them.
    pub async fn import(&self, id: i64) -> Result<Import, LibraryError> {
        self.read_rows(move |connection| rows::load(connection, id)).await
    }

    /// What became of its files, in order; with `refused`, only of those that were refused.
    pub async fn imported_files(&self, id: i64, refused: bool) -> Result<Vec<ImportedFile>, LibraryError> {
        self.read_rows(move |connection| rows::files(connection, id, refused)).await
    }

    /// Watches a folder no more. Its documents stay, and what became of its files stays written down: should it be taken
    /// in again, nothing comes twice and nothing that was withdrawn comes back.
    pub async fn unwatch(&self, id: i64, hand: Hand) -> Result<Import, LibraryError> {
        hand.keeps_library()?;
        self.change(move |tx| {
            tx.execute("UPDATE imports SET watched = 0 WHERE id = ?1", [id])?;
            rows::load(tx, id)
        })
        .await
    }
}
