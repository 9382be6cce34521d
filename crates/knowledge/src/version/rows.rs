//! Versions as the store keeps them.

use banyan_store::Store;
use banyan_store::rusqlite::{self, Connection, OptionalExtension as _, Row, Transaction, params};

use super::{Prepared, Version, VersionState};
use crate::document::{Added, Document, Reader, passage, rows as documents};
use crate::extracted::Block;
use crate::library::{DocumentId, LibraryError, originals};

/// Of which document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) key: i64,
    pub(crate) id: &'a DocumentId,
}

/// How a version comes to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New<'a> {
    pub(crate) state: VersionState,
    pub(crate) by: Option<&'a str>,
    pub(crate) why: &'a str,
    pub(crate) now: i64,
}

const COLUMNS: &str = "number, at, by, why, state, file_name, original IS NOT NULL, warnings, refusal";

type Columns = (u32, i64, Option<String>, String, String, String, bool, String, Option<String>);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
    ))
}

fn version(columns: Columns) -> Result<Version, LibraryError> {
    let (number, at, by, why, state, file_name, has_original, warnings, refusal) = columns;
    let state = match state.as_str() {
        "accepted" => VersionState::Accepted,
        "waiting" => VersionState::Waiting,
        _ => VersionState::Refused,
    };
    let warnings = serde_json::from_str(&warnings)?;
    Ok(Version { number, at, by, why, state, file_name, has_original, warnings, refusal })
}

fn state_name(state: VersionState) -> &'static str {
    match state {
        VersionState::Accepted => "accepted",
        VersionState::Waiting => "waiting",
        VersionState::Refused => "refused",
    }
}

/// Keeps the next version of a document; an accepted one is read from now on.
pub(crate) fn insert(
    store: &Store,
    tx: &Transaction<'_>,
    place: Place<'_>,
    prepared: &Prepared,
    new: &New<'_>,
) -> Result<Added, LibraryError> {
    let original = prepared.original.as_deref().map(|bytes| originals::keep(store, tx, bytes)).transpose()?;
    let number = next(tx, place.key)?;
    tx.execute(
        "INSERT INTO versions (document, number, at, by, why, blocks, warnings, hash, original, file_name, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            place.key,
            number,
            new.now,
            new.by,
            new.why,
            prepared.json,
            serde_json::to_string(&prepared.warnings)?,
            &prepared.hash[..],
            original.map(|id| id.as_bytes().to_vec()),
            prepared.file_name,
            state_name(new.state)
        ],
    )?;
    let passages = match new.state {
        VersionState::Accepted => {
            passage::publish(tx, place.key, place.id, number, &prepared.blocks, new.now)?
        }
        VersionState::Waiting | VersionState::Refused => 0,
    };
    Ok(Added {
        document: place.id.clone(),
        version: number,
        waiting: new.state == VersionState::Waiting,
        passages,
        warnings: prepared.warnings.clone(),
    })
}

/// Keeps an earlier, accepted version once more, as the next one, and makes it the current one.
pub(crate) fn copy(
    tx: &Transaction<'_>,
    place: Place<'_>,
    number: u32,
    by: Option<&str>,
    why: &str,
    now: i64,
) -> Result<Added, LibraryError> {
    let (before, blocks) = load(tx, place.key, number)?;
    if before.state != VersionState::Accepted {
        return Err(LibraryError::WrongState(format!(
            "version {number} was never accepted; accept it at the review desk, or choose another"
        )));
    }
    let next = next(tx, place.key)?;
    tx.execute(
        "INSERT INTO versions (document, number, at, by, why, blocks, warnings, hash, original, file_name, state) \
         SELECT document, ?3, ?4, ?5, ?6, blocks, warnings, hash, original, file_name, 'accepted' \
         FROM versions WHERE document = ?1 AND number = ?2",
        params![place.key, number, next, now, by, why],
    )?;
    let passages = passage::publish(tx, place.key, place.id, next, &blocks, now)?;
    let warnings = before.warnings;
    Ok(Added { document: place.id.clone(), version: next, waiting: false, passages, warnings })
}

fn next(connection: &Connection, key: i64) -> Result<u32, LibraryError> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM versions WHERE document = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([key], |row| row.get(0))?)
}

/// The versions of a document, the newest first.
pub(crate) fn all(connection: &Connection, key: i64) -> Result<Vec<Version>, LibraryError> {
    let sql = format!("SELECT {COLUMNS} FROM versions WHERE document = ?1 ORDER BY number DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([key], columns)?;
    rows.map(|row| version(row?)).collect()
}

/// A version with its words; refused where there is none.
pub(crate) fn load(
    connection: &Connection,
    key: i64,
    number: u32,
) -> Result<(Version, Vec<Block>), LibraryError> {
    let sql = format!("SELECT {COLUMNS}, blocks FROM versions WHERE document = ?1 AND number = ?2");
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![key, number], |row| Ok((columns(row)?, row.get::<_, String>(9)?)))
        .optional()?;
    let (columns, blocks) = found.ok_or_else(|| LibraryError::not_found("version", number))?;
    Ok((version(columns)?, serde_json::from_str(&blocks)?))
}

/// A version, the current one when none is named, for whoever may see it.
pub(crate) fn seen(
    connection: &Connection,
    id: &DocumentId,
    number: Option<u32>,
    reader: &Reader,
) -> Result<(Document, Version, Vec<Block>), LibraryError> {
    let row = documents::seen(connection, id, reader)?;
    let sees_all = documents::sees_all(&row, reader);
    let number = match number.or(row.document.version) {
        Some(number) => number,
        // None was accepted yet: then the newest is what there is to see.
        None => next(connection, row.key)?.saturating_sub(1),
    };
    let (version, blocks) = load(connection, row.key, number)?;
    if version.state != VersionState::Accepted && !sees_all {
        return Err(LibraryError::not_found("version", number));
    }
    Ok((row.document, version, blocks))
}

/// The blob of a version's file.
pub(crate) fn original(
    connection: &Connection,
    key: i64,
    number: u32,
) -> Result<Option<[u8; 32]>, LibraryError> {
    let sql = "SELECT original FROM versions WHERE document = ?1 AND number = ?2";
    Ok(connection
        .query_row(sql, params![key, number], |row| row.get::<_, Option<[u8; 32]>>(0))
        .optional()?
        .flatten())
}

/// What waited is accepted.
pub(crate) fn accept(tx: &Transaction<'_>, key: i64, number: u32) -> Result<(), LibraryError> {
    let sql = "UPDATE versions SET state = 'accepted' WHERE document = ?1 AND number = ?2";
    tx.execute(sql, params![key, number])?;
    Ok(())
}

/// What waited is refused: it keeps its place in the history, with the reason, and loses its words.
pub(crate) fn refuse(tx: &Transaction<'_>, key: i64, number: u32, why: &str) -> Result<(), LibraryError> {
    let blob = original(tx, key, number)?;
    tx.execute(
        "UPDATE versions SET state = 'refused', refusal = ?3, blocks = '[]', warnings = '[]', original = NULL, \
         file_name = '' WHERE document = ?1 AND number = ?2",
        params![key, number, why],
    )?;
    originals::let_go(tx, blob.as_slice())
}
