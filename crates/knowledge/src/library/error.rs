//! Why something was not done in the library.

use std::path::{Path, PathBuf};

use banyan_ledger::LedgerError;
use banyan_store::StoreError;

use super::id::DocumentId;

/// Why something was not done, in words that name the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// There is no such thing, or not for whoever asks.
    #[error(
        "the library has no {what} \"{name}\"; it may have been withdrawn, or its collection is not open to you"
    )]
    NotFound {
        /// Document, version, collection …
        what: &'static str,
        /// What was asked for.
        name: String,
    },
    /// Something that was given is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// In words.
        message: String,
    },
    /// The same file is there.
    #[error(
        "the collection has this file already, as \"{title}\" ({document}); open that, or give another file"
    )]
    Known {
        /// The document.
        document: DocumentId,
        /// Its title.
        title: String,
    },
    /// The same file is there, where whoever gives it does not see it.
    #[error(
        "the library has this file already, where it is not open to you yet; ask a librarian, or give another file"
    )]
    KnownUnseen,
    /// The same file was there and was withdrawn, and nobody in person gives it again.
    #[error(
        "it was withdrawn ({why}), so it is not taken in by itself; who may give it again does so on the Library page"
    )]
    WasWithdrawn {
        /// Why.
        why: String,
    },
    /// A member reaches for what somebody else gave.
    #[error("somebody else gave this document; ask a librarian to change or withdraw it")]
    NotYours,
    /// Somebody widens what another member allowed.
    #[error(
        "whoever gave this document allowed less; only they can allow more, on their page \"What I gave\""
    )]
    NotTheirs,
    /// It takes somebody who keeps the library.
    #[error("this is for librarians; the Roles page says who is one")]
    NotALibrarian,
    /// Not in this state.
    #[error("{0}")]
    WrongState(String),
    /// A file or folder cannot be used.
    #[error("cannot {action} {}: {source}; is it there, and may the box {action} it?", .path.display())]
    File {
        /// `read`, `write` …
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An export could not be written.
    #[error(
        "the export was not completed ({0}); is there space where it goes? try again, nothing was changed"
    )]
    Export(String),
    /// What the store holds cannot be understood.
    #[error(
        "the store holds something that this version cannot read: {0}; was it written by a newer version?"
    )]
    Unreadable(#[from] serde_json::Error),
    /// The embedding model did not do what it is for.
    #[error(
        "passages could not be embedded ({0}), so they are found by their words only; it is tried again by itself"
    )]
    Embedding(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The entry in the ledger could not be made, so the change was not either.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The process ends.
    #[error("the box is stopping, so this was not done; try again when it is back")]
    Stopped,
}

impl LibraryError {
    #[expect(clippy::needless_pass_by_value, reason = "numbers and references to ids alike")]
    pub(crate) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

impl From<banyan_store::rusqlite::Error> for LibraryError {
    fn from(error: banyan_store::rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
