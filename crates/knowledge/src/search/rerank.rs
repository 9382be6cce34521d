//! The best hits in the order that a cross-encoder gives them, which reads question and passage together.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::RERANKED;
use crate::embedder::Reranker;
use crate::hit::Hit;

/// Searches that go without re-ranking after one for which the model took too long: what is not in time is work for
/// nothing, and slows down the answers.
const REST: u32 = 50;

/// Puts the first hits in order, if the model answers in time; else all stay as they are. `rest` counts the searches that
/// still go without.
pub(super) async fn rerank(
    reranker: &dyn Reranker,
    rest: &AtomicU32,
    question: &str,
    hits: Vec<Hit>,
    until: Instant,
) -> Vec<Hit> {
    if rest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| rest.checked_sub(1)).is_ok() {
        return hits;
    }
    let patience = until.saturating_duration_since(Instant::now());
    let texts: Vec<String> = hits.iter().take(RERANKED).map(|hit| hit.text.clone()).collect();
    if texts.len() < 2 || patience.is_zero() {
        return hits;
    }
    let scores = match tokio::time::timeout(patience, reranker.rerank(question, &texts)).await {
        Ok(Ok(scores)) if scores.len() == texts.len() => scores,
        Ok(Ok(scores)) => {
            tracing::warn!(scores = scores.len(), "the re-ranking model did not score each passage");
            return hits;
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a search was not re-ranked");
            return hits;
        }
        Err(_) => {
            tracing::debug!(searches = REST, "the re-ranking model did not answer in time, and rests");
            rest.store(REST, Ordering::Relaxed);
            return hits;
        }
    };
    // Scores stay those of the fusion, so that they fall along the list: the places change, the values do not.
    let values: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    let mut hits = hits.into_iter();
    let mut first: Vec<(f32, Hit)> = scores.into_iter().zip(hits.by_ref()).collect();
    first.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    let ordered = first.into_iter().map(|(_, hit)| hit).chain(hits);
    ordered.zip(values).map(|(hit, score)| Hit { score, ..hit }).collect()
}
