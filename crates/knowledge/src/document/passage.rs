//! Passages: the parts of a text that are found and cited. Each is a range of bytes of the plain text, so a citation
//! opens exactly what was found.

pub(crate) mod cut;

use std::collections::BTreeSet;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reader;
use crate::consent::Use;
use crate::extracted::Block;
use crate::library::{DocumentId, Library, LibraryError, columns};
use crate::search;

/// A part of the current version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Passage {
    /// Its number; never given twice.
    pub id: i64,
    /// Of which document.
    pub document: DocumentId,
    /// Of which version.
    pub version: u32,
    /// Where it begins in the plain text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The headings above it, the highest first, with ` › ` between them; may be empty.
    pub heading: String,
    /// The page it begins on, where the format has pages.
    pub page: Option<u32>,
    /// Its words.
    pub text: String,
}

/// Makes this version the one that is read and searched. Gives the number of its passages.
pub(crate) fn publish(
    tx: &Transaction<'_>,
    key: i64,
    document: &DocumentId,
    version: u32,
    blocks: &[Block],
    now: i64,
) -> Result<usize, LibraryError> {
    take_down(tx, key, document)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO passages (document, version, start, \"end\", heading, page, text) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut passages = Vec::new();
    for piece in cut::passages(blocks) {
        insert.execute(params![
            key,
            version,
            piece.start,
            piece.end,
            piece.heading,
            piece.page,
            piece.text
        ])?;
        passages.push(Passage {
            id: tx.last_insert_rowid(),
            document: document.clone(),
            version,
            start: piece.start,
            end: piece.end,
            heading: piece.heading,
            page: piece.page,
            text: piece.text,
        });
    }
    search::index(tx, &passages)?;
    tx.execute("UPDATE documents SET current = ?2, updated = ?3 WHERE key = ?1", params![key, version, now])?;
    Ok(passages.len())
}

/// Takes a document out of the index, its vectors and its passages.
pub(crate) fn take_down(tx: &Transaction<'_>, key: i64, document: &DocumentId) -> Result<(), LibraryError> {
    // First: an index that refers to the rows still needs them.
    search::forget(tx, document)?;
    tx.execute("DELETE FROM passages WHERE document = ?1", [key])?;
    Ok(())
}

/// Makes a change of what a document is found by, and puts it into the index anew. It is taken out before: an index that
/// refers to the rows still needs them as they were.
pub(crate) fn index_again(
    tx: &Transaction<'_>,
    document: &DocumentId,
    change: impl FnOnce() -> Result<(), LibraryError>,
) -> Result<(), LibraryError> {
    search::forget(tx, document)?;
    change()?;
    index_document(tx, document)
}

/// Puts a document's passages, which are there, into the index.
pub(crate) fn index_document(tx: &Transaction<'_>, document: &DocumentId) -> Result<(), LibraryError> {
    let sql = format!("{SELECT} WHERE d.id = ?1 ORDER BY p.id");
    let mut statement = tx.prepare_cached(&sql)?;
    let passages: Vec<Passage> = statement.query_map([document], read)?.collect::<Result<_, _>>()?;
    search::index(tx, &passages)?;
    Ok(())
}

const SELECT: &str = "SELECT p.id, d.id, p.version, p.start, p.\"end\", p.heading, p.page, p.text \
    FROM passages p JOIN documents d ON d.key = p.document JOIN collections c ON c.id = d.collection";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Passage> {
    Ok(Passage {
        id: row.get(0)?,
        document: row.get(1)?,
        version: row.get(2)?,
        start: row.get(3)?,
        end: row.get(4)?,
        heading: row.get(5)?,
        page: row.get(6)?,
        text: row.get(7)?,
    })
}

impl Library {
    /// A passage, for whoever may read it.
    pub async fn passage(&self, id: i64, reader: impl Into<Reader>) -> Result<Passage, LibraryError> {
        let Reader { audience, .. } = reader.into();
        self.read_rows(move |connection| {
            let sql = format!("{SELECT} WHERE p.id = ?1 AND c.audience <= ?2 AND d.allowed & ?3 != 0");
            let values = params![id, columns::audience_rank(audience), columns::use_bit(Use::Search)];
            let found = connection.prepare_cached(&sql)?.query_row(values, read).optional()?;
            found.ok_or_else(|| LibraryError::not_found("passage", id))
        })
        .await
    }

    /// Which of these passages may still be used like this. Asked again right before they are put into a prompt or
    /// shown: a document may have been withdrawn since the search.
    pub async fn still_usable(
        &self,
        ids: Vec<i64>,
        wanted: Use,
        audience: impl Into<Reader>,
    ) -> Result<BTreeSet<i64>, LibraryError> {
        let Reader { audience, .. } = audience.into();
        self.read_rows(move |connection| {
            still_usable(connection, &ids, wanted, columns::audience_rank(audience))
        })
        .await
    }

    /// The passages that may be used like this, whoever may read them, in the order of their numbers: for training sets
    /// and for what goes to others. `after` is the last number that was seen.
    pub async fn usable(&self, wanted: Use, after: i64, limit: u32) -> Result<Vec<Passage>, LibraryError> {
        self.read_rows(move |connection| {
            let sql = format!("{SELECT} WHERE p.id > ?1 AND d.allowed & ?2 != 0 ORDER BY p.id LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, columns::use_bit(wanted), limit], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn still_usable(
    connection: &Connection,
    ids: &[i64],
    wanted: Use,
    audience: i64,
) -> Result<BTreeSet<i64>, LibraryError> {
    let sql = "SELECT 1 FROM passages p JOIN documents d ON d.key = p.document JOIN collections c ON c.id = d.collection \
               WHERE p.id = ?1 AND d.allowed & ?2 != 0 AND c.audience <= ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut usable = BTreeSet::new();
    for id in ids {
        if statement.exists(params![id, columns::use_bit(wanted), audience])? {
            usable.insert(*id);
        }
    }
    Ok(usable)
}
