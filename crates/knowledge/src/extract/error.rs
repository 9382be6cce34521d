//! Why a file was not taken in, told to a librarian: what is wrong with it, and what to do.

use std::time::Duration;

use thiserror::Error;

use super::Format;

/// Why a file was not taken in.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// Nothing is in it.
    #[error("the file is empty; copy it again from where it came from")]
    Empty,
    /// Larger than the library takes.
    #[error("the file has {} MB, and the library takes {} MB at most; split it into parts", mb(*.size), mb(*.limit))]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// Not a kind of file that is read, with what to do.
    #[error("{0}")]
    Unknown(&'static str),
    /// It is not what it says it is, or damaged.
    #[error(
        "this {format} is damaged and cannot be read ({detail}); open it in the program it was made with, and save it anew"
    )]
    Broken {
        /// What it was read as.
        format: Format,
        /// What is wrong, for whoever looks closer.
        detail: String,
    },
    /// A password is needed.
    #[error("this {0} is locked with a password; save a copy without one")]
    Locked(Format),
    /// It unpacks to more than it may.
    #[error(
        "this {format} unpacks to more than {} MB, as a file made to fill the box would; if it is an honest one, split it into parts",
        mb(*.limit)
    )]
    Expands {
        /// What it was read as.
        format: Format,
        /// The most that it may unpack to, in bytes.
        limit: u64,
    },
    /// Nested deeper than documents are.
    #[error(
        "this {format} is nested more than {limit} levels deep, which no honest document is; it was not read"
    )]
    TooDeep {
        /// What it was read as.
        format: Format,
        /// The most levels.
        limit: usize,
    },
    /// More parts, pages, rows or letters than a document has.
    #[error("this {format} has more than {limit} {parts}; split it into several files")]
    TooMany {
        /// What it was read as.
        format: Format,
        /// Of what: pages, parts, paragraphs.
        parts: &'static str,
        /// The most.
        limit: usize,
    },
    /// More words than a document has.
    #[error("this {format} has more than {} MB of text; split it into several files", mb(*.limit))]
    TooMuchText {
        /// What it was read as.
        format: Format,
        /// The most text, in bytes.
        limit: u64,
    },
    /// It took longer than it may.
    #[error("reading this {format} took longer than {} seconds; split it into parts, or save it anew", .limit.as_secs())]
    TooSlow {
        /// What it was read as.
        format: Format,
        /// The most time.
        limit: Duration,
    },
    /// There is no text in it.
    #[error("{}", no_words(*.0))]
    NoWords(Format),
    /// A picture, and no program that reads pictures.
    #[error(
        "this is a picture, and the program that reads text in pictures is not installed; install `tesseract-ocr`, or type the text"
    )]
    NoOcr,
    /// The program that reads pictures did not.
    #[error(
        "the text in this picture could not be read ({0}); take it again with more light, straight from above"
    )]
    Ocr(String),
    /// A picture with more points than a camera makes.
    #[error("this picture has {} million points, and the library takes {} million at most; save it smaller", .pixels / 1_000_000, .limit / 1_000_000)]
    TooManyPixels {
        /// How many it has.
        pixels: u64,
        /// The most.
        limit: u64,
    },
    /// The disk, not the file.
    #[error("the file could not be read from the disk: {0}; copy it again")]
    Io(#[from] std::io::Error),
}

/// Upwards, so that one byte too many does not read as "256 MB, and 256 MB at most".
fn mb(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn no_words(format: Format) -> &'static str {
    match format {
        Format::Pdf => {
            "this PDF holds pictures of pages and no text; save its pages as pictures (PNG) and add those, or run it through a program for text recognition first"
        }
        Format::Image => "there is no text in this picture that could be read",
        _ => "there are no words in this file",
    }
}
