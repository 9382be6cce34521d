//! The ledger as a file that anybody verifies without the box: JSON, one line each for the header, every entry, and
//! every countersignature.
//!
//! ```text
//! {"format":"banyan-ledger","version":1,"key":"…","entries":2,"head":{"seq":2,"hash":"…","signature":"…"}}
//! {"seq":1,"time":1790000000,"kind":"founding","payload":"{\"kit\":\"circle\"}","previous":"…","hash":"…","signature":"…"}
//! {"seq":2,…}
//! {"countersigned":{"seq":2,"signer":"…","signature":"…"}}
//! ```
//! A payload is JSON inside a JSON text: its hash is over its exact bytes, which no reader may tidy up.

use std::io::Write;

use banyan_identity::{PublicKey, Signature};
use banyan_store::rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::error::LedgerError;
use crate::head::{Countersignature, Head, countersignatures};
use crate::hex32;
use crate::read::{COLUMNS, head, number, of_row};

/// What the header says of itself.
pub(crate) const FORMAT: &str = "banyan-ledger";
/// The number of this form.
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) key: PublicKey,
    pub(crate) entries: u64,
    pub(crate) head: Option<Head>,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Entry(EntryLine),
    Countersigned { countersigned: Countersignature },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryLine {
    seq: u64,
    time: i64,
    kind: String,
    payload: String,
    #[serde(with = "hex32")]
    previous: [u8; 32],
    #[serde(with = "hex32")]
    hash: [u8; 32],
    signature: Signature,
}

impl From<EntryLine> for Entry {
    fn from(line: EntryLine) -> Self {
        let EntryLine { seq, time, kind, payload, previous, hash, signature } = line;
        Self { seq, time, kind, payload: payload.into_bytes(), previous, hash, signature }
    }
}

/// Writes the ledger out; gives the number of entries. An entry that is appended meanwhile is not in it.
pub fn export(connection: &Connection, key: &PublicKey, out: &mut impl Write) -> Result<u64, LedgerError> {
    let end = head(connection)?;
    let entries = end.map_or(0, |head| head.seq);
    line(out, &Header { format: FORMAT.into(), version: VERSION, key: *key, entries, head: end })?;
    let sql = format!("SELECT {COLUMNS} FROM ledger WHERE seq <= ? ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([number(entries)])?;
    while let Some(row) = rows.next()? {
        let entry = of_row(row).map_err(|damaged| LedgerError::Damaged(damaged.0))?;
        let Entry { seq, time, kind, payload, previous, hash, signature } = entry;
        let payload = String::from_utf8(payload).map_err(|_| LedgerError::Damaged(seq))?;
        line(out, &Line::Entry(EntryLine { seq, time, kind, payload, previous, hash, signature }))?;
    }
    for countersigned in countersignatures(connection)?.into_iter().filter(|one| one.seq <= entries) {
        line(out, &Line::Countersigned { countersigned })?;
    }
    out.flush()?;
    Ok(entries)
}

fn line(out: &mut impl Write, what: &impl Serialize) -> Result<(), LedgerError> {
    serde_json::to_writer(&mut *out, what).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
