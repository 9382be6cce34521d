//! Finds words and phrases in one pass over a text, however many there are.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use crate::moderation::fold::{Folded, is_in_word, is_without_blanks};

/// Words and phrases of many owners (rules, topics), compiled.
///
/// A phrase is found as a whole word: no letter or digit before or behind it. In scripts that set no blanks between
/// words, such as Chinese or Thai, it is found wherever it stands.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    automaton: AhoCorasick,
    phrases: Vec<Phrase>,
    /// Those that a text must not be shown with, in order, to see which of them a text may be about to say.
    withheld: Vec<String>,
    /// Bytes of the longest phrase.
    longest: usize,
}

#[derive(Debug, Clone)]
struct Phrase {
    owner: usize,
    whole_at_start: bool,
    whole_at_end: bool,
}

/// A phrase in a folded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) owner: usize,
    pub(super) start: usize,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) owner: usize,
    pub(super) words: &'a [String],
    /// Whether a text must not be shown with it.
    pub(super) withheld: bool,
}

impl Phrases {
    pub(super) fn compile<'a>(wanted: impl IntoIterator<Item = Wanted<'a>>) -> Result<Self, BuildError> {
        let (mut texts, mut phrases, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
        for want in wanted {
            for word in want.words {
                let folded = Folded::of(word.trim()).text().trim().to_owned();
                let (Some(first), Some(last)) = (folded.chars().next(), folded.chars().next_back()) else {
                    continue;
                };
                let is_set_apart = |edge| is_in_word(edge) && !is_without_blanks(edge);
                phrases.push(Phrase {
                    owner: want.owner,
                    whole_at_start: is_set_apart(first),
                    whole_at_end: is_set_apart(last),
                });
                if want.withheld {
                    withheld.push(folded.clone());
                }
                texts.push(folded);
            }
        }
        withheld.sort_unstable();
        withheld.dedup();
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&texts)?;
        Ok(Self { automaton, phrases, withheld, longest })
    }

    /// Whose phrases are in the text, from about `from` on. One at the very end counts only when the text is
    /// `complete`: it may go on as another word.
    pub(super) fn find<'a>(
        &'a self,
        folded: &'a Folded,
        from: usize,
        complete: bool,
    ) -> impl Iterator<Item = Found> + 'a {
        let text = folded.text();
        let from = folded.boundary_before(from.saturating_sub(self.longest));
        let is_whole = move |phrase: &Phrase, start: usize, end: usize| {
            let before = text[..start].chars().next_back();
            let after = text[end..].chars().next();
            let starts = !phrase.whole_at_start || !before.is_some_and(is_in_word);
            let ends = match after {
                None => complete,
                Some(after) if phrase.whole_at_end => !is_in_word(after),
                // A mark above or below belongs to the letter that it follows, and makes it another one.
                Some(after) => !is_mark(after),
            };
            starts && ends
        };
        self.automaton.find_overlapping_iter(&text[from..]).filter_map(move |found| {
            let phrase = self.phrases.get(found.pattern().as_usize())?;
            let (start, end) = (from + found.start(), from + found.end());
            is_whole(phrase, start, end).then_some(Found { owner: phrase.owner, start })
        })
    }

    /// From which byte on the text may be about to say a phrase that is withheld: the rest of the text is how one
    /// begins, or one whole.
    pub(super) fn may_begin(&self, folded: &Folded) -> Option<usize> {
        let text = folded.text();
        let from = folded.boundary_before(text.len().saturating_sub(self.longest));
        let mut before = text[..from].chars().next_back();
        for (at, character) in text[from..].char_indices() {
            let is_set_apart = is_in_word(character) && !is_without_blanks(character);
            let can_begin = !(is_set_apart && before.is_some_and(is_in_word));
            before = Some(character);
            let rest = &text[from + at..];
            if can_begin {
                let place = self.withheld.partition_point(|phrase| phrase.as_str() < rest);
                if self.withheld.get(place).is_some_and(|phrase| phrase.starts_with(rest)) {
                    return Some(from + at);
                }
            }
        }
        None
    }
}

fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(words: &[&str], text: &str) -> bool {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let phrases = Phrases::compile([Wanted { owner: 0, words: &words, withheld: true }]).unwrap();
        let folded = Folded::of(text);
        phrases.find(&folded, 0, true).next().is_some()
    }

    #[test]
    fn words_are_found_whole_in_any_case_and_any_script() {
        for (word, text) in [
            ("politics", "I like POLITICS."),
            ("Élections", "les e\u{301}lections!"),
            ("выборы", "Когда ВЫБОРЫ?"),
            ("سياسة", "ما هي سياسة اليوم"),
            ("चुनाव", "आज चुनाव है"),
            ("政治", "我不喜欢政治问题"),
            ("การเมือง", "เรื่องการเมืองวันนี้"),
            ("선거", "오늘 선거 있다"),
            ("two words", "only two\n  words here"),
            ("C++", "c++ or rust"),
            ("🎰", "play🎰now"),
            ("don't", "don’t do it"),
            ("ψήφος", "Η ΨΉΦΟΣ"),
        ] {
            assert!(finds(&[word], text), "{word} in {text}");
        }
    }

    #[test]
    fn a_part_of_a_word_is_not_the_word() {
        for (word, text) in [
            ("ass", "pass the class"),
            ("art", "article, smart"),
            ("ano", "este año"),
            ("cafe", "café"),
            ("выбор", "выборы"),
            ("カ", "ガス"),
            ("two words", "twowords"),
            ("word", "word_list"),
            ("चुना", "चुनाव"),
        ] {
            assert!(!finds(&[word], text), "{word} in {text}");
        }
    }

    #[test]
    fn phrases_of_several_owners_are_found_where_they_overlap() {
        let words = [vec!["red cross".to_owned()], vec!["cross".to_owned(), "cross roads".to_owned()]];
        let wanted = words.iter().enumerate().map(|(owner, words)| Wanted { owner, words, withheld: false });
        let phrases = Phrases::compile(wanted).unwrap();
        let folded = Folded::of("the red cross roads");
        let mut owners: Vec<_> = phrases.find(&folded, 0, true).map(|found| found.owner).collect();
        owners.sort_unstable();
        assert_eq!(owners, [0, 1, 1]);
    }

    #[test]
    fn no_words_find_nothing() {
        assert!(!finds(&[], "anything"));
        assert!(!finds(&["\u{200b}", "  "], "anything at all"));
    }
}
