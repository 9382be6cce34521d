//! The end of an answer, held back while it may be the box's own words: a model that has read earlier answers of this
//! conversation ends as they did, and then the closing would stand there twice.

/// Passes an answer on, except for an end that consists of the box's own sentences.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The closing and the disclaimers; none of them empty.
    own: Vec<String>,
    held: String,
    /// The last visible character that was passed on.
    before: Option<char>,
}

/// How a text begins, compared with a sentence.
enum Beginning<'a> {
    /// With the whole sentence; this comes behind it.
    Whole(&'a str),
    /// The text is over before the sentence is, and agrees so far.
    Part,
    Other,
}

impl Tail {
    pub(super) fn new<'a>(own: impl IntoIterator<Item = &'a str>) -> Self {
        let own = own.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        Self { own: own.collect(), ..Self::default() }
    }

    /// Adds a piece; gives what can be passed on.
    pub(super) fn push(&mut self, piece: &str) -> String {
        if self.own.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let kept = self.kept_from();
        let passed: String = self.held.drain(..kept).collect();
        self.before = passed.chars().rfind(|character| !character.is_whitespace()).or(self.before);
        passed
    }

    /// What is left at the end: nothing of the box's own sentences, nor empty lines before them.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_str();
        while let Some(behind) = self.whole(rest.trim_start()) {
            rest = behind;
        }
        if rest.trim().is_empty() { String::new() } else { held }
    }

    /// From where on it may be the box's own words.
    fn kept_from(&self) -> usize {
        let mut seen = self.before;
        let mut in_gap = false;
        for (at, character) in self.held.char_indices() {
            let begins = !in_gap;
            in_gap = character.is_whitespace();
            if begins && self.is_fresh(seen, &self.held[at..]) && self.is_own(&self.held[at..]) {
                return at;
            }
            if !in_gap {
                seen = Some(character);
            }
        }
        self.held.len()
    }

    /// Whether a sentence can begin here: a closing "Peace" is not the last word of "rest in peace".
    fn is_fresh(&self, before: Option<char>, rest: &str) -> bool {
        let text = rest.trim_start();
        let gap = &rest[..rest.len() - text.len()];
        text.is_empty()
            || gap.contains('\n')
            || before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, ',' | ';' | '-'))
    }

    fn is_own(&self, text: &str) -> bool {
        let text = text.trim_start();
        text.is_empty()
            || self.own.iter().any(|sentence| match compare(text, sentence) {
                Beginning::Whole(rest) => self.is_own(rest),
                Beginning::Part => true,
                Beginning::Other => false,
            })
    }

    fn whole<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.own.iter().find_map(|sentence| match compare(text, sentence) {
            Beginning::Whole(rest) => Some(rest),
            _ => None,
        })
    }
}

fn compare<'a>(text: &'a str, sentence: &str) -> Beginning<'a> {
    let mut rest = text.chars();
    for wanted in sentence.chars() {
        match rest.next() {
            None => return Beginning::Part,
            Some(character) if character == wanted || character.to_lowercase().eq(wanted.to_lowercase()) => {}
            Some(_) => return Beginning::Other,
        }
    }
    Beginning::Whole(rest.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(own: &[&str], pieces: &[&str]) -> String {
        let mut tail = Tail::new(own.iter().copied());
        let mut out: String = pieces.iter().map(|piece| tail.push(piece)).collect();
        out.push_str(&tail.finish());
        out
    }

    #[test]
    fn an_end_that_the_box_writes_itself_is_left_out_wherever_it_is_cut() {
        let own = ["Go well!", "Ask a nurse too."];
        for (pieces, expected) in [
            (vec!["Boil it.\n\nGo ", "well!"], "Boil it."),
            (vec!["Boil it. go well!\n"], "Boil it."),
            (vec!["Boil it.\n\nAsk a nurse", " too.\n\nGo well!"], "Boil it."),
            (vec!["Boil it.\n\nGo well!", "\n\nGo well!"], "Boil it."),
            (vec!["Boil it.\n\nGo wel"], "Boil it.\n\nGo wel"),
            (vec!["Go well! is what we say."], "Go well! is what we say."),
            (vec!["They go well!"], "They go well!"),
            (vec!["Go well!"], ""),
            (vec!["One.\n", "\n", "Two."], "One.\n\nTwo."),
        ] {
            assert_eq!(through(&own, &pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn without_sentences_of_its_own_nothing_is_held_back() {
        let mut tail = Tail::new(["", " "]);
        assert_eq!(tail.push("a \n"), "a \n");
        assert_eq!(tail.finish(), "");
    }

    proptest! {
        #[test]
        fn nothing_else_is_lost(pieces in proptest::collection::vec("[Go wel!\n.a]{0,5}", 0..12)) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let (whole, out) = (pieces.concat(), through(&["Go well!"], &pieces));
            prop_assert!(whole.starts_with(&out));
            let left_out = whole[out.len()..].to_lowercase().replace("go well!", "");
            prop_assert!(left_out.trim().is_empty(), "{:?} -> {:?}", whole, out);
            prop_assert_eq!(through(&["Go well!"], &[&whole]), out);
        }
    }
}
