//! Verifying the ledger in the database.

use banyan_identity::PublicKey;
use banyan_store::rusqlite::Connection;

use crate::chain::Chain;
use crate::error::VerifyError;
use crate::head::{Countersignature, Head, countersignatures};
use crate::read::{COLUMNS, of_row};

/// Entries between two reports of progress.
const REPORT_EVERY: u64 = 1000;

/// A ledger that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// Its end; none when it is empty.
    pub head: Option<Head>,
    /// Who vouches for having seen it, and up to which entry.
    pub countersigned: Vec<Countersignature>,
}

/// Verifies every entry against the box's key and every countersignature; an error names the first bad entry.
pub fn verify(
    connection: &Connection,
    key: &PublicKey,
    progress: impl FnMut(u64),
) -> Result<Verified, VerifyError> {
    verify_against(connection, key, &[], progress)
}

/// As [`verify()`], for somebody who kept heads of it: a ledger that was cut off or written anew since does not pass.
pub fn verify_against(
    connection: &Connection,
    key: &PublicKey,
    known: &[Head],
    mut progress: impl FnMut(u64),
) -> Result<Verified, VerifyError> {
    // Before the entries: one that is appended meanwhile may be countersigned meanwhile.
    let countersigned = countersignatures(connection)?;
    let mut chain = Chain::new(key, known, countersigned.clone())?;
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM ledger ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let entry = of_row(row).map_err(|_| {
            chain.bad(chain.expected(), "is damaged: its row has not the form of an entry".into())
        })?;
        chain.follow(&entry)?;
        if entry.seq.is_multiple_of(REPORT_EVERY) {
            progress(entry.seq);
        }
    }
    let head = chain.finish()?;
    Ok(Verified { entries: head.map_or(0, |head| head.seq), head, countersigned })
}
