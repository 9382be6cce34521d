//! Words as the index knows them: lower case, without accents, cut to their stems where there is a stemmer for the
//! language.
//!
//! * With a stemmer: the stem of the word as it is written, and the stem of the word without its accents, so that
//!   "informacion" finds "información" and both find "informaciones".
//! * Without one: the word, and its trigrams with a mark in front, so that "wanafunzi" finds "mwanafunzi".
//! * Scripts that write without spaces: overlapping pieces of two characters (Chinese, Japanese, Korean) or three (Thai,
//!   Lao, Burmese, Khmer), whatever the language.
//!
//! Text goes into the index as tokens with spaces between them. Who changes what a text is folded to adds a step to
//! `search_1.sql`'s room: see there.

use std::collections::BTreeSet;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// What marks a trigram; no word has it.
const GRAM: char = '_';

/// Characters of a word that count. What is longer is no word.
const LONGEST: usize = 40;

/// Different words of a question that are looked up. More are a text, and its first ones say what it is about.
const MOST_ASKED: usize = 40;

/// How much all trigrams of a word weigh, against the word itself.
const GRAMS_WEIGH: f32 = 0.5;

/// How the words of a language are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folding {
    /// To stems.
    Stems(Algorithm),
    /// To words and their trigrams.
    Grams,
}

impl Folding {
    /// By a language's name (BCP 47).
    pub(crate) fn of(language: Option<&str>) -> Self {
        let subtag = language.unwrap_or_default().split('-').next().unwrap_or_default().to_ascii_lowercase();
        Self::Stems(match subtag.as_str() {
            "ar" => Algorithm::Arabic,
            "da" => Algorithm::Danish,
            "nl" => Algorithm::Dutch,
            "en" => Algorithm::English,
            "fi" => Algorithm::Finnish,
            "fr" => Algorithm::French,
            "de" => Algorithm::German,
            "el" => Algorithm::Greek,
            "hu" => Algorithm::Hungarian,
            "it" => Algorithm::Italian,
            "no" | "nb" | "nn" => Algorithm::Norwegian,
            "pt" => Algorithm::Portuguese,
            "ro" => Algorithm::Romanian,
            "ru" => Algorithm::Russian,
            "es" => Algorithm::Spanish,
            "sv" => Algorithm::Swedish,
            "ta" => Algorithm::Tamil,
            "tr" => Algorithm::Turkish,
            _ => return Self::Grams,
        })
    }
}

/// A text as it goes into the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// Its tokens, with spaces between them.
    pub(crate) line: String,
    /// How many words it has, by which long passages are not preferred.
    pub(crate) words: u32,
}

/// Folds a text for the index.
pub(crate) fn indexed(text: &str, folding: Folding) -> Indexed {
    let mut indexed = Indexed { line: String::with_capacity(text.len()), words: 0 };
    each_word(text, |word| {
        indexed.words = indexed.words.saturating_add(1);
        let tokens = match &word {
            Word::Spaced(word) => tokens(word, folding),
            Word::Piece(piece, _) => vec![piece.clone()],
        };
        for token in tokens {
            indexed.line.push_str(&token);
            indexed.line.push(' ');
        }
    });
    indexed
}

/// A word of a question: any of these tokens is it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// The tokens.
    pub(crate) any: Vec<String>,
    /// What it counts.
    pub(crate) weight: f32,
    /// Whether it is the beginning of a token only: a single character of a script that has no spaces.
    pub(crate) prefix: bool,
}

/// Folds a question, in whatever of these ways documents were folded; the same word only once.
pub(crate) fn asked(text: &str, foldings: &[Folding]) -> Vec<Asked> {
    let mut all: Vec<Asked> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut words = 0;
    each_word(text, |word| {
        let (any, prefix) = match &word {
            Word::Spaced(word) => {
                let stems = foldings.iter().filter(|folding| matches!(folding, Folding::Stems(_)));
                let mut any: BTreeSet<String> = stems.flat_map(|folding| tokens(word, *folding)).collect();
                any.insert(plain(word));
                (any, false)
            }
            Word::Piece(piece, whole) => ([piece.clone()].into(), !whole),
        };
        if words >= MOST_ASKED || any.iter().all(|token| token.is_empty()) || !seen.insert(any.clone()) {
            return;
        }
        words += 1;
        all.push(Asked {
            any: any.into_iter().filter(|token| !token.is_empty()).collect(),
            weight: 1.0,
            prefix,
        });
        if let (Word::Spaced(word), true) = (&word, foldings.contains(&Folding::Grams)) {
            let grams = grams(&plain(word));
            let weight = GRAMS_WEIGH / (grams.len().max(1) as f32);
            all.extend(grams.into_iter().map(|gram| Asked { any: vec![gram], weight, prefix: false }));
        }
    });
    all
}

