//! Guesses of what comes next, and whether guessing pays.
//!
//! Answers that are grounded in passages copy from them, and answers in general repeat themselves. So the last tokens are
//! looked up in the sequence's own prompt and answer, and what followed there is the guess (prompt lookup decoding, Saxena
//! 2023; without a model of its own it costs nothing to make). One run then computes the next token and the guessed ones, and the
//! sampler decides for each position as it would have anyway; the first guess it does not confirm ends the run's gain. So the
//! text is the same with and without guesses, whatever the temperature.
//!
//! A run over more tokens costs more, and on a processor that already computes many rows a guess costs what it saves.
//! [`Worth`] knows what runs have cost and how many guesses were right, and says whether the next one is to be tried.

use std::collections::HashMap;

/// Tokens that must agree before a guess is made. Two agree too often by chance, four too rarely.
const MATCH: usize = 3;

/// Most tokens of a guess.
pub const MOST: usize = 7;

/// Looks up what followed the last tokens before.
#[derive(Debug, Default)]
pub struct Lookup {
    /// Where a run of [`MATCH`] tokens ended last.
    ends: HashMap<[u32; MATCH], usize>,
    seen: usize,
}

impl Lookup {
    /// Guesses up to `most` tokens that follow `tokens`, into `guess`. To be called with the same sequence, grown.
    pub fn guess(&mut self, tokens: &[u32], most: usize, guess: &mut Vec<u32>) {
        guess.clear();
        let Some(last) = tokens.last_chunk::<MATCH>() else { return };
        // The last run itself is taken in only when it has a follower.
        for (end, run) in tokens.windows(MATCH + 1).enumerate().skip(self.seen).map(|(i, w)| (i + MATCH, w)) {
            if let Some(run) = run.first_chunk::<MATCH>() {
                self.ends.insert(*run, end);
            }
        }
        self.seen = tokens.len().saturating_sub(MATCH);
        if let Some(end) = self.ends.get(last) {
            guess.extend(tokens[*end..].iter().take(most.min(MOST)));
        }
    }
}

/// Weight of the newest observation.
const NEWEST: f64 = 0.1;

/// A try every so many steps when guessing does not pay, to notice when it does again.
const TRY_EVERY: u32 = 64;

/// Whether guessing pays, learnt from what it brought.
#[derive(Debug)]
pub struct Worth {
    /// The share of guessed tokens that were right.
    right: f64,
    idle_steps: u32,
}

impl Default for Worth {
    fn default() -> Self {
        // Worth a try at the start.
        Worth { right: 0.5, idle_steps: 0 }
    }
}

impl Worth {
    /// Whether to compute `guessed` tokens beside the `rows` next ones, when a plain run costs `plain` and one with the guesses
    /// `with` (in any unit; `None` while unknown, and then there is nothing to compare).
    pub fn pays(&mut self, rows: usize, guessed: usize, plain: Option<f64>, with: Option<f64>) -> bool {
        if guessed == 0 {
            return false;
        }
        let (Some(plain), Some(with)) = (plain, with) else { return false };
        // Tokens a run brings for what it costs, with and without.
        let gain = (rows as f64 + self.expected(guessed as f64 / rows as f64) * rows as f64) / with;
        if gain > rows as f64 / plain {
            self.idle_steps = 0;
            return true;
        }
        self.idle_steps += 1;
        // Only where a wrong guess is cheap: a try must not cost a full house a step.
        if self.idle_steps >= TRY_EVERY && with < 3.0 * plain {
            self.idle_steps = 0;
            return true;
        }
        false
    }

    /// Of `guessed` tokens in one row, `right` were right.
    pub fn learn(&mut self, guessed: usize, right: usize) {
        if guessed > 0 {
            self.right += NEWEST * (right as f64 / guessed as f64 - self.right);
        }
    }

    /// Right tokens to expect of a guess of `n`: each is right only if all before it are.
    fn expected(&self, n: f64) -> f64 {
        n * self.right
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn guess(tokens: &[u32]) -> Vec<u32> {
        let mut guess = Vec::new();
        Lookup::default().guess(tokens, MOST, &mut guess);
        guess
    }

    #[test]
    fn what_followed_the_same_words_before_is_the_guess() {
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 1, 2, 3]), [4, 5, 6, 9, 1, 2, 3]);
        assert!(guess(&[1, 2, 3, 4, 5, 6]).is_empty());
        assert!(guess(&[1, 2]).is_empty());
        assert_eq!(guess(&[7, 7, 7, 7]), [7], "a repetition follows itself");
    }

    #[test]
    fn the_latest_place_wins() {
        assert_eq!(guess(&[1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3])[0], 5);
    }

    #[test]
    fn guessing_stops_by_itself_when_it_is_wrong_and_is_tried_again_now_and_then() {
        let mut worth = Worth::default();
        let mut tried = 0;
        for _ in 0..640 {
            if worth.pays(1, 4, Some(10.0), Some(18.0)) {
                tried += 1;
                worth.learn(4, 0);
            }
        }
        assert!((10..40).contains(&tried), "{tried}");
        for _ in 0..60 {
            worth.learn(4, 4);
        }
        assert!(worth.pays(1, 4, Some(10.0), Some(18.0)), "and comes back when it is right");
        assert!(!worth.pays(64, 256, Some(100.0), Some(500.0)), "a full machine gains nothing");
        assert!(!worth.pays(1, 0, Some(1.0), Some(1.0)) && !worth.pays(1, 4, None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_lookup_that_grows_guesses_what_a_new_one_would(tokens in prop::collection::vec(0u32..4, 0..80)) {
            let (mut grown, mut g) = (Lookup::default(), Vec::new());
            for end in 0..=tokens.len() {
                grown.guess(&tokens[..end], MOST, &mut g);
                prop_assert_eq!(&g, &guess(&tokens[..end]));
                prop_assert!(g.len() <= MOST);
            }
        }
    }
}
