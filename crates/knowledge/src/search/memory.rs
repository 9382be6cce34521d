//! What is held in memory of the index: for each passage its document, its length and the code of its vector; for each
//! document who may find it and for what. Scans run over these columns; the words come from the index, the vectors for
//! the last comparison from their rows.
//!
//! It follows the database: each search first takes in what the log of changes has. It may be ahead of a reader's
//! moment, or a document may go while a search runs; therefore every hit is read back (see [`super::hits`]).

mod follow;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use banyan_store::rusqlite::{self, Connection};

use super::fold::Folding;
use super::near::Near;
use super::terms::Terms;
use crate::library::{LibraryError, columns};
use crate::query::Query;

pub(super) use self::follow::latest;

/// The document of places that have none any more.
const NOBODY: u32 = 0;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last change that was taken in; none before the first look.
    seen: Option<i64>,
    /// The passages' numbers, ascending. A place in these columns is never given to another passage.
    ids: Vec<i64>,
    document: Vec<u32>,
    words: Vec<u16>,
    documents: Vec<Document>,
    by_key: HashMap<i64, u32>,
    /// Names, so that documents need a number only.
    collections: Vec<String>,
    languages: Vec<Option<String>>,
    /// Passages that are there, and all their words.
    alive: usize,
    length: u64,
    /// Decoded postings of words that were asked for.
    pub(super) terms: Mutex<Terms>,
    /// Vectors of one embedding model.
    pub(super) near: Option<Near>,
}

/// A document, by what decides on whether it is looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Document {
    allowed: i64,
    audience: i64,
    collection: usize,
    language: usize,
    /// Where its passages are.
    first: u32,
    count: u32,
}

/// Which documents a query may look at, by their numbers here.
pub(super) struct Eligible(Vec<bool>);

impl Memory {
    /// Passages, with those that are gone.
    pub(super) fn places(&self) -> usize {
        self.ids.len()
    }

    /// Passages that are there.
    pub(super) fn alive(&self) -> usize {
        self.alive
    }

    /// The last change that is in here.
    pub(super) fn seen(&self) -> Option<i64> {
        self.seen
    }

    /// Words of a passage on average.
    pub(super) fn average(&self) -> f32 {
        if self.alive == 0 { 1.0 } else { (self.length as f32 / self.alive as f32).max(1.0) }
    }

    /// The words of a passage.
    pub(super) fn words(&self, place: u32) -> f32 {
        self.words.get(place as usize).map_or(1.0, |words| f32::from(*words))
    }

    /// A passage's number.
    pub(super) fn id(&self, place: u32) -> Option<i64> {
        self.ids.get(place as usize).copied()
    }

    /// A passage's document, as a number that is good for telling documents apart.
    pub(super) fn document_of(&self, place: u32) -> u32 {
        self.document.get(place as usize).copied().unwrap_or(NOBODY)
    }

    /// Where a passage is, looked for from `from` on.
    pub(super) fn place(&self, id: i64, from: u32) -> Option<u32> {
        let rest = self.ids.get(from as usize..)?;
        // Postings come in the order of their numbers: mostly the next one or one that is near.
        let mut step = 1;
        while rest.get(step).is_some_and(|other| *other < id) {
            step *= 2;
        }
        let window = rest.get(..(step + 1).min(rest.len()))?;
        window.binary_search(&id).ok().and_then(|at| u32::try_from(at).ok()).map(|at| from + at)
    }

    /// In which ways documents are folded.
    pub(super) fn foldings(&self) -> Vec<Folding> {
        let mut foldings = Vec::new();
        for language in &self.languages {
            let folding = Folding::of(language.as_deref());
            if !foldings.contains(&folding) {
                foldings.push(folding);
            }
        }
        foldings
    }

    /// The documents that this query may look at.
    pub(super) fn eligible(&self, query: &Query) -> Eligible {
        let wanted = columns::use_bit(query.r#use);
        let audience = columns::audience_rank(query.reader.audience);
        let collections: Option<BTreeSet<&str>> =
            query.collections.as_ref().map(|names| names.iter().map(crate::CollectionId::as_str).collect());
        let collections: Vec<bool> = self
            .collections
            .iter()
            .map(|name| collections.as_ref().is_none_or(|names| names.contains(name.as_str())))
            .collect();
        let languages: Vec<bool> = self
            .languages
            .iter()
            .map(|language| match (language, &query.languages) {
                (Some(language), Some(names)) => names.iter().any(|name| is_of(language, name)),
                _ => true,
            })
            .collect();
        let may = |document: &Document| {
            document.allowed & wanted != 0
                && document.audience <= audience
                && collections.get(document.collection).copied().unwrap_or(false)
                && languages.get(document.language).copied().unwrap_or(false)
        };
        let mut eligible: Vec<bool> = self.documents.iter().map(may).collect();
        if let Some(nobody) = eligible.get_mut(NOBODY as usize) {
            *nobody = false;
        }
        Eligible(eligible)
    }

    /// Whether a passage is there and may be looked at.
    pub(super) fn may(&self, eligible: &Eligible, place: u32) -> bool {
        eligible.0.get(self.document_of(place) as usize).copied().unwrap_or(false)
    }

    /// The same for all passages, in their order.
    pub(super) fn each_may<'m>(&'m self, eligible: &'m Eligible) -> impl Iterator<Item = bool> + 'm {
        self.document.iter().map(|document| eligible.0.get(*document as usize).copied().unwrap_or(false))
    }

    /// Makes sure that the vectors of this model are here; without it when the model is new.
    pub(super) fn load_near(&mut self, connection: &Connection, embedder: &str) -> Result<(), LibraryError> {
        if self.near.as_ref().is_none_or(|near| near.name() != embedder) {
            self.near = Some(Near::load(connection, embedder, &self.ids)?);
        }
        Ok(())
    }
}

/// Whether a language is the one that is asked for: "pt-BR" is "pt", but "pt" is not "pt-BR".
pub(super) fn is_of(language: &str, asked: &str) -> bool {
    let language = language.to_ascii_lowercase();
    let asked = asked.to_ascii_lowercase();
    language.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Reads all rows of a statement.
fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(values, read)?.collect()
}
