//! Vectors for passages that have none: a few at a time, whenever the box has nothing better to do. Each batch is written
//! whole, so it goes on where it was after a restart.

use std::collections::BTreeSet;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Transaction, params};

use super::index::{self, What};
use super::memory::latest;
use super::vector;
use crate::embedder::Embedder;
use crate::library::{Library, LibraryError};

/// Vectors of other models that are removed with one batch, once all passages have one of the model in use.
const REMOVED_AT_ONCE: u32 = 2_000;

/// A passage that waits for its vector.
struct Waiting {
    passage: i64,
    document: i64,
    text: String,
}

/// What waits, at one moment.
struct Batch {
    waiting: Vec<Waiting>,
    /// The last change at that moment.
    moment: i64,
    /// Up to where everything had a vector.
    done: i64,
}

impl Library {
    /// Gives vectors to at most `at_most` passages that have none of this model, and says how many are left. Nothing is
    /// kept of a passage that was withdrawn or changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`LibraryError::Embedding`] if the model does not answer, or answers with something else than vectors.
    pub async fn embed_pending(
        &self,
        embedder: &dyn Embedder,
        at_most: usize,
    ) -> Result<usize, LibraryError> {
        let name = embedder.name();
        let asked = name.clone();
        let batch = self.read_rows(move |connection| Ok(waiting(connection, &asked, at_most)?)).await?;
        let texts: Vec<String> = batch.waiting.iter().map(|waiting| waiting.text.clone()).collect();
        let vectors = match texts.is_empty() {
            true => Vec::new(),
            false => embedder.embed(&texts).await.map_err(LibraryError::Embedding)?,
        };
        if vectors.len() != texts.len() {
            let reason = format!("it gave {} vectors for {} texts", vectors.len(), texts.len());
            return Err(LibraryError::Embedding(reason));
        }
        let vectors: Vec<Vec<u8>> = vectors
            .iter()
            .map(|vector| vector::encode(vector))
            .collect::<Option<_>>()
            .ok_or_else(|| LibraryError::Embedding("it gave a vector without a direction".into()))?;
        self.change(move |tx| Ok(keep(tx, &name, &batch, &vectors)?)).await
    }
}

/// The passages that come next, in the order in which they came in.
fn waiting(connection: &Connection, embedder: &str, at_most: usize) -> rusqlite::Result<Batch> {
    let sql = "SELECT id, done FROM search_embedders WHERE name = ?1";
    let known: Option<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_row([embedder], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (embedder, done) = known.unwrap_or((0, 0));
    let sql = "SELECT p.id, p.document, d.title, p.heading, p.text FROM search_rows r \
               JOIN passages p ON p.id = r.passage JOIN documents d ON d.key = p.document \
               WHERE r.passage > ?1 \
               AND NOT EXISTS (SELECT 1 FROM search_vectors v WHERE v.passage = r.passage AND v.embedder = ?2) \
               ORDER BY r.passage LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![done, embedder, i64::try_from(at_most).unwrap_or(i64::MAX)], |row| {
            let (title, heading, text): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(Waiting {
                passage: row.get(0)?,
                document: row.get(1)?,
                text: in_context(&title, &heading, &text),
            })
        })?;
    Ok(Batch { waiting: rows.collect::<Result<_, _>>()?, moment: latest(connection)?, done })
}

/// A passage under its title and headings: by itself "Then boil it" is about nothing.
fn in_context(title: &str, heading: &str, text: &str) -> String {
    let title = if heading.starts_with(title) { "" } else { title };
    [title, heading, text].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Keeps what came, unless its passage is gone or another by now. Gives how many are left.
fn keep(tx: &Transaction<'_>, name: &str, batch: &Batch, vectors: &[Vec<u8>]) -> rusqlite::Result<usize> {
    tx.execute("INSERT OR IGNORE INTO search_embedders (name, done) VALUES (?1, 0)", [name])?;
    let embedder: i64 =
        tx.query_row("SELECT id FROM search_embedders WHERE name = ?1", [name], |row| row.get(0))?;
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO search_vectors (passage, embedder, vector) \
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM search_rows WHERE passage = ?1) \
         AND NOT EXISTS (SELECT 1 FROM search_changes WHERE seq > ?4 AND document = ?5 AND what = 1)",
    )?;
    let mut documents = BTreeSet::new();
    for (waiting, vector) in batch.waiting.iter().zip(vectors) {
        let values = params![waiting.passage, embedder, vector, batch.moment, waiting.document];
        if insert.execute(values)? > 0 {
            documents.insert(waiting.document);
        }
    }
    for document in documents {
        index::log(tx, document, What::Vectors)?;
    }
    if let Some(last) = batch.waiting.last() {
        // Not where something was taken back meanwhile: then it is looked through again.
        tx.execute(
            "UPDATE search_embedders SET done = ?2 WHERE id = ?1 AND done = ?3 \
             AND NOT EXISTS (SELECT 1 FROM search_rows r WHERE r.passage > ?3 AND r.passage <= ?2 AND NOT EXISTS \
             (SELECT 1 FROM search_vectors v WHERE v.passage = r.passage AND v.embedder = ?1))",
            params![embedder, last.passage, batch.done],
        )?;
    }
    let left: usize = tx.query_row(
        "SELECT (SELECT count(*) FROM search_rows WHERE passage > e.done) - (SELECT count(*) FROM search_vectors \
         WHERE passage > e.done AND embedder = e.id) FROM search_embedders e WHERE e.id = ?1",
        [embedder],
        |row| row.get::<_, i64>(0).map(|left| usize::try_from(left).unwrap_or(0)),
    )?;
    if left == 0 {
        remove_others(tx, embedder)?;
    }
    Ok(left)
}

/// Takes away, bit by bit, what another model left.
fn remove_others(tx: &Transaction<'_>, embedder: i64) -> rusqlite::Result<()> {
    let other: Option<i64> = tx
        .query_row("SELECT id FROM search_embedders WHERE id <> ?1 LIMIT 1", [embedder], |row| row.get(0))
        .optional()?;
    let Some(other) = other else { return Ok(()) };
    let removed = tx.execute(
        "DELETE FROM search_vectors WHERE embedder = ?1 AND passage IN \
         (SELECT passage FROM search_vectors WHERE embedder = ?1 LIMIT ?2)",
        params![other, REMOVED_AT_ONCE],
    )?;
    if removed == 0 {
        tx.execute("DELETE FROM search_embedders WHERE id = ?1", [other])?;
    }
    Ok(())
}
