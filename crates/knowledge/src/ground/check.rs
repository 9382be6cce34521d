//! Which sentence of an answer which passage bears out. A heuristic; what it can and cannot do stands at the module's
//! head.

use std::collections::{BTreeSet, HashSet};

use super::assemble::Numbered;
use super::cite::{Citations, Piece};
use super::sentences::sentences;
use super::words::Weighty;

/// So much of a sentence's weighty words in one place of a passage supports it.
const SUPPORTED: f32 = 0.6;
/// So much makes it weak rather than unsupported.
const WEAK: f32 = 0.34;
/// So near in meaning, with at least [`WEAK`] of its words, supports it too.
const NEAR: f32 = 0.75;
/// So near in meaning makes it weak, whatever its words.
const HALF_NEAR: f32 = 0.55;
/// A sentence of fewer weighty words says nothing that could be looked for.
const LEAST_WORDS: usize = 2;
/// Passages that are named for one sentence.
const MOST_CITED: usize = 3;

/// What an answer rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cites {
    /// Numbers of the passages that bear out something, in order.
    pub cited: Vec<u32>,
    /// The answer's sentences.
    pub sentences: Vec<SentenceSupport>,
}

/// A sentence and what bears it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceSupport {
    /// Where it begins in the answer, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What bears it out.
    pub support: Support,
}

/// What bears a sentence out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// These passages say it, the best first.
    Supported {
        /// Their numbers.
        by: Vec<u32>,
    },
    /// A passage says something like it, or the model named one that has some of it.
    Weak {
        /// Its number.
        by: Vec<u32>,
    },
    /// No passage says it.
    Unsupported,
    /// It says nothing that could be looked for: a question, a greeting, a heading.
    NotAClaim,
}

impl Support {
    /// The passages behind it.
    #[must_use]
    pub fn by(&self) -> &[u32] {
        match self {
            Self::Supported { by } | Self::Weak { by } => by,
            Self::Unsupported | Self::NotAClaim => &[],
        }
    }
}

/// Looks at an answer. `similarity`, where there is an embedding: the cosine of a sentence (by its place among the answer's
/// [`sentences`]) and a passage (by its place in `passages`).
#[must_use]
pub fn check(
    answer: &str,
    passages: &[Numbered],
    similarity: Option<&dyn Fn(usize, usize) -> Option<f32>>,
) -> Cites {
    let places: Vec<Vec<Place>> = passages.iter().map(|passage| places(&passage.hit.text)).collect();
    let mut cited = BTreeSet::new();
    let mut looked_at = Vec::new();
    for (index, range) in sentences(answer).into_iter().enumerate() {
        let sentence = Sentence::of(&answer[range.clone()], passages.len());
        let near = |passage: usize| similarity.and_then(|similarity| similarity(index, passage));
        let support = sentence.support(passages, &places, near);
        match &support {
            Support::Supported { by } => cited.extend(by.iter().copied()),
            // What the model named itself counts when there is something in it.
            Support::Weak { by } => {
                cited.extend(by.iter().copied().filter(|number| sentence.names.contains(number)));
            }
            Support::Unsupported | Support::NotAClaim => {}
        }
        looked_at.push(SentenceSupport { start: range.start, end: range.end, support });
    }
    Cites { cited: cited.into_iter().collect(), sentences: looked_at }
}

/// A sentence of a passage, or two that stand beside each other.
struct Place {
    stems: HashSet<String>,
    numbers: HashSet<String>,
    negated: bool,
}

fn places(text: &str) -> Vec<Place> {
    let read: Vec<Weighty> = sentences(text).into_iter().map(|range| Weighty::of(&text[range])).collect();
    let place = |parts: &[Weighty]| Place {
        stems: parts.iter().flat_map(|part| part.stems.iter().cloned()).collect(),
        numbers: parts.iter().flat_map(Weighty::numbers_to_find).map(str::to_owned).collect(),
        negated: parts.iter().any(|part| part.negated),
    };
    // One first: of two places that have as much, the narrower says it more plainly.
    read.chunks(1).chain(read.windows(2)).map(place).collect()
}

