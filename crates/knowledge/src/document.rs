//! Documents: what is known of each, who may see it, and how one comes in.

mod add;
pub(crate) mod line;
pub(crate) mod passage;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::add::{Added, NewDocument, Original};
pub(crate) use self::add::{refuse_known, refuse_withdrawn};
pub use self::passage::Passage;
use crate::consent::{Audience, Consent};
use crate::document::rows::Row;
use crate::library::{CollectionId, DocumentId, Hand, Library, LibraryError};

/// Documents that are listed at once.
pub const MAX_PAGE: u32 = 200;

/// A document, without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// Which.
    pub id: DocumentId,
    /// Where it stands.
    pub collection: CollectionId,
    /// What it is called.
    pub title: String,
    /// Who wrote it; may be empty.
    pub author: String,
    /// How it wants to be named when it is cited; may be empty.
    pub attribution: String,
    /// Its licence (an SPDX expression, or words).
    pub licence: String,
    /// Its language (BCP 47), where it is known.
    pub language: Option<String>,
    /// What it may be used for.
    pub consent: Consent,
    /// The member that gave it.
    pub contributor: Option<String>,
    /// Where it came from: a file's name, an address.
    pub source: String,
    /// Whether it is read already.
    pub state: DocumentState,
    /// The version that is read.
    pub version: Option<u32>,
    /// Since when it is here.
    pub created: i64,
    /// When it was last changed.
    pub updated: i64,
}

/// Whether a document is read. What was withdrawn is no document any more: see [`Trace`](crate::Trace).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// A librarian looks at it first.
    WaitingReview,
    /// Whoever the collection is open to reads it.
    Published,
}

/// Who reads. A member sees what they gave themselves in any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// What they are.
    pub audience: Audience,
    /// Which member they are.
    pub member: Option<String>,
}

impl From<Audience> for Reader {
    fn from(audience: Audience) -> Self {
        Self { audience, member: None }
    }
}

/// Which documents are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listing {
    /// Only of this collection.
    pub collection: Option<CollectionId>,
    /// Only with these words in the title or the author's name.
    pub contains: Option<String>,
    /// What was changed last comes first, instead of by title.
    pub newest: bool,
    /// How many to leave out at the beginning.
    pub skip: u32,
    /// How many at most; 0 is [`MAX_PAGE`].
    pub limit: u32,
}

/// What of a document is changed; absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentEdit {
    /// Another collection.
    pub collection: Option<CollectionId>,
    /// Another title.
    pub title: Option<String>,
    /// Another author.
    pub author: Option<String>,
    /// Another attribution.
    pub attribution: Option<String>,
    /// Another licence.
    pub licence: Option<String>,
    /// Another language.
    pub language: Option<String>,
    /// Other uses. They hold from this moment on, for every search and every export.
    pub consent: Option<Consent>,
}

impl Library {
    /// A document, for whoever may see it.
    pub async fn document(
        &self,
        id: DocumentId,
        reader: impl Into<Reader>,
    ) -> Result<Document, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| Ok(rows::seen(connection, &id, &reader)?.document)).await
    }

    /// The documents that a reader sees.
    pub async fn documents(
        &self,
        listing: Listing,
        reader: impl Into<Reader>,
    ) -> Result<Vec<Document>, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| rows::list(connection, &listing, &reader)).await
    }

    /// Changes what is known of a document. A member changes what they gave, but moves it to no other collection, which
    /// could be open to more. A librarian narrows what a member's document may be used for; only the member widens it.
    pub async fn edit(
        &self,
        id: DocumentId,
        edit: DocumentEdit,
        hand: Hand,
        now: i64,
    ) -> Result<Document, LibraryError> {
        self.change(move |tx| {
            let Row { key, document: before, .. } = rows::load(tx, &id)?;
            hand.may_change(before.contributor.as_deref())?;
            if edit.collection.as_ref().is_some_and(|wanted| *wanted != before.collection) {
                hand.keeps_library()?;
            }
            let after = edited(before.clone(), edit)?;
            if !hand.is(before.contributor.as_deref()) && !after.consent.is_within(&before.consent) {
                return Err(LibraryError::NotTheirs);
            }
            let found_by = |document: &Document| {
                (document.title.clone(), document.author.clone(), document.language.clone())
            };
            if found_by(&before) == found_by(&after) {
                rows::update(tx, key, &after, now)?;
            } else {
                passage::index_again(tx, &id, || rows::update(tx, key, &after, now))?;
            }
            Ok(rows::load(tx, &id)?.document)
        })
        .await
    }
}

fn edited(mut document: Document, edit: DocumentEdit) -> Result<Document, LibraryError> {
    if let Some(collection) = edit.collection {
        document.collection = collection;
    }
    if let Some(title) = edit.title {
        document.title = line::required("title", &title)?;
    }
    if let Some(author) = edit.author {
        document.author = line::optional("author", &author)?;
    }
    if let Some(attribution) = edit.attribution {
        document.attribution = line::optional("attribution", &attribution)?;
    }
    if let Some(licence) = edit.licence {
        document.licence = line::required("licence", &licence)?;
    }
    if let Some(language) = edit.language {
        document.language = line::language(&language)?;
    }
    if let Some(consent) = edit.consent {
        document.consent = consent;
    }
    Ok(document)
}
