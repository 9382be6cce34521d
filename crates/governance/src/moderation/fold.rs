//! Text as words are compared: without case, in one spelling of each letter, one blank for any gap.
//!
//! * Letters are decomposed and lower case, so that `É` typed as one character or as two is the same, and so is
//!   full-width `Ｐ`. Accents stay: in Spanish `año` and `ano` are not the same word.
//! * Every run of white space is one blank, so that a phrase is found across a line break.
//! * What is not seen (soft hyphens, zero-width characters, the Arabic stretch) is left out; curly apostrophes are
//!   straight.
//!
//! Folding looks at one character at a time and never back, so a growing text can be folded as it grows.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A folded text, and where in the text itself each of its bytes comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    text: String,
    /// For each byte of `text` the byte of the original at which its character begins.
    origin: Vec<usize>,
    /// Bytes of the original so far.
    read: usize,
}

impl Folded {
    pub(super) fn of(text: &str) -> Self {
        let mut folded = Self::default();
        folded.push(text);
        folded
    }

    /// Goes on with more text.
    pub(super) fn push(&mut self, more: &str) {
        for character in more.chars() {
            self.push_character(character);
            self.read += character.len_utf8();
        }
    }

    fn push_character(&mut self, character: char) {
        let at = self.read;
        if character.is_whitespace() {
            if !self.text.ends_with(' ') {
                self.push_folded(' ', at);
            }
            return;
        }
        decompose_compatible(character, |part| match part {
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{640}' => {}
            '\u{2018}' | '\u{2019}' | '\u{2bc}' => self.push_folded('\'', at),
            // The small sigma at the end of a word.
            '\u{3c2}' => self.push_folded('\u{3c3}', at),
            _ => part.to_lowercase().for_each(|lower| self.push_folded(lower, at)),
        });
    }

    fn push_folded(&mut self, character: char, at: usize) {
        self.text.push(character);
        self.origin.resize(self.text.len(), at);
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte of the original at which the character with this byte begins; the end for the end.
    pub(super) fn origin(&self, byte: usize) -> usize {
        self.origin.get(byte).copied().unwrap_or(self.read)
    }

    /// The nearest beginning of a character at or before this byte.
    pub(super) fn boundary_before(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }
}

/// Whether the character belongs to a word that is set apart by blanks or marks.
pub(super) fn is_in_word(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character) || character == '_'
}

/// Whether the character is of a script that sets no blanks between words: there a word is found wherever it stands.
pub(super) fn is_without_blanks(character: char) -> bool {
    matches!(
        u32::from(character),
        0x0E00..=0x0EFF         // Thai, Lao
        | 0x1000..=0x109F       // Myanmar
        | 0x1780..=0x17FF       // Khmer
        | 0x2E80..=0x2FDF | 0x3005..=0x3007 // Han radicals and marks
        | 0x3040..=0x30FF | 0x31F0..=0x31FF // Hiragana, Katakana
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF // Han
        | 0x2_0000..=0x3_FFFF   // Han, rare
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_word_become_the_same() {
        for (one, other) in [
            ("Élection", "e\u{301}LECTION"),
            ("ＰＯＬＩＴＩＣＳ", "politics"),
            ("what  is\n\tit", "What is it"),
            ("l’eau", "l'eau"),
            ("poli\u{ad}tics", "politics"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("ВЫБОРЫ", "выборы"),
            ("ΨΉΦΟΣ", "ψήφος"),
        ] {
            assert_eq!(Folded::of(one).text(), Folded::of(other).text());
        }
        assert_ne!(Folded::of("año").text(), Folded::of("ano").text());
    }

    #[test]
    fn each_byte_knows_where_it_comes_from() {
        let text = "É \n ﬁne";
        let folded = Folded::of(text);
        assert_eq!(folded.text(), "e\u{301} fine");
        assert_eq!(folded.origin(0), 0);
        assert_eq!(folded.origin(1), 0);
        assert_eq!(&text[folded.origin(4)..], "ﬁne");
        assert_eq!(folded.origin(5), folded.origin(4), "both letters of a ligature are one character");
        assert_eq!(&text[folded.origin(6)..], "ne");
        assert_eq!(folded.origin(99), text.len());
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_a_text_comes() {
        let text = "Ünïcode  \u{200b} text\n\n加油 ok";
        let mut pieces = Folded::default();
        text.chars().for_each(|character| pieces.push(character.encode_utf8(&mut [0; 4])));
        let whole = Folded::of(text);
        assert_eq!((pieces.text, pieces.origin, pieces.read), (whole.text, whole.origin, whole.read));
    }
}
