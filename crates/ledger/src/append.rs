//! The only way into the ledger.

use banyan_identity::SigningKey;
use banyan_store::rusqlite::{OptionalExtension, Transaction, params};
use serde::de::IgnoredAny;

use crate::entry::Entry;
use crate::error::LedgerError;
use crate::read::number;

/// Bytes of a kind: a word or two.
pub const MAX_KIND: usize = 40;
/// Bytes of a payload: a whole policy with its texts fits several times; nothing larger belongs into a record that is
/// kept for ever.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// Appends an entry in the transaction of the change that it records. `payload` is JSON and never holds what a person
/// wrote, nor a name.
pub fn append(
    tx: &Transaction<'_>,
    key: &SigningKey,
    time: i64,
    kind: &str,
    payload: &[u8],
) -> Result<Entry, LedgerError> {
    check(kind, payload)?;
    let beginning = Entry::beginning(&key.public());
    let begun: Option<[u8; 32]> = tx
        .prepare_cached("SELECT previous FROM ledger WHERE seq = 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if begun.is_some_and(|begun| begun != beginning) {
        return Err(LedgerError::OtherKey(key.public()));
    }
    let last: Option<(i64, [u8; 32])> = tx
        .prepare_cached("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, previous) = last.map_or((1, beginning), |(seq, hash)| (seq.unsigned_abs() + 1, hash));
    let entry = Entry::sign(key, seq, time, kind, payload, previous);
    tx.prepare_cached(
        "INSERT INTO ledger (seq, time, kind, payload, previous, hash, signature) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        number(entry.seq),
        entry.time,
        entry.kind,
        entry.payload,
        entry.previous,
        entry.hash,
        entry.signature.as_bytes()
    ])?;
    Ok(entry)
}

fn check(kind: &str, payload: &[u8]) -> Result<(), LedgerError> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'_';
    if kind.is_empty() || kind.len() > MAX_KIND || !kind.bytes().all(is_plain) {
        return Err(LedgerError::Kind(kind.chars().take(MAX_KIND).collect()));
    }
    if payload.len() > MAX_PAYLOAD {
        return Err(LedgerError::Payload(format!("this has {}", payload.len())));
    }
    let text = std::str::from_utf8(payload).map_err(|error| LedgerError::Payload(error.to_string()))?;
    let read: Result<IgnoredAny, _> = serde_json::from_str(text);
    read.map(|_| ()).map_err(|error| LedgerError::Payload(error.to_string()))
}
