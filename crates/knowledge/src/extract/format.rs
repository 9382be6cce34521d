//! What kind of file this is: by what is in it first; the name only decides between kinds of plain text.

use std::fmt;

use super::ExtractError;

/// A kind of file that the library reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Plain text in any encoding.
    Text,
    /// Markdown.
    Markdown,
    /// A web page.
    Html,
    /// PDF.
    Pdf,
    /// Word's format since 2007.
    Docx,
    /// LibreOffice's format.
    Odt,
    /// An e-book.
    Epub,
    /// A table: cells between commas, semicolons or tabs.
    Csv,
    /// A mailbox, or a single message.
    Mbox,
    /// A picture: PNG, JPEG, TIFF, WebP, BMP or GIF.
    Image,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text file",
            Self::Markdown => "Markdown file",
            Self::Html => "web page",
            Self::Pdf => "PDF",
            Self::Docx => "Word document (.docx)",
            Self::Odt => "LibreOffice document (.odt)",
            Self::Epub => "e-book (.epub)",
            Self::Csv => "table (.csv)",
            Self::Mbox => "mailbox",
            Self::Image => "picture",
        })
    }
}

/// How many bytes from the start [`Format::sniff`] wants to see.
const HEAD: usize = 4096;

const WHAT_IS_READ: &str = "the library does not read this kind of file; it reads text, Markdown, web pages, PDF, DOCX, ODT, EPUB, CSV, mailboxes and pictures: save it as one of those";
const OLD_OFFICE: &str = "this is in the format of Office before 2007 (.doc, .xls, .ppt), or locked with a password; open it and save it as .docx, or as PDF, without a password";
const SHEET: &str = "this is a spreadsheet; save it as CSV, one sheet at a time";
const SLIDES: &str = "these are slides; save them as PDF";
const ARCHIVE: &str = "this is an archive of other files; unpack it, and add what is in it";
const RTF: &str = "this is in Rich Text Format (.rtf); open it and save it as .docx or .odt";
const RECORDING: &str = "this is sound or video; write down what is said, and add that";
const PROGRAM: &str = "this is a program, not a document";

impl Format {
    /// What the bytes from the start of a file say it is, at least 4096 of them or all.
    pub fn sniff(head: &[u8], name: &str) -> Result<Self, ExtractError> {
        let head = &head[..head.len().min(HEAD)];
        if head.is_empty() {
            return Err(ExtractError::Empty);
        }
        if let Some(reason) = refused(head) {
            return Err(ExtractError::Unknown(reason));
        }
        let extension = extension(name);
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return in_zip(head, &extension).map_err(ExtractError::Unknown);
        }
        // Some programs write a few bytes before it, and readers accept up to 1024.
        if find(&head[..head.len().min(1024)], b"%PDF-") {
            return Ok(Self::Pdf);
        }
        if is_image(head) {
            return Ok(Self::Image);
        }
        let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
        if !utf16 && head.contains(&0) {
            return Err(ExtractError::Unknown(WHAT_IS_READ));
        }
        Ok(of_text(head, &extension))
    }
}

/// The same for one that looks like text.
fn of_text(head: &[u8], extension: &str) -> Format {
    if head.starts_with(b"From ") || (matches!(extension, "mbox" | "eml") && find(head, b":")) {
        return Format::Mbox;
    }
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let opening: Vec<u8> = start.iter().take(14).map(u8::to_ascii_lowercase).collect();
    if opening.starts_with(b"<!doctype html")
        || opening.starts_with(b"<html")
        || opening.starts_with(b"<?xml")
    {
        return Format::Html;
    }
    match extension {
        "html" | "htm" | "xhtml" => Format::Html,
        "md" | "markdown" => Format::Markdown,
        "csv" | "tsv" => Format::Csv,
        _ => Format::Text,
    }
}

