//! Search: passages by their words and by their meaning, of those that the reader may find and the use allows.
//!
//! ```text
//!  question ─┬─ fold ──▶ postings of its words (FTS5) ──▶ BM25 ────────────────────┐
//!            ├─ embed ─▶ binary codes in memory, then int8 vectors ──▶ cosine ─────┼─▶ fuse ─▶ read back ─▶ hits
//!            └─ shelves (ZIM archives) ────────────────────────────────────────────┘
//! ```
//!
//! What is held in memory (`memory`) follows the database by a log of changes, and is never believed: every hit is read
//! back from the database under the same filters, in the transaction in which it was looked for.
//!
//! Refuses: a language for questions. There is no operator in what is asked, so no text is a wrong question.

mod embed;
pub(crate) mod fold;
mod fuse;
mod hits;
mod index;
mod look;
mod memory;
mod near;
mod rerank;
mod terms;
#[cfg(test)]
mod tests;
mod texts;
mod vector;
mod words;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use banyan_store::Room;

pub(crate) use self::index::{forget, index, index_missing};
use self::look::Looker;
pub use self::texts::Text;
use crate::embedder::{Embedder, Reranker};
use crate::hit::{Hit, How, Results, Shelf};
use crate::library::{Library, LibraryError};
use crate::query::{MAX_HITS, Query};
use crate::zim::near::Vectors;

/// The tables of the index, the vectors and the log of changes. Comes after [`ROOM_LIBRARY`](crate::ROOM_LIBRARY), whose
/// tables it watches.
pub const ROOM_SEARCH: Room = Room { name: "search", steps: &[include_str!("schema/search_1.sql")] };

/// How long a search should wait for the question's vector. A small model needs some 10 ms; behind an answer that is being
/// generated it may wait for a step of that. Longer than this, and words alone are the better answer.
pub const PATIENCE: Duration = Duration::from_millis(250);

/// How many of the best are re-ranked: each takes a cross-encoder some milliseconds.
const RERANKED: usize = 20;

/// What a library needs to be searched; shared by all its clones.
#[derive(Clone, Default)]
pub(crate) struct Search {
    looker: Arc<Looker>,
    shelves: Vec<Arc<dyn Shelf>>,
    /// Vectors of what was found on them.
    on_shelves: Arc<Vectors>,
    reranker: Option<Arc<dyn Reranker>>,
    /// Searches that go without it, since it was too slow.
    rest: Arc<AtomicU32>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("shelves", &self.shelves.len()).finish_non_exhaustive()
    }
}

impl Library {
    /// The same library with one more shelf, whose passages are found beside its own.
    #[must_use]
    pub fn with_shelf(mut self, shelf: Arc<dyn Shelf>) -> Self {
        self.search.shelves.push(shelf);
        self
    }

    /// The same library with a model that reads question and passage together and puts the best in order.
    #[must_use]
    pub fn with_reranker(mut self, reranker: Arc<dyn Reranker>) -> Self {
        self.search.reranker = Some(reranker);
        self
    }

    /// Finds passages: by words, and by meaning if the embedder answers within `patience`. [`Results::how`] says which it
    /// was.
    pub async fn search(
        &self,
        query: &Query,
        embedder: Option<&dyn Embedder>,
        patience: Duration,
    ) -> Result<Results, LibraryError> {
        let until = Instant::now() + patience;
        let limit = query.limit.min(MAX_HITS);
        // Begun first, since archives are read from the disk.
        let shelves = self.ask_shelves(query);
        let vector = match embedder {
            Some(embedder) => self.search.looker.vector(embedder, &query.text, patience).await,
            None => None,
        };
        let how = if vector.is_some() { How::WordsAndMeaning } else { How::Words };
        let (looker, asked) = (self.search.looker.clone(), query.clone());
        let most = if self.search.reranker.is_some() { limit.max(RERANKED) } else { limit };
        let question = vector.as_ref().map(|question| question.vector.clone());
        let mut hits =
            self.read_rows(move |connection| looker.look(connection, &asked, vector.as_ref(), most)).await?;
        let worth: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        let mut shelved = shelved(query, shelves, &worth).await;
        if let (Some(embedder), Some(question)) = (embedder, question) {
            self.search.on_shelves.measure(embedder, &question, &mut shelved, until).await;
            fuse::by_meaning_too(&mut shelved);
        }
        hits.extend(shelved);
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(reranker) = &self.search.reranker {
            hits = rerank::rerank(reranker.as_ref(), &self.search.rest, &query.text, hits, until).await;
        }
        hits = fuse::spread(hits, look::most_of_a_document(limit), |hit| look::document(&hit.place));
        hits.truncate(limit);
        Ok(Results { hits, how })
    }

    /// Reads what searches need into memory, so that the first one is as fast as the others.
    pub async fn warm_up(&self, embedder: Option<String>) -> Result<(), LibraryError> {
        let looker = self.search.looker.clone();
        self.read_rows(move |connection| looker.current(connection, embedder.as_deref()).map(|_| ())).await
    }

    fn ask_shelves(&self, query: &Query) -> Vec<tokio::task::JoinHandle<Result<Vec<Hit>, LibraryError>>> {
        let ask = |shelf: &Arc<dyn Shelf>| {
            let (shelf, query) = (shelf.clone(), query.clone());
            tokio::task::spawn_blocking(move || shelf.search(&query))
        };
        self.search.shelves.iter().map(ask).collect()
    }
}

/// What the shelves found. One that cannot be read is left out: the library's own passages do not depend on it.
async fn shelved(
    query: &Query,
    shelves: Vec<tokio::task::JoinHandle<Result<Vec<Hit>, LibraryError>>>,
    own: &[f32],
) -> Vec<Hit> {
    let mut all = Vec::new();
    for shelf in shelves {
        match shelf.await {
            Ok(Ok(hits)) => {
                let asked_for = hits.into_iter().filter(|hit| hits::asked_for(query, hit));
                all.extend(
                    (1..).zip(asked_for).map(|(rank, hit)| Hit { score: fuse::of_shelf(rank, own), ..hit }),
                );
            }
            Ok(Err(error)) => tracing::warn!(%error, "an archive was not searched"),
            Err(error) => tracing::warn!(%error, "the search of an archive stopped; this is worth a report"),
        }
    }
    all
}
