//! An answer that is still being written: how much of it may be shown.

use std::collections::BTreeSet;

use crate::moderation::fold::Folded;
use crate::moderation::{Rules, Ruling};
use crate::policy::ModerationAction;

/// Bytes at most that are held back for an expression that may go on for ever, such as `a.*b`: a sentence or two. What
/// is longer is shown as far as it is there, and nothing more once the expression has matched.
pub const MOST_HELD_BACK: usize = 256;

/// Bytes before the newest piece in which an expression is looked for again; a match that is longer and has just become
/// one is found at the end.
const LOOK_BACK: usize = 1024;

/// Watches one answer. [`push`](Self::push) takes the next piece and says how many bytes of the whole text so far may
/// be shown; [`finish`](Self::finish) says it when there are no more pieces. Neither ever says less than before.
///
/// What is held back is the end of the text, as long as it may be the beginning of something that a rule withholds (a
/// rule that holds for a moderator or refuses): so nobody sees the half of it, however the pieces were cut. Rules that
/// only allow or warn hold nothing back. Once a rule withholds the answer, nothing more is shown.
#[derive(Debug)]
pub struct AnswerWatch {
    rules: Rules,
    text: String,
    folded: Folded,
    fired: BTreeSet<usize>,
    ruling: Ruling,
    safe: usize,
}

impl AnswerWatch {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            text: String::new(),
            folded: Folded::default(),
            fired: BTreeSet::new(),
            ruling: Ruling::default(),
            safe: 0,
        }
    }

    /// Takes the next piece; gives the bytes of the whole text so far that may be shown.
    pub fn push(&mut self, piece: &str) -> usize {
        self.look(piece, false)
    }

    /// Says how much may be shown, now that the answer is whole.
    pub fn finish(&mut self) -> usize {
        self.look("", true)
    }

    /// What the rules say so far.
    #[must_use]
    pub fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    /// The whole text so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a rule withholds the answer: the rest of it is not shown.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.ruling.action >= ModerationAction::Hold
    }

    fn look(&mut self, piece: &str, complete: bool) -> usize {
        if self.is_withheld() {
            self.text.push_str(piece);
            return self.safe;
        }
        let (seen, seen_folded) = (self.text.len(), self.folded.text().len());
        self.text.push_str(piece);
        self.folded.push(piece);
        let known = self.fired.len();
        let mut safe = self.look_for_phrases(seen_folded, complete);
        safe = safe.min(self.look_for_expressions(seen, complete));
        if self.fired.len() > known {
            self.ruling = self.rules.ruling(&self.fired);
        }
        self.safe = self.safe.max(floor(&self.text, safe));
        self.safe
    }

    fn look_for_phrases(&mut self, seen: usize, complete: bool) -> usize {
        let phrases = &self.rules.parts.answer.phrases;
        let mut safe = self.text.len();
        for found in phrases.find(&self.folded, seen, complete) {
            if is_withheld(&self.rules, found.owner) {
                safe = safe.min(self.folded.origin(found.start));
            }
            self.fired.insert(found.owner);
        }
        if !complete && let Some(begins) = phrases.may_begin(&self.folded) {
            safe = safe.min(self.folded.origin(begins));
        }
        safe
    }

    fn look_for_expressions(&mut self, seen: usize, complete: bool) -> usize {
        let text = self.text.as_str();
        let from = if complete { 0 } else { floor(text, seen.saturating_sub(LOOK_BACK)) };
        let tail = floor(text, text.len().saturating_sub(MOST_HELD_BACK));
        let mut safe = text.len();
        for expression in &self.rules.parts.answer.expressions {
            if let Some(found) = expression.regex.find_at(text, from) {
                // At the very end it may still become longer, or be none (`\b`); unless it is too long to wait for.
                if complete || found.end() < text.len() || found.start() < tail {
                    self.fired.insert(expression.rule);
                    if expression.withheld {
                        safe = safe.min(found.start());
                    }
                    continue;
                }
            }
            if expression.withheld && !complete {
                let begins = match &expression.unfinished {
                    Some(unfinished) => {
                        unfinished.find_at(text, tail).map_or(text.len(), |found| found.start())
                    }
                    None => tail,
                };
                safe = safe.min(begins);
            }
        }
        safe
    }
}

fn is_withheld(rules: &Rules, owner: usize) -> bool {
    rules.parts.rules.get(owner).is_some_and(|rule| rule.action >= ModerationAction::Hold)
}

/// The nearest beginning of a character at or before this byte.
fn floor(text: &str, mut byte: usize) -> usize {
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}
