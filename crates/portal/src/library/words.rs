//! Where the words that were looked for stand in what was found, to show them. It is a help for the eye: that a passage was
//! found, and how high, is the search's own matter.

use std::ops::Range;

/// Letters that two forms of a word must share at the beginning.
const SHARED: usize = 4;

/// Letters by which two forms of a word may differ at the end (plurals, cases).
const ENDING: usize = 3;

/// The words of a query, in small letters.
pub(super) fn looked_for(query: &str) -> Vec<String> {
    let mut words: Vec<String> = words(query).map(|(_, word)| word.to_lowercase()).collect();
    words.retain(|word| word.chars().count() > 2 || !word.is_ascii());
    words.sort_unstable();
    words.dedup();
    words
}

/// Ranges of bytes at which a text has one of these words, or another form of it.
pub(super) fn marks(text: &str, looked_for: &[String]) -> Vec<Range<usize>> {
    let found = words(text).filter(|(_, word)| {
        let word = word.to_lowercase();
        looked_for.iter().any(|wanted| is_form_of(&word, wanted))
    });
    found.map(|(start, word)| start..start + word.len()).collect()
}

/// The same in UTF-16 code units.
pub(super) fn marks16(text: &str, looked_for: &[String]) -> Vec<(usize, usize)> {
    let mut before = (0, 0);
    let mut place16 = |byte: usize| {
        let between = text.get(before.0..byte).unwrap_or_default().encode_utf16().count();
        before = (byte, before.1 + between);
        before.1
    };
    marks(text, looked_for).into_iter().map(|range| (place16(range.start), place16(range.end))).collect()
}

/// Words with the byte where each begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let pieces = text.split(|one: char| !one.is_alphanumeric());
    let words = pieces.filter(|word| !word.is_empty());
    words.map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn is_form_of(word: &str, wanted: &str) -> bool {
    if word == wanted {
        return true;
    }
    let shared = word.chars().zip(wanted.chars()).take_while(|(one, other)| one == other).count();
    let longest = word.chars().count().max(wanted.chars().count());
    shared >= SHARED && longest - shared <= ENDING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, query: &str) -> String {
        let mut out = text.to_owned();
        for range in marks(text, &looked_for(query)).into_iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
    }

    #[test]
    fn words_are_found_in_their_other_forms_and_small_words_are_left_alone() {
        assert_eq!(
            shown("Boil the water. Boiled waters!", "How do I boil water?"),
            "[Boil] the [water]. [Boiled] [waters]!"
        );
        assert_eq!(shown("Maji ni uhai", "maji"), "[Maji] ni uhai");
        assert_eq!(shown("wasser 水 waterfall", "水 water"), "wasser [水] waterfall");
        assert_eq!(shown("", "rain"), "");
    }

    #[test]
    fn places_are_counted_as_javascript_does() {
        assert_eq!(marks16("💧 maji ü maji", &looked_for("maji")), [(3, 7), (10, 14)]);
    }
}
