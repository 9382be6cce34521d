//! Takes the words out of files: text, Markdown, web pages, PDF, DOCX, ODT, EPUB, tables, mailboxes, pictures.
//!
//! [`extract`] takes bytes in and gives an [`Extracted`]; it looks at what the bytes are, not at what the name promises.
//! Files come from anybody, so every format has the same bounds ([`Limits`]), kept in one place: what is read by
//! `input`, what is unpacked by `archive`, how deep by `xml`, and what comes out by `words`.
//!
//! It promises a reason that a librarian understands for every file that it refuses, and never to give half a file as a
//! whole one without a warning. It does not promise that the parsers below it stay within their memory, nor that they
//! end: whoever calls it on a file of somebody else does so in a process without rights, with a limit on both, which
//! the appliance has (`banyan extract`).

mod archive;
mod docx;
mod encoding;
mod epub;
mod error;
mod format;
mod html;
mod image;
mod input;
mod language;
mod limits;
mod mail;
mod markdown;
mod ocr;
mod odt;
mod pdf;
mod scanned;
mod table;
mod text;
mod words;
mod xml;

#[cfg(test)]
mod tests;

use std::io::{Read, Seek};

pub use error::ExtractError;
pub use format::Format;
pub use limits::Limits;
pub use ocr::{installed as ocr_installed, places as ocr_places};

use crate::Extracted;
use words::Words;

/// The words of a file of this format.
pub fn extract(
    format: Format,
    bytes: &mut (impl Read + Seek),
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    let mut words = Words::new(format, limits);
    input::check_size(bytes, limits)?;
    match format {
        Format::Text => text::read(&input::all(bytes, limits)?, &mut words)?,
        Format::Markdown => markdown::read(&input::all(bytes, limits)?, &mut words)?,
        Format::Html => html::read_bytes(&input::all(bytes, limits)?, &mut words)?,
        Format::Csv => table::read(&input::all(bytes, limits)?, &mut words)?,
        Format::Mbox => mail::read(bytes, &mut words)?,
        Format::Pdf => pdf::read(&input::all(bytes, limits)?, &mut words)?,
        Format::Docx => docx::read(bytes, &mut words)?,
        Format::Odt => odt::read(bytes, &mut words)?,
        Format::Epub => epub::read(bytes, &mut words)?,
        Format::Image => ocr::read(&input::all(bytes, limits)?, &mut words)?,
    }
    words.finish()
}

/// The words in the pictures of a PDF's pages: for one in which [`extract`] finds none ([`ExtractError::NoWords`]).
/// Needs the program that reads pictures, and seconds for each page: what was read in time is given, with a warning.
pub fn extract_scanned(bytes: &mut (impl Read + Seek), limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut words = Words::new(Format::Pdf, limits);
    input::check_size(bytes, limits)?;
    scanned::read(&input::all(bytes, limits)?, &mut words)?;
    words.finish()
}

/// The words of a web page that is in memory already. Of all the parsers this one may be used in a process that has
/// rights: it builds no tree, never calls itself, and takes memory in proportion to the page.
pub fn html(page: &str, limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut words = Words::new(Format::Html, limits);
    if page.len() as u64 > limits.input {
        return Err(ExtractError::TooLarge { size: page.len() as u64, limit: limits.input });
    }
    html::read(page, &mut words)?;
    words.finish()
}
