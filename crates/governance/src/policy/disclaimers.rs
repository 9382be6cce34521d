//! Which of the policy's sentences stand under an answer. The box puts them there, and the closing words behind them:
//! it forgets nothing.

use crate::moderation;
use crate::policy::Policy;

impl Policy {
    /// The sentences that stand under this answer to this question, in the policy's order, each once.
    #[must_use]
    pub fn disclaimers(&self, question: &str, answer: &str) -> Vec<&str> {
        let mut sentences = Vec::new();
        for disclaimer in &self.disclaimers {
            let words = &disclaimer.words;
            let is_called_for = words.is_empty()
                || moderation::mentions(words, question)
                || moderation::mentions(words, answer);
            let text = disclaimer.text.trim();
            if is_called_for && !text.is_empty() && !sentences.contains(&text) {
                sentences.push(text);
            }
        }
        sentences
    }
}
