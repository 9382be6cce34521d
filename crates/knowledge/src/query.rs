//! What is looked for, on whose behalf, and for what use.

use crate::consent::Use;
use crate::document::Reader;
use crate::library::CollectionId;

/// The most passages of one search.
pub const MAX_HITS: usize = 50;

/// A search. What the reader may not find, or the use does not allow, is not looked at: the filters are part of the
/// query, not of what is done with its results.
#[derive(Debug, Clone)]
pub struct Query {
    /// What is looked for, in the reader's words.
    pub text: String,
    /// For what the passages are used.
    pub r#use: Use,
    /// On whose behalf.
    pub reader: Reader,
    /// Only these collections; absent: all.
    pub collections: Option<Vec<CollectionId>>,
    /// Only these languages (BCP 47); absent: all. A document without a known language belongs to each.
    pub languages: Option<Vec<String>>,
    /// So many passages, at most [`MAX_HITS`].
    pub limit: usize,
}
