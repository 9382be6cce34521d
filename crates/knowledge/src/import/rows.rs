//! Imports and their files as the store keeps them.

use std::collections::BTreeMap;

use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Row, params};

use super::{FileOutcome, Import, ImportState, ImportedFile, NewImport, Progress};
use crate::library::{DocumentId, LibraryError};

/// A file as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
    pub(crate) file: ImportedFile,
}

const SELECT: &str = "SELECT id, path, collection, by, watched, state, started, ended, total, added, updated, known, \
    refused, origin, attribution, licence, language FROM imports";

fn read(row: &Row<'_>) -> rusqlite::Result<Import> {
    let state: String = row.get(5)?;
    Ok(Import {
        id: row.get(0)?,
        path: row.get(1)?,
        collection: row.get(2)?,
        by: row.get(3)?,
        watched: row.get(4)?,
        state: match state.as_str() {
            "ready" => ImportState::Ready,
            "running" => ImportState::Running,
            _ => ImportState::Done,
        },
        started: row.get(6)?,
        ended: row.get(7)?,
        progress: Progress {
            total: row.get(8)?,
            added: row.get(9)?,
            updated: row.get(10)?,
            known: row.get(11)?,
            refused: row.get(12)?,
        },
        origin: row.get(13)?,
        attribution: row.get(14)?,
        licence: row.get(15)?,
        language: row.get(16)?,
    })
}

pub(crate) fn load(connection: &Connection, id: i64) -> Result<Import, LibraryError> {
    let found = connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id], read).optional()?;
    found.ok_or_else(|| LibraryError::not_found("import", id))
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Import>, LibraryError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY id DESC"))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert(
    connection: &Connection,
    path: &str,
    new: &NewImport,
    by: Option<&str>,
) -> Result<Import, LibraryError> {
    connection.execute(
        "INSERT INTO imports (path, collection, by, watched, state, total, added, updated, known, refused, origin, \
         attribution, licence, language) VALUES (?1, ?2, ?3, ?4, 'ready', 0, 0, 0, 0, 0, ?5, ?6, ?7, ?8) \
         ON CONFLICT (path, collection) DO UPDATE SET watched = max(watched, excluded.watched), \
         attribution = excluded.attribution, licence = excluded.licence, language = excluded.language",
        params![
            path,
            new.collection,
            by,
            new.watched,
            new.origin,
            new.attribution,
            new.licence,
            new.language
        ],
    )?;
    let sql = format!("{SELECT} WHERE path = ?1 AND collection = ?2");
    Ok(connection.query_row(&sql, params![path, new.collection], read)?)
}

/// Keeps how far a run is; `ended` is when it came to its end.
pub(crate) fn progress(
    connection: &Connection,
    id: i64,
    started: i64,
    ended: Option<i64>,
    progress: &Progress,
) -> Result<(), LibraryError> {
    let state = if ended.is_some() { "done" } else { "running" };
    connection.execute(
        "UPDATE imports SET state = ?2, started = ?3, ended = ?4, total = ?5, added = ?6, updated = ?7, known = ?8, \
         refused = ?9 WHERE id = ?1",
        params![
            id,
            state,
            started,
            ended,
            progress.total,
            progress.added,
            progress.updated,
            progress.known,
            progress.refused
        ],
    )?;
    Ok(())
}

type FileColumns = (u64, i64, String, String, Option<DocumentId>, String);

const FILE: &str = "SELECT size, modified, path, outcome, document, reason FROM import_files";

fn file_columns(row: &Row<'_>) -> rusqlite::Result<FileColumns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn file((size, modified, path, outcome, document, reason): FileColumns) -> Seen {
    let outcome = match outcome.as_str() {
        "added" => FileOutcome::Added,
        "updated" => FileOutcome::Updated,
        "known" => FileOutcome::Known,
        _ => FileOutcome::Refused,
    };
    Seen { size, modified, file: ImportedFile { path, outcome, document, reason } }
}

/// Under what a file stands whose document was withdrawn: its name may say what nobody is to know any more, and still it
/// has to be known again.
pub(super) fn hidden(path: &str) -> String {
    format!("withdrawn-{}", &blake3::hash(path.as_bytes()).to_hex()[..32])
}

/// The files of an import that were looked at before, by their paths.
pub(crate) fn seen(connection: &Connection, id: i64) -> Result<BTreeMap<String, Seen>, LibraryError> {
    let sql = format!("{FILE} WHERE import = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([id], file_columns)?;
    rows.map(|row| {
        let seen = file(row?);
        Ok((seen.file.path.clone(), seen))
    })
    .collect()
}

/// The files of an import, in order.
pub(crate) fn files(
    connection: &Connection,
    id: i64,
    refused: bool,
) -> Result<Vec<ImportedFile>, LibraryError> {
    let only = if refused { "AND outcome = 'refused'" } else { "" };
    let sql = format!("{FILE} WHERE import = ?1 {only} ORDER BY path");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([id], file_columns)?;
    rows.map(|row| Ok(file(row?).file)).collect()
}

/// Keeps what became of a file.
pub(crate) fn note(connection: &Connection, id: i64, seen: &Seen) -> Result<(), LibraryError> {
    let outcome = match seen.file.outcome {
        FileOutcome::Added => "added",
        FileOutcome::Updated => "updated",
        FileOutcome::Known => "known",
        FileOutcome::Refused => "refused",
    };
    let ImportedFile { path, document, reason, .. } = &seen.file;
    connection.execute(
        "INSERT OR REPLACE INTO import_files (import, path, size, modified, outcome, document, reason) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id, path, seen.size, seen.modified, outcome, document, reason],
    )?;
    // It may have been withdrawn while it was being taken in.
    let Some(document) = document else { return Ok(()) };
    let gone = "SELECT 1 FROM traces WHERE document = ?1";
    if connection.prepare_cached(gone)?.exists([document])? { hide(connection, document) } else { Ok(()) }
}

/// Hides what the files of a withdrawn document were called.
pub(crate) fn hide(connection: &Connection, document: &DocumentId) -> Result<(), LibraryError> {
    let sql = "SELECT import, path FROM import_files WHERE document = ?1 AND path NOT LIKE 'withdrawn-%'";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map([document], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (import, path) in rows.collect::<Result<Vec<_>, _>>()? {
        connection.execute(
            "UPDATE OR REPLACE import_files SET path = ?3, outcome = 'refused', \
             reason = iif(outcome = 'refused', reason, 'it was withdrawn') WHERE import = ?1 AND path = ?2",
            params![import, path, hidden(&path)],
        )?;
    }
    Ok(())
}