/// A sentence of an answer.
struct Sentence {
    words: Weighty,
    /// The passages that it names.
    names: Vec<u32>,
    is_question: bool,
}

/// How much of a sentence a passage has.
#[derive(Debug, Clone, Copy)]
struct Found {
    share: f32,
    /// Whether all of its numbers are there, and it is not turned round.
    agrees: bool,
}

impl Sentence {
    fn of(text: &str, passages: usize) -> Self {
        let mut words = String::new();
        let mut names = Vec::new();
        for piece in Citations::of(without_item(text), passages) {
            match piece {
                Piece::Text(text) => words.push_str(&text),
                Piece::Marker { numbers, .. } => names.extend(numbers),
            }
        }
        let is_question = words.trim_end().ends_with(['?', '؟', '？', ':']);
        Self { words: Weighty::of(&words), names, is_question }
    }

    fn support(
        &self,
        passages: &[Numbered],
        places: &[Vec<Place>],
        near: impl Fn(usize) -> Option<f32>,
    ) -> Support {
        if self.is_question || self.words.len() < LEAST_WORDS {
            return Support::NotAClaim;
        }
        let mut supported: Vec<(f32, u32)> = Vec::new();
        let mut weak: Option<(f32, u32)> = None;
        for (index, passage) in passages.iter().enumerate() {
            let Found { share, agrees } = self.found_in(&places[index]);
            let nearness = near(index).unwrap_or(0.0);
            let named = self.names.contains(&passage.number);
            // Between two that say it, the one that the model named.
            let rank = share + nearness + if named { 0.5 } else { 0.0 };
            if agrees && (share >= SUPPORTED || (nearness >= NEAR && share >= WEAK)) {
                supported.push((rank, passage.number));
            } else if (share >= WEAK || nearness >= HALF_NEAR) && weak.is_none_or(|(best, _)| best < rank) {
                weak = Some((rank, passage.number));
            }
        }
        supported.sort_by(|(one, first), (other, second)| other.total_cmp(one).then(first.cmp(second)));
        if !supported.is_empty() {
            let best = supported[0].0;
            // Others only where they say it as well, or were named.
            let by =
                supported.iter().filter(|(rank, number)| *rank >= best - 0.1 || self.names.contains(number));
            return Support::Supported { by: by.take(MOST_CITED).map(|(_, number)| *number).collect() };
        }
        weak.map_or(Support::Unsupported, |(_, number)| Support::Weak { by: vec![number] })
    }

    /// The best place of a passage.
    fn found_in(&self, places: &[Place]) -> Found {
        let (stems, numbers) = (self.words.stem_set(), self.words.number_set());
        let mut best = Found { share: 0.0, agrees: false };
        for place in places {
            let known = stems.iter().filter(|stem| place.stems.contains(**stem)).count();
            let known_numbers = numbers.iter().filter(|number| place.numbers.contains(**number)).count();
            let share = known as f32 / stems.len().max(1) as f32;
            // What shares a number and no word has nothing in common.
            if known == 0 {
                continue;
            }
            let agrees = known_numbers == numbers.len() && place.negated == self.words.negated;
            if (agrees && share >= SUPPORTED, share) > (best.agrees && best.share >= SUPPORTED, best.share) {
                best = Found { share, agrees };
            }
        }
        best
    }
}

/// A sentence without the number or bullet of a list.
fn without_item(text: &str) -> &str {
    let digits = text.len() - text.trim_start_matches(|one: char| one.is_ascii_digit()).len();
    match text[digits..].strip_prefix(['.', ')']) {
        Some(rest) if (1..=3).contains(&digits) && rest.starts_with(' ') => rest,
        _ => text,
    }
}
