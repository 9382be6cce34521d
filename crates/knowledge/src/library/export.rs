//! Taking everything along, in open formats: a ZIP archive with each document as Markdown and as it came, every earlier
//! version, and what is known of all of it as JSON.
//!
//! ```text
//!   README.txt
//!   library.json                       collections, documents, versions, traces
//!   documents/d-…/Clean water.md       what is read
//!   documents/d-…/version-1.md         an earlier version
//!   documents/d-…/original-2 water.pdf the file of version 2, as it came
//! ```

use std::io::Write;

use banyan_store::BlobId;
use serde::{Deserialize, Serialize};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::collection::Collection;
use super::error::LibraryError;
use super::{Library, markdown};
use crate::consent::Audience;
use crate::document::{Document, rows as documents};
use crate::extracted::Block;
use crate::version::{Version, rows as versions};
use crate::withdraw::{self, Trace};

/// What an export begins with, for people.
const README: &str = "\
This is a library that a community kept on its box, taken along in open formats.

library.json says what is known of it: collections, documents with their authors, licences and what each may be used
for, every version with who made it, when and why, and what was withdrawn. Times are seconds since 1970 (UTC).

documents/ has a folder for each document: the text that is read as Markdown, earlier versions beside it, and each file
as it came. What a text may be used for goes with it: see \"consent\" in library.json before you share it.
";

/// What is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportOf {
    /// The whole library, what waits for review too.
    Everything,
    /// What one member gave.
    Member(String),
}

/// How much was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Documents.
    pub documents: usize,
    /// Files as they came.
    pub originals: usize,
}

/// `library.json`.
#[derive(Debug, Serialize)]
struct Catalogue {
    collections: Vec<Collection>,
    documents: Vec<Entry>,
    traces: Vec<Trace>,
}

#[derive(Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    document: Document,
    folder: String,
    versions: Vec<Version>,
}

/// A document with all that is written of it.
struct Whole {
    key: i64,
    document: Document,
    versions: Vec<(Version, Vec<Block>)>,
}

impl Library {
    /// Writes an export where it can be read from the beginning to the end: a file, or whoever downloads it. Documents
    /// that are withdrawn meanwhile are left out. Waits for the disk.
    pub fn export_blocking(&self, of: &ExportOf, to: impl Write) -> Result<Exported, LibraryError> {
        let member = match of {
            ExportOf::Everything => None,
            ExportOf::Member(member) => Some(member.clone()),
        };
        let mut archive = Archive { zip: ZipWriter::new_stream(to) };
        archive.file("README.txt", README.as_bytes())?;
        let listed = member.clone();
        let ids = self.store.read_blocking(move |connection| -> Result<Vec<_>, LibraryError> {
            let rows = documents::all(connection, listed.as_deref())?;
            Ok(rows.into_iter().map(|row| row.document.id).collect())
        })?;
        let (mut entries, mut originals) = (Vec::new(), 0);
        for id in ids {
            let whole = self.store.read_blocking(move |connection| {
                let row = match documents::load(connection, &id) {
                    Err(LibraryError::NotFound { .. }) => return Ok(None),
                    other => other?,
                };
                let versions = versions::all(connection, row.key)?
                    .into_iter()
                    .map(|version| versions::load(connection, row.key, version.number));
                let versions = versions.collect::<Result<_, _>>()?;
                Ok::<_, LibraryError>(Some(Whole { key: row.key, document: row.document, versions }))
            })?;
            if let Some(whole) = whole {
                originals += self.export_document(&mut archive, &whole)?;
                let folder = folder(&whole.document);
                let versions = whole.versions.into_iter().map(|(version, _)| version).collect();
                entries.push(Entry { document: whole.document, folder, versions });
            }
        }
        let documents = entries.len();
        let catalogue = self.store.read_blocking(move |connection| -> Result<_, LibraryError> {
            let mut collections = super::collection::all(connection, Audience::Librarians)?;
            collections.retain(|one| {
                member.is_none() || entries.iter().any(|entry| entry.document.collection == one.id)
            });
            let traces = withdraw::traces(connection, member.as_deref())?;
            Ok(Catalogue { collections, documents: entries, traces })
        })?;
        archive.file("library.json", &serde_json::to_vec_pretty(&catalogue)?)?;
        archive.zip.finish().map_err(|error| LibraryError::Export(error.to_string()))?;
        Ok(Exported { documents, originals })
    }

    fn export_document<W: Write>(
        &self,
        archive: &mut Archive<W>,
        whole: &Whole,
    ) -> Result<usize, LibraryError> {
        let folder = folder(&whole.document);
        let mut originals = 0;
        for (version, blocks) in &whole.versions {
            let name = match Some(version.number) == whole.document.version {
                true => format!("{}.md", plain_name(&whole.document.title)),
                false => format!("version-{}.md", version.number),
            };
            let text = markdown::of(&whole.document, blocks);
            archive.file(&format!("{folder}/{name}"), text.as_bytes())?;
            let (key, number) = (whole.key, version.number);
            let blob =
                self.store.read_blocking(move |connection| versions::original(connection, key, number))?;
            let Some(blob) = blob else { continue };
            // Withdrawn in this moment, if it is not there.
            if let Some(bytes) = self.store.blobs().get(&BlobId::from_bytes(blob))? {
                let name = plain_name(&version.file_name);
                archive.file(&format!("{folder}/original-{number} {name}"), &bytes)?;
                originals += 1;
            }
        }
        Ok(originals)
    }
}

struct Archive<W: Write> {
    zip: ZipWriter<zip::write::StreamWriter<W>>,
}

impl<W: Write> Archive<W> {
    fn file(&mut self, name: &str, content: &[u8]) -> Result<(), LibraryError> {
        let large = content.len() >= u32::MAX as usize;
        let failed = |error: &dyn std::fmt::Display| LibraryError::Export(error.to_string());
        let options = SimpleFileOptions::default().large_file(large);
        self.zip.start_file(name, options).map_err(|error| failed(&error))?;
        self.zip.write_all(content).map_err(|error| failed(&error))
    }
}

fn folder(document: &Document) -> String {
    format!("documents/{}", document.id)
}

/// A name that every file system takes, and that leads out of no folder.
fn plain_name(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|one| if one.is_control() || "/\\:*?\"<>|".contains(one) { '-' } else { one })
        .take(80)
        .collect();
    let plain = plain.trim_matches(['.', ' ']);
    if plain.is_empty() { "document".into() } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_leads_out_of_no_folder() {
        assert_eq!(plain_name("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(plain_name(" ..."), "document");
        assert_eq!(plain_name("Maji: safi?"), "Maji- safi-");
    }
}
