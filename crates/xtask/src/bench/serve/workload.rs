//! What members ask: real texts of mixed lengths below one shared policy, the same for every server with the same seed.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shell::root;

/// Answers are asked for with so many tokens at most.
const ANSWER_TOKENS: std::ops::RangeInclusive<u32> = 24..=160;
/// A conversation goes on with this probability, up to so many earlier turns.
const GOES_ON: f64 = 0.35;
const EARLIER_TURNS: usize = 2;
/// A fresh question carries a passage with this probability.
const HAS_PASSAGE: f64 = 0.4;
/// A passage is cut here, so that every conversation fits the peer's slots: some 400 tokens.
const PASSAGE_CHARACTERS: usize = 1800;

/// The texts.
#[derive(Clone)]
pub(crate) struct Texts {
    pub(crate) policy: String,
    questions: Vec<String>,
    passages: Vec<String>,
}

/// One question as a member sends it.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) messages: Vec<Value>,
    pub(crate) max_tokens: u32,
    pub(crate) seed: u32,
}

impl Texts {
    pub(crate) fn read() -> Result<Texts> {
        let read = |name: &str| {
            let path = root().join("tests/data").join(name);
            std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
        };
        let lines = |text: String| -> Vec<String> {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        Ok(Texts {
            policy: read("policy.txt")?.trim().to_owned(),
            questions: lines(read("questions.txt")?),
            passages: lines(read("human-rights.txt")?).into_iter().filter(|line| line.len() > 80).collect(),
        })
    }

    /// So many lines of text in a row from a place that the seed gives, for prompts of a wanted size.
    pub(crate) fn long_text(&self, characters: usize, rng: &mut fastrand::Rng) -> String {
        let mut text = String::new();
        let mut at = rng.usize(..self.passages.len().max(1));
        while text.len() < characters && !self.passages.is_empty() {
            text.push_str(&self.passages[at % self.passages.len()]);
            text.push('\n');
            at += 1;
        }
        let end = (0..=characters.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        text
    }

    fn pick_question(&self, rng: &mut fastrand::Rng) -> String {
        rng.choice(&self.questions).cloned().unwrap_or_default()
    }
}

/// One member's way through conversations.
pub(crate) struct Member<'a> {
    texts: &'a Texts,
    rng: fastrand::Rng,
    /// Question and answer in turns, without the policy.
    history: Vec<Value>,
}

impl<'a> Member<'a> {
    pub(crate) fn new(texts: &'a Texts, seed: u64, number: usize) -> Member<'a> {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number as u64);
        Member { texts, rng: fastrand::Rng::with_seed(seed), history: Vec::new() }
    }

    /// A random wait, on average so long.
    pub(crate) fn pause(&mut self, mean: std::time::Duration) -> std::time::Duration {
        mean.mul_f64(-(1.0 - self.rng.f64()).ln())
    }

    pub(crate) fn next_question(&mut self) -> Question {
        // All draws happen each time, so that a member asks the same whatever was answered before.
        let (goes_on, has_passage) = (self.rng.f64() < GOES_ON, self.rng.f64() < HAS_PASSAGE);
        let max_tokens = self.rng.u32(ANSWER_TOKENS);
        let (seed, cut) = (self.rng.u32(..), self.rng.usize(200..=PASSAGE_CHARACTERS));
        let (mut question, passage) =
            (self.texts.pick_question(&mut self.rng), self.texts.long_text(cut, &mut self.rng));
        if !goes_on || self.history.len() >= 2 * EARLIER_TURNS {
            self.history.clear();
            if has_passage {
                question = format!("Say in plain words what this text grants to people:\n\n{passage}");
            }
        }
        let mut messages = vec![system(&self.texts.policy)];
        messages.extend_from_slice(&self.history);
        messages.push(user(&question));
        self.history.push(user(&question));
        Question { messages, max_tokens, seed }
    }

    /// Remembers the answer, or forgets a conversation that has none.
    pub(crate) fn answered(&mut self, text: Option<&str>) {
        match text.filter(|text| !text.trim().is_empty()) {
            Some(text) => self.history.push(json!({"role": "assistant", "content": text})),
            None => self.history.clear(),
        }
    }
}

fn system(text: &str) -> Value {
    json!({"role": "system", "content": text})
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_asks_the_same_whatever_was_answered() {
        let texts = Texts::read().unwrap();
        let ask = |answer: &str| -> Vec<(String, u32)> {
            let mut member = Member::new(&texts, 7, 3);
            (0..20)
                .map(|_| {
                    let question = member.next_question();
                    member.answered(Some(answer));
                    let last = question.messages.last().unwrap()["content"].as_str().unwrap().to_owned();
                    (last, question.max_tokens)
                })
                .collect()
        };
        assert_eq!(ask("yes"), ask("no"));
        assert!(ask("yes").iter().any(|(text, _)| text.len() > 600), "some questions carry a passage");
        assert!(ask("yes").iter().any(|(text, _)| text.len() < 100), "some are short");
    }

    #[test]
    fn every_question_begins_with_the_shared_policy() {
        let texts = Texts::read().unwrap();
        let mut member = Member::new(&texts, 1, 0);
        for _ in 0..10 {
            let question = member.next_question();
            assert_eq!(question.messages[0]["content"], texts.policy.as_str());
            assert!(question.messages.len() <= 2 + 2 * EARLIER_TURNS);
            member.answered(Some("An answer."));
        }
    }
}