/// The kind of document in a ZIP archive. ODT and EPUB write their kind first, uncompressed, for exactly this.
fn in_zip(head: &[u8], extension: &str) -> Result<Format, &'static str> {
    let kind = |mimetype: &[u8]| find(&head[..head.len().min(128)], mimetype);
    if kind(b"application/epub+zip") {
        return Ok(Format::Epub);
    }
    if kind(b"opendocument.text") {
        return Ok(Format::Odt);
    }
    if kind(b"opendocument.spreadsheet") || find(head, b"xl/") {
        return Err(SHEET);
    }
    if kind(b"opendocument.presentation") || find(head, b"ppt/") {
        return Err(SLIDES);
    }
    match extension {
        "docx" | "docm" => Ok(Format::Docx),
        "odt" => Ok(Format::Odt),
        "epub" => Ok(Format::Epub),
        "xlsx" | "ods" => Err(SHEET),
        "pptx" | "odp" => Err(SLIDES),
        _ if find(head, b"word/") => Ok(Format::Docx),
        _ => Err(ARCHIVE),
    }
}

/// Kinds for which there is something better to say than that they are not read.
fn refused(head: &[u8]) -> Option<&'static str> {
    const SIGNS: &[(&[u8], &str)] = &[
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLD_OFFICE),
        (b"{\\rtf", RTF),
        (b"\x1f\x8b", ARCHIVE),
        (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
        (b"Rar!\x1a\x07", ARCHIVE),
        (b"\xfd7zXZ\x00", ARCHIVE),
        (b"BZh", ARCHIVE),
        (b"\x28\xb5\x2f\xfd", ARCHIVE),
        (b"ID3", RECORDING),
        (b"OggS", RECORDING),
        (b"fLaC", RECORDING),
        (b"\x1a\x45\xdf\xa3", RECORDING),
        (b"\x7fELF", PROGRAM),
        (b"MZ", PROGRAM),
    ];
    if head.get(4..8) == Some(b"ftyp") || (head.starts_with(b"RIFF") && head.get(8..12) != Some(b"WEBP")) {
        return Some(RECORDING);
    }
    // A text may begin with these letters; a program has zeros.
    let sign = SIGNS.iter().find(|(sign, _)| head.starts_with(sign))?;
    (sign.0.len() > 3 || head.contains(&0)).then_some(sign.1)
}

fn is_image(head: &[u8]) -> bool {
    const SIGNS: &[&[u8]] =
        &[b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF87a", b"GIF89a"];
    let bitmap = head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]);
    let webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    bitmap || webp || SIGNS.iter().any(|sign| head.starts_with(sign))
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

fn find(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_file_counts_more_than_its_name() {
        let check = |head: &[u8], name: &str, format| {
            assert_eq!(Format::sniff(head, name).unwrap(), format, "{name}");
        };
        check(b"%PDF-1.7\n", "letter.docx", Format::Pdf);
        check(b"\xff\xd8\xff\xe0\x00\x10JFIF", "letter.pdf", Format::Image);
        check(b"<!DOCTYPE HTML><p>x", "page", Format::Html);
        check(b"\xef\xbb\xbf <html>", "page.txt", Format::Html);
        check(b"Bread,Monday\n", "hours.CSV", Format::Csv);
        check(b"# Bread\n", "hours.md", Format::Markdown);
        check(b"From amina@example.org Mon Jan  1\n", "list", Format::Mbox);
        check(b"\xff\xfeB\x00r\x00", "note.txt", Format::Text);
        check(b"MZ is where we meet\n", "note.txt", Format::Text);
        check(b"PK\x03\x04\x14\x00word/document.xml", "letter", Format::Docx);
        check(b"PK\x03\x04mimetypeapplication/epub+zip", "book.zip", Format::Epub);
    }

    #[test]
    fn what_is_not_read_is_refused_with_what_to_do() {
        let check = |head: &[u8], name: &str, words: &str| {
            let reason = Format::sniff(head, name).unwrap_err().to_string();
            assert!(reason.contains(words), "{name}: {reason}");
        };
        check(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "letter.doc", ".docx");
        check(b"MZ\x90\x00\x03\x00", "letter.pdf", "program");
        check(b"\x00\x00\x00\x20ftypisom", "film.mp4", "video");
        check(b"PK\x03\x04\x14\x00xl/workbook.xml", "table.xlsx", "CSV");
        check(b"PK\x03\x04\x14\x00photo", "photos.zip", "unpack");
        check(&[0; 64], "nothing.txt", "does not read");
        check(b"", "nothing.txt", "empty");
    }
}
