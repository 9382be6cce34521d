//! Several rankings become one (reciprocal-rank fusion): what counts is the place in each, since scores of different
//! kinds have nothing in common. Then no document takes all places.

use std::collections::HashMap;

use crate::hit::Hit;

/// How much less the second place is worth than the first: little. Tuned on the first half of the judged questions.
const SOFTNESS: f32 = 20.0;

/// What a place in each ranking weighs. Tuned on the first half of the judged questions.
const BY_WORDS: f32 = 1.0;
const BY_MEANING: f32 = 1.0;

/// What a place weighs that a shelf gave: its first is not measured against the library's first.
const BY_SHELF: f32 = 0.9;

/// A passage that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) place: u32,
    pub(super) by_words: Option<u32>,
    pub(super) by_meaning: Option<u32>,
    pub(super) nearness: Option<f32>,
    pub(super) score: f32,
}

/// What the passage at this place of a shelf's ranking (1 is the first) is worth.
pub(super) fn shelf(rank: u32) -> f32 {
    BY_SHELF * worth(rank)
}

/// Passages from shelves, of which each counts by its place among words already, count by their nearness too, where that
/// is known.
pub(super) fn by_meaning_too(hits: &mut [Hit]) {
    let mut near: Vec<(usize, f32)> =
        hits.iter().enumerate().filter_map(|(at, hit)| Some((at, hit.nearness?))).collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (rank, (at, _)) in (1..).zip(near) {
        hits[at].by_meaning = Some(rank);
        hits[at].score += shelf(rank);
    }
}

/// 1 at most, from both rankings together.
fn worth(rank: u32) -> f32 {
    (SOFTNESS + 1.0) / (BY_WORDS + BY_MEANING) / (SOFTNESS + rank as f32)
}

/// Both rankings as one, the best first.
pub(super) fn fuse(words: &[(u32, f32)], meaning: &[(u32, f32)]) -> Vec<Found> {
    let mut found: HashMap<u32, Found> = HashMap::with_capacity(words.len() + meaning.len());
    let new = |place| Found { place, by_words: None, by_meaning: None, nearness: None, score: 0.0 };
    for (rank, (place, _)) in (1..).zip(words) {
        let passage = found.entry(*place).or_insert_with(|| new(*place));
        passage.by_words = Some(rank);
        passage.score += BY_WORDS * worth(rank);
    }
    for (rank, (place, nearness)) in (1..).zip(meaning) {
        let passage = found.entry(*place).or_insert_with(|| new(*place));
        passage.by_meaning = Some(rank);
        passage.nearness = Some(*nearness);
        passage.score += BY_MEANING * worth(rank);
    }
    let mut found: Vec<Found> = found.into_values().collect();
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.place.cmp(&b.place)));
    found
}

/// Lets at most `most` passages of one document stand before the last of the others; the rest comes behind, in its order.
pub(super) fn spread<T, D: Eq + std::hash::Hash>(
    all: Vec<T>,
    most: usize,
    document: impl Fn(&T) -> D,
) -> Vec<T> {
    let mut taken: HashMap<D, usize> = HashMap::new();
    let (mut first, rest): (Vec<T>, Vec<T>) = all.into_iter().partition(|one| {
        let count = taken.entry(document(one)).or_default();
        *count += 1;
        *count <= most
    });
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_rankings_have_comes_before_what_one_has() {
        let fused = fuse(&[(1, 9.0), (2, 8.0), (3, 7.0)], &[(4, 0.9), (3, 0.8)]);
        let places: Vec<u32> = fused.iter().map(|found| found.place).collect();
        assert_eq!(places, [3, 1, 4, 2]);
        assert_eq!(
            (fused[0].by_words, fused[0].by_meaning, fused[0].nearness),
            (Some(3), Some(2), Some(0.8))
        );
        assert!(fused.iter().all(|found| found.score <= 1.0));
    }

    #[test]
    fn one_document_does_not_take_all_places() {
        let spread =
            spread(vec![(1, 'a'), (1, 'b'), (1, 'c'), (2, 'd'), (1, 'e')], 2, |(document, _)| *document);
        let letters: String = spread.into_iter().map(|(_, letter)| letter).collect();
        assert_eq!(letters, "abdce");
    }
}
