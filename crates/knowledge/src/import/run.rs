//! The run of an import, file by file; and the one file that somebody uploads.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::walk::{self, Found};
use super::{Extract, FileOutcome, Import, ImportState, ImportedFile, Progress, rows};
use crate::document::{
    Added, NewDocument, Original, line, refuse_known, refuse_withdrawn, rows as documents,
};
use crate::extracted::Extracted;
use crate::library::{DocumentId, Hand, Library, LibraryError, record};
use crate::version::NewVersion;
use crate::withdraw;

/// Nanoseconds since a file was last written, before a watched folder takes it: while it is being copied it is written
/// again and again. What is too fresh comes with the next run.
const SETTLED: u64 = 5_000_000_000;

/// Takes files in. Cheap to clone. Its methods wait for the disk and for the extractor: call them where waiting is
/// allowed.
#[derive(Clone)]
pub struct Importer {
    library: Library,
    extract: Arc<dyn Extract>,
}

/// A file that somebody gives in person.
#[derive(Debug, Clone)]
pub struct Upload<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// What they call it.
    pub name: &'a str,
    /// All that is said of it; its words and the file are put in.
    pub about: NewDocument,
    /// The document whose next version it becomes, and why; then of `about` only the review counts.
    pub replaces: Option<(DocumentId, String)>,
}

impl Importer {
    /// Takes files into this library, with the words that this extractor finds in them.
    #[must_use]
    pub fn new(library: Library, extract: Arc<dyn Extract>) -> Self {
        Self { library, extract }
    }

    /// Takes in a file that somebody gives. The reason for a refusal is in the extractor's words.
    pub fn upload(&self, upload: Upload<'_>, hand: Hand, now: i64) -> Result<Added, LibraryError> {
        let Upload { path, name, about, replaces } = upload;
        let mut original = Original::of_file(path)?;
        original.name = line::cut(name);
        let (wanted, hash, giver) = (about.collection.clone(), original.hash, hand.clone());
        let before = replaces.as_ref().map(|(document, _)| document.clone());
        // Before the extractor works on it for nothing.
        let library = &self.library;
        library.store().read_blocking(move |connection| {
            let row = before.map(|document| documents::load(connection, &document)).transpose()?;
            if let Some(row) = &row {
                giver.may_change(row.document.contributor.as_deref())?;
            }
            let collection = row.as_ref().map_or(wanted, |row| row.document.collection.clone());
            refuse_known(connection, &collection, &hash, row.map(|row| row.key), &giver)
        })?;
        let extracted = self.words(path, name)?;
        let original = Some(original);
        match replaces {
            Some((document, why)) => {
                let new = NewVersion { extracted, original, why, review: about.review };
                library.replace_blocking(&document, new, hand, now)
            }
            None => {
                let new = NewDocument { extracted, original, source: name.to_owned(), ..about };
                library.add_blocking(new, hand, now)
            }
        }
    }

    fn words(&self, path: &Path, name: &str) -> Result<Extracted, LibraryError> {
        let words = self.extract.extract(path, name);
        words.map_err(|message| LibraryError::Invalid { field: "file", message })
    }

    /// Runs an import to its end, or until `stop` says so; then the next run goes on. `retry` looks again at what was
    /// refused before. Fails only where the store or the folder does. Where nothing has changed since the last run,
    /// nothing is written: a watched folder is looked at every minute, mostly on flash memory.
    pub fn run(
        &self,
        id: i64,
        retry: bool,
        clock: &dyn Fn() -> i64,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(&Progress, &str),
    ) -> Result<Import, LibraryError> {
        let store = self.library.store();
        let import = store.read_blocking(move |connection| rows::load(connection, id))?;
        let started = clock();
        let mut found = walk::files(Path::new(&import.path))?;
        if import.watched {
            let now = started.saturating_mul(1_000_000_000);
            found.retain(|file| file.modified.abs_diff(now) > SETTLED);
        }
        let total = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let mut progress = Progress { total, ..Progress::default() };
        let mut seen = store.read_blocking(move |connection| rows::seen(connection, id))?;
        let mut left = Vec::new();
        for file in found {
            let before = seen.remove(&file.name).or_else(|| seen.remove(&rows::hidden(&file.name)));
            let refused = before.as_ref().is_some_and(|before| before.file.outcome == FileOutcome::Refused);
            match before {
                Some(before) if before.is_of(&file) && !(retry && refused) => {
                    progress.count(if refused { FileOutcome::Refused } else { FileOutcome::Known });
                }
                before => left.push((file, before.and_then(|before| before.file.document))),
            }
        }
        if left.is_empty() && import.state == ImportState::Done {
            return Ok(Import { progress, ..import });
        }
        self.keep(id, started, progress, None)?;
        for (file, document) in left {
            if stop() {
                return store.read_blocking(move |connection| rows::load(connection, id));
            }
            report(&progress, &file.name);
            let result = self.take(&import, &file, document, clock())?;
            progress.count(result.outcome);
            let seen = rows::Seen { size: file.size, modified: file.modified, file: result };
            self.keep(id, started, progress, Some(seen))?;
        }
        self.end(&import, started, clock(), progress)?;
        report(&progress, "");
        store.read_blocking(move |connection| rows::load(connection, id))
    }

