//! Articles that were read lately: their text, cut into passages and folded, so that the next search or the reader who
//! follows a citation does not wait for it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::ZimError;
use super::archive::Zim;
use super::article::shown;
use super::index::Weighed;
use crate::document::passage::cut::{self, Piece};
use crate::search::fold::{Folding, indexed};

/// Bytes of text that are kept of all archives together. With what is folded of it, about three times as much memory.
const KEPT: usize = 8 << 20;

/// Passages of one article that are looked at: 40 printed pages. What is further down is read, but not found.
const PASSAGES: usize = 100;

/// How long a passage is on the average, in words: longer ones are not better for being longer.
const AVERAGE: f64 = 150.0;

/// An article that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) path: String,
    pub(super) title: String,
    pub(super) language: Option<String>,
    passages: Vec<Passage>,
}

/// A passage of it.
#[derive(Debug)]
struct Passage {
    piece: Piece,
    /// Its tokens, in order of the alphabet.
    tokens: Vec<Box<str>>,
    words: u32,
}

impl Read {
    /// Reads the article of this entry, which is no redirect.
    pub(super) fn of(
        zim: &Zim,
        index: u32,
        folding: impl Fn(Option<&str>) -> Folding,
    ) -> Result<Self, ZimError> {
        let entry = zim.entry(index)?;
        let words = zim.words(&entry)?;
        let folding = folding(words.language.as_deref());
        let passages = cut::passages(&words.blocks).into_iter().take(PASSAGES);
        let passages = passages.map(|piece| {
            let (text, heading) = (indexed(&piece.text, folding), indexed(&piece.heading, folding));
            let tokens =
                text.line.split(' ').chain(heading.line.split(' ')).filter(|token| !token.is_empty());
            let mut tokens: Vec<Box<str>> = tokens.map(Into::into).collect();
            tokens.sort_unstable();
            Passage { piece, tokens, words: text.words }
        });
        let passages = passages.collect();
        let (path, title) = (zim.path_of(&entry), shown(&entry, &words));
        Ok(Self { path, title, language: words.language, passages })
    }

    /// The passages with these words, the best first: which, and how well each fits (BM25).
    pub(super) fn best(&self, words: &[Weighed]) -> Vec<(usize, f64)> {
        let all = self.passages.iter().map(|passage| passage.fits(words)).enumerate();
        let mut all: Vec<(usize, f64)> = all.filter(|(_, fits)| *fits > 0.0).collect();
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        // Found by its title alone: its beginning says what it is about.
        if all.is_empty() && !self.passages.is_empty() {
            all.push((0, 0.0));
        }
        all
    }

    /// A passage.
    pub(super) fn piece(&self, passage: usize) -> &Piece {
        &self.passages[passage].piece
    }

    fn bytes(&self) -> usize {
        self.passages.iter().map(|passage| passage.piece.text.len()).sum()
    }
}

impl Passage {
    fn fits(&self, words: &[Weighed]) -> f64 {
        let length = 0.25 + 0.75 * f64::from(self.words) / AVERAGE;
        let fit = words.iter().map(|word| {
            let count =
                word.asked.any.iter().map(|token| self.count(token, word.asked.prefix)).sum::<usize>() as f64;
            word.weight * count * 2.2 / (count + 1.2 * length)
        });
        fit.sum()
    }

    fn count(&self, token: &str, prefix: bool) -> usize {
        let start = self.tokens.partition_point(|other| &**other < token);
        let same = |other: &&str| if prefix { other.starts_with(token) } else { *other == token };
        self.tokens[start..].iter().map(AsRef::as_ref).take_while(same).count()
    }
}

/// The articles that were read last, of all archives.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<Kept>);

/// The newest at the end.
#[derive(Debug, Default)]
struct Kept {
    articles: VecDeque<(String, u32, Arc<Read>)>,
    bytes: usize,
}

impl Lately {
    /// The article of this entry, read by `read` if it was not lately.
    pub(super) fn get(
        &self,
        zim: &str,
        index: u32,
        read: impl FnOnce() -> Result<Read, ZimError>,
    ) -> Result<Arc<Read>, ZimError> {
        if let Some(article) = self.known(zim, index) {
            return Ok(article);
        }
        let article = Arc::new(read()?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += article.bytes();
        kept.articles.push_back((zim.to_owned(), index, article.clone()));
        while kept.bytes > KEPT {
            let Some((_, _, oldest)) = kept.articles.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.bytes());
        }
        Ok(article)
    }

    fn known(&self, zim: &str, index: u32) -> Option<Arc<Read>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.articles.iter().position(|(of, entry, _)| of == zim && *entry == index)?;
        let found = kept.articles.remove(place)?;
        let article = found.2.clone();
        kept.articles.push_back(found);
        Some(article)
    }

    /// Forgets those of one archive.
    pub(super) fn forget(&self, zim: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.articles.retain(|(of, _, _)| of != zim);
        kept.bytes = kept.articles.iter().map(|(_, _, article)| article.bytes()).sum();
    }
}
