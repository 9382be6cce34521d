//! Plain text, and what other parsers give as plain text: mail, pages of PDFs, recognized pictures.

use super::ExtractError;
use super::encoding;
use super::words::Words;
use crate::BlockKind;

/// A file of which one character in so many is a control character is data that begins like text.
const CONTROLS: usize = 20;

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let text = encoding::decode(bytes, None, words);
    let controls = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).count();
    if controls * CONTROLS > text.chars().count() {
        return Err(words.broken("most of it is not text"));
    }
    // Old text files are printed pages, with a form feed between.
    let paged = text.contains('\u{c}');
    for (number, page) in (1..).zip(text.split('\u{c}')) {
        if paged {
            words.page(number);
        }
        paragraphs(page, words)?;
    }
    Ok(())
}

/// Paragraphs are what stands between empty lines. Lines inside one belong together, unless their layout says something:
/// lists, and what is indented or set with tabs.
pub(super) fn paragraphs(text: &str, words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            push(&paragraph, words)?;
            paragraph.clear();
        } else {
            paragraph.push(line);
        }
    }
    push(&paragraph, words)
}

fn push(lines: &[&str], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let Some(first) = lines.first() else { return Ok(()) };
    if item(first).is_some() {
        return push_items(lines, words);
    }
    let laid_out = |line: &&str| line.starts_with("  ") || line.contains('\t');
    if lines.len() > 1 && lines[1..].iter().any(laid_out) {
        words.push(BlockKind::Verbatim, &lines.join("\n"))?;
        return Ok(());
    }
    words.push(BlockKind::Paragraph, &joined(lines))?;
    Ok(())
}

/// A list: every line with a mark begins an item, the others go on with it.
fn push_items(lines: &[&str], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut current: Vec<&str> = Vec::new();
    for line in lines {
        if let Some(text) = item(line) {
            if !current.is_empty() {
                words.push(BlockKind::Item, &joined(&current))?;
            }
            current = vec![text];
        } else {
            current.push(line);
        }
    }
    words.push(BlockKind::Item, &joined(&current))?;
    Ok(())
}

/// The text of a line that begins an item. Numbers are part of the text: people refer to them.
fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    for mark in ["- ", "* ", "• ", "– ", "‣ ", "◦ "] {
        if let Some(text) = line.strip_prefix(mark) {
            return Some(text);
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    ((1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "))).then_some(line)
}

/// Lines as one, with words put together that were cut at the end of a line.
fn joined(lines: &[&str]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        let line = line.trim();
        let cut = text.ends_with('-')
            && text.chars().rev().nth(1).is_some_and(char::is_lowercase)
            && line.chars().next().is_some_and(char::is_lowercase);
        if cut {
            text.pop();
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::{blocks, extracted};

    #[test]
    fn data_that_begins_like_text_is_refused() {
        let data = [&b"words ".repeat(10)[..], &[0, 1, 2, 3, 200].repeat(100)].concat();
        let reason = extracted(Format::Text, &data).unwrap_err().to_string();
        assert!(reason.contains("not text"), "{reason}");
        // An old printer's marks are no harm.
        assert_eq!(
            blocks(Format::Text, b"bo\x08old words, and more of them after a mark \x0e for italics").len(),
            1
        );
    }

    #[test]
    fn paragraphs_lists_and_layout_are_told_apart() {
        let text = "The well is open from six to\neight, also on Sun-\ndays.\n\n- bring a bottle\n- bring\n  two\n\n1. boil\n\nMon\t6\nTue\t7\n";
        assert_eq!(
            blocks(Format::Text, text.as_bytes()),
            [
                (BlockKind::Paragraph, "The well is open from six to eight, also on Sundays.".into()),
                (BlockKind::Item, "bring a bottle".into()),
                (BlockKind::Item, "bring two".into()),
                (BlockKind::Item, "1. boil".into()),
                (BlockKind::Verbatim, "Mon 6\nTue 7".into()),
            ]
        );
    }
}
