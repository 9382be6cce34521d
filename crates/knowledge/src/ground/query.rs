//! What is looked for, for a question in a conversation.

use super::words::Weighty;

/// A question of at least so many weighty words stands for itself.
const ENOUGH: usize = 4;

/// Characters that are looked for: a question of a page's length is about what it begins and ends with, but a search for
/// all of it costs as much as ten.
const LONGEST: usize = 600;

/// What to search for. "And for children?" means nothing without what was asked before, so a short question takes the
/// nearest earlier one along, and what it says itself stands first. None where nothing is asked for ("Hello!",
/// "Thank you").
#[must_use]
pub fn query(question: &str, earlier_questions: &[&str]) -> Option<String> {
    let own = Weighty::of(question).len();
    let is_thanks = own == 0 && !question.contains(['?', '؟', '？', '¿']);
    let before = || earlier_questions.iter().rev().find(|earlier| Weighty::of(earlier).len() > 0);
    let text = match before() {
        Some(before) if own < ENOUGH && !is_thanks => format!("{} {}", question.trim(), before.trim()),
        _ if own == 0 => return None,
        _ => question.trim().to_owned(),
    };
    Some(shortened(text))
}

fn shortened(text: String) -> String {
    let characters = text.chars().count();
    if characters <= LONGEST {
        return text;
    }
    let begin: String = text.chars().take(LONGEST / 2).collect();
    let end: String = text.chars().skip(characters - LONGEST / 2).collect();
    format!("{begin} {end}")
}
