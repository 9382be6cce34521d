//! XML, as DOCX, ODT and EPUB hold it: one element after the other, never a tree, never deeper than the limit.
//!
//! Entities that a file defines itself are not expanded, so a file of ten lines cannot become a billion; nothing is
//! fetched that it names.

use std::io::{BufRead, BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::ExtractError;
use super::words::Words;

/// Namespace prefixes are left out: each of the formats has its own elements, and no two of one name are mistaken.
pub(super) enum Node<'a> {
    Open(Element<'a>),
    Close(&'a str),
    Text(&'a str),
}

/// An element that opens.
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    start: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// The value of an attribute, by its name without prefix.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let mut all = self.start.attributes();
        let found = all.with_checks(false).flatten().find(|it| local(it.key.into_inner()) == name)?;
        Some(unescape(&found.value))
    }
}

/// Hands every element and text of `source` to `on`, together with the words that are being gathered.
pub(super) fn walk<'l>(
    source: impl Read,
    words: &mut Words<'l>,
    mut on: impl FnMut(Node<'_>, &mut Words<'l>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let mut reader = Reader::from_reader(BufReader::new(source));
    reader.config_mut().check_end_names = false;
    let mut depth = 0_usize;
    let mut buffer = Vec::new();
    while step(&mut reader, &mut buffer, &mut depth, words, &mut on)? {
        buffer.clear();
    }
    Ok(())
}

/// One event; false after the last.
fn step<'l>(
    reader: &mut Reader<impl BufRead>,
    buffer: &mut Vec<u8>,
    depth: &mut usize,
    words: &mut Words<'l>,
    on: &mut impl FnMut(Node<'_>, &mut Words<'l>) -> Result<(), ExtractError>,
) -> Result<bool, ExtractError> {
    let event = reader.read_event_into(buffer).map_err(|error| of_xml(error, words))?;
    match event {
        Event::Start(start) => {
            *depth += 1;
            if *depth > words.limits.depth {
                return Err(words.too_deep());
            }
            words.check_time()?;
            open(&start, words, on)?;
        }
        Event::Empty(start) => {
            open(&start, words, on)?;
            on(Node::Close(local(start.name().into_inner())), words)?;
        }
        Event::End(end) => {
            *depth = depth.saturating_sub(1);
            on(Node::Close(local(end.name().into_inner())), words)?;
        }
        Event::Text(text) => on(Node::Text(&text), words)?,
        Event::CData(text) => on(Node::Text(&text), words)?,
        Event::GeneralRef(name) => {
            let text = entity(&name);
            on(Node::Text(text.as_deref().unwrap_or(" ")), words)?;
        }
        Event::Eof => return Ok(false),
        _ => {}
    }
    Ok(true)
}

fn open<'l>(
    start: &BytesStart<'_>,
    words: &mut Words<'l>,
    on: &mut impl FnMut(Node<'_>, &mut Words<'l>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    on(Node::Open(Element { name: local(start.name().into_inner()), start }), words)
}

/// An error of the disk or of the archive below keeps its own reason.
fn of_xml(error: quick_xml::Error, words: &Words<'_>) -> ExtractError {
    if let quick_xml::Error::Io(error) = &error
        && let Some(limit) = super::archive::expanded(error)
    {
        return ExtractError::Expands { format: words.format, limit };
    }
    words.broken(error)
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// What `&name;` stands for.
fn entity(name: &str) -> Option<String> {
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(number)?
        }
    };
    Some(c.to_string())
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        match after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after))) {
            Some((c, after)) => {
                text.push_str(&c);
                rest = after;
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Format, Limits};

    fn texts(xml: &str, limits: &Limits) -> Result<String, ExtractError> {
        let mut words = Words::new(Format::Docx, limits);
        let mut all = String::new();
        walk(xml.as_bytes(), &mut words, |node, _| {
            match node {
                Node::Open(element) => {
                    all.push_str(&format!(
                        "<{}{}>",
                        element.name,
                        element.attribute("v").unwrap_or_default()
                    ));
                }
                Node::Close(name) => all.push_str(&format!("</{name}>")),
                Node::Text(text) => all.push_str(text),
            }
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn elements_come_without_prefix_and_entities_as_what_they_mean() {
        let limits = Limits::default();
        let xml = "<?xml version=\"1.0\"?><w:p w:v=\"a&amp;b&#33;\">x &lt;&#x41;<w:br/><![CDATA[<y>]]></w:p>";
        assert_eq!(texts(xml, &limits).unwrap(), "<pa&b!>x <A<br></br><y></p>");
    }

    #[test]
    fn entities_of_the_file_itself_are_not_expanded() {
        let xml = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b;&b;</l>";
        assert_eq!(texts(xml, &Limits::default()).unwrap(), "<l>  </l>");
    }

    #[test]
    fn what_is_nested_deeper_than_documents_are_is_refused() {
        let deep = "<a>".repeat(300);
        assert!(matches!(texts(&deep, &Limits::default()), Err(ExtractError::TooDeep { limit: 256, .. })));
    }
}
