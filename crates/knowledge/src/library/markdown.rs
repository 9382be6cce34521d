//! A version as Markdown, for taking along: what was a heading is a heading again, and nothing in the words becomes
//! markup that was none.

use std::fmt::Write as _;

use crate::document::Document;
use crate::extracted::{Block, BlockKind};

/// The words under the title, with who wrote them and under which licence.
pub(crate) fn of(document: &Document, blocks: &[Block]) -> String {
    let mut text = format!("# {}\n\n", escaped(&document.title));
    for (name, value) in [
        ("Author", &document.author),
        ("Attribution", &document.attribution),
        ("Licence", &document.licence),
        ("Source", &document.source),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "{name}: {}  ", escaped(value));
        }
    }
    text.push('\n');
    let mut before = None;
    for block in blocks {
        // A list and a table are whole only without empty lines between their parts.
        if before.is_some_and(|before| {
            before != block.kind || !matches!(block.kind, BlockKind::Item | BlockKind::Row)
        }) {
            text.push('\n');
        }
        write_block(&mut text, block);
        before = Some(block.kind);
    }
    text
}

fn write_block(text: &mut String, block: &Block) {
    let _ = match block.kind {
        // The title is the one heading of the first level.
        BlockKind::Heading(level) => {
            let level = usize::from(level.saturating_add(1).clamp(2, 6));
            writeln!(text, "{} {}", "#".repeat(level), escaped(&block.text))
        }
        BlockKind::Paragraph => writeln!(text, "{}", escaped(&block.text)),
        BlockKind::Item => writeln!(text, "* {}", escaped(&block.text)),
        // Without a head there is no table in Markdown; the cells stand as they are.
        BlockKind::Row => writeln!(text, "{}  ", escaped(&block.text)),
        BlockKind::Verbatim => {
            let fence = fence(&block.text);
            writeln!(text, "{fence}\n{}\n{fence}", block.text)
        }
    };
}

/// A fence that does not stand in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|one| one != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

/// Words only: characters that Markdown reads are shielded; at the beginning of a line those too that make lists,
/// quotes and headings.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for (place, one) in text.char_indices() {
        let reads = matches!(one, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&')
            || (place == 0 && matches!(one, '#' | '+' | '-' | '=' | '~' | '|'));
        if reads {
            safe.push('\\');
        }
        safe.push(one);
    }
    // `1.` begins a numbered list.
    let digits = safe.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && safe.get(digits..).is_some_and(|rest| rest.starts_with(['.', ')'])) {
        safe.insert(digits, '\\');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words_and_fences_stay_closed() {
        assert_eq!(escaped("# not *this*"), "\\# not \\*this\\*");
        assert_eq!(escaped("1. May 2026"), "1\\. May 2026");
        assert_eq!(fence("a ``` b"), "````");
        let mut text = String::new();
        write_block(&mut text, &Block { kind: BlockKind::Heading(6), text: "Deep".into(), page: None });
        assert_eq!(text, "###### Deep\n");
    }
}
