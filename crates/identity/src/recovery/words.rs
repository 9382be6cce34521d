//! A share as words. BIP-39's English list, in which no two words begin with the same four letters; not its mnemonic,
//! which has no room for which share it is.
//!
//! ```text
//! 27 words of 11 bits:  version 1 (8) · needed (8) · index (8) · set (16) · share (256) · zero (1)
//!  3 words:             check words over the 27
//! ```

use bip39::Language;
use zeroize::Zeroizing;

use super::check_words::{self, CHECK_WORDS, Diagnosis};
use super::{RecoveryError, Share};

/// Words of a share.
pub const WORDS: usize = CONTENT_WORDS + CHECK_WORDS;

const CONTENT_WORDS: usize = 27;
const VERSION: u8 = 1;
const BITS: usize = 11;
/// Bytes before the share itself.
const HEADER: usize = 5;
/// As many letters tell every word of the list from every other.
const ENOUGH_LETTERS: usize = 4;
/// A typed word that is further from every word of the list gets no suggestion.
const FAR: usize = 3;

impl Share {
    /// As it is printed: thirty words with a space between them.
    #[must_use]
    pub fn to_words(&self) -> String {
        let mut numbers = Zeroizing::new(self.numbers());
        let check = check_words::check_words(&numbers);
        numbers.extend(check);
        let list = Language::English.word_list();
        let words: Vec<&str> = numbers.iter().map(|number| list[usize::from(*number)]).collect();
        words.join(" ")
    }

    /// Reads it from what a person typed: words between spaces, lines, commas or numbers, capitals or not, each whole
    /// or by its first four letters.
    pub fn from_words(text: &str) -> Result<Self, RecoveryError> {
        let typed: Vec<String> = text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        if typed.len() != WORDS {
            return Err(RecoveryError::Length { found: typed.len() });
        }
        let known: Vec<Option<u16>> = typed.iter().map(|word| number(word)).collect();
        let numbers: Zeroizing<Vec<u16>> =
            Zeroizing::new(known.iter().map(|known| known.unwrap_or(0)).collect());
        if let Some(place) = known.iter().position(Option::is_none) {
            return Err(unknown(&typed, &known, &numbers, place));
        }
        match check_words::diagnose(&numbers) {
            Diagnosis::Right => Self::from_numbers(&numbers),
            Diagnosis::Wrong { place, right } => Err(RecoveryError::WrongWord {
                place: place + 1,
                word: typed[place].clone(),
                suggestion: Language::English.word_list()[usize::from(right)],
            }),
            Diagnosis::Swapped { place } => Err(RecoveryError::Swapped { place: place + 1 }),
            Diagnosis::ManyWrong => Err(RecoveryError::ManyWrong),
        }
    }

    fn numbers(&self) -> Vec<u16> {
        let [high, low] = self.set.to_be_bytes();
        let header: [u8; HEADER] = [VERSION, self.needed, self.index, high, low];
        let bytes = Zeroizing::new([header.as_slice(), &self.data].concat());
        let bit =
            |place: usize| bytes.get(place / 8).map_or(0, |byte| u16::from(byte >> (7 - place % 8)) & 1);
        let word = |word: usize| (0..BITS).fold(0, |number, place| number << 1 | bit(word * BITS + place));
        (0..CONTENT_WORDS).map(word).collect()
    }

    fn from_numbers(numbers: &[u16]) -> Result<Self, RecoveryError> {
        let bit = |place: usize| (numbers[place / BITS] >> (BITS - 1 - place % BITS)) as u8 & 1;
        let byte = |byte: usize| (0..8).fold(0_u8, |number, place| number << 1 | bit(byte * 8 + place));
        let padding = bit(CONTENT_WORDS * BITS - 1);
        let (needed, index) = (byte(1), byte(2));
        if byte(0) != VERSION || padding != 0 || needed == 0 || index == 0 {
            return Err(RecoveryError::Version);
        }
        let set = u16::from_be_bytes([byte(3), byte(4)]);
        Ok(Self { index, needed, set, data: std::array::from_fn(|place| byte(HEADER + place)) })
    }

    pub(super) fn new(index: u8, needed: u8, set: u16, data: [u8; 32]) -> Self {
        Self { index, needed, set, data }
    }

    pub(super) fn data(&self) -> &[u8; 32] {
        &self.data
    }
}

/// The number of a word, or of the only one that begins so.
fn number(word: &str) -> Option<u16> {
    let list = Language::English.word_list();
    let whole = list.iter().position(|known| *known == word);
    let beginning = || {
        let typed_enough = word.chars().count() >= ENOUGH_LETTERS;
        typed_enough.then(|| list.iter().position(|known| known.starts_with(word))).flatten()
    };
    whole.or_else(beginning).and_then(|place| u16::try_from(place).ok())
}

