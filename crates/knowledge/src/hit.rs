//! What a search finds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::library::{CollectionId, DocumentId, LibraryError};
use crate::query::Query;

/// What a search found, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Results {
    /// The passages.
    pub hits: Vec<Hit>,
    /// By what they were found.
    pub how: How,
}

/// By what passages were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By words and by meaning.
    WordsAndMeaning,
    /// By words alone: the embedding model did not answer in time, or there is none.
    Words,
}

/// One passage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// Where it stands.
    pub place: Place,
    /// Of its document.
    pub title: String,
    /// On which shelf.
    pub collection: CollectionId,
    /// What that shelf is called.
    pub collection_name: String,
    /// The headings above it, " › " between levels.
    pub heading: String,
    /// Its page, where the document has pages.
    pub page: Option<u32>,
    /// Its words.
    pub text: String,
    /// Whom to thank.
    pub attribution: String,
    /// Under which licence.
    pub licence: String,
    /// BCP 47, where known.
    pub language: Option<String>,
    /// The higher, the better; comparable within one search only.
    pub score: f32,
    /// Its place among those found by words, 1 being the first.
    pub by_words: Option<u32>,
    /// Its place among those found by meaning.
    pub by_meaning: Option<u32>,
    /// Cosine of question and passage, where it was computed.
    pub nearness: Option<f32>,
}

/// Where a passage stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// In a document of the community. `start` and `end` are bytes of that version's plain text.
    Document {
        /// The passage's row; never given twice.
        passage: i64,
        /// Its document.
        document: DocumentId,
        /// Of this version.
        version: u32,
        /// From this byte.
        start: usize,
        /// To before this one.
        end: usize,
    },
    /// In an article of a ZIM archive. `start` and `end` are bytes of the article's plain text.
    Article {
        /// Which archive.
        zim: String,
        /// The article's path in it.
        path: String,
        /// From this byte.
        start: usize,
        /// To before this one.
        end: usize,
    },
}

/// Something beside the community's own documents that can be searched: ZIM archives.
pub trait Shelf: Send + Sync {
    /// Passages for this query, the best first, under the query's filters.
    ///
    /// # Errors
    ///
    /// What could not be read.
    fn search(&self, query: &Query) -> Result<Vec<Hit>, LibraryError>;
}
