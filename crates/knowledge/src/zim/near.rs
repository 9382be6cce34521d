//! Vectors of passages of archives: made when a passage is found, not before. An archive of a million articles would take
//! weeks to embed, and nobody will ever look for most of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::embedder::Embedder;
use crate::hit::{Hit, Place};

/// Passages that are embedded in one call. What a call gave is kept also when there was no patience for the next.
const AT_ONCE: usize = 4;

/// Passages of one search that are embedded: what is further down is not read either.
const MOST: usize = 12;

/// Vectors that are kept: 3 MB of 384 dimensions.
const KEPT: usize = 2000;

type Key = (String, Place);

/// The vectors that were made lately.
#[derive(Debug, Default)]
pub(crate) struct Vectors(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    vectors: HashMap<Key, Vec<f32>>,
    oldest: VecDeque<Key>,
}

impl Vectors {
    /// Says of each hit how near it is to the question, for those whose vectors are known or come until then.
    pub(crate) async fn measure(
        &self,
        embedder: &dyn Embedder,
        question: &[f32],
        hits: &mut [Hit],
        until: Instant,
    ) {
        let name = embedder.name();
        let key = |hit: &Hit| (name.clone(), hit.place.clone());
        let missing: Vec<usize> = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (0..hits.len().min(MOST)).filter(|at| !kept.vectors.contains_key(&key(&hits[*at]))).collect()
        };
        for some in missing.chunks(AT_ONCE) {
            let texts: Vec<String> = some.iter().map(|at| text(&hits[*at])).collect();
            let left = until.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, embedder.embed(&texts)).await {
                Ok(Ok(vectors)) if vectors.len() == texts.len() => {
                    for (at, vector) in some.iter().zip(vectors) {
                        self.keep(key(&hits[*at]), vector);
                    }
                }
                // The model has no time now, or another is being loaded: words are enough.
                _ => break,
            }
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for hit in hits {
            hit.nearness = kept
                .vectors
                .get(&key(hit))
                .filter(|vector| vector.len() == question.len())
                .map(|vector| vector.iter().zip(question).map(|(one, other)| one * other).sum::<f32>());
        }
    }

    fn keep(&self, key: Key, vector: Vec<f32>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.vectors.insert(key.clone(), vector).is_none() {
            kept.oldest.push_back(key);
        }
        while kept.oldest.len() > KEPT {
            let Some(oldest) = kept.oldest.pop_front() else { break };
            kept.vectors.remove(&oldest);
        }
    }
}

/// What is embedded: the passage and what stands above it, as with the library's own.
fn text(hit: &Hit) -> String {
    let title = if hit.heading.starts_with(&hit.title) { "" } else { hit.title.as_str() };
    [title, &hit.heading, &hit.text]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::embedder::Embedding;
    use crate::library::CollectionId;

    /// Near to "water" is what has the word.
    struct Water {
        embedded: AtomicUsize,
        /// After so many passages it does not answer any more.
        most: AtomicUsize,
    }

    impl Embedder for Water {
        fn name(&self) -> String {
            "water".into()
        }

        fn embed<'a>(&'a self, texts: &'a [String]) -> Embedding<'a> {
            Box::pin(async move {
                if self.embedded.load(Ordering::Relaxed) >= self.most.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                self.embedded.fetch_add(texts.len(), Ordering::Relaxed);
                let vector =
                    |text: &String| if text.contains("water") { vec![1.0, 0.0] } else { vec![0.0, 1.0] };
                Ok(texts.iter().map(vector).collect())
            })
        }
    }

    impl Water {
        fn answers(most: usize) -> Self {
            Self { embedded: AtomicUsize::new(0), most: AtomicUsize::new(most) }
        }
    }

    fn hits(count: usize) -> Vec<Hit> {
        let hit = |number: usize| Hit {
            place: Place::Article { zim: "z-0".into(), path: format!("{number}"), start: 0, end: 5 },
            title: "Well".into(),
            collection: CollectionId::of(1, 1, b"k"),
            collection_name: "Books".into(),
            heading: "Well › Use".into(),
            page: None,
            text: if number == 0 { "Clean water.".into() } else { "Dry wood.".into() },
            attribution: String::new(),
            licence: String::new(),
            language: None,
            score: 1.0,
            by_words: Some(1),
            by_meaning: None,
            nearness: None,
        };
        (0..count).map(hit).collect()
    }

    #[tokio::test]
    async fn a_passage_is_embedded_once_when_it_is_found() {
        let (vectors, embedder) = (Vectors::default(), Water::answers(usize::MAX));
        let until = || Instant::now() + Duration::from_secs(60);
        let mut found = hits(3);
        vectors.measure(&embedder, &[1.0, 0.0], &mut found, until()).await;
        let near: Vec<Option<f32>> = found.iter().map(|hit| hit.nearness).collect();
        assert_eq!(near, [Some(1.0), Some(0.0), Some(0.0)]);
        vectors.measure(&embedder, &[0.0, 1.0], &mut hits(3), until()).await;
        assert_eq!(embedder.embedded.load(Ordering::Relaxed), 3);
        let mut many = hits(MOST + 5);
        vectors.measure(&embedder, &[1.0, 0.0], &mut many, until()).await;
        assert_eq!(embedder.embedded.load(Ordering::Relaxed), MOST);
        assert_eq!(many.iter().filter(|hit| hit.nearness.is_some()).count(), MOST);
        // Of another model with the same name, by mistake.
        vectors.measure(&embedder, &[1.0], &mut found, until()).await;
        assert_eq!(found[0].nearness, None);
    }

    #[tokio::test]
    async fn who_has_no_patience_gets_what_was_made_until_then_and_the_rest_the_next_time() {
        let (vectors, embedder) = (Vectors::default(), Water::answers(1));
        let mut found = hits(8);
        let measured = |found: &[Hit]| found.iter().filter(|hit| hit.nearness.is_some()).count();
        vectors.measure(&embedder, &[1.0, 0.0], &mut found, Instant::now() + Duration::from_millis(50)).await;
        assert_eq!(measured(&found), AT_ONCE);
        embedder.most.store(usize::MAX, Ordering::Relaxed);
        vectors.measure(&embedder, &[1.0, 0.0], &mut found, Instant::now() + Duration::from_secs(60)).await;
        assert_eq!((measured(&found), embedder.embedded.load(Ordering::Relaxed)), (8, 8));
    }
}
