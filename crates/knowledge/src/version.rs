//! Versions: who changed a document, when and why; what changed; and the way back.

pub(crate) mod diff;
mod prepared;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use banyan_store::BlobId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::diff::{Change, ChangeKind};
pub(crate) use self::prepared::Prepared;
pub use self::text::PlacedBlock;
use crate::document::{Added, Document, Original, Reader, line, refuse_known, rows as documents};
use crate::extracted::Extracted;
use crate::library::{DocumentId, Hand, Library, LibraryError, load_collection};

/// One version of a document, without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// Since when.
    pub at: i64,
    /// Who made it; none: the box itself.
    pub by: Option<String>,
    /// Why, in their words.
    pub why: String,
    /// Where it stands.
    pub state: VersionState,
    /// What its file was called; empty when there was none.
    pub file_name: String,
    /// Whether the file itself is kept.
    pub has_original: bool,
    /// What could not be read of it.
    pub warnings: Vec<String>,
    /// Of a refused one: why, in the librarian's words.
    pub refusal: Option<String>,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It is or was read.
    Accepted,
    /// A librarian looks at it first.
    Waiting,
    /// A librarian did not accept it; its words are gone.
    Refused,
}

impl VersionState {
    /// Where a new version stands.
    pub(crate) fn of_new(review: bool) -> Self {
        if review { Self::Waiting } else { Self::Accepted }
    }
}

/// New words for a document.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The words.
    pub extracted: Extracted,
    /// The file; none for what was written on the box.
    pub original: Option<Original>,
    /// Why.
    pub why: String,
    /// Whether a librarian looks at it first; what a member gives to a collection with review does in any case.
    pub review: bool,
}

/// A version to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// Of which document.
    pub document: Document,
    /// Which.
    pub version: Version,
    /// The plain text; passages are ranges of its bytes.
    pub text: String,
    /// Its parts, with the ranges where they stand in it.
    pub blocks: Vec<PlacedBlock>,
}

impl Library {
    /// Gives a document new words. What was read before stays in the history.
    pub async fn replace(
        &self,
        id: DocumentId,
        new: NewVersion,
        hand: Hand,
        now: i64,
    ) -> Result<Added, LibraryError> {
        self.on_a_thread(move |library| library.replace_blocking(&id, new, hand, now)).await
    }

    /// [`Library::replace`] where waiting is allowed.
    pub fn replace_blocking(
        &self,
        id: &DocumentId,
        new: NewVersion,
        hand: Hand,
        now: i64,
    ) -> Result<Added, LibraryError> {
        let why = line::required("why", &new.why)?;
        let review = new.review;
        let prepared = Prepared::new(new.extracted.blocks, new.extracted.warnings, new.original)?;
        let (store, id) = (self.store().clone(), id.clone());
        prepared.named_by(self, |prepared| {
            self.store().write_blocking(move |tx| {
                let row = documents::load(tx, &id)?;
                hand.may_change(row.document.contributor.as_deref())?;
                let collection = load_collection(tx, &row.document.collection)?;
                refuse_known(tx, &collection.id, &prepared.hash, Some(row.key), &hand)?;
                let state = VersionState::of_new(review || hand.is_reviewed(&collection));
                let place = rows::Place { key: row.key, id: &id };
                let new = rows::New { state, by: hand.name(), why: &why, now };
                rows::insert(&store, tx, place, &prepared, &new)
            })
        })
    }

    /// Makes an earlier version the current one again: as a new version, so the history stays true.
    pub async fn restore(
        &self,
        id: DocumentId,
        number: u32,
        why: String,
        hand: Hand,
        now: i64,
    ) -> Result<Added, LibraryError> {
        let why = line::required("why", &why)?;
        self.change(move |tx| {
            let row = documents::load(tx, &id)?;
            hand.may_change(row.document.contributor.as_deref())?;
            if row.document.version == Some(number) {
                return Err(LibraryError::WrongState(format!(
                    "version {number} is the one that is read already"
                )));
            }
            rows::copy(tx, rows::Place { key: row.key, id: &id }, number, hand.name(), &why, now)
        })
        .await
    }

    /// The versions of a document, the newest first. What waits or was refused, only librarians and the one who gave
    /// the document see.
    pub async fn history(
        &self,
        id: DocumentId,
        reader: impl Into<Reader>,
    ) -> Result<Vec<Version>, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| {
            let row = documents::seen(connection, &id, &reader)?;
            let mut versions = rows::all(connection, row.key)?;
            if !documents::sees_all(&row, &reader) {
                versions.retain(|version| version.state == VersionState::Accepted);
            }
            Ok(versions)
        })
        .await
    }

    /// The words of a version; of the current one when none is named.
    pub async fn read(
        &self,
        id: DocumentId,
        number: Option<u32>,
        reader: impl Into<Reader>,
    ) -> Result<Reading, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| {
            let (document, version, blocks) = rows::seen(connection, &id, number, &reader)?;
            let (text, blocks) = (text::plain(&blocks), text::placed(blocks));
            Ok(Reading { document, version, text, blocks })
        })
        .await
    }

    /// What changed from one version to another.
    pub async fn diff(
        &self,
        id: DocumentId,
        from: u32,
        to: u32,
        reader: impl Into<Reader>,
    ) -> Result<Vec<Change>, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| {
            let (_, _, before) = rows::seen(connection, &id, Some(from), &reader)?;
            let (_, _, after) = rows::seen(connection, &id, Some(to), &reader)?;
            Ok(diff::changes(&before, &after))
        })
        .await
    }

    /// The file of a version as it came, with its name; none where none is kept.
    pub async fn original(
        &self,
        id: DocumentId,
        number: Option<u32>,
        reader: impl Into<Reader>,
    ) -> Result<Option<(String, Vec<u8>)>, LibraryError> {
        let reader = reader.into();
        let found = self
            .read_rows(move |connection| {
                let (document, version, _) = rows::seen(connection, &id, number, &reader)?;
                let row = documents::load(connection, &document.id)?;
                Ok((version.file_name, rows::original(connection, row.key, version.number)?))
            })
            .await?;
        let (name, Some(blob)) = found else { return Ok(None) };
        self.on_a_thread(move |library| {
            Ok(library.store().blobs().get(&BlobId::from_bytes(blob))?.map(|bytes| (name, bytes)))
        })
        .await
    }
}
