//! Withdrawal: text, index, vectors and files go; a trace stays that says that there was something, since when, and why
//! it went. Not what it said, nor what it was called.
//!
//! One transaction takes the words, the index and the vectors; a search that began before it sees all of them, one that
//! begins after it sees none. The file goes right after, and at the next start if the power went in between: until then
//! it is an encrypted blob that nothing names.

#[cfg(test)]
mod tests;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::document::{Document, line, passage, rows as documents, rows::Row};
use crate::import::rows as imports;
use crate::library::{CollectionId, DocumentId, Hand, Library, LibraryError, originals, record};

/// Documents that one entry of the ledger names: a few kilobytes, well below what an entry holds.
const NAMED_AT_ONCE: usize = 1000;

/// What is left of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    /// Which.
    pub document: DocumentId,
    /// Where it stood.
    pub collection: CollectionId,
    /// The member that gave it.
    pub contributor: Option<String>,
    /// Since when it was here.
    pub added: i64,
    /// When it went.
    pub at: i64,
    /// Who did it; none: the box itself.
    pub by: Option<String>,
    /// Why, in their words.
    pub why: String,
    /// How it went.
    pub kind: TraceKind,
    /// BLAKE3 of the file of its last version, in hexadecimal digits: who has the file can show that this was it.
    pub hash: String,
}

/// How a document went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TraceKind {
    /// It was withdrawn.
    Withdrawn,
    /// It was not accepted at the review desk.
    Refused,
}

/// All that one member gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contributions {
    /// What is here, in whatever state.
    pub documents: Vec<Document>,
    /// What is not here any more.
    pub traces: Vec<Trace>,
}

impl Library {
    /// Withdraws a document. When this returns it is found by nobody.
    pub async fn withdraw(
        &self,
        id: DocumentId,
        why: String,
        hand: Hand,
        now: i64,
    ) -> Result<Trace, LibraryError> {
        let (why, record) = (line::required("why", &why)?, self.record());
        let trace = self
            .change(move |tx| {
                let row = documents::load(tx, &id)?;
                hand.may_change(row.document.contributor.as_deref())?;
                let trace = remove(tx, &row, TraceKind::Withdrawn, &why, hand.name(), now)?;
                let what = json!({ "documents": [trace.document], "by": record::by(&hand) });
                record.note(tx, now, record::WITHDRAWN, &what)?;
                Ok(trace)
            })
            .await?;
        self.tidy_originals().await;
        Ok(trace)
    }

    /// Withdraws all that a member gave, at once.
    pub async fn withdraw_all_of(
        &self,
        member: String,
        why: String,
        hand: Hand,
        now: i64,
    ) -> Result<Vec<Trace>, LibraryError> {
        hand.may_change(Some(&member))?;
        let (why, record) = (line::required("why", &why)?, self.record());
        let traces = self
            .change(move |tx| {
                let rows = documents::all(tx, Some(&member))?;
                let gone =
                    rows.iter().map(|row| remove(tx, row, TraceKind::Withdrawn, &why, hand.name(), now));
                let traces = gone.collect::<Result<Vec<_>, _>>()?;
                // As many in one entry as it holds.
                for some in traces.chunks(NAMED_AT_ONCE) {
                    let ids: Vec<_> = some.iter().map(|trace| &trace.document).collect();
                    let what = json!({ "documents": ids, "by": record::by(&hand) });
                    record.note(tx, now, record::WITHDRAWN, &what)?;
                }
                Ok(traces)
            })
            .await?;
        self.tidy_originals().await;
        Ok(traces)
    }

    /// What is left of a document that went; none for one that is here or never was.
    pub async fn trace(&self, id: DocumentId) -> Result<Option<Trace>, LibraryError> {
        self.read_rows(move |connection| trace(connection, &id)).await
    }

    /// All that a member gave: what is here and what went.
    pub async fn contributions(&self, member: String) -> Result<Contributions, LibraryError> {
        self.read_rows(move |connection| {
            let documents = documents::all(connection, Some(&member))?;
            Ok(Contributions {
                documents: documents.into_iter().map(|row| row.document).collect(),
                traces: traces(connection, Some(&member))?,
            })
        })
        .await
    }

    /// Removes files that nothing names any more. A failure undoes nothing: the next start tries again.
    pub(crate) async fn tidy_originals(&self) {
        if let Err(error) = self.on_a_thread(Library::remove_originals_blocking).await {
            tracing::warn!(%error, "a withdrawn file is still on the disk, encrypted; the next start removes it");
        }
    }
}

/// What is left of a document that went.
pub(crate) fn trace(connection: &Connection, id: &DocumentId) -> Result<Option<Trace>, LibraryError> {
    let sql = format!("{SELECT} WHERE t.document = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], read).optional()?)
}

/// The traces of what a member gave, or all; the newest first.
pub(crate) fn traces(connection: &Connection, contributor: Option<&str>) -> Result<Vec<Trace>, LibraryError> {
    let sql = format!("{SELECT} WHERE ?1 IS NULL OR t.contributor = ?1 ORDER BY t.at DESC, t.document");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([contributor], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a document away, within a change, and leaves the trace.
pub(crate) fn remove(
    tx: &Transaction<'_>,
    row: &Row,
    kind: TraceKind,
    why: &str,
    by: Option<&str>,
    now: i64,
) -> Result<Trace, LibraryError> {
    let Row { key, document } = row;
    passage::take_down(tx, *key, &document.id)?;
    let originals = originals::of_document(tx, *key)?;
    let name = match kind {
        TraceKind::Withdrawn => "withdrawn",
        TraceKind::Refused => "refused",
    };
    tx.execute(
        "INSERT INTO traces (document, collection, contributor, added, at, by, why, kind) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![document.id, document.collection, document.contributor, document.created, now, by, why, name],
    )?;
    tx.execute(
        "INSERT INTO trace_hashes (document, number, hash) SELECT ?1, number, hash FROM versions WHERE document = ?2",
        params![document.id, key],
    )?;
    // The versions go with it.
    tx.execute("DELETE FROM documents WHERE key = ?1", [key])?;
    // What was written down about its file while it was taken in: a file's name often is its title.
    imports::hide(tx, &document.id)?;
    originals::let_go(tx, &originals)?;
    Ok(tx.query_row(&format!("{SELECT} WHERE t.document = ?1"), [&document.id], read)?)
}

const SELECT: &str = "SELECT t.document, t.collection, t.contributor, t.added, t.at, t.by, t.why, t.kind, \
    (SELECT lower(hex(h.hash)) FROM trace_hashes h WHERE h.document = t.document ORDER BY h.number DESC LIMIT 1) \
    FROM traces t";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Trace> {
    let kind: String = row.get(7)?;
    Ok(Trace {
        document: row.get(0)?,
        collection: row.get(1)?,
        contributor: row.get(2)?,
        added: row.get(3)?,
        at: row.get(4)?,
        by: row.get(5)?,
        why: row.get(6)?,
        kind: if kind == "refused" { TraceKind::Refused } else { TraceKind::Withdrawn },
        hash: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
    })
}
