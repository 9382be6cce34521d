//! Why a key could not be split or rebuilt.

use super::split::MAX_SHARES;
use super::words::WORDS;

/// Why a key could not be split or rebuilt; places of words count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// Shares that could never rebuild anything.
    #[error(
        "{needed} of {of} shares cannot be made; give at least 1 and at most {MAX_SHARES}, and need no more than there are"
    )]
    Threshold {
        /// How many should be needed.
        needed: u8,
        /// Of how many.
        of: u8,
    },
    /// Words are missing, or there are too many.
    #[error(
        "a share has {WORDS} words, and these are {found}; look for a word that was left out or written twice"
    )]
    Length {
        /// How many there are.
        found: usize,
    },
    /// A word that no share has.
    #[error("word {place}, \"{word}\", is in no share{}", perhaps(suggestion.as_ref()))]
    UnknownWord {
        /// Which.
        place: usize,
        /// As it was typed.
        word: String,
        /// What it may be.
        suggestion: Option<&'static str>,
    },
    /// One word is wrong; the others say which and what it should be.
    #[error("word {place}, \"{word}\", does not fit the others; it should be \"{suggestion}\"")]
    WrongWord {
        /// Which.
        place: usize,
        /// As it was typed.
        word: String,
        /// What the others say.
        suggestion: &'static str,
    },
    /// Two neighbours changed places.
    #[error("the words {place} and {} changed places", place + 1)]
    Swapped {
        /// The first of them.
        place: usize,
    },
    /// Too much is wrong to say where.
    #[error("at least two of the words are wrong; compare every word with the paper")]
    ManyWrong,
    /// A share of another kind.
    #[error("these words are a share of another version of Banyan; update the box")]
    Version,
    /// Not enough of them.
    #[error("{given} of {needed} shares are there; ask the other stewards for theirs")]
    TooFew {
        /// How many there are.
        given: usize,
        /// How many are needed.
        needed: u8,
    },
    /// The same share again.
    #[error("share {index} was given twice; another steward's is needed")]
    Twice {
        /// Which.
        index: u8,
    },
    /// Shares of two splittings.
    #[error("share {index} is not from the same set as the first one; look for papers of the same day")]
    OtherSet {
        /// Which.
        index: u8,
    },
    /// They do not make a key.
    #[error("the shares make no key ({0}); compare every word with the paper")]
    NoKey(&'static str),
}

fn perhaps(suggestion: Option<&&'static str>) -> String {
    suggestion.map_or_else(|| "; compare it with the paper".to_owned(), |word| format!("; is it \"{word}\"?"))
}
