//! Why something was not done.

use banyan_governance::{Permission, Time};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The rules say no; the words are for the member.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] banyan_store::StoreError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] banyan_ledger::LedgerError),
    /// A key or a secret failed.
    #[error(transparent)]
    Identity(#[from] banyan_identity::IdentityError),
    /// What the store holds cannot be understood.
    #[error(
        "the store holds something that this version cannot read: {0}; was it written by a newer version?"
    )]
    Unreadable(#[from] serde_json::Error),
    /// A file of the box cannot be used.
    #[error("{} could not be {action}: {source}; is the disk writable, and does it belong to the user that runs banyan?", .path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Read, written, made or removed.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The process ends.
    #[error("the box is stopping, so this was not done; try again when it is back")]
    Stopping,
}

impl From<banyan_store::rusqlite::Error> for AssemblyError {
    fn from(error: banyan_store::rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What the rules say no to, in words that name the remedy. The variant decides the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: something in the request is wrong.
    #[error("{message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// A name that a program can test, such as `name_taken`.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// 401: nobody is signed in, or the session has ended.
    #[error("sign in first")]
    SignedOut,
    /// 403: the role does not allow it.
    #[error("this needs the permission {0:?}, which comes with a role; the Roles page says who has it")]
    NotAllowed(Permission),
    /// 403: it is not the caller's.
    #[error("{0}")]
    NotYours(&'static str),
    /// 404: there is no such thing.
    #[error("there is no {0} of that name; it may have been withdrawn")]
    NotFound(&'static str),
    /// 409: not in this state.
    #[error("{message}")]
    WrongState {
        /// A name that a program can test.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// 429: too often.
    #[error("too many attempts; try again after {0:?}")]
    TooOften(Time),
}
