//! Texts by what they may be used for, with their vectors: what training sets and exports to others are made of.

use banyan_store::rusqlite::params;

use super::vector;
use crate::consent::Use;
use crate::library::{CollectionId, DocumentId, Library, LibraryError, columns};

/// The most texts at once.
const MOST: usize = 1_000;

/// A text that may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// The passage; where the next page begins.
    pub passage: i64,
    /// Its document.
    pub document: DocumentId,
    /// Of this version.
    pub version: u32,
    /// On which shelf.
    pub collection: CollectionId,
    /// Of the document.
    pub title: String,
    /// The headings above it.
    pub heading: String,
    /// Its words.
    pub text: String,
    /// Whom to thank.
    pub attribution: String,
    /// Under which licence.
    pub licence: String,
    /// BCP 47, where known.
    pub language: Option<String>,
    /// Its vector, if a model was asked for and has one.
    pub vector: Option<Vec<f32>>,
}

impl Library {
    /// The passages that may be used like this after `after`, in the order in which they came in, whoever may read them:
    /// at most `limit`, and never more than a thousand. With the vectors of an embedding model where one is named.
    pub async fn texts_for(
        &self,
        wanted: Use,
        embedder: Option<String>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Text>, LibraryError> {
        let limit = i64::try_from(limit.min(MOST)).unwrap_or(0);
        self.read_rows(move |connection| {
            let sql = "SELECT p.id, d.id, p.version, d.collection, d.title, p.heading, p.text, d.attribution, d.licence, \
                       d.language, (SELECT v.vector FROM search_vectors v JOIN search_embedders e ON e.id = v.embedder \
                       WHERE v.passage = p.id AND e.name = ?3) \
                       FROM passages p JOIN documents d ON d.key = p.document \
                       WHERE p.id > ?1 AND d.allowed & ?2 != 0 AND d.current = p.version ORDER BY p.id LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![after, columns::use_bit(wanted), embedder, limit], |row| {
                let vector: Option<Vec<u8>> = row.get(10)?;
                let floats = |bytes: Vec<u8>| {
                    vector::parts(&bytes)
                        .map(|(scale, values)| values.map(|value| scale * f32::from(value)).collect())
                };
                Ok(Text {
                    passage: row.get(0)?,
                    document: row.get(1)?,
                    version: row.get(2)?,
                    collection: row.get(3)?,
                    title: row.get(4)?,
                    heading: row.get(5)?,
                    text: row.get(6)?,
                    attribution: row.get(7)?,
                    licence: row.get(8)?,
                    language: row.get(9)?,
                    vector: vector.and_then(floats),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
