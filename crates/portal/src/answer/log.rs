//! What is written down of an answer while it is made: rules, times, what came of it. Never its words.

use banyan_assembly::answers::{AnswerAction, AnswerRecord};
use tokio::time::Instant;

use crate::moderation::Effective;

/// An audit entry on its way.
#[derive(Debug, Clone)]
pub(crate) struct AnswerLog {
    began: Instant,
    turn: Option<Instant>,
    first_words: Option<Instant>,
    /// What the engine said it answers as.
    answering: Option<String>,
    rules: Vec<String>,
    skipped: Vec<String>,
    sources: Vec<String>,
    action: AnswerAction,
}

impl AnswerLog {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            turn: None,
            first_words: None,
            answering: None,
            rules: Vec::new(),
            skipped: Vec::new(),
            sources: Vec::new(),
            action: AnswerAction::Answered,
        }
    }

    /// Its turn came.
    pub(crate) fn turn(&mut self) {
        self.turn.get_or_insert_with(Instant::now);
    }

    /// The model said something.
    pub(crate) fn words(&mut self) {
        self.first_words.get_or_insert_with(Instant::now);
    }

    /// Whether the model said anything.
    pub(crate) fn has_words(&self) -> bool {
        self.first_words.is_some()
    }

    pub(crate) fn answers_as(&mut self, model: String) {
        self.answering = Some(model);
    }

    /// Rules that applied, each once.
    pub(crate) fn applied<'a>(&mut self, rules: impl IntoIterator<Item = &'a str>) {
        for rule in rules {
            if !self.rules.iter().any(|known| known == rule) {
                self.rules.push(rule.to_owned());
            }
        }
    }

    /// Something could not be looked at or kept to.
    pub(crate) fn skipped(&mut self, why: String) {
        if !self.skipped.contains(&why) {
            self.skipped.push(why);
        }
    }

    /// The sources that the answer rests on.
    pub(crate) fn rests_on(&mut self, sources: Vec<String>) {
        self.sources = sources;
    }

    /// What came of it.
    pub(crate) fn came_to(&mut self, action: AnswerAction) {
        self.action = action;
    }

    pub(crate) fn action(&self) -> AnswerAction {
        self.action
    }

    pub(crate) fn rules(&self) -> &[String] {
        &self.rules
    }

    /// The entry, at the end. `usual`: what the box's own engine answers as without an adapter.
    pub(crate) fn record(&self, effective: &Effective, usual: Option<String>) -> AnswerRecord {
        let since = |at: Instant| at.duration_since(self.began).as_millis().try_into().unwrap_or(u64::MAX);
        let adapter = effective.adapter().filter(|adapter| self.answering.as_deref() == Some(*adapter));
        let model = match adapter {
            Some(_) => effective.model().map(str::to_owned).or(usual),
            None => self.answering.clone(),
        };
        AnswerRecord {
            model,
            adapter: adapter.map(str::to_owned),
            policy_version: effective.version(),
            policy_entry: effective.entry(),
            rules: self.rules.clone(),
            skipped: self.skipped.clone(),
            action: self.action,
            sources: self.sources.clone(),
            queue_ms: self.turn.map_or(0, since),
            first_word_ms: self.first_words.map(since),
            total_ms: since(Instant::now()),
        }
    }
}
