//! E-books: web pages in an archive, in the order of the book's spine.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use super::ExtractError;
use super::archive::Archive;
use super::words::Words;
use super::{html, xml};
use crate::extract::xml::Node;

const CONTAINER: &str = "META-INF/container.xml";
const ENCRYPTION: &str = "META-INF/encryption.xml";

pub(super) fn read(bytes: &mut (impl Read + Seek), words: &mut Words<'_>) -> Result<(), ExtractError> {
    let mut archive = Archive::open(bytes, words)?;
    if archive.has(ENCRYPTION) && is_locked(archive.part(ENCRYPTION, words)?, words)? {
        return Err(ExtractError::Locked(words.format));
    }
    let package = package_name(archive.part(CONTAINER, words)?, words)?;
    let chapters = chapters(archive.part(&package, words)?, words)?;
    for chapter in chapters {
        words.check_time()?;
        let name = resolve(&package, &chapter);
        if archive.has(&name) {
            let page = archive.whole(&name, words)?;
            html::read_bytes(&page, words)?;
        } else {
            words.warn(format!(
                "a chapter is missing in the book: {}",
                name.chars().take(100).collect::<String>()
            ));
        }
    }
    Ok(())
}

/// Fonts may be scrambled, which is nothing to us; any real cipher is a lock.
fn is_locked(source: impl Read, words: &mut Words<'_>) -> Result<bool, ExtractError> {
    let mut locked = false;
    xml::walk(source, words, |node, _| {
        if let Node::Open(element) = node
            && element.name == "EncryptionMethod"
        {
            locked |= element.attribute("Algorithm").is_some_and(|name| name.contains("xmlenc"));
        }
        Ok(())
    })?;
    Ok(locked)
}

fn package_name(source: impl Read, words: &mut Words<'_>) -> Result<String, ExtractError> {
    let mut found = None;
    xml::walk(source, words, |node, _| {
        if let Node::Open(element) = node
            && element.name == "rootfile"
            && found.is_none()
        {
            found = element.attribute("full-path");
        }
        Ok(())
    })?;
    found.ok_or_else(|| words.broken(format!("{CONTAINER} names no book")))
}

/// The pages in reading order, and what the book says of itself.
fn chapters(source: impl Read, words: &mut Words<'_>) -> Result<Vec<String>, ExtractError> {
    let mut pages = HashMap::new();
    let mut spine = Vec::new();
    let mut named = HashSet::new();
    let mut text = String::new();
    let most = words.limits.parts;
    xml::walk(source, words, |node, words| {
        match node {
            Node::Open(element) => {
                text.clear();
                match element.name {
                    "item" => {
                        if let (Some(id), Some(href)) = (element.attribute("id"), element.attribute("href")) {
                            pages.insert(id, href);
                        }
                    }
                    // Each page once, however often the spine names it: a small book must not become a large one.
                    "itemref" => {
                        spine.extend(element.attribute("idref").filter(|id| named.insert(id.clone())));
                    }
                    _ => {}
                }
                if spine.len() > most || pages.len() > most {
                    return Err(words.too_many("parts", most));
                }
            }
            Node::Text(piece) => text.push_str(piece),
            Node::Close("title") => words.title(&text),
            Node::Close("creator") => words.author(&text),
            Node::Close("language") => words.language(&text),
            Node::Close(_) => {}
        }
        Ok(())
    })?;
    Ok(spine.into_iter().filter_map(|id| pages.remove(&id)).collect())
}

/// The name in the archive of what `href` means in the file `base`.
fn resolve(base: &str, href: &str) -> String {
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let href = href.split(['#', '?']).next().unwrap_or(href);
    let mut parts: Vec<String> = folder.split('/').filter(|part| !part.is_empty()).map(Into::into).collect();
    for part in href.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(percent_decoded(part)),
        }
    }
    parts.join("/")
}

fn percent_decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| after.get(at).and_then(|&b| char::from(b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::Format;
    use crate::extract::tests::{extracted, zipped};

    #[test]
    fn chapters_come_in_the_order_of_the_spine() {
        let container = "<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>";
        let package = "<package><metadata><dc:title>Soil</dc:title><dc:creator>Ana</dc:creator><dc:language>en</dc:language></metadata>\
            <manifest><item id='b' href='two%20b.xhtml'/><item id='a' href='../a.xhtml'/></manifest>\
            <spine><itemref idref='a'/><itemref idref='b'/><itemref idref='a'/></spine></package>";
        let file = zipped(&[
            (CONTAINER, container),
            ("OPS/book.opf", package),
            ("OPS/two b.xhtml", "<html><title>no</title><h1>Two</h1><p>after</p></html>"),
            ("a.xhtml", "<html><body><h1>One</h1></body></html>"),
        ]);
        let read = extracted(Format::Epub, &file).unwrap();
        let texts: Vec<_> = read.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["One", "Two", "after"]);
        assert_eq!((read.title.as_deref(), read.language.as_deref()), (Some("Soil"), Some("en")));
    }
}
