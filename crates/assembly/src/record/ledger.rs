//! The ledger, to read, to check and to take along.

use std::io::Write;
use std::time::Instant;

use banyan_governance::{Permission, Time};
use banyan_ledger::{Entry, VerifyError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::assembly::Assembly;
use crate::error::AssemblyError;
use crate::people::Caller;

/// The most entries of one page: what a phone shows without a pause.
const MAX_PAGE: u32 = 200;

/// A page of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LedgerPage {
    /// Newest first.
    pub entries: Vec<LedgerEntry>,
    /// The newest entry of all; absent while there is none.
    pub head: Option<LedgerHead>,
    /// The box's public key, by which the signatures can be checked (64 hexadecimal digits).
    pub key: String,
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// Its number, from 1 on.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// What kind of thing it records.
    pub kind: String,
    /// What it says.
    pub payload: serde_json::Value,
    /// The hash of the entry before it (64 hexadecimal digits).
    pub previous: String,
    /// Its own hash.
    pub hash: String,
    /// The box's signature of it (128 hexadecimal digits).
    pub signature: String,
}

/// The newest entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerHead {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// What came of checking the whole ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerVerdict {
    /// Whether every entry is as it was written, none is missing, and all are signed by this box.
    pub ok: bool,
    /// How many entries were found to be right.
    pub entries: u64,
    /// The newest of them.
    pub head: Option<LedgerHead>,
    /// How long it took.
    pub took_ms: u64,
    /// What is wrong first, if anything is.
    pub first_bad: Option<FirstBad>,
}

/// The first entry that is not right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FirstBad {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Assembly {
    /// A page of the ledger, newest first: the entries before this number, or the newest.
    pub async fn ledger_page(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: Option<u32>,
    ) -> Result<LedgerPage, AssemblyError> {
        caller.require(Permission::Read)?;
        let key = self.public_key().to_string();
        let limit = limit.unwrap_or(50).clamp(1, MAX_PAGE);
        self.read(move |connection| {
            let entries = banyan_ledger::page(connection, before, limit)?;
            let entries = entries.into_iter().map(shown).collect::<Result<_, _>>()?;
            let head = banyan_ledger::head(connection)?;
            let head = head.map(|head| LedgerHead { seq: head.seq, hash: hex(&head.hash) });
            Ok(LedgerPage { entries, head, key })
        })
        .await
    }

    /// Checks every entry from the first on. Reads while others write; seconds for a hundred thousand entries.
    pub async fn verify_ledger(&self, caller: &Caller) -> Result<LedgerVerdict, AssemblyError> {
        caller.require(Permission::Read)?;
        let key = self.public_key();
        self.long_read(move |connection| {
            let began = Instant::now();
            let verified = banyan_ledger::verify(connection, &key, |_| {});
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            match verified {
                Ok(verified) => Ok(LedgerVerdict {
                    ok: true,
                    entries: verified.entries,
                    head: verified.head.map(|head| LedgerHead { seq: head.seq, hash: hex(&head.hash) }),
                    took_ms,
                    first_bad: None,
                }),
                Err(VerifyError::Ledger(error)) => Err(error.into()),
                Err(error) => {
                    let bad = error.first_bad();
                    let seq = bad.map_or(0, |bad| bad.seq);
                    let reason = bad.map_or_else(|| error.to_string(), |bad| bad.reason.clone());
                    Ok(LedgerVerdict {
                        ok: false,
                        entries: seq.saturating_sub(1),
                        head: None,
                        took_ms,
                        first_bad: Some(FirstBad { seq, reason }),
                    })
                }
            }
        })
        .await
    }

    /// Writes the whole ledger, as the small verifier reads it; gives how many entries it has. What `out` refuses ends
    /// it.
    pub async fn export_ledger(
        &self,
        caller: &Caller,
        mut out: impl Write + Send + 'static,
    ) -> Result<u64, AssemblyError> {
        caller.require(Permission::Read)?;
        let key = self.public_key();
        self.long_read(move |connection| Ok(banyan_ledger::export(connection, &key, &mut out)?)).await
    }
}

fn shown(entry: Entry) -> Result<LedgerEntry, AssemblyError> {
    Ok(LedgerEntry {
        seq: entry.seq,
        time: Time(entry.time),
        payload: serde_json::from_slice(&entry.payload)?,
        previous: hex(&entry.previous),
        hash: hex(&entry.hash),
        signature: entry.signature.to_string(),
        kind: entry.kind,
    })
}

fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from(*hash).to_hex().to_string()
}
