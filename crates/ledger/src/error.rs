//! Why the ledger did not take or give an entry, and what verifying found.

use std::path::PathBuf;

use banyan_identity::{IdentityError, PublicKey};
use banyan_store::StoreError;
use banyan_store::rusqlite;

use crate::append::{MAX_KIND, MAX_PAYLOAD};

/// Why the ledger did not take or give an entry.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or a signature failed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What kind of entry it is cannot be said so.
    #[error("\"{0}\" is no kind of entry: 1 to {MAX_KIND} small letters, digits, dots and underscores are")]
    Kind(String),
    /// The content is no JSON, or too much.
    #[error("an entry's content is JSON of at most {MAX_PAYLOAD} bytes: {0}")]
    Payload(String),
    /// The box has another key than the one that began the ledger.
    #[error(
        "the ledger was begun by another key than this box's {0}; put the box's own keys/box.key back, or restore the \
         backup whole: entries of two keys would make no chain"
    )]
    OtherKey(PublicKey),
    /// There is no such entry.
    #[error("the ledger has no entry {0}")]
    NoEntry(u64),
    /// A row that cannot be an entry.
    #[error("entry {0} of the ledger is damaged; `banyan ledger verify` says how much of it is whole")]
    Damaged(u64),
    /// The file could not be written.
    #[error("the ledger could not be written out: {0}; is there space, and may the file be written?")]
    Output(std::io::Error),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for LedgerError {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// The first entry at which a ledger is not what was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} {reason}")]
pub struct BadEntry {
    /// Its number; every entry before it is whole.
    pub seq: u64,
    /// What is wrong, as the end of a sentence.
    pub reason: String,
}

/// Why a ledger is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not what was signed.
    #[error("the ledger is broken: {0}")]
    Bad(BadEntry),
    /// It could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file could not be read.
    #[error("{} could not be read: {reason}; is the path right?", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is no exported ledger: {reason}; download it again", path.display())]
    NotALedger {
        /// Which.
        path: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// It is another box's.
    #[error("the ledger is signed by {found}, and {wanted} was expected; is it another community's?")]
    OtherKey {
        /// The key that was given.
        wanted: PublicKey,
        /// The one that the file names.
        found: PublicKey,
    },
}

impl VerifyError {
    /// The first bad entry, if that is what was found.
    #[must_use]
    pub fn first_bad(&self) -> Option<&BadEntry> {
        match self {
            Self::Bad(bad) => Some(bad),
            _ => None,
        }
    }
}

// By hand: what is in the sentence already is no cause behind it, or it would be told twice.
impl From<BadEntry> for VerifyError {
    fn from(bad: BadEntry) -> Self {
        Self::Bad(bad)
    }
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<rusqlite::Error> for VerifyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<IdentityError> for VerifyError {
    fn from(error: IdentityError) -> Self {
        Self::Ledger(error.into())
    }
}
