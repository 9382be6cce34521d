//! PDF: pages of letters at places. Lines and words are put together again by pdf-extract, page by page, so that a
//! passage can be cited with its page.
//!
//! That library panics on much that is wrong in a PDF, so it runs behind a fence: a page on which it falls is named in a
//! warning and the next one is read. What no fence holds (endless recursion, all the memory) ends the worker.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use pdf_extract::{
    ColorSpace, Document, MediaBox, Object, OutputDev, OutputError, Path, PlainTextOutput, Transform,
};

use super::words::Words;
use super::{ExtractError, text};

/// A PDF of which one page in so many holds no text is not told from one with empty pages.
const EMPTY_PAGES: usize = 4;

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let document = open(bytes, words)?;
    let pages = document.get_pages().len();
    let last = u32::try_from(pages).unwrap_or(u32::MAX);
    // All pages at once; after one that cannot be read, each on its own.
    let mut empty = 0;
    let mut next = fenced(1, words, &mut empty, |pages| pdf_extract::output_doc(&document, pages))?;
    while next <= last {
        words.check_time()?;
        let page = next;
        next = fenced(page, words, &mut empty, |pages| pdf_extract::output_doc_page(&document, pages, page))?;
    }
    if words.count() == 0 && empty == 0 {
        return Err(words.broken("none of its pages could be read"));
    }
    if empty * EMPTY_PAGES > pages {
        words.warn(format!(
            "{empty} of its {pages} pages hold no text; if they are pictures, add them as pictures"
        ));
    }
    Ok(())
}

/// The list of its objects, and what it says of itself.
pub(super) fn open(bytes: &[u8], words: &mut Words<'_>) -> Result<Document, ExtractError> {
    let loaded = catch_unwind(AssertUnwindSafe(|| Document::load_mem(bytes)));
    let document = match loaded {
        Ok(Ok(document)) => document,
        Ok(Err(error)) => return Err(words.broken(error)),
        Err(_) => return Err(words.broken("its list of objects")),
    };
    // With an empty password, with which many are locked against printing only, it is open by now.
    if document.trailer.get(b"Encrypt").is_ok() {
        return Err(ExtractError::Locked(words.format));
    }
    match document.get_pages().len() {
        0 => return Err(words.broken("it has no pages")),
        pages if pages > words.limits.parts => return Err(words.too_many("pages", words.limits.parts)),
        _ => {}
    }
    note_properties(&document, words);
    Ok(document)
}

fn note_properties(document: &Document, words: &mut Words<'_>) {
    let info = document.trailer.get(b"Info").and_then(Object::as_reference);
    if let Ok(info) = info.and_then(|id| document.get_dictionary(id)) {
        let value = |key: &[u8]| info.get(key).and_then(Object::as_str).ok().map(decoded);
        if let Some(title) = value(b"Title") {
            words.title(&title);
        }
        if let Some(author) = value(b"Author") {
            words.author(&author);
        }
    }
    if let Ok(language) = document.catalog().and_then(|catalog| catalog.get(b"Lang")).and_then(Object::as_str)
    {
        words.language(&decoded(language));
    }
}

/// Text outside pages is UTF-16 or UTF-8 with a mark before it, or else nearly Latin-1.
fn decoded(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => {
            encoding_rs::UTF_8.decode(bytes).0.into_owned()
        }
        _ => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
    }
}

