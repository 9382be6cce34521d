//! From tokens to blocks.

use html5ever::tokenizer::Tag;

use super::elements::{is_block, is_skipped};
use crate::BlockKind;
use crate::extract::ExtractError;
use crate::extract::words::{Words, clean};

/// A cell of a table longer than this stands in a table made for layout.
const LONGEST_CELL: usize = 2000;

/// What has been read of a page.
pub(super) struct Page<'w, 'l> {
    pub(super) words: &'w mut Words<'l>,
    pub(super) failed: Option<ExtractError>,
    buffer: String,
    kind: BlockKind,
    /// The element that is skipped, and how many of its own name are open in it.
    skipped: Option<(String, usize)>,
    title: Option<String>,
    /// The cells of the row that is open.
    row: Option<Vec<String>>,
}

impl<'w, 'l> Page<'w, 'l> {
    pub(super) fn new(words: &'w mut Words<'l>) -> Self {
        let buffer = String::new();
        Self {
            words,
            failed: None,
            buffer,
            kind: BlockKind::Paragraph,
            skipped: None,
            title: None,
            row: None,
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        self.title.as_mut().unwrap_or(&mut self.buffer).push_str(text);
    }

    pub(super) fn open(&mut self, tag: &Tag) -> Result<(), ExtractError> {
        let name: &str = &tag.name;
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(*skipped == name && !tag.self_closing);
            return Ok(());
        }
        if is_skipped(name) {
            if !tag.self_closing {
                self.skipped = Some((name.to_owned(), 1));
            }
            return Ok(());
        }
        match name {
            "html" | "body" => self.note_language(tag),
            "title" if !tag.self_closing => self.title = Some(String::new()),
            "meta" => self.note_meta(tag),
            "br" => self.buffer.push(if self.kind == BlockKind::Verbatim { '\n' } else { ' ' }),
            "img" => self.text(&attribute(tag, "alt").map(|alt| format!(" {alt} ")).unwrap_or_default()),
            _ => {}
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.begin(BlockKind::Heading(name.as_bytes()[1] - b'0'))
            }
            "li" | "dt" | "dd" => self.begin(BlockKind::Item),
            "pre" => self.begin(BlockKind::Verbatim),
            "tr" => self.begin_row(),
            "td" | "th" => self.begin_cell(),
            name if is_block(name) => self.begin_inside(),
            _ => Ok(()),
        }
    }

    pub(super) fn close(&mut self, name: &str) -> Result<(), ExtractError> {
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth -= usize::from(*skipped == name);
            if *depth == 0 {
                self.skipped = None;
            }
            return Ok(());
        }
        match name {
            "title" => {
                if let Some(title) = self.title.take() {
                    self.words.title(&title);
                }
                Ok(())
            }
            "td" | "th" => {
                self.end_cell();
                Ok(())
            }
            "tr" | "table" => self.end_row(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "li" | "dt" | "dd" | "pre" => {
                self.begin(BlockKind::Paragraph)
            }
            name if is_block(name) => self.begin_inside(),
            _ => Ok(()),
        }
    }

    /// Begins a block. In a cell there are no blocks: a row is one line.
    fn begin(&mut self, kind: BlockKind) -> Result<(), ExtractError> {
        if self.row.is_some() {
            self.buffer.push(' ');
            return Ok(());
        }
        self.flush()?;
        self.kind = kind;
        Ok(())
    }

    /// A block inside another one. The first in an item is the item itself, as in `<li><p>…`.
    fn begin_inside(&mut self) -> Result<(), ExtractError> {
        let empty_item = self.kind == BlockKind::Item && clean(&self.buffer).is_empty();
        self.begin(if empty_item { BlockKind::Item } else { BlockKind::Paragraph })
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.words.push(self.kind, &buffer)?;
        Ok(())
    }

    fn begin_row(&mut self) -> Result<(), ExtractError> {
        self.end_row()?;
        self.flush()?;
        self.kind = BlockKind::Paragraph;
        self.row = Some(Vec::new());
        Ok(())
    }

    fn begin_cell(&mut self) -> Result<(), ExtractError> {
        if self.row.is_none() {
            return self.begin(BlockKind::Paragraph);
        }
        self.end_cell();
        Ok(())
    }

    fn end_cell(&mut self) {
        if let Some(row) = &mut self.row {
            let cell = clean(&self.buffer);
            self.buffer.clear();
            if !cell.is_empty() {
                row.push(cell);
            }
        }
    }

    /// Tables for layout have one cell in a row, or whole pages in their cells: those are paragraphs.
    fn end_row(&mut self) -> Result<(), ExtractError> {
        self.end_cell();
        let Some(cells) = self.row.take() else { return self.begin(BlockKind::Paragraph) };
        if cells.len() == 1 || cells.iter().any(|cell| cell.len() > LONGEST_CELL) {
            for cell in cells {
                self.words.push(BlockKind::Paragraph, &cell)?;
            }
            return Ok(());
        }
        self.words.push(BlockKind::Row, &cells.join(" | "))?;
        Ok(())
    }

    fn note_language(&mut self, tag: &Tag) {
        if let Some(language) = attribute(tag, "lang").or_else(|| attribute(tag, "xml:lang")) {
            self.words.language(language);
        }
    }

    fn note_meta(&mut self, tag: &Tag) {
        let (Some(name), Some(content)) = (attribute(tag, "name"), attribute(tag, "content")) else { return };
        match name.to_ascii_lowercase().as_str() {
            "author" | "dc.creator" => self.words.author(content),
            "dc.title" => self.words.title(content),
            "dc.language" => self.words.language(content),
            _ => {}
        }
    }

    pub(super) fn end(mut self) -> Result<(), ExtractError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some((skipped, _)) = self.skipped.take() {
            self.words.warn(format!("the end of the page was not read: a <{skipped}> in it is never closed"));
        }
        self.end_row()?;
        self.flush()
    }
}

fn attribute<'t>(tag: &'t Tag, name: &str) -> Option<&'t str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}
