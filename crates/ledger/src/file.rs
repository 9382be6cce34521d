//! Verifying an exported ledger: no database, no box, nothing but the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use banyan_identity::PublicKey;

use crate::append::MAX_PAYLOAD;
use crate::chain::Chain;
use crate::entry::Entry;
use crate::error::{BadEntry, VerifyError};
use crate::export::{FORMAT, Header, Line, VERSION};
use crate::head::{Countersignature, Head};
use crate::verify::Verified;

/// Bytes of a line: a payload in which every byte needs six to be written, and the rest of an entry.
const MAX_LINE: u64 = 6 * MAX_PAYLOAD as u64 + 4096;

/// An exported ledger that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFile {
    /// The box that signed every entry.
    pub key: PublicKey,
    /// What is in it.
    pub verified: Verified,
}

/// Verifies a file. With a `key`, it has to be that box's; with `known` heads, it has to contain those.
pub fn verify_file(
    path: &Path,
    key: Option<&PublicKey>,
    known: &[Head],
    mut progress: impl FnMut(u64),
) -> Result<VerifiedFile, VerifyError> {
    let mut lines = Lines::open(path)?;
    let header = lines.header()?;
    if let Some(wanted) = key.filter(|wanted| **wanted != header.key) {
        return Err(VerifyError::OtherKey { wanted: *wanted, found: header.key });
    }
    let mut chain = Chain::new(&header.key, known, Vec::new())?;
    let mut countersigned: Vec<Countersignature> = Vec::new();
    while let Some(line) = lines.next()? {
        match serde_json::from_slice(&line) {
            Ok(Line::Entry(entry)) if countersigned.is_empty() => {
                let entry = Entry::from(entry);
                chain.follow(&entry)?;
                if entry.seq.is_multiple_of(1000) {
                    progress(entry.seq);
                }
            }
            Ok(Line::Countersigned { countersigned: one }) => countersigned.push(one),
            _ => {
                return Err(chain
                    .bad(chain.expected(), format!("is not to be read, in line {}", lines.number))
                    .into());
            }
        }
    }
    let head = chain.finish()?;
    let entries = head.map_or(0, |head| head.seq);
    if (entries, head) != (header.entries, header.head) {
        let seq = if entries < header.entries { entries + 1 } else { entries.max(1) };
        let reason = "is not where the file's header says that the ledger ends; was the file cut off?".into();
        return Err(BadEntry { seq, reason }.into());
    }
    check_countersignatures(path, &countersigned)?;
    Ok(VerifiedFile { key: header.key, verified: Verified { entries, head, countersigned } })
}

/// The end that a file claims, to be held against a newer one; see `known` of [`verify_file`].
pub fn head_of_file(path: &Path) -> Result<Option<Head>, VerifyError> {
    Ok(Lines::open(path)?.header()?.head)
}

/// A second look at the file: countersignatures come after the entries that they are of.
fn check_countersignatures(path: &Path, countersigned: &[Countersignature]) -> Result<(), VerifyError> {
    let Some(last) = countersigned.iter().map(|one| one.seq).max() else { return Ok(()) };
    let mut lines = Lines::open(path)?;
    lines.header()?;
    let mut found = 0;
    while let Some(line) = lines.next()? {
        let Ok(Line::Entry(entry)) = serde_json::from_slice(&line) else { break };
        let entry = Entry::from(entry);
        for one in countersigned.iter().filter(|one| one.seq == entry.seq) {
            if !one.is_of(&entry.hash) {
                let reason = format!("is not the one that {} countersigned", one.signer);
                return Err(BadEntry { seq: entry.seq, reason }.into());
            }
        }
        found = entry.seq;
        if found >= last {
            return Ok(());
        }
    }
    let reason = format!("is missing: somebody has countersigned this ledger up to entry {last}");
    Err(BadEntry { seq: found + 1, reason }.into())
}

struct Lines<'a> {
    path: &'a Path,
    from: BufReader<File>,
    number: u64,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, VerifyError> {
        let file = File::open(path).map_err(|reason| VerifyError::File { path: path.to_owned(), reason })?;
        Ok(Self { path, from: BufReader::with_capacity(1 << 16, file), number: 0 })
    }

    fn header(&mut self) -> Result<Header, VerifyError> {
        let first = self.next()?.ok_or_else(|| self.no_ledger("it is empty".into()))?;
        let header: Header =
            serde_json::from_slice(&first).map_err(|error| self.no_ledger(error.to_string()))?;
        if header.format != FORMAT || header.version != VERSION {
            let reason = format!(
                "it is {} of version {}, and this reads {FORMAT} of version {VERSION}",
                header.format, header.version
            );
            return Err(self.no_ledger(reason));
        }
        Ok(header)
    }

    /// The next line without its end; none after the last.
    fn next(&mut self) -> Result<Option<Vec<u8>>, VerifyError> {
        let mut line = Vec::new();
        let read = (&mut self.from).take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|reason| VerifyError::File { path: self.path.to_owned(), reason })?;
        self.number += 1;
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() as u64 >= MAX_LINE {
            return Err(self.no_ledger(format!("line {} has more than {MAX_LINE} bytes", self.number)));
        }
        Ok((read > 0).then_some(line))
    }

    fn no_ledger(&self, reason: String) -> VerifyError {
        VerifyError::NotALedger { path: self.path.to_owned(), reason }
    }
}
