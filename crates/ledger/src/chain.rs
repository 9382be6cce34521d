//! Following a chain from its beginning: the same for the database and for a file.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;

use banyan_identity::{IdentityError, PublicKey, Signature, Verifier};

use crate::entry::{ENTRY, Entry};
use crate::error::BadEntry;
use crate::head::{Countersignature, Head};

/// Signatures that are checked together, on all cores: some tens of milliseconds of work, a megabyte of memory.
const TOGETHER: usize = 4096;

/// A chain that was whole so far.
pub(crate) struct Chain {
    verifier: Verifier,
    last: Option<Head>,
    beginning: [u8; 32],
    unchecked: Vec<(u64, [u8; 32], Signature)>,
    countersigned: BTreeMap<u64, Vec<Countersignature>>,
    known: BTreeMap<u64, [u8; 32]>,
}

impl Chain {
    /// Of the box with this key. What `known` heads and countersignatures say has to be in it.
    pub(crate) fn new(
        key: &PublicKey,
        known: &[Head],
        countersignatures: Vec<Countersignature>,
    ) -> Result<Self, IdentityError> {
        let mut chain = Self {
            verifier: key.verifier()?,
            last: None,
            beginning: Entry::beginning(key),
            unchecked: Vec::with_capacity(TOGETHER),
            countersigned: BTreeMap::new(),
            known: known.iter().map(|head| (head.seq, head.hash)).collect(),
        };
        for countersignature in countersignatures {
            chain.countersigned.entry(countersignature.seq).or_default().push(countersignature);
        }
        Ok(chain)
    }

    /// The number that the next entry has to have.
    pub(crate) fn expected(&self) -> u64 {
        self.last.map_or(1, |last| last.seq + 1)
    }

    /// The next entry. Its signature is checked later, together with others; an error always names the first bad entry.
    pub(crate) fn follow(&mut self, entry: &Entry) -> Result<(), BadEntry> {
        if let Err(bad) = self.check(entry) {
            return Err(self.bad(bad.seq, bad.reason));
        }
        self.last = Some(Head::of(entry));
        self.unchecked.push((entry.seq, entry.hash, entry.signature));
        if self.unchecked.len() >= TOGETHER { self.check_signatures() } else { Ok(()) }
    }

    /// The bad entry, unless one before it has a wrong signature that was not looked at yet.
    pub(crate) fn bad(&mut self, seq: u64, reason: String) -> BadEntry {
        match self.check_signatures() {
            Err(earlier) if earlier.seq < seq => earlier,
            _ => BadEntry { seq, reason },
        }
    }

    /// The end: nothing that somebody vouched for may be missing.
    pub(crate) fn finish(mut self) -> Result<Option<Head>, BadEntry> {
        self.check_signatures()?;
        let next = self.expected();
        let vouched = self.known.keys().chain(self.countersigned.keys()).max();
        match vouched {
            Some(seq) if *seq >= next => {
                let reason = format!("is missing: somebody has seen this ledger up to entry {seq}");
                Err(BadEntry { seq: next, reason })
            }
            _ => Ok(self.last),
        }
    }

    fn check(&self, entry: &Entry) -> Result<(), BadEntry> {
        let expected = self.expected();
        let bad = |reason: String| Err(BadEntry { seq: expected, reason });
        if entry.seq != expected {
            return bad(format!("is missing: entry {} is in its place", entry.seq));
        }
        if entry.previous != self.last.map_or(self.beginning, |last| last.hash) {
            return bad(match self.last {
                Some(last) => format!("does not follow entry {}", last.seq),
                None => "does not begin a ledger of this key".into(),
            });
        }
        if entry.hash != entry.computed_hash() {
            return bad("was changed: its content does not have the hash that was signed".into());
        }
        if self.known.get(&entry.seq).is_some_and(|known| *known != entry.hash) {
            return bad("is another one than this ledger had before".into());
        }
        let mut countersigned = self.countersigned.get(&entry.seq).into_iter().flatten();
        if let Some(other) = countersigned.find(|signature| !signature.is_of(&entry.hash)) {
            return bad(format!("is not the one that {} countersigned", other.signer));
        }
        Ok(())
    }

    fn check_signatures(&mut self) -> Result<(), BadEntry> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let share = self.unchecked.len().div_ceil(cores).max(1);
        let verifier = &self.verifier;
        let first_wrong = |part: &[(u64, [u8; 32], Signature)]| {
            let is_wrong =
                |hash: &[u8; 32], signature: &Signature| verifier.verify(ENTRY, hash, signature).is_err();
            part.iter().find(|(_, hash, signature)| is_wrong(hash, signature)).map(|(seq, ..)| *seq)
        };
        let wrong = thread::scope(|scope| {
            let parts: Vec<_> =
                self.unchecked.chunks(share).map(|part| scope.spawn(move || first_wrong(part))).collect();
            parts.into_iter().filter_map(|part| part.join().expect("checking a signature cannot panic")).min()
        });
        self.unchecked.clear();
        match wrong {
            Some(seq) => Err(BadEntry { seq, reason: "is not signed by the box's key".into() }),
            None => Ok(()),
        }
    }
}
