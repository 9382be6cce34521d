//! Markdown, with the tables and front matter that people use.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::ExtractError;
use super::encoding;
use super::html;
use super::words::Words;
use crate::BlockKind;

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let text = encoding::decode(bytes, None, words);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reading =
        Reading { words, buffer: String::new(), kind: BlockKind::Paragraph, metadata: false, html: None };
    for event in Parser::new_ext(&text, options) {
        reading.event(event)?;
    }
    reading.flush()
}

struct Reading<'w, 'l> {
    words: &'w mut Words<'l>,
    buffer: String,
    kind: BlockKind,
    metadata: bool,
    html: Option<String>,
}

impl Reading<'_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<(), ExtractError> {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.metadata => {
                self.front_matter(&text);
                Ok(())
            }
            Event::Text(text) | Event::Code(text) => {
                self.buffer.push_str(&text);
                Ok(())
            }
            Event::SoftBreak | Event::HardBreak => {
                self.buffer.push(if self.kind == BlockKind::Verbatim { '\n' } else { ' ' });
                Ok(())
            }
            // Inside a paragraph, markup is layout, and its words come as text of their own. A block of it is a small
            // web page, and comes in pieces.
            Event::Html(piece) => {
                if let Some(html) = &mut self.html {
                    html.push_str(&piece);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, tag: &Tag<'_>) -> Result<(), ExtractError> {
        match tag {
            Tag::Heading { level, .. } => self.begin(BlockKind::Heading(*level as u8)),
            Tag::CodeBlock(_) => self.begin(BlockKind::Verbatim),
            Tag::Item => self.begin(BlockKind::Item),
            Tag::TableHead | Tag::TableRow => self.begin(BlockKind::Row),
            Tag::Paragraph if self.kind != BlockKind::Item || !self.buffer.trim().is_empty() => {
                self.begin(BlockKind::Paragraph)
            }
            Tag::TableCell if !self.buffer.is_empty() => {
                self.buffer.push_str(" | ");
                Ok(())
            }
            Tag::HtmlBlock => {
                self.html = Some(String::new());
                self.begin(BlockKind::Paragraph)
            }
            Tag::MetadataBlock(_) => {
                self.metadata = true;
                self.begin(BlockKind::Paragraph)
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), ExtractError> {
        match tag {
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::Item
            | TagEnd::TableHead
            | TagEnd::TableRow => {
                self.flush()?;
                self.kind = BlockKind::Paragraph;
                Ok(())
            }
            TagEnd::HtmlBlock => match self.html.take() {
                Some(html) => html::read(&html, self.words),
                None => Ok(()),
            },
            TagEnd::MetadataBlock(_) => {
                self.metadata = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, kind: BlockKind) -> Result<(), ExtractError> {
        self.flush()?;
        self.kind = kind;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        if self.kind == BlockKind::Heading(1) && self.words.count() == 0 {
            self.words.title(&self.buffer);
        }
        self.words.push(self.kind, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Only the three lines that every program writes alike; whoever needs YAML needs it for something else.
    fn front_matter(&mut self, text: &str) {
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "title" => self.words.title(value),
                "author" => self.words.author(value),
                "lang" | "language" => self.words.language(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::{blocks, extracted};

    #[test]
    fn markup_goes_and_structure_stays() {
        let text = "# Bread\n\nWe *bake* at\n`six`.\n\n- flour\n- water, [clean](http://example.org)\n\n| Day | Who |\n|---|---|\n| Mon | Ana |\n\n```\na  b\n c\n```\n\n<div>\nAsk <b>Ana</b>\n</div>\n";
        assert_eq!(
            blocks(Format::Markdown, text.as_bytes()),
            [
                (BlockKind::Heading(1), "Bread".into()),
                (BlockKind::Paragraph, "We bake at six.".into()),
                (BlockKind::Item, "flour".into()),
                (BlockKind::Item, "water, clean".into()),
                (BlockKind::Row, "Day | Who".into()),
                (BlockKind::Row, "Mon | Ana".into()),
                (BlockKind::Verbatim, "a  b\n c".into()),
                (BlockKind::Paragraph, "Ask Ana".into()),
            ]
        );
    }

    #[test]
    fn front_matter_names_the_document() {
        let read =
            extracted(Format::Markdown, b"---\ntitle: \"The well\"\nauthor: Ana\nlang: pt_br\n---\nOpen.\n")
                .unwrap();
        assert_eq!(read.title.as_deref(), Some("The well"));
        assert_eq!(read.author.as_deref(), Some("Ana"));
        assert_eq!(read.language.as_deref(), Some("pt-BR"));
        assert_eq!(read.blocks.len(), 1);
    }
}
