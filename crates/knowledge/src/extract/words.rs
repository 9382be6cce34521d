//! What comes out of every parser: blocks of clean text, counted against the limits as they come.

use std::time::Instant;

use unicode_normalization::UnicodeNormalization;

use super::{ExtractError, Format, Limits, language};
use crate::{Block, BlockKind, Extracted};

/// Titles and authors longer than this are cut: they are shown in lists.
const LONGEST_NAME: usize = 500;
/// More warnings than this help nobody.
const WARNINGS: usize = 20;

/// The words of one file, as they are found.
pub(super) struct Words<'a> {
    pub(super) format: Format,
    pub(super) limits: &'a Limits,
    out: Extracted,
    page: Option<u32>,
    size: u64,
    until: Instant,
}

impl<'a> Words<'a> {
    pub(super) fn new(format: Format, limits: &'a Limits) -> Self {
        let until = Instant::now() + limits.time;
        Self { format, limits, out: Extracted::default(), page: None, size: 0, until }
    }

    /// Adds a block; nothing, when there is nothing in it. Says whether there was.
    pub(super) fn push(&mut self, kind: BlockKind, raw: &str) -> Result<bool, ExtractError> {
        let text = if kind == BlockKind::Verbatim { clean_lines(raw) } else { clean(raw) };
        if text.is_empty() {
            return Ok(false);
        }
        self.check_time()?;
        self.size += text.len() as u64;
        if self.size > self.limits.text {
            return Err(ExtractError::TooMuchText { format: self.format, limit: self.limits.text });
        }
        if self.out.blocks.len() >= self.limits.blocks {
            return Err(self.too_many("paragraphs", self.limits.blocks));
        }
        self.out.blocks.push(Block { kind, text, page: self.page });
        Ok(true)
    }

    /// What follows stands on this page.
    pub(super) fn page(&mut self, page: u32) {
        self.page = Some(page);
    }

    /// The first title that says something stays.
    pub(super) fn title(&mut self, raw: &str) {
        keep_first(&mut self.out.title, raw);
    }

    /// The first author that says something stays.
    pub(super) fn author(&mut self, raw: &str) {
        keep_first(&mut self.out.author, raw);
    }

    /// What the file says of its language, if it is a language tag at all.
    pub(super) fn language(&mut self, tag: &str) {
        if self.out.language.is_none() {
            self.out.language = language::tag(tag);
        }
    }

    /// Something could not be read; the rest is there.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if self.out.warnings.len() < WARNINGS && !self.out.warnings.contains(&warning) {
            self.out.warnings.push(warning);
        }
    }

    pub(super) fn check_time(&self) -> Result<(), ExtractError> {
        if Instant::now() > self.until {
            return Err(ExtractError::TooSlow { format: self.format, limit: self.limits.time });
        }
        Ok(())
    }

    pub(super) fn broken(&self, detail: impl std::fmt::Display) -> ExtractError {
        ExtractError::Broken { format: self.format, detail: short(&clean(&detail.to_string()), 200) }
    }

    pub(super) fn too_many(&self, parts: &'static str, limit: usize) -> ExtractError {
        ExtractError::TooMany { format: self.format, parts, limit }
    }

    pub(super) fn too_deep(&self) -> ExtractError {
        ExtractError::TooDeep { format: self.format, limit: self.limits.depth }
    }

    /// How many blocks there are.
    pub(super) fn count(&self) -> usize {
        self.out.blocks.len()
    }

    /// All of it, with its language recognized when the file did not say. No words are a refusal: a document that
    /// nobody can find is worse than none.
    pub(super) fn finish(mut self) -> Result<Extracted, ExtractError> {
        if !self.out.blocks.iter().any(|block| block.text.chars().any(char::is_alphanumeric)) {
            return Err(ExtractError::NoWords(self.format));
        }
        if self.out.language.is_none() {
            self.out.language = language::recognize(&self.out.blocks);
        }
        Ok(self.out)
    }
}

fn keep_first(place: &mut Option<String>, raw: &str) {
    let name = short(&clean(raw), LONGEST_NAME);
    if place.is_none() && !name.is_empty() {
        *place = Some(name);
    }
}

/// At most so many characters.
fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Unicode NFC, white space made single, nothing that cannot be seen but changes what is seen.
pub(super) fn clean(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut gap = false;
    for c in raw.nfc() {
        if c.is_whitespace() {
            gap = true;
        } else if !unwanted(c) {
            if gap && !text.is_empty() {
                text.push(' ');
            }
            gap = false;
            text.push(c);
        }
    }
    text
}

/// The same, with line breaks and the spaces before them kept as they stand; no empty lines around it.
fn clean_lines(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for line in raw.replace('\r', "").split('\n') {
        let line: String =
            line.nfc().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|&c| !unwanted(c)).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let text = text.trim_end();
    // Blank lines before the first one go, its indentation stays.
    let blank = text.len() - text.trim_start().len();
    let start = text[..blank].rfind('\n').map_or(0, |at| at + 1);
    text[start..].to_owned()
}

/// Control characters, the byte order mark, soft hyphens, and the marks that turn the direction of what follows, with
/// which a text can show something else than it says. Joiners stay: Persian and Indic scripts need them.
fn unwanted(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{feff}' | '\u{ad}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_made_clean_and_stays_readable() {
        assert_eq!(clean("  e\u{301}t\u{e9}\u{a0}\r\n chaud\u{0}\u{202e} "), "\u{e9}t\u{e9} chaud");
        assert_eq!(clean("\u{feff}co\u{ad}op"), "coop");
        assert_eq!(clean_lines("\n\n  a\tb  \r\n\nc\n\n"), "  a b\n\nc");
        assert_eq!(clean_lines(" \n \n"), "");
    }

    #[test]
    fn text_beyond_the_limits_is_refused() {
        let limits = Limits { text: 10, blocks: 2, ..Limits::default() };
        let mut words = Words::new(Format::Text, &limits);
        assert!(words.push(BlockKind::Paragraph, "12345").unwrap());
        assert!(!words.push(BlockKind::Paragraph, " \n ").unwrap());
        assert!(matches!(
            words.push(BlockKind::Paragraph, "123456"),
            Err(ExtractError::TooMuchText { limit: 10, .. })
        ));
        let limits = Limits { blocks: 1, ..Limits::default() };
        let mut words = Words::new(Format::Text, &limits);
        words.push(BlockKind::Paragraph, "one").unwrap();
        assert!(matches!(words.push(BlockKind::Paragraph, "two"), Err(ExtractError::TooMany { .. })));
    }
}
