//! Where sentences begin and end.

use std::ops::Range;

/// The sentences of a text as ranges of bytes, without white space around them. A citation behind a full stop belongs to
/// the sentence before it.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = end_of(text, start);
        let sentence = &text[start..end];
        let lead = sentence.len() - sentence.trim_start().len();
        let trimmed = sentence.trim();
        if trimmed.chars().any(char::is_alphanumeric) {
            out.push(start + lead..start + lead + trimmed.len());
        }
        start = end;
    }
    out
}

/// Where the sentence that begins here ends: behind its marks and behind the citations that follow.
fn end_of(text: &str, start: usize) -> usize {
    for (at, mark) in text[start..].char_indices() {
        let behind = start + at + mark.len_utf8();
        let ends = match mark {
            '\n' => return behind,
            '。' | '！' | '？' | '؟' | '।' => true,
            '!' | '?' => is_followed_by_space(text, behind),
            '.' => is_followed_by_space(text, behind) && !goes_on(text, start, start + at, behind),
            _ => false,
        };
        if ends {
            return behind_citations(text, behind_closing(text, behind));
        }
    }
    text.len()
}

fn is_followed_by_space(text: &str, at: usize) -> bool {
    text[at..].chars().next().is_none_or(|next| next.is_whitespace() || is_closing(next) || next == '[')
}

fn is_closing(one: char) -> bool {
    matches!(one, '"' | '\'' | '”' | '’' | '»' | ')' | '*')
}

/// Whether a full stop is not one: behind the number of a list's item, or before a small letter ("e.g. this").
fn goes_on(text: &str, start: usize, dot: usize, behind: usize) -> bool {
    let before = text[start..dot].trim_start();
    let is_item = !before.is_empty() && before.len() <= 3 && before.bytes().all(|one| one.is_ascii_digit());
    is_item || text[behind..].trim_start().starts_with(char::is_lowercase)
}

fn behind_closing(text: &str, at: usize) -> usize {
    let more = text[at..].chars().take_while(|one| is_closing(*one) || matches!(one, '.' | '!' | '?'));
    at + more.map(char::len_utf8).sum::<usize>()
}

fn behind_citations(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let gap = rest.len() - rest.trim_start_matches([' ', '\u{a0}']).len();
        let inside = rest[gap..].strip_prefix('[').and_then(|inside| inside.split_once(']'));
        let Some((inside, _)) = inside.filter(|(inside, _)| {
            inside.bytes().any(|one| one.is_ascii_digit())
                && inside.bytes().all(|one| one.is_ascii_digit() || matches!(one, b',' | b' ' | b'-'))
        }) else {
            return at;
        };
        at += gap + inside.len() + 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(
            cut("Boil it. [1] Let it cool! Is 3.5 l enough?\n1. Take a pot, e.g. this one. [2][3]\n\n- Done"),
            [
                "Boil it. [1]",
                "Let it cool!",
                "Is 3.5 l enough?",
                "1. Take a pot, e.g. this one. [2][3]",
                "- Done"
            ]
        );
        assert_eq!(cut("煮沸する。冷ます。"), ["煮沸する。", "冷ます。"]);
        assert_eq!(cut("He said \"stop.\" Then he left."), ["He said \"stop.\"", "Then he left."]);
        assert_eq!(cut(" \n ... \n"), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn they_stand_in_order_and_no_word_is_lost(text in "[a-c .!?\n\\[\\]1é。]{0,60}") {
            let ranges = sentences(&text);
            let mut last = 0;
            let mut outside = text.clone();
            for range in &ranges {
                prop_assert!(last <= range.start && range.start < range.end);
                last = range.end;
            }
            for range in ranges.iter().rev() {
                outside.replace_range(range.clone(), "");
            }
            prop_assert!(!outside.chars().any(char::is_alphanumeric), "{:?} of {:?}", outside, text);
        }
    }
}
