//! The part of a prompt that the library gives.

use super::sentences::sentences;
use crate::hit::Hit;

/// A passage under the number by which it is cited.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    /// From 1 on.
    pub number: u32,
    /// The passage.
    pub hit: Hit,
}

/// What the model reads of the library.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grounding {
    /// Passages and question in one text, to be put where the question was: the last message of a conversation. What comes
    /// before it (the community's policy, earlier turns) stays as it was, so the engine need not compute it again, and
    /// a chat template that takes one system message only is content. Empty when nothing fits.
    pub text: String,
    /// The passages in it, with the numbers that they were given with.
    pub passages: Vec<Numbered>,
}

/// Passages in a prompt. More only blur what a small model says, and each costs time before the first word.
const MOST_PASSAGES: usize = 4;

/// A passage is cut to no less than this part of its sentences' bytes; less says too little to be worth a number.
const LEAST_OF_A_PASSAGE: usize = 3;

/// Puts the passages before the question, the best first, as far as they fit into the budget. A passage that does not
/// fit whole is cut at the end of a sentence, and one of which too little would be left is passed over. The text never
/// has more than `budget_tokens` tokens by `count`, which may be an estimate.
#[must_use]
pub fn assemble(
    question: &str,
    passages: &[Numbered],
    budget_tokens: usize,
    count: impl Fn(&str) -> usize,
) -> Grounding {
    let mut lines: Vec<String> = Vec::new();
    let mut taken = Vec::new();
    for passage in passages {
        if taken.len() == MOST_PASSAGES {
            break;
        }
        let fits = |line: &str| {
            count(&text(question, lines.iter().map(String::as_str).chain([line]))) <= budget_tokens
        };
        if let Some(line) = longest_that_fits(passage, fits) {
            lines.push(line);
            taken.push(passage.clone());
        }
    }
    if taken.is_empty() {
        return Grounding::default();
    }
    Grounding { text: text(question, lines.iter().map(String::as_str)), passages: taken }
}

/// Found by trying a dozen wordings on the starter model, of 135 million parameters: a longer order, or a heading above the
/// passages, loses it, and it answers with the passages' numbers. Larger models are content with this too.
fn text<'a>(question: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\nUsing only the text above, answer in full sentences and cite its number in brackets.");
    text.push_str(" If it does not say it, say so.\n\nQuestion: ");
    text.push_str(question.trim());
    text
}

fn longest_that_fits(passage: &Numbered, fits: impl Fn(&str) -> bool) -> Option<String> {
    let Numbered { number, hit } = passage;
    let name = quoted(if hit.heading.is_empty() { &hit.title } else { &hit.heading });
    let line = |words: &str| {
        if name.is_empty() { format!("[{number}] {words}") } else { format!("[{number}] {name}: {words}") }
    };
    let words = quoted(&hit.text);
    if words.is_empty() {
        return None;
    }
    let whole = line(&words);
    if fits(&whole) {
        return Some(whole);
    }
    let ends: Vec<usize> = sentences(&words).iter().map(|range| range.end).collect();
    let enough = ends.iter().rev().filter(|end| **end * LEAST_OF_A_PASSAGE >= words.len());
    enough.map(|end| line(&words[..*end])).find(|line| fits(line))
}

/// A text as it may stand in a passage's line: one line, nothing invisible, and no marker that could be taken for another
/// passage's number.
fn quoted(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|one| if one.is_control() || matches!(one, '\u{2028}' | '\u{2029}') { ' ' } else { one })
        .filter(|one| !is_invisible(*one))
        .map(|one| match one {
            '[' => '(',
            ']' => ')',
            one => one,
        })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that are not seen: direction overrides, tags, zero-width spaces. The joiners that scripts need stay.
fn is_invisible(one: char) -> bool {
    matches!(one, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{E0000}'..='\u{E007F}')
}