/// One word that is in no share: the others tell what it is when it is the only mistake, else how it is written does.
fn unknown(typed: &[String], known: &[Option<u16>], numbers: &[u16], place: usize) -> RecoveryError {
    let list = Language::English.word_list();
    let only = known.iter().filter(|known| known.is_none()).count() == 1;
    let by_others = only.then(|| check_words::fill(numbers, place)).flatten();
    let suggestion = by_others.map(|number| list[usize::from(number)]).or_else(|| nearest(&typed[place]));
    RecoveryError::UnknownWord { place: place + 1, word: typed[place].chars().take(30).collect(), suggestion }
}

fn nearest(word: &str) -> Option<&'static str> {
    let word: Vec<char> = word.chars().take(30).collect();
    let by_distance = Language::English.word_list().iter().map(|known| (distance(&word, known), *known));
    by_distance.min().filter(|(distance, _)| *distance < FAR).map(|(_, known)| known)
}

/// Letters to add, leave out or exchange (Levenshtein).
fn distance(word: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (above, letter) in known.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (place, typed) in word.iter().enumerate() {
            let exchanged = diagonal + usize::from(*typed != letter);
            diagonal = row[place + 1];
            row[place + 1] = exchanged.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Share {
        Share::new(2, 3, 0xbead, std::array::from_fn(|place| place as u8))
    }

    #[test]
    fn a_share_on_paper_is_read_for_ever() {
        assert_eq!(example().to_words(), GOLDEN);
        assert_eq!(Share::from_words(GOLDEN).unwrap(), example());
    }

    const GOLDEN: &str = "absurd blossom quick foam abandon library army level alcohol debate across beef radio alley deal tilt baby mountain shallow clay gesture metal good drop bright trophy march stone measure coffee";

    #[test]
    fn a_share_is_read_however_it_was_typed() {
        let words = example().to_words();
        let numbered: String = words
            .split(' ')
            .enumerate()
            .map(|(place, word)| format!("{}. {}\n", place + 1, word.to_uppercase()))
            .collect();
        let short: Vec<&str> = words.split(' ').map(|word| &word[..word.len().min(4)]).collect();
        for typed in [numbered, short.join(", "), format!("  {words}\r\n")] {
            assert_eq!(Share::from_words(&typed).unwrap(), example(), "{typed}");
        }
    }

    #[test]
    fn a_mistyped_word_is_named_with_the_right_one() {
        let words = example().to_words();
        let words: Vec<&str> = words.split(' ').collect();
        let with = |place: usize, word: &str| {
            let mut words = words.clone();
            words[place] = word;
            Share::from_words(&words.join(" ")).unwrap_err()
        };
        let right = words[6];
        assert!(
            matches!(with(6, "qqqq"), RecoveryError::UnknownWord { place: 7, suggestion: Some(word), .. } if word == right)
        );
        assert!(right != "zoo");
        let error = with(6, "zoo");
        assert!(
            matches!(&error, RecoveryError::WrongWord { place: 7, word, suggestion } if word == "zoo" && *suggestion == right)
        );
        assert_eq!(
            error.to_string(),
            format!("word 7, \"zoo\", does not fit the others; it should be \"{right}\"")
        );
    }

    #[test]
    fn a_word_that_is_nearly_right_is_recognised_even_among_others_that_are_not() {
        assert_eq!(nearest("abandn"), Some("abandon"));
        assert_eq!(nearest("bannana"), Some("banana"));
        assert_eq!(nearest("xylophone"), None);
        let words = example().to_words();
        let mut words: Vec<&str> = words.split(' ').collect();
        (words[0], words[9]) = ("bannana", "qqqq");
        let error = Share::from_words(&words.join(" ")).unwrap_err();
        assert!(
            matches!(error, RecoveryError::UnknownWord { place: 1, suggestion: Some("banana"), .. }),
            "{error}"
        );
    }

    #[test]
    fn a_word_too_few_or_too_many_is_counted() {
        let words = example().to_words();
        assert_eq!(Share::from_words(&format!("{words} zoo")), Err(RecoveryError::Length { found: 31 }));
        assert_eq!(
            Share::from_words(words.rsplit_once(' ').unwrap().0),
            Err(RecoveryError::Length { found: 29 })
        );
        assert_eq!(Share::from_words(""), Err(RecoveryError::Length { found: 0 }));
    }

    #[test]
    fn a_share_is_never_printed_by_accident() {
        assert_eq!(format!("{:?}", example()), "Share(2 of set bead, 3 needed)");
    }

    proptest! {
        #[test]
        fn every_share_is_read_as_it_is_written(
            index in 1_u8.., needed in 1_u8.., set in any::<u16>(), data in any::<[u8; 32]>(),
        ) {
            let share = Share::new(index, needed, set, data);
            prop_assert_eq!(Share::from_words(&share.to_words()), Ok(share));
        }

        #[test]
        fn whatever_is_typed_is_answered_in_words(text in "([a-z]{3,6} ){28,32}") {
            prop_assert!(Share::from_words(&text).is_err());
        }
    }
}
