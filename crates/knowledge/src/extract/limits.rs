//! How much of everything one file may take.

use std::time::Duration;

/// The bounds for one file. The defaults are for the smallest boards: one file may be a thick book, and never so much
/// that a box with 4 GiB of memory stops answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file itself. PDFs and text are held in memory whole, so this counts against [`Self::memory`].
    pub input: u64,
    /// Bytes that all the parts of an archive (DOCX, ODT, EPUB) unpack to, together.
    pub expanded: u64,
    /// Bytes of text that come out. The King James Bible has 4.4 MB.
    pub text: u64,
    /// Paragraphs, rows and headings that come out.
    pub blocks: usize,
    /// Parts of an archive, messages of a mailbox, pages of a PDF.
    pub parts: usize,
    /// Levels of elements in XML, and of messages in messages.
    pub depth: usize,
    /// Points of a picture: text recognition needs about ten bytes for each.
    pub pixels: u64,
    /// From the start to the last word.
    pub time: Duration,
    /// Memory of the process, kept by the worker and not by this crate: address space, so a good part of it is the
    /// program itself.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: 128 << 20,
            expanded: 256 << 20,
            text: 32 << 20,
            blocks: 400_000,
            parts: 20_000,
            depth: 256,
            pixels: 64_000_000,
            time: Duration::from_secs(120),
            memory: 1 << 30,
        }
    }
}

impl Limits {
    /// The most bytes that an [`Extracted`](crate::Extracted) within these bounds has as JSON. Every byte of text may
    /// need a backslash, and a block has its names around it; title, author and warnings are bounded by the rest.
    #[must_use]
    pub fn output(&self) -> u64 {
        2 * self.text + 64 * self.blocks as u64 + (1 << 20)
    }
}
