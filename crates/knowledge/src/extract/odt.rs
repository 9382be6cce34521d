//! LibreOffice documents: the text as it stands, with deleted text and comments left out, notes in brackets.

use std::io::{Read, Seek};

use super::ExtractError;
use super::archive::Archive;
use super::docx::read_properties;
use super::words::Words;
use super::xml::{self, Element, Node};
use crate::BlockKind;

const TEXT: &str = "content.xml";
const PROPERTIES: &str = "meta.xml";
const MANIFEST: &str = "META-INF/manifest.xml";
/// The most spaces that one element stands for.
const SPACES: usize = 40;

pub(super) fn read(bytes: &mut (impl Read + Seek), words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut archive = Archive::open(bytes, words)?;
    if archive.has(MANIFEST) && is_locked(archive.part(MANIFEST, words)?, words)? {
        return Err(ExtractError::Locked(words.format));
    }
    if archive.has(PROPERTIES) {
        read_properties(archive.part(PROPERTIES, words)?, words)?;
    }
    let mut reading = Reading::default();
    xml::walk(archive.part(TEXT, words)?, words, |node, words| reading.node(node, words))?;
    reading.flush(BlockKind::Paragraph, words)
}

fn is_locked(manifest: impl Read, words: &mut Words<'_>) -> Result<bool, ExtractError> {
    let mut locked = false;
    xml::walk(manifest, words, |node, _| {
        if let Node::Open(element) = node {
            locked |= element.name == "encryption-data";
        }
        Ok(())
    })?;
    Ok(locked)
}

#[derive(Default)]
struct Reading {
    buffer: String,
    /// How many paragraphs and headings are open: outside them is no text.
    texts: usize,
    level: u8,
    items: usize,
    notes: usize,
    /// How many elements are open inside one that is left out, that one too.
    left_out: usize,
    rows: Vec<Vec<String>>,
}

impl Reading {
    fn node(&mut self, node: Node<'_>, words: &mut Words<'_>) -> Result<(), ExtractError> {
        if self.left_out > 0 {
            match node {
                Node::Open(_) => self.left_out += 1,
                Node::Close(_) => self.left_out -= 1,
                Node::Text(_) => {}
            }
            return Ok(());
        }
        match node {
            Node::Open(element) => self.open(&element, words),
            Node::Close(name) => self.close(name, words),
            Node::Text(text) => {
                if self.texts > 0 {
                    self.buffer.push_str(text);
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, element: &Element<'_>, words: &mut Words<'_>) -> Result<(), ExtractError> {
        let number = |name: &str| element.attribute(name).and_then(|value| value.parse::<usize>().ok());
        match element.name {
            "tracked-changes" | "annotation" | "note-citation" => self.left_out = 1,
            "note-body" => {
                self.notes += 1;
                self.buffer.push_str(" (");
            }
            "p" | "h" => {
                if self.notes == 0 && self.rows.is_empty() {
                    self.flush(BlockKind::Paragraph, words)?;
                }
                // A note in a heading leaves it one.
                if self.notes == 0 {
                    self.level = match element.name {
                        "h" => u8::try_from(number("outline-level").unwrap_or(1).clamp(1, 6)).unwrap_or(6),
                        _ => 0,
                    };
                }
                self.texts += 1;
            }
            "s" => self.buffer.push_str(&" ".repeat(number("c").unwrap_or(1).min(SPACES))),
            "tab" | "line-break" => self.buffer.push(' '),
            "list-item" => self.items += 1,
            "table-row" => self.rows.push(Vec::new()),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str, words: &mut Words<'_>) -> Result<(), ExtractError> {
        match name {
            "note-body" => {
                self.notes = self.notes.saturating_sub(1);
                let end = self.buffer.trim_end().len();
                self.buffer.truncate(end);
                self.buffer.push(')');
            }
            "p" | "h" => {
                self.texts = self.texts.saturating_sub(1);
                if self.notes > 0 || !self.rows.is_empty() {
                    self.buffer.push(' ');
                } else {
                    self.flush(self.kind(), words)?;
                }
            }
            "list-item" => self.items = self.items.saturating_sub(1),
            "table-cell" => {
                let cell = std::mem::take(&mut self.buffer);
                if let (Some(row), false) = (self.rows.last_mut(), cell.trim().is_empty()) {
                    row.push(cell.trim().to_owned());
                }
            }
            "table-row" => {
                let cells = self.rows.pop().unwrap_or_default();
                words.push(BlockKind::Row, &cells.join(" | "))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn kind(&self) -> BlockKind {
        match (self.level, self.items) {
            (0, 0) => BlockKind::Paragraph,
            (0, _) => BlockKind::Item,
            (level, _) => BlockKind::Heading(level),
        }
    }

    fn flush(&mut self, kind: BlockKind, words: &mut Words<'_>) -> Result<(), ExtractError> {
        let buffer = std::mem::take(&mut self.buffer);
        words.push(kind, &buffer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::{blocks, extracted, zipped};

    #[test]
    fn a_document_keeps_headings_lists_tables_and_notes() {
        let text = "<office:document-content><office:body><office:text>\
            <text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
            <text:h text:outline-level='2'>Hours</text:h>\
            <text:p>From<text:s text:c='3'/>six<text:note><text:note-citation>1</text:note-citation>\
            <text:note-body><text:p>in summer</text:p></text:note-body></text:note>.</text:p>\
            <text:list><text:list-item><text:p>a bottle</text:p></text:list-item></text:list>\
            <table:table><table:table-row><table:table-cell><text:p>Mon</text:p></table:table-cell>\
            <table:table-cell><text:p>Ana</text:p></table:table-cell></table:table-row></table:table>\
            </office:text></office:body></office:document-content>";
        assert_eq!(
            blocks(
                Format::Odt,
                &zipped(&[("mimetype", "application/vnd.oasis.opendocument.text"), (TEXT, text)])
            ),
            [
                (BlockKind::Heading(2), "Hours".into()),
                (BlockKind::Paragraph, "From six (in summer).".into()),
                (BlockKind::Item, "a bottle".into()),
                (BlockKind::Row, "Mon | Ana".into()),
            ]
        );
    }

    #[test]
    fn one_with_a_password_says_so() {
        let manifest = "<manifest:manifest><manifest:encryption-data/></manifest:manifest>";
        let error =
            extracted(Format::Odt, &zipped(&[(MANIFEST, manifest), (TEXT, "\u{1}\u{2}")])).unwrap_err();
        assert!(matches!(error, ExtractError::Locked(Format::Odt)), "{error}");
    }
}
