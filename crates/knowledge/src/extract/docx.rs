//! Word documents: the text as it stands, with deleted text, comments and field codes left out.

use std::collections::HashMap;
use std::io::{Read, Seek};

use super::ExtractError;
use super::archive::Archive;
use super::words::Words;
use super::xml::{self, Element, Node};
use crate::BlockKind;

const TEXT: &str = "word/document.xml";
const STYLES: &str = "word/styles.xml";
const NOTES: [&str; 2] = ["word/footnotes.xml", "word/endnotes.xml"];
const PROPERTIES: &str = "docProps/core.xml";

pub(super) fn read(bytes: &mut (impl Read + Seek), words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut archive = Archive::open(bytes, words)?;
    if archive.has(PROPERTIES) {
        read_properties(archive.part(PROPERTIES, words)?, words)?;
    }
    let mut styles = HashMap::new();
    if archive.has(STYLES) {
        styles = kinds(archive.part(STYLES, words)?, words)?;
    }
    let mut parts = vec![TEXT];
    parts.extend(NOTES.into_iter().filter(|name| archive.has(name)));
    for part in parts {
        let mut reading = Reading::new(&styles);
        xml::walk(archive.part(part, words)?, words, |node, words| reading.node(node, words))?;
        reading.flush(words)?;
    }
    Ok(())
}

/// Title, author and language, as Dublin Core names them; ODT has the same.
pub(super) fn read_properties(source: impl Read, words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut text = String::new();
    xml::walk(source, words, |node, words| {
        match node {
            Node::Open(_) => text.clear(),
            Node::Text(piece) => text.push_str(piece),
            Node::Close("title") => words.title(&text),
            Node::Close("creator" | "initial-creator") => words.author(&text),
            Node::Close("language") => words.language(&text),
            Node::Close(_) => {}
        }
        Ok(())
    })
}

/// What paragraphs of each style are, by the styles' names: those are English whatever the language of the program;
/// their ids are not.
fn kinds(source: impl Read, words: &mut Words<'_>) -> Result<HashMap<String, BlockKind>, ExtractError> {
    let mut kinds = HashMap::new();
    let mut style = None;
    xml::walk(source, words, |node, _| {
        let Node::Open(element) = node else { return Ok(()) };
        match element.name {
            "style" => style = element.attribute("styleId"),
            "name" => {
                let name = element.attribute("val").unwrap_or_default().to_lowercase();
                if let (Some(id), Some(kind)) = (style.take(), kind_of(&name)) {
                    kinds.insert(id, kind);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(kinds)
}

fn kind_of(style: &str) -> Option<BlockKind> {
    if let Some(number) = style.strip_prefix("heading ") {
        let level: u8 = number.parse().ok()?;
        return (1..=9).contains(&level).then_some(BlockKind::Heading(level.min(6)));
    }
    let listed = ["list bullet", "list number"].iter().any(|list| style.starts_with(list));
    (style == "title").then_some(BlockKind::Heading(1)).or(listed.then_some(BlockKind::Item))
}

struct Reading<'s> {
    styles: &'s HashMap<String, BlockKind>,
    buffer: String,
    kind: BlockKind,
    in_text: bool,
    /// How many elements are open inside one that is left out, that one too.
    left_out: usize,
    /// The cells of the rows that are open: tables stand in cells of tables.
    rows: Vec<Vec<String>>,
}

impl<'s> Reading<'s> {
    fn new(styles: &'s HashMap<String, BlockKind>) -> Self {
        let (buffer, rows) = (String::new(), Vec::new());
        Self { styles, buffer, kind: BlockKind::Paragraph, in_text: false, left_out: 0, rows }
    }

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
            Node::Open(element) => self.open(&element),
            Node::Close(name) => self.close(name, words)?,
            Node::Text(text) if self.in_text => self.buffer.push_str(text),
            Node::Text(_) => {}
        }
        Ok(())
    }

    fn open(&mut self, element: &Element<'_>) {
        match element.name {
            // What a newer Word shows stands before it, and says the same.
            "Fallback" => self.left_out = 1,
            "t" => self.in_text = true,
            "tab" | "br" | "cr" => self.buffer.push(' '),
            "noBreakHyphen" => self.buffer.push('-'),
            "pStyle" => {
                if let Some(&kind) = element.attribute("val").and_then(|style| self.styles.get(&style)) {
                    self.kind = kind;
                }
            }
            "numPr" if self.kind == BlockKind::Paragraph => self.kind = BlockKind::Item,
            "tr" => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn close(&mut self, name: &str, words: &mut Words<'_>) -> Result<(), ExtractError> {
        match name {
            "t" => self.in_text = false,
            "p" if self.rows.is_empty() => self.flush(words)?,
            "p" => self.buffer.push(' '),
            "tc" => {
                let cell = std::mem::take(&mut self.buffer);
                if let (Some(row), false) = (self.rows.last_mut(), cell.trim().is_empty()) {
                    row.push(cell.trim().to_owned());
                }
            }
            "tr" => {
                let cells = self.rows.pop().unwrap_or_default();
                self.kind = BlockKind::Paragraph;
                words.push(BlockKind::Row, &cells.join(" | "))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self, words: &mut Words<'_>) -> Result<(), ExtractError> {
        let buffer = std::mem::take(&mut self.buffer);
        let kind = std::mem::replace(&mut self.kind, BlockKind::Paragraph);
        words.push(kind, &buffer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::{extracted, zipped};

    #[test]
    fn a_letter_keeps_headings_lists_and_tables() {
        let styles = "<w:styles><w:style w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>\
            <w:style w:styleId='Aufzhlung'><w:name w:val='List Bullet 2'/></w:style></w:styles>";
        let text = "<w:document><w:body>\
            <w:p><w:pPr><w:pStyle w:val='berschrift1'/></w:pPr><w:r><w:t>The &amp; well</w:t></w:r></w:p>\
            <w:p><w:r><w:t xml:space='preserve'>From </w:t><w:tab/><w:t>six</w:t><w:delText>seven</w:delText></w:r></w:p>\
            <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>a bottle</w:t></w:r></w:p>\
            <w:p><w:pPr><w:pStyle w:val='Aufzhlung'/></w:pPr><w:r><w:t>a lid</w:t></w:r></w:p>\
            <w:tbl><w:tr><w:tc><w:p><w:r><w:t>Mon</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Ana</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
            <w:p><w:r><w:t>End</w:t></w:r></w:p></w:body></w:document>";
        let core =
            "<cp:coreProperties><dc:title>Letter</dc:title><dc:creator>Ana</dc:creator></cp:coreProperties>";
        let file = zipped(&[(PROPERTIES, core), (STYLES, styles), (TEXT, text)]);
        let read = extracted(Format::Docx, &file).unwrap();
        let blocks: Vec<_> = read.blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        assert_eq!(
            blocks,
            [
                (BlockKind::Heading(1), "The & well"),
                (BlockKind::Paragraph, "From six"),
                (BlockKind::Item, "a bottle"),
                (BlockKind::Item, "a lid"),
                (BlockKind::Row, "Mon | Ana"),
                (BlockKind::Paragraph, "End"),
            ]
        );
        assert_eq!((read.title.as_deref(), read.author.as_deref()), (Some("Letter"), Some("Ana")));
    }

    #[test]
    fn one_without_its_text_is_damaged() {
        let reason = extracted(Format::Docx, &zipped(&[(STYLES, "<s/>")])).unwrap_err().to_string();
        assert!(reason.contains("damaged") && reason.contains(TEXT), "{reason}");
    }
}