/// Reads pages from this one on, until it is done or comes to one that cannot be read; gives the number of the page to
/// go on with.
fn fenced(
    first: u32,
    words: &mut Words<'_>,
    empty: &mut usize,
    run: impl FnOnce(&mut Pages<'_, '_, '_>) -> Result<(), OutputError>,
) -> Result<u32, ExtractError> {
    let page = Rc::new(RefCell::new(Vec::new()));
    let most = usize::try_from(words.limits.text).unwrap_or(usize::MAX);
    let mut sink = Sink { page: Rc::clone(&page), most };
    let text = PlainTextOutput::new(&mut sink as &mut dyn io::Write);
    let mut pages = Pages { text, page, words, next: first, empty, refused: None };
    let read = matches!(catch_unwind(AssertUnwindSafe(|| run(&mut pages))), Ok(Ok(())));
    let Pages { next, refused, words, .. } = pages;
    match refused {
        Some(refusal) => Err(refusal),
        None if read => Ok(next),
        None => {
            words.warn(format!("page {next} could not be read"));
            Ok(next.saturating_add(1))
        }
    }
}

/// Where the letters of one page gather.
struct Sink {
    page: Rc<RefCell<Vec<u8>>>,
    most: usize,
}

impl io::Write for Sink {
    fn write(&mut self, letters: &[u8]) -> io::Result<usize> {
        let mut page = self.page.borrow_mut();
        if page.len() + letters.len() > self.most {
            return Err(io::Error::other("a page with more text than a book"));
        }
        page.extend_from_slice(letters);
        Ok(letters.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes each page's text when the page ends.
struct Pages<'s, 'w, 'l> {
    text: PlainTextOutput<&'s mut dyn io::Write>,
    page: Rc<RefCell<Vec<u8>>>,
    words: &'w mut Words<'l>,
    /// The page that is being read, or comes next.
    next: u32,
    /// Pages on which there was no text.
    empty: &'w mut usize,
    refused: Option<ExtractError>,
}

impl OutputDev for Pages<'_, '_, '_> {
    fn begin_page(
        &mut self,
        number: u32,
        media_box: &MediaBox,
        art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.next = number;
        self.text.begin_page(number, media_box, art_box)
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.text.end_page()?;
        let page = std::mem::take(&mut *self.page.borrow_mut());
        self.words.page(self.next);
        self.next = self.next.saturating_add(1);
        let before = self.words.count();
        let taken = text::paragraphs(&String::from_utf8_lossy(&page), self.words);
        *self.empty += usize::from(self.words.count() == before);
        taken.and_then(|()| self.words.check_time()).map_err(|refusal| {
            self.refused = Some(refusal);
            OutputError::FormatError(std::fmt::Error)
        })
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        letter: &str,
    ) -> Result<(), OutputError> {
        self.text.output_character(place, width, spacing, font_size, letter)
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.text.begin_word()
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        self.text.end_word()
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.text.end_line()
    }

    fn stroke(&mut self, _: &Transform, _: &ColorSpace, _: &[f64], _: &Path) -> Result<(), OutputError> {
        Ok(())
    }

    fn fill(&mut self, _: &Transform, _: &ColorSpace, _: &[f64], _: &Path) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::extract::Format;
    use crate::extract::tests::{extracted, pdf};

    #[test]
    fn every_page_is_read_with_its_number() {
        let read = extracted(Format::Pdf, &pdf(&["The well is open.", "Bring a bottle."])).unwrap();
        let blocks: Vec<_> = read.blocks.iter().map(|block| (block.page, block.text.as_str())).collect();
        assert_eq!(blocks, [(Some(1), "The well is open."), (Some(2), "Bring a bottle.")]);
        assert_eq!(read.title.as_deref(), Some("A test"));
    }

    #[test]
    fn pages_without_text_are_told_from_damage() {
        let reason = extracted(Format::Pdf, &pdf(&[""])).unwrap_err().to_string();
        assert!(reason.contains("pictures of pages"), "{reason}");
        let read = extracted(Format::Pdf, &pdf(&["The well is open.", "", "Bring a bottle."])).unwrap();
        assert!(read.warnings[0].contains("1 of its 3 pages"), "{:?}", read.warnings);
        let whole = pdf(&["The well is open."]);
        let reason = extracted(Format::Pdf, &whole[..whole.len() / 3]).unwrap_err().to_string();
        assert!(reason.contains("damaged"), "{reason}");
    }
}