    /// Takes one file. What is wrong with the file is its outcome; what is wrong with the store is an error.
    fn take(
        &self,
        import: &Import,
        file: &Found,
        document: Option<DocumentId>,
        now: i64,
    ) -> Result<ImportedFile, LibraryError> {
        let told =
            |outcome, document, reason| ImportedFile { path: file.name.clone(), outcome, document, reason };
        match self.take_in(import, file, document.clone(), now) {
            Ok((outcome, document)) => Ok(told(outcome, Some(document), String::new())),
            Err(LibraryError::Known { document: known, .. }) => {
                // Not its title: that goes when it is withdrawn, and this line stays.
                let reason = format!("the library has it already, as {known}");
                let own = self.is_from(&known, &source_of(import, file))?;
                Ok(told(FileOutcome::Known, own.then_some(known), reason))
            }
            Err(error @ (LibraryError::Store(_) | LibraryError::Stopped)) => Err(error),
            Err(LibraryError::NotFound { what: "collection", name }) => {
                Err(LibraryError::NotFound { what: "collection", name })
            }
            Err(LibraryError::Invalid { field: "file", message }) => {
                Ok(told(FileOutcome::Refused, document, message))
            }
            Err(error) => Ok(told(FileOutcome::Refused, document, error.to_string())),
        }
    }

    fn take_in(
        &self,
        import: &Import,
        file: &Found,
        document: Option<DocumentId>,
        now: i64,
    ) -> Result<(FileOutcome, DocumentId), LibraryError> {
        let original = Original::of_file(&file.path)?;
        let (collection, hash) = (import.collection.clone(), original.hash);
        let existing = self.library.store().read_blocking(move |connection| {
            refuse_withdrawn(connection, &collection, &hash)?;
            let row = match document.map(|id| documents::load(connection, &id).map_err(|error| (id, error))) {
                Some(Ok(row)) => Some(row),
                // A document that was withdrawn does not come back by itself, whatever its file says by now.
                Some(Err((id, LibraryError::NotFound { .. }))) => match withdraw::trace(connection, &id)? {
                    Some(trace) => return Err(LibraryError::WasWithdrawn { why: trace.why }),
                    None => None,
                },
                Some(Err((_, error))) => return Err(error),
                None => None,
            };
            refuse_known(connection, &collection, &hash, row.as_ref().map(|row| row.key), &Hand::Box)?;
            Ok(row.map(|row| row.document.id))
        })?;
        let extracted = self.words(&file.path, &file.name)?;
        if !file.is_unchanged() {
            let message = "it was changed while it was read; the next run takes it in".to_owned();
            return Err(LibraryError::Invalid { field: "file", message });
        }
        match existing {
            Some(id) => {
                let why = "the file changed".to_owned();
                let new = NewVersion { extracted, original: Some(original), why, review: false };
                self.library.replace_blocking(&id, new, Hand::Box, now)?;
                Ok((FileOutcome::Updated, id))
            }
            None => {
                let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
                let new = NewDocument {
                    original: Some(original),
                    attribution: said(&import.attribution),
                    licence: said(&import.licence),
                    language: said(&import.language),
                    ..NewDocument::new(import.collection.clone(), &source_of(import, file), extracted)
                };
                let added = self.library.add_blocking(new, Hand::Box, now)?;
                Ok((FileOutcome::Added, added.document))
            }
        }
    }

    /// Whether a document came from this very file: then a run was cut off between taking it in and noting it.
    fn is_from(&self, id: &DocumentId, source: &str) -> Result<bool, LibraryError> {
        let (id, source) = (id.clone(), line::cut(source));
        self.library.store().read_blocking(move |connection| match documents::load(connection, &id) {
            Ok(row) => Ok(row.document.source == source),
            Err(LibraryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// Keeps how far a run is, with what became of a file.
    fn keep(
        &self,
        id: i64,
        started: i64,
        progress: Progress,
        seen: Option<rows::Seen>,
    ) -> Result<(), LibraryError> {
        self.library.store().write_blocking(move |tx| {
            rows::load(tx, id)?;
            if let Some(seen) = seen {
                rows::note(tx, id, &seen)?;
            }
            rows::progress(tx, id, started, None, &progress)
        })
    }

    /// Keeps that a run came to its end. What it brought is entered in the ledger, in numbers.
    fn end(&self, import: &Import, started: i64, ended: i64, progress: Progress) -> Result<(), LibraryError> {
        let (id, record, collection) = (import.id, self.library.record(), import.collection.clone());
        self.library.store().write_blocking(move |tx| {
            rows::progress(tx, id, started, Some(ended), &progress)?;
            if progress.added + progress.updated == 0 {
                return Ok(());
            }
            let what = json!({
                "collection": collection,
                "added": progress.added,
                "updated": progress.updated,
                "by": record::by(&Hand::Box),
            });
            record.note(tx, ended, record::IMPORTED, &what)
        })
    }
}

impl std::fmt::Debug for Importer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer").field("library", &self.library).finish_non_exhaustive()
    }
}

/// Where a file came from, as its document says it.
fn source_of(import: &Import, file: &Found) -> String {
    format!("{}{}", import.origin, file.name)
}

impl rows::Seen {
    /// Whether the file is as it was when it was looked at.
    fn is_of(&self, file: &Found) -> bool {
        self.size == file.size && self.modified == file.modified
    }
}
