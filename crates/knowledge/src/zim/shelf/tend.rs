//! The background: indexes grow, one batch after the other, the smallest archive first.

use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::opened::Opened;
use super::rows::Row;
use super::{Parts, ZimProgress, ZimShelf};
use crate::library::LibraryError;
use crate::zim::index::{Batch, Grown};

/// How often it is looked for archives that another process added, and for sticks that came back.
const LOOK: Duration = Duration::from_secs(5);

/// Seconds after it was added in which an archive is indexed without a pause: an ordinary one is ready by then. Later
/// the thread sleeps as long as it works, so it takes half of one processor at the most.
const EAGER: u64 = 120;

impl ZimShelf {
    /// Starts the thread that indexes archives. It ends when the last clone of this shelf is gone.
    pub fn start(&self) {
        let parts = Arc::downgrade(&self.parts);
        let started = thread::Builder::new().name("zim-index".into()).spawn(move || tend(&parts));
        if let Err(error) = started {
            tracing::error!(%error, "archives are found by what is indexed already: no thread could be started");
        }
    }

    /// Indexes one archive to its end, or until `stop` says so; then the next goes on. Works beside a running box: both
    /// take turns.
    pub fn build(
        &self,
        zim: &str,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(ZimProgress),
    ) -> Result<(), LibraryError> {
        loop {
            let row = self.parts.any_row(zim)?;
            let opened = self.parts.opened(&row).map_err(LibraryError::WrongState)?;
            let grown = self.parts.grow(&row, &opened).map_err(LibraryError::WrongState)?;
            report(ZimProgress { done: grown.words, total: if grown.titles { grown.articles } else { 0 } });
            if grown.done || stop() {
                return Ok(());
            }
        }
    }
}

fn tend(parts: &Weak<Parts>) {
    while let Some(parts) = parts.upgrade() {
        let begun = Instant::now();
        match parts.grow_next() {
            Ok(Some(added)) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                if now.saturating_sub(added.unsigned_abs()) > EAGER {
                    let worked = begun.elapsed();
                    drop(parts);
                    thread::sleep(worked);
                }
            }
            Ok(None) => parts.wait(),
            Err(error) => {
                tracing::warn!(%error, "the archives could not be looked at");
                parts.wait();
            }
        }
    }
}

impl Parts {
    /// One batch of the archive that has least to do. Says since when that archive is here; nothing where all is done.
    fn grow_next(&self) -> Result<Option<i64>, LibraryError> {
        let rows = self.all_rows()?;
        self.sweep(&rows);
        let mut growing: Vec<(u64, Row, Arc<Opened>)> = Vec::new();
        for row in rows {
            let Ok(opened) = self.opened(&row) else { continue };
            let grown = opened.index.grown();
            if !grown.done {
                let left = u64::from(opened.zim.entries()).saturating_sub(grown.words);
                growing.push((left, row, opened));
            }
        }
        growing.sort_by_key(|(left, row, _)| (*left, row.id.clone()));
        for (_, row, opened) in growing {
            match self.grow(&row, &opened) {
                Ok(_) => return Ok(Some(row.added)),
                // The others go on meanwhile.
                Err(reason) => tracing::warn!(archive = row.id, reason, "an archive could not be indexed"),
            }
        }
        Ok(None)
    }

    fn grow(&self, row: &Row, opened: &Opened) -> Result<Grown, String> {
        let batch = Batch { zim: &opened.zim, languages: &row.languages };
        opened.index.batch(&batch).map_err(|error| {
            self.close(&row.id);
            error.to_string()
        })
    }

    fn wait(&self) {
        let (news, told) = &self.news;
        let news = news.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = told.wait_timeout_while(news, LOOK, |news| !*news);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
