//! The words of passages in the index, kept within the transaction that changes the passages.

use banyan_store::Store;
use banyan_store::rusqlite::{self, OptionalExtension as _, Transaction, params};

use super::fold::{self, Folding};
use crate::document::{Passage, passage};
use crate::library::{DocumentId, LibraryError};

/// So many of the latest changes are kept: what is held in memory looks at each search, or each time vectors come.
const CHANGES_KEPT: i64 = 10_000;

/// What happened to a document, beside a change of who may find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Its words.
    Words = 1,
    /// Its vectors.
    Vectors = 2,
}

/// Puts passages into the index, after their rows.
pub(crate) fn index(tx: &Transaction<'_>, passages: &[Passage]) -> rusqlite::Result<()> {
    let Some(document) = passages.first().map(|passage| &passage.document) else { return Ok(()) };
    let (key, title, language): (i64, String, Option<String>) = tx
        .prepare_cached("SELECT key, title || char(10) || author, language FROM documents WHERE id = ?1")?
        .query_row([document], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO search_documents (document, title, language) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![key, title, language])?;
    let folding = Folding::of(language.as_deref());
    let title = fold::indexed(&title, folding);
    let mut words =
        tx.prepare_cached("INSERT INTO search_words (rowid, title, heading, body) VALUES (?1, ?2, ?3, ?4)")?;
    let mut row =
        tx.prepare_cached("INSERT INTO search_rows (passage, document, words) VALUES (?1, ?2, ?3)")?;
    for passage in passages {
        let (heading, body) =
            (fold::indexed(&passage.heading, folding), fold::indexed(&passage.text, folding));
        words.execute(params![passage.id, title.line, heading.line, body.line])?;
        row.execute(params![passage.id, key, body.words])?;
    }
    log(tx, key, What::Words)
}

/// Takes a document's passages out of the index, and their vectors away, before their rows go.
pub(crate) fn forget(tx: &Transaction<'_>, document: &DocumentId) -> rusqlite::Result<()> {
    let sql = "SELECT d.key, s.title, s.language FROM documents d JOIN search_documents s ON s.document = d.key \
               WHERE d.id = ?1";
    let found: Option<(i64, String, Option<String>)> = tx
        .prepare_cached(sql)?
        .query_row([document], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((key, title, language)) = found else { return Ok(()) };
    let folding = Folding::of(language.as_deref());
    let title = fold::indexed(&title, folding);
    let mut passages = tx.prepare_cached(
        "SELECT p.id, p.heading, p.text FROM passages p JOIN search_rows r ON r.passage = p.id WHERE r.document = ?1",
    )?;
    let mut words = tx.prepare_cached(
        "INSERT INTO search_words (search_words, rowid, title, heading, body) VALUES ('delete', ?1, ?2, ?3, ?4)",
    )?;
    let mut vectors = tx.prepare_cached("DELETE FROM search_vectors WHERE passage = ?1")?;
    let mut rows = passages.query([key])?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let (id, heading, text): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (heading, body) = (fold::indexed(&heading, folding), fold::indexed(&text, folding));
        words.execute(params![id, title.line, heading.line, body.line])?;
        vectors.execute([id])?;
        first = Some(first.map_or(id, |first: i64| first.min(id)));
    }
    tx.prepare_cached("DELETE FROM search_rows WHERE document = ?1")?.execute([key])?;
    tx.prepare_cached("DELETE FROM search_documents WHERE document = ?1")?.execute([key])?;
    if let Some(first) = first {
        // Should the same passages come back, they need vectors again.
        tx.prepare_cached("UPDATE search_embedders SET done = min(done, ?1)")?.execute([first - 1])?;
    }
    log(tx, key, What::Words)
}

/// Writes down that a document changed.
pub(super) fn log(tx: &Transaction<'_>, document: i64, what: What) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO search_changes (document, what) VALUES (?1, ?2)")?
        .execute(params![document, what as i64])?;
    let last = tx.last_insert_rowid();
    tx.prepare_cached("DELETE FROM search_changes WHERE seq <= ?1")?.execute([last - CHANGES_KEPT])?;
    Ok(())
}

/// Indexes documents that are read and not in the index, each by itself: after a step that changed how words are folded.
pub(crate) fn index_missing(store: &Store) -> Result<(), LibraryError> {
    loop {
        let indexed = store.write_blocking(|tx| -> Result<bool, LibraryError> {
            let sql = "SELECT d.id FROM documents d WHERE d.current IS NOT NULL \
                       AND NOT EXISTS (SELECT 1 FROM search_documents s WHERE s.document = d.key) \
                       AND EXISTS (SELECT 1 FROM passages p WHERE p.document = d.key) LIMIT 1";
            let Some(document) = tx.query_row(sql, [], |row| row.get::<_, DocumentId>(0)).optional()? else {
                return Ok(false);
            };
            passage::index_document(tx, &document)?;
            Ok(true)
        })?;
        if !indexed {
            return Ok(());
        }
    }
}
