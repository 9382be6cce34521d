//! One search within one moment of the database.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use banyan_store::rusqlite::Connection;

use super::memory::{Memory, latest};
use super::terms::Reading;
use super::{fold, fuse, hits, words};
use crate::embedder::Embedder;
use crate::hit::{Hit, Place};
use crate::library::LibraryError;
use crate::query::Query;

/// The best of each ranking that are fused.
const RANKED: usize = 100;

/// Vectors of questions that are kept: whoever asks the assistant looks into the library with the same words.
const QUESTIONS_KEPT: usize = 64;

/// Characters of a question that are embedded; more than any embedding model reads.
const LONGEST_QUESTION: usize = 4_000;

/// The vector of a question, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct QuestionVector {
    embedder: String,
    pub(super) vector: Arc<[f32]>,
}

/// What looks.
#[derive(Default)]
pub(super) struct Looker {
    memory: RwLock<Memory>,
    /// By a hash, so that nobody's question stays in memory.
    questions: Mutex<VecDeque<(blake3::Hash, Arc<[f32]>)>>,
}

/// A passage's document, or its archive's article.
pub(super) fn document(place: &Place) -> (String, String) {
    match place {
        Place::Document { document, .. } => (document.to_string(), String::new()),
        Place::Article { zim, path, .. } => (zim.clone(), path.clone()),
    }
}

/// So many passages of one document come before all others had their turn. A short list is for an answer, which a second
/// and third passage of the right document serves; a long one is for somebody who chooses.
pub(super) fn most_of_a_document(limit: usize) -> usize {
    if limit <= 10 { 3 } else { 2 }
}

impl Looker {
    /// The question's vector, if there is one in time.
    pub(super) async fn vector(
        &self,
        embedder: &dyn Embedder,
        text: &str,
        patience: Duration,
    ) -> Option<QuestionVector> {
        let name = embedder.name();
        let text: String = text.chars().take(LONGEST_QUESTION).collect();
        // A model without a name is not known yet.
        if text.trim().is_empty() || name.is_empty() {
            return None;
        }
        let hash = blake3::hash(format!("{name}\0{text}").as_bytes());
        let known =
            self.questions().iter().find(|(other, _)| *other == hash).map(|(_, vector)| vector.clone());
        if let Some(vector) = known {
            return Some(QuestionVector { embedder: name, vector });
        }
        let texts = [text];
        match tokio::time::timeout(patience, embedder.embed(&texts)).await {
            Ok(Ok(mut vectors)) if vectors.len() == 1 => {
                let vector: Arc<[f32]> = vectors.pop()?.into();
                let mut questions = self.questions();
                questions.push_front((hash, vector.clone()));
                questions.truncate(QUESTIONS_KEPT);
                Some(QuestionVector { embedder: name, vector })
            }
            Ok(Ok(vectors)) => {
                tracing::warn!(
                    vectors = vectors.len(),
                    "the embedding model gave not one vector for a question"
                );
                None
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a search goes by words alone");
                None
            }
            Err(_) => {
                tracing::debug!("the embedding model did not answer in time; a search goes by words alone");
                None
            }
        }
    }

    /// Looks by words, by meaning if there is a vector, and reads back what was found; at most `most`.
    pub(super) fn look(
        &self,
        connection: &Connection,
        query: &Query,
        vector: Option<&QuestionVector>,
        most: usize,
    ) -> Result<Vec<Hit>, LibraryError> {
        let memory = self.current(connection, vector.map(|vector| vector.embedder.as_str()))?;
        let eligible = memory.eligible(query);
        let asked = fold::asked(&query.text, &memory.foldings());
        let mut reading = Reading::new(connection, &memory, words::TO_READ)?;
        let by_words = words::best(&mut reading, &memory, &eligible, &asked, RANKED)?;
        let near = memory.near.as_ref().zip(vector).filter(|(near, vector)| near.name() == vector.embedder);
        let by_meaning = match near {
            Some((near, vector)) => {
                Some(near.nearest(connection, &memory, &eligible, &vector.vector, RANKED)?)
            }
            None => None,
        };
        let found = fuse::fuse(&by_words, by_meaning.as_deref(), |place| match near {
            Some((near, vector)) => near.nearness(connection, &memory, place, &vector.vector),
            None => Ok(None),
        })?;
        let found = fuse::spread(found, most_of_a_document(most), |found| memory.document_of(found.place));
        let mut all: Vec<Hit> = Vec::with_capacity(most);
        let mut texts = HashSet::new();
        for found in found {
            if all.len() >= most {
                break;
            }
            let Some(id) = memory.id(found.place) else { continue };
            let Some(hit) = hits::read(connection, query, id)? else { continue };
            // The same text in another document says nothing new.
            if texts.insert(blake3::hash(hit.text.as_bytes())) {
                let (by_words, by_meaning) = (found.by_words, found.by_meaning);
                all.push(Hit { score: found.score, by_words, by_meaning, nearness: found.nearness, ..hit });
            }
        }
        Ok(all)
    }

    /// Memory as it is at this connection's moment or later, with the vectors of this model.
    pub(super) fn current(
        &self,
        connection: &Connection,
        embedder: Option<&str>,
    ) -> Result<RwLockReadGuard<'_, Memory>, LibraryError> {
        let wanted = latest(connection)?;
        let has = |memory: &Memory| {
            memory.seen().is_some_and(|seen| seen >= wanted)
                && embedder.is_none_or(|name| memory.near.as_ref().is_some_and(|near| near.name() == name))
        };
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        if has(&memory) {
            return Ok(memory);
        }
        drop(memory);
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        memory.follow(connection)?;
        if let Some(embedder) = embedder {
            memory.load_near(connection, embedder)?;
        }
        Ok(RwLockWriteGuard::downgrade(memory))
    }

    fn questions(&self) -> std::sync::MutexGuard<'_, VecDeque<(blake3::Hash, Arc<[f32]>)>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
