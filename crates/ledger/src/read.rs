//! Looking things up.

use banyan_identity::Signature;
use banyan_store::rusqlite::{Connection, OptionalExtension, Row, params};

use crate::entry::Entry;
use crate::error::LedgerError;
use crate::head::Head;

/// In the order that [`of_row`] reads.
pub(crate) const COLUMNS: &str = "seq, time, kind, payload, previous, hash, signature";

/// One entry.
pub fn entry(connection: &Connection, seq: u64) -> Result<Option<Entry>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM ledger WHERE seq = ?");
    let found =
        connection.prepare_cached(&sql)?.query_row([number(seq)], |row| Ok(of_row(row))).optional()?;
    found.transpose().map_err(|seq| LedgerError::Damaged(seq.0))
}

/// Up to `limit` entries, the newest first, all of them before entry `before` if one is named.
pub fn page(connection: &Connection, before: Option<u64>, limit: u32) -> Result<Vec<Entry>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM ledger WHERE seq < ? ORDER BY seq DESC LIMIT ?");
    let before = before.map_or(i64::MAX, number);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![before, limit], |row| Ok(of_row(row)))?;
    rows.map(|row| row?.map_err(|seq| LedgerError::Damaged(seq.0))).collect()
}

/// The last entry's number, hash and signature; none when the ledger is empty.
pub fn head(connection: &Connection) -> Result<Option<Head>, LedgerError> {
    Ok(page(connection, None, 1)?.first().map(Head::of))
}

/// A row of this number that cannot be an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoEntryInRow(pub(crate) u64);

/// The entry in a row; what is not of its form names the row.
pub(crate) fn of_row(row: &Row<'_>) -> Result<Entry, NoEntryInRow> {
    let seq = row.get::<_, i64>(0).map_or(0, |seq| u64::try_from(seq).unwrap_or(0));
    let read = || -> Result<Entry, banyan_store::rusqlite::Error> {
        Ok(Entry {
            seq,
            time: row.get(1)?,
            kind: row.get(2)?,
            payload: row.get(3)?,
            previous: row.get(4)?,
            hash: row.get(5)?,
            signature: Signature::from_bytes(row.get(6)?),
        })
    };
    read().map_err(|_| NoEntryInRow(seq))
}

/// As SQLite keeps it. A number that it cannot keep is past every entry.
pub(crate) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
