//! What is told of archives and their articles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::library::CollectionId;
use crate::version::PlacedBlock;

/// An archive that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZimArchive {
    /// Which: `z-` and ten letters or digits. The same edition has the same on every box.
    pub id: String,
    /// Whose rights it has.
    pub collection: CollectionId,
    /// What it is called.
    pub title: String,
    /// What is in it, in its own words; may be empty.
    pub description: String,
    /// Whom to thank.
    pub attribution: String,
    /// Its licence as it says, else that of its collection.
    pub licence: String,
    /// The day it was made, as it says; may be empty.
    pub date: String,
    /// Its first language (BCP 47); none where it does not say.
    pub language: Option<String>,
    /// All its languages.
    pub languages: Vec<String>,
    /// Articles; 0 before they were counted.
    pub articles: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Where it lies.
    pub path: String,
    /// Who added it; none: a steward's command.
    pub by: Option<String>,
    /// Since when it is here.
    pub added: i64,
    /// Whether it can be read, and how much of it is found.
    pub state: ZimState,
}

/// Whether an archive can be read, and how much of it is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ZimState {
    /// Every article is found by its words.
    Ready,
    /// Titles are found, and words while they come in.
    Indexing {
        /// Articles that are found by their words.
        done: u64,
        /// Articles; 0 while titles are being read.
        total: u64,
    },
    /// The index has the size that it may have: all that is not found by words is found by its title.
    Bounded {
        /// Articles that are found by their words.
        done: u64,
        /// Articles.
        total: u64,
    },
    /// It cannot be read now.
    Missing {
        /// Why, and what to do.
        reason: String,
    },
}

/// How far an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZimProgress {
    /// Articles that are found by their words.
    pub done: u64,
    /// Articles; 0 while titles are being read.
    pub total: u64,
}

/// An article to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZimArticle {
    /// Of which archive.
    pub zim: String,
    /// What that is called.
    pub zim_title: String,
    /// Its path there, where redirects end.
    pub path: String,
    /// Its title.
    pub title: String,
    /// On which shelf.
    pub collection: CollectionId,
    /// What that shelf is called.
    pub collection_name: String,
    /// Whom to thank.
    pub attribution: String,
    /// Under which licence.
    pub licence: String,
    /// Its language (BCP 47), where known.
    pub language: Option<String>,
    /// The plain text; passages are ranges of its bytes.
    pub text: String,
    /// Its parts, with the ranges where they stand in it.
    pub blocks: Vec<PlacedBlock>,
}

/// An article in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZimTitle {
    /// What it is called.
    pub title: String,
    /// Its path.
    pub path: String,
}
