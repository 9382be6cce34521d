//! Whether the library has an answer at all.

use super::words::Weighty;
use crate::hit::Hit;

/// Passages that are looked at: what stands further down was found by a word or two.
const LOOKED_AT: usize = 5;
/// So near in meaning covers a question, whatever its words.
const NEAR: f32 = 0.5;
/// With this nearness, part of the words is enough.
const HALF_NEAR: f32 = 0.3;
/// So much of the question's weighty words in one passage covers it.
const MOST_WORDS: f32 = 0.6;
/// So much is part of them.
const SOME_WORDS: f32 = 0.34;

/// Whether these passages are about the question: one of the first has most of its weighty words, or comes near to it in
/// meaning, or has some of both. Where it is false, the box says "our library does not cover this" and offers to ask the
/// members; the passages then do not go into the prompt, where they would only mislead. A heuristic: a question in
/// another language than the documents' counts as not covered unless the embedding model knows both.
#[must_use]
pub fn covers(question: &str, hits: &[Hit]) -> bool {
    let wanted = Weighty::of(question);
    hits.iter().take(LOOKED_AT).any(|hit| {
        let share = share(&wanted, hit);
        match hit.nearness {
            Some(near) => {
                near >= NEAR
                    || (near >= HALF_NEAR && share >= SOME_WORDS)
                    || (near >= HALF_NEAR / 2.0 && share >= MOST_WORDS)
            }
            None => share >= MOST_WORDS,
        }
    })
}

/// How much of what is wanted a passage has, its title and headings among it.
fn share(wanted: &Weighty, hit: &Hit) -> f32 {
    let has = Weighty::of(&format!("{} {} {}", hit.title, hit.heading, hit.text));
    let (stems, numbers) = (has.stem_set(), has.numbers_to_find());
    let wanted_words = wanted.stem_set().into_iter().map(|stem| stems.contains(stem));
    let wanted_numbers = wanted.number_set().into_iter().map(|number| numbers.contains(number));
    let (mut known, mut all) = (0_u16, 0_u16);
    for is_known in wanted_words.chain(wanted_numbers) {
        all = all.saturating_add(1);
        known = known.saturating_add(u16::from(is_known));
    }
    if all == 0 { 0.0 } else { f32::from(known) / f32::from(all) }
}
