//! The passages that a question's words say most of: BM25, where a word in the title or a heading counts more.
//!
//! Work is bounded, since a word that stands everywhere says nothing and costs most: words are taken in the order of
//! their rarity; one that more than a quarter of a large library has is looked at only if there is no other; and one
//! whose postings are not decoded yet only while the search may still read so many.

use banyan_store::rusqlite;

use super::fold::Asked;
use super::memory::{Eligible, Memory};
use super::terms::{Often, Postings, Reading};

/// How soon a word that is repeated counts no more. Tuned with the two below on the tuning half of the judged questions: the
/// usual 1.2 and 0.75 came to nDCG@10 0.464, these to 0.491.
const SATURATION: f32 = 2.0;

/// How much a long passage must say more often what a short one says.
const LENGTH: f32 = 0.9;

/// What a word counts in the title, in the headings and in the text. Between 0.3 and 2 it makes no difference where
/// questions are not asked in the words of headings; where they are, each heading is in the text of its passage too.
const WEIGHTS: [f32; 3] = [1.0, 1.0, 1.0];

/// In a library of more passages than this, words that more than a quarter of them have are common.
const SMALL: usize = 5_000;

/// Places of words that a search reads from the index where they are not decoded yet: about 10 ms.
pub(super) const TO_READ: usize = 30_000;

/// The rarest word is read in any case, up to here.
const FIRST_WORD: usize = 400_000;

/// Postings that a search goes through: about 3 ms.
const TO_COUNT: usize = 600_000;

/// Tokens that begin with a single character that was asked for.
const BEGINNINGS: usize = 24;

/// The best passages that may be looked at, with their score, the best first.
pub(super) fn best(
    reading: &mut Reading<'_>,
    memory: &Memory,
    eligible: &Eligible,
    asked: &[Asked],
    most: usize,
) -> rusqlite::Result<Vec<(u32, f32)>> {
    let mut scores = Scores { of: vec![0.0; memory.places()], touched: Vec::new() };
    let mut counted = 0;
    for (count, word) in by_rarity(reading, asked)? {
        let common = memory.alive() > SMALL && count > memory.alive() / 4;
        let first = scores.touched.is_empty();
        if !first && (common || counted + count > TO_COUNT) {
            continue;
        }
        let mut postings: Option<std::sync::Arc<Postings>> = None;
        for token in &word.any {
            if let Some(found) = reading.postings(token, if first { FIRST_WORD } else { 0 })? {
                postings = Some(match postings {
                    Some(known) => known.or(&found).into(),
                    None => found,
                });
            }
        }
        if let Some(postings) = postings {
            counted += postings.places.len();
            scores.add(memory, eligible, &postings, word.weight);
        }
    }
    Ok(scores.best(most))
}

/// The words that the library has, the rarest first, with how many passages have each, about.
fn by_rarity(reading: &mut Reading<'_>, asked: &[Asked]) -> rusqlite::Result<Vec<(usize, Asked)>> {
    let mut words = Vec::with_capacity(asked.len());
    for word in asked {
        let mut word = word.clone();
        if word.prefix {
            let mut any = Vec::new();
            for start in &word.any {
                any.extend(reading.beginning(start, BEGINNINGS)?);
            }
            word.any = any;
        }
        let mut count = 0;
        for token in &word.any {
            count += reading.count(token)?;
        }
        if count > 0 {
            words.push((count, word));
        }
    }
    words.sort_by_key(|(count, _)| *count);
    Ok(words)
}

struct Scores {
    of: Vec<f32>,
    touched: Vec<u32>,
}

impl Scores {
    fn add(&mut self, memory: &Memory, eligible: &Eligible, postings: &Postings, weight: f32) {
        let (all, with) = (memory.alive() as f32, postings.places.len() as f32);
        let rarity = (1.0 + (all - with + 0.5).max(0.0) / (with + 0.5)).ln();
        let average = memory.average();
        for (place, often) in postings.places.iter().zip(&postings.often) {
            if !memory.may(eligible, *place) {
                continue;
            }
            let Some(score) = self.of.get_mut(*place as usize) else { continue };
            if *score == 0.0 {
                self.touched.push(*place);
            }
            let often = weighed(*often);
            let length = SATURATION * (1.0 - LENGTH + LENGTH * memory.words(*place) / average);
            *score += weight * rarity * often * (SATURATION + 1.0) / (often + length);
        }
    }

    fn best(self, most: usize) -> Vec<(u32, f32)> {
        let Self { of, touched } = self;
        let score = |place: u32| of.get(place as usize).copied().unwrap_or(0.0);
        let mut best: Vec<(u32, f32)> = touched.into_iter().map(|place| (place, score(place))).collect();
        let better = |(a, one): &(u32, f32), (b, two): &(u32, f32)| two.total_cmp(one).then(a.cmp(b));
        if best.len() > most {
            best.select_nth_unstable_by(most, better);
            best.truncate(most);
        }
        best.sort_unstable_by(better);
        best
    }
}

fn weighed(often: Often) -> f32 {
    often.parts().iter().zip(WEIGHTS).map(|(often, weight)| often * weight).sum()
}