/// A word, as it is written but in lower case.
enum Word {
    /// Between spaces.
    Spaced(String),
    /// A piece of a run without spaces, and whether it is as long as pieces are.
    Piece(String, bool),
}

/// Gives each word of a text to `take`, in order.
fn each_word(text: &str, mut take: impl FnMut(Word)) {
    let mut run = String::new();
    // How many characters a piece has in the script of the run; 0 for scripts with spaces.
    let mut size = 0;
    let mut end = |run: &mut String, size: usize| {
        if run.is_empty() {
            return;
        }
        if size == 0 {
            take(Word::Spaced(std::mem::take(run)));
        } else {
            let characters: Vec<char> = run.drain(..).collect();
            if characters.len() < size {
                take(Word::Piece(characters.iter().collect(), false));
            }
            characters.windows(size).for_each(|piece| take(Word::Piece(piece.iter().collect(), true)));
        }
    };
    for one in text.nfkc().flat_map(char::to_lowercase) {
        // Joiners and soft hyphens stand within words and say nothing.
        if matches!(one, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{640}') {
            continue;
        }
        let belongs = one.is_alphanumeric() || (is_combining_mark(one) && !run.is_empty());
        if !belongs {
            end(&mut run, size);
            continue;
        }
        // A mark belongs to the character before it, whatever its own block is.
        let its = if is_combining_mark(one) && size == 0 { 0 } else { piece_size(one) };
        if its != size {
            end(&mut run, size);
            size = its;
        }
        run.push(one);
    }
    end(&mut run, size);
}

/// How many characters a piece has in this character's script; 0 where words have spaces between them.
fn piece_size(one: char) -> usize {
    match one {
        // Kana, Chinese characters, Korean syllables.
        '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}' => 2,
        // Thai, Lao, Tibetan, Burmese, Khmer.
        '\u{0E00}'..='\u{0FFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' => 3,
        _ => 0,
    }
}

/// The tokens of a word between spaces.
fn tokens(word: &str, folding: Folding) -> Vec<String> {
    let plain = plain(word);
    match folding {
        // Stemmers know letters only.
        Folding::Stems(algorithm)
            if word.chars().all(|one| one.is_alphabetic() || is_combining_mark(one)) =>
        {
            let stemmer = Stemmer::create(algorithm);
            let cut: String = word.chars().take(LONGEST).collect();
            let written = self::plain(&stemmer.stem(&cut));
            let without = stemmer.stem(&plain).into_owned();
            let mut tokens = vec![if written.is_empty() { plain } else { written }];
            if !without.is_empty() && !tokens.contains(&without) {
                tokens.push(without);
            }
            tokens
        }
        Folding::Stems(_) => vec![plain],
        Folding::Grams => {
            let mut tokens = grams(&plain);
            tokens.insert(0, plain);
            tokens
        }
    }
}

/// The trigrams of a word that is long enough to be found by a part of it.
fn grams(plain: &str) -> Vec<String> {
    let characters: Vec<char> = plain.chars().collect();
    if characters.len() < 4 || characters.iter().all(|one| one.is_numeric()) {
        return Vec::new();
    }
    let unique: BTreeSet<String> = characters
        .windows(3)
        .map(|three| std::iter::once(GRAM).chain(three.iter().copied()).collect())
        .collect();
    unique.into_iter().collect()
}

