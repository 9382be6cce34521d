//! The archives of a box: which there are, who may read them, and what state each is in.

mod add;
mod opened;
mod rows;
mod search;
mod tend;
mod types;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use banyan_identity::SigningKey;
use banyan_store::Store;

use self::opened::Opened;
use self::rows::Row;
pub use self::types::{ZimArchive, ZimArticle, ZimProgress, ZimState, ZimTitle};
use super::article::shown;
use super::index::{self, Grown};
use super::read::Lately;
use crate::consent::Use;
use crate::document::Reader;
use crate::library::LibraryError;
use crate::library::record::Record;
use crate::version::text;

/// Titles that are listed at once.
const MOST_TITLES: usize = 200;

/// The ZIM archives of a box. Cheap to clone. All that it does waits for the disk: call it where waiting is allowed.
#[derive(Clone)]
pub struct ZimShelf {
    parts: Arc<Parts>,
    record: Record,
}

struct Parts {
    store: Store,
    /// Where the indexes lie.
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<Opened>>>,
    lately: Lately,
    /// Whether there is something new to index.
    news: (Mutex<bool>, Condvar),
}

impl ZimShelf {
    /// The archives of this store, which was opened with [`rooms`](crate::rooms); their indexes lie in `zim/` under the
    /// folder of data. Opens none yet.
    pub fn open(data: &Path, store: Store) -> Result<Self, LibraryError> {
        let folder = data.join("zim");
        std::fs::create_dir_all(&folder).map_err(LibraryError::file("write", &folder))?;
        let parts = Parts {
            store,
            folder,
            open: Mutex::default(),
            lately: Lately::default(),
            news: (Mutex::new(true), Condvar::new()),
        };
        Ok(Self { parts: Arc::new(parts), record: Record::default() })
    }

    /// The same, which enters what is added and removed in the box's ledger, in the same transaction: the store has the
    /// ledger's room too.
    #[must_use]
    pub fn signed_by(self, key: SigningKey) -> Self {
        Self { record: Record::signed_by(key), ..self }
    }

    /// The archives that a reader may read, by title.
    pub fn archives(&self, reader: impl Into<Reader>) -> Result<Vec<ZimArchive>, LibraryError> {
        let rows = self.parts.rows(&reader.into(), Use::Search)?;
        Ok(rows.into_iter().map(|row| self.parts.shown(row)).collect())
    }

    /// One of them.
    pub fn archive(&self, zim: &str, reader: impl Into<Reader>) -> Result<ZimArchive, LibraryError> {
        Ok(self.parts.shown(self.parts.row(zim, &reader.into(), Use::Search)?))
    }

    /// Whether what is in an archive may be used like this. Asked again right before something of it is put into a prompt
    /// or shown: it may have been removed since the search.
    pub fn allows(&self, zim: &str, wanted: Use, reader: impl Into<Reader>) -> Result<bool, LibraryError> {
        match self.parts.row(zim, &reader.into(), wanted) {
            Ok(_) => Ok(true),
            Err(LibraryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The article under a path; the page to begin with where none is named.
    pub fn article(
        &self,
        zim: &str,
        path: Option<&str>,
        reader: impl Into<Reader>,
    ) -> Result<ZimArticle, LibraryError> {
        let row = self.parts.row(zim, &reader.into(), Use::Search)?;
        let opened = self.parts.opened(&row).map_err(LibraryError::WrongState)?;
        let found = match path {
            Some(path) => opened.zim.at_path(path),
            None => opened.zim.main_page().and_then(|path| opened.zim.at_path(&path.unwrap_or_default())),
        };
        let words = found.and_then(|(_, entry)| Ok((opened.zim.words(&entry)?, entry)));
        let (words, entry) = self.parts.noted(&row, words)?;
        Ok(ZimArticle {
            path: opened.zim.path_of(&entry),
            title: shown(&entry, &words),
            language: words.language.or_else(|| row.only_language()),
            text: text::plain(&words.blocks),
            blocks: text::placed(words.blocks),
            attribution: row.attribution(),
            licence: row.licence().to_owned(),
            zim: row.id,
            zim_title: row.title,
            collection: row.collection,
            collection_name: row.collection_name,
        })
    }

    /// Articles whose titles come at or after this one, as the archive orders them (capital letters first).
    pub fn titles(
        &self,
        zim: &str,
        from: &str,
        limit: usize,
        reader: impl Into<Reader>,
    ) -> Result<Vec<ZimTitle>, LibraryError> {
        let row = self.parts.row(zim, &reader.into(), Use::Search)?;
        let opened = self.parts.opened(&row).map_err(LibraryError::WrongState)?;
        let titles = opened.zim.titles_from(from, limit.min(MOST_TITLES));
        let titles = self.parts.noted(&row, titles)?;
        Ok(titles.into_iter().map(|(path, title)| ZimTitle { title, path }).collect())
    }

    /// Reads the whole file and says whether it is as its maker left it; none where it carries no checksum. Takes minutes
    /// for a large one.
    pub fn verify(&self, zim: &str, stop: &dyn Fn() -> bool) -> Result<Option<bool>, LibraryError> {
        let row = self.parts.any_row(zim)?;
        let opened = self.parts.opened(&row).map_err(LibraryError::WrongState)?;
        self.parts.noted(&row, opened.zim.verify(stop))
    }
}

impl Parts {
    fn shown(&self, row: Row) -> ZimArchive {
        let (state, articles) = match self.opened(&row) {
            Err(reason) => (ZimState::Missing { reason }, 0),
            Ok(opened) => {
                let Grown { titles, articles, words, done } = opened.index.grown();
                let total = if titles { articles } else { 0 };
                let state = match done {
                    true if words >= articles => ZimState::Ready,
                    true => ZimState::Bounded { done: words, total },
                    false => ZimState::Indexing { done: words, total },
                };
                (state, articles)
            }
        };
        ZimArchive {
            attribution: row.attribution(),
            licence: row.licence().to_owned(),
            id: row.id,
            collection: row.collection,
            title: row.title,
            description: row.description,
            date: row.date,
            language: row.languages.first().cloned(),
            languages: row.languages,
            articles,
            size: row.size,
            path: row.path,
            by: row.by,
            added: row.added,
            state,
        }
    }

    fn index_path(&self, zim: &str) -> PathBuf {
        self.folder.join(format!("{zim}.index"))
    }

    fn close(&self, zim: &str) {
        let opened = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(zim);
        if let Some(opened) = opened {
            opened.index.let_go();
        }
        self.lately.forget(zim);
    }

    fn tell(&self) {
        *self.news.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.news.1.notify_all();
    }
}

impl std::fmt::Debug for ZimShelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZimShelf").field("folder", &self.parts.folder).finish_non_exhaustive()
    }
}
