//! Articles as text. Pictures, styles and scripts of an archive are never read: what is shown and cited is the words.

use std::time::Duration;

use super::ZimError;
use super::archive::{MAX_PAGE, Zim};
use super::entry::Entry;
use crate::extract::{self, Limits};
use crate::extracted::Extracted;

/// Bytes of one article's text.
const TEXT: u64 = 4 << 20;
/// Paragraphs, items and rows of one article.
const BLOCKS: usize = 50_000;
/// What reading one article may take. A page is read in this process, not in one without rights: the reader of pages is
/// safe Rust, and builds no tree.
const TIME: Duration = Duration::from_secs(5);

/// Whether a content type is one whose words are read.
pub(super) fn is_text(mime: &str) -> bool {
    let name = mime.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

impl Zim {
    /// The article under this path, where redirects end: its path and its title there, and its words.
    ///
    /// # Errors
    ///
    /// When there is none, when it is no page, when it cannot be read.
    pub fn article(&self, path: &str) -> Result<(String, String, Extracted), ZimError> {
        let (_, entry) = self.at_path(path)?;
        let words = self.words(&entry)?;
        Ok((self.path_of(&entry), shown(&entry, &words), words))
    }

    /// The words of an entry.
    pub(super) fn words(&self, entry: &Entry) -> Result<Extracted, ZimError> {
        let path = || self.path_of(entry);
        let mime = self.mime(entry).ok_or_else(|| ZimError::NoArticle(path()))?;
        if !is_text(mime) {
            return Err(ZimError::NotText { path: path(), mime: mime.to_owned() });
        }
        // Whatever a page says of its encoding, in an archive it is UTF-8.
        let page = self.content(entry, MAX_PAGE)?;
        let limits =
            Limits { input: MAX_PAGE as u64, text: TEXT, blocks: BLOCKS, time: TIME, ..Limits::default() };
        extract::html(&String::from_utf8_lossy(&page), &limits)
            .map_err(|source| ZimError::Words { path: path(), source })
    }
}

/// An article's title as it is shown: the directory's, unless that has only a path.
pub(super) fn shown(entry: &Entry, words: &Extracted) -> String {
    match &words.title {
        Some(title) if entry.title == entry.path => title.clone(),
        _ => entry.title.clone(),
    }
}
