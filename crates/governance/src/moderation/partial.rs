//! What a regular expression may be about to match at the end of a text.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use crate::policy::MAX_EXPRESSION_BYTES;

/// An expression that matches at the end of a text what `expression` could go on from, and its whole match. Absent
/// where that would be too large.
///
/// It is the closure under prefixes: the beginnings of `ab` are those of `a`, and `a` with those of `b`; of `a|b` those
/// of either; of `a*` any number of `a` with the beginnings of one more. What looks around without reading is taken to
/// hold at the end of the text, since what follows is not there yet.
pub(super) fn unfinished(expression: &str) -> Option<Regex> {
    let hir = regex_syntax::parse(expression).ok()?;
    let pattern = format!("(?:{})\\z", beginnings(&hir)?);
    RegexBuilder::new(&pattern).size_limit(MAX_EXPRESSION_BYTES).build().ok()
}

fn beginnings(hir: &Hir) -> Option<Hir> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            text.chars().rev().fold(Hir::empty(), |rest, character| {
                let character = Hir::literal(character.encode_utf8(&mut [0; 4]).as_bytes());
                maybe(Hir::concat(vec![character, rest]))
            })
        }
        HirKind::Class(_) => maybe(hir.clone()),
        HirKind::Capture(capture) => beginnings(&capture.sub)?,
        HirKind::Alternation(either) => {
            Hir::alternation(either.iter().map(beginnings).collect::<Option<_>>()?)
        }
        HirKind::Repetition(repetition) => {
            if repetition.max == Some(0) {
                return Some(Hir::empty());
            }
            let max = repetition.max.map(|max| max - 1);
            let before = Repetition { min: 0, max, greedy: true, sub: repetition.sub.clone() };
            Hir::concat(vec![Hir::repetition(before), beginnings(&repetition.sub)?])
        }
        HirKind::Concat(parts) => {
            let mut closed: Option<Hir> = None;
            for part in parts.iter().rev() {
                let begins = beginnings(part)?;
                closed = Some(match closed {
                    None => begins,
                    // The longer first: the search prefers what stands first.
                    Some(rest) => Hir::alternation(vec![Hir::concat(vec![part.clone(), rest]), begins]),
                });
            }
            closed?
        }
    })
}

fn maybe(hir: Hir) -> Hir {
    Hir::repetition(Repetition { min: 0, max: Some(1), greedy: true, sub: Box::new(hir) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(expression: &str, text: &str) -> String {
        let unfinished = unfinished(expression).unwrap();
        unfinished.find(text).map_or(String::new(), |found| found.as_str().to_owned())
    }

    #[test]
    fn what_an_expression_may_go_on_from_is_known() {
        for (expression, text, rest) in [
            ("secret", "no sec", "sec"),
            ("secret", "no secs", "s"),
            ("secret", "a secret", "secret"),
            (r"\d{3}-\d{3}", "call 123-4", "123-4"),
            (r"\d{3}-\d{3}", "call 12x", ""),
            ("(?i)AB+c|xy", "zaBbB", "aBbB"),
            ("(?i)AB+c|xy", "zx", "x"),
            (r"\bfoo\b", "a fo", "fo"),
            (r"\bfoo\b", "afo", ""),
            (r"(?:ab){2,3}c", "-ababa", "ababa"),
            ("naïve", "na\u{ef}", "naï"),
            (r"a[^b]*b", "xx a quite long", "a quite long"),
        ] {
            assert_eq!(held(expression, text), rest, "{expression} at the end of {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_beginning_of_a_match_is_held(
            parts in proptest::collection::vec(
                proptest::sample::select(vec!["a", "b", "ab", "[ab]{1,3}", "a?b+", "(ab)*c", "(?:a|bc)", "c??", "|"]),
                1..5,
            ),
            text in "[abc]{1,8}",
        ) {
            let expression = parts.concat();
            let whole = Regex::new(&format!("^(?:{expression})$")).unwrap();
            let unfinished = unfinished(&expression).unwrap();
            if whole.is_match(&text) {
                for cut in 1..=text.len() {
                    let found = unfinished.find(&text[..cut]);
                    proptest::prop_assert_eq!(found.map(|found| found.start()), Some(0), "{} {}", expression, text);
                }
            }
        }
    }
}