/// A word without its accents, and with letters that are written in two ways written in one.
fn plain(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    if word.is_ascii() {
        plain.push_str(word.get(..LONGEST).unwrap_or(word));
        return plain;
    }
    for one in word.nfd().filter(|one| !is_accent(*one)).nfc().take(LONGEST) {
        match one {
            'ß' => plain.push_str("ss"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            'þ' => plain.push_str("th"),
            'ø' => plain.push('o'),
            'đ' | 'ð' => plain.push('d'),
            'ł' => plain.push('l'),
            'ħ' => plain.push('h'),
            'ı' => plain.push('i'),
            'ς' => plain.push('σ'),
            'ة' => plain.push('ه'),
            'ى' | 'ی' => plain.push('ي'),
            'ک' => plain.push('ك'),
            _ => plain.push(one),
        }
    }
    plain
}

/// What may be left out in writing: accents of Latin, Greek and Cyrillic letters, the points of Hebrew and Arabic. The
/// vowel signs of Indic scripts and of Thai are letters of their words and stay.
fn is_accent(one: char) -> bool {
    matches!(
        one,
        '\u{300}'..='\u{36F}'
            | '\u{591}'..='\u{5BD}'
            | '\u{5BF}'..='\u{5C7}'
            | '\u{610}'..='\u{61A}'
            | '\u{64B}'..='\u{65F}'
            | '\u{670}'
            | '\u{6D6}'..='\u{6ED}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(document: &str, language: Option<&str>, question: &str) -> bool {
        let folding = Folding::of(language);
        let line = indexed(document, folding).line;
        let tokens: BTreeSet<&str> = line.split(' ').collect();
        asked(question, &[folding]).iter().any(|word| {
            word.any.iter().any(|token| match word.prefix {
                true => tokens.iter().any(|other| other.starts_with(token.as_str())),
                false => tokens.contains(token.as_str()),
            })
        })
    }

    #[test]
    fn a_word_is_found_by_its_other_forms_and_without_its_accents() {
        for (language, document, question) in [
            (Some("en"), "Boiling the water", "boil"),
            (Some("en"), "Boiling the water", "BOILED?"),
            (Some("es"), "la información", "informaciones"),
            (Some("es"), "la información", "informacion"),
            (Some("pt-BR"), "A malária", "malaria"),
            (Some("de"), "Die Straße", "STRASSE"),
            (Some("de"), "Bäume pflanzen", "baum"),
            (Some("ru"), "чистой воды", "вода"),
            (Some("el"), "ο δρόμος", "δρόμου"),
            (Some("ar"), "المَاء", "الماء"),
            (Some("sw"), "mwanafunzi mpya", "wanafunzi"),
            (Some("hi"), "साफ पानी", "पानी"),
            (None, "Łódź", "lodz"),
        ] {
            assert!(found(document, language, question), "{question} in {document}");
        }
        assert!(!found("Boiling the water", Some("en"), "fire"));
        assert!(!found("mwanafunzi mpya", Some("sw"), "shule"));
    }

    #[test]
    fn scripts_without_spaces_are_found_by_their_parts() {
        for (document, question) in [
            ("请把饮用水煮沸", "饮用水"),
            ("请把饮用水煮沸", "水"),
            ("飲み水を沸かす", "飲み水"),
            ("ต้มน้ำดื่มให้เดือด", "น้ำดื่ม"),
            ("끓인 물을 마신다", "물을"),
        ] {
            assert!(found(document, None, question), "{question} in {document}");
        }
        assert!(!found("请把饮用水煮沸", None, "火灾"));
    }

    #[test]
    fn what_is_no_word_asks_for_nothing() {
        for text in ["", "  ", "\"'*():^-+", "😀 🚰", "\u{200D}\u{AD}", "___"] {
            assert_eq!(asked(text, &[Folding::Stems(Algorithm::English), Folding::Grams]), [], "{text}");
        }
    }

    #[test]
    fn the_same_word_counts_once_and_a_long_text_is_cut() {
        assert_eq!(asked("water Water WATER wáter", &[Folding::Stems(Algorithm::English)]).len(), 1);
        let text: String = (0..1_000).map(|number| format!("word{number} ")).collect();
        assert_eq!(asked(&text, &[Folding::Stems(Algorithm::English)]).len(), MOST_ASKED);
    }

    /// What is in an index was folded like this. If this fails on purpose, add the step that the head of this file
    /// names, then change the digits here.
    #[test]
    fn texts_are_folded_as_those_that_are_in_indexes_already() {
        let texts =
            "Boiling água informaciones Straße чистой mwanafunzi 请把饮用水煮沸 ต้มน้ำ پانی पानी 3kg don't";
        let mut hasher = blake3::Hasher::new();
        for language in [
            "ar", "da", "nl", "en", "fi", "fr", "de", "el", "hu", "it", "no", "pt", "ro", "ru", "es", "sv",
            "ta", "tr", "sw",
        ] {
            hasher.update(indexed(texts, Folding::of(Some(language))).line.as_bytes());
        }
        assert_eq!(&hasher.finalize().to_hex()[..16], "b3c175228c982e22");
    }

    proptest! {
        #[test]
        fn any_text_is_folded_to_tokens_that_the_index_takes_as_they_are(text in "\\PC{0,200}", language in 0..20_usize) {
            let languages = ["ar", "da", "nl", "en", "fi", "fr", "de", "el", "hu", "it", "no", "pt", "ro", "ru", "es", "sv",
                "ta", "tr", "sw", "th"];
            let folding = Folding::of(Some(languages[language]));
            for token in indexed(&text, folding).line.split(' ').filter(|token| !token.is_empty()) {
                prop_assert!(token.chars().all(|one| !one.is_ascii() || one.is_ascii_alphanumeric() || one == GRAM), "{token}");
                prop_assert!(!token.chars().any(|one| one.is_ascii_uppercase()), "{token}");
            }
            asked(&text, &[folding, Folding::Grams]);
        }
    }
}
