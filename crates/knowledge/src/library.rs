//! The library itself: collections, and the service through which everything that is kept here is reached.
//!
//! ```text
//!   add ──▶ waits for a librarian ──▶ accepted ──▶ read, searched, cited
//!    │              │ refused             ▲    │ replace, restore: the next version
//!    │              ▼                     └────┘
//!    └─(no review)─────────────────────▶       withdraw
//!                   a trace stays  ◀───────────┘
//! ```
//!
//! Whoever calls says on whose behalf ([`Hand`], [`Audience`](crate::Audience)); who may be what, the caller knows.
//! Times are seconds since 1970. Methods that end in `_blocking` wait for the disk on the thread that calls them.

mod collection;
pub(crate) mod columns;
mod error;
mod export;
mod id;
mod markdown;
pub(crate) mod originals;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;

use banyan_identity::SigningKey;
use banyan_store::rusqlite::{Connection, Transaction};
use banyan_store::{Room, Store};

pub(crate) use self::collection::load as load_collection;
pub use self::collection::{Collection, NewCollection};
pub use self::error::LibraryError;
pub use self::export::{ExportOf, Exported};
pub use self::id::{BadId, CollectionId, DocumentId};
use self::record::Record;
use crate::search::{self, Search};

/// The tables of collections, documents, versions, passages and imports.
pub const ROOM_LIBRARY: Room = Room { name: "library", steps: &[include_str!("schema/library_1.sql")] };

/// The community's library. Cheap to clone.
#[derive(Clone)]
pub struct Library {
    store: Store,
    record: Record,
    pub(crate) search: Search,
}

/// On whose behalf something is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hand {
    /// A member, who changes and withdraws what they gave themselves.
    Member(String),
    /// Somebody who keeps the library.
    Librarian(String),
    /// The box: a watched folder, a command that a steward ran.
    Box,
}

impl Hand {
    /// Who it was, for the history.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Member(member) | Self::Librarian(member) => Some(member),
            Self::Box => None,
        }
    }

    /// Whether it is the one who gave something; what nobody gave is the librarians'.
    pub(crate) fn is(&self, contributor: Option<&str>) -> bool {
        contributor.is_none_or(|contributor| self.name() == Some(contributor))
    }

    /// Refused when a member reaches for what somebody else gave.
    pub(crate) fn may_change(&self, contributor: Option<&str>) -> Result<(), LibraryError> {
        match self {
            Self::Member(member) if contributor != Some(member) => Err(LibraryError::NotYours),
            _ => Ok(()),
        }
    }

    /// Whether a librarian looks at what it adds to this collection, before it is read.
    pub(crate) fn is_reviewed(&self, collection: &Collection) -> bool {
        matches!(self, Self::Member(_)) && collection.review
    }

    /// Refused unless it keeps the library.
    pub(crate) fn keeps_library(&self) -> Result<(), LibraryError> {
        if matches!(self, Self::Member(_)) { Err(LibraryError::NotALibrarian) } else { Ok(()) }
    }
}

impl Library {
    /// The library in this store, which was opened with [`rooms`](crate::rooms). Removes files that a power cut left
    /// after the documents they belonged to.
    pub fn open(store: Store) -> Result<Self, LibraryError> {
        let library = Self { store, record: Record::default(), search: Search::default() };
        library.remove_originals_blocking()?;
        search::index_missing(&library.store)?;
        Ok(library)
    }

    /// The same, whose withdrawals, reviews and changes of collections are entered in the box's ledger, in the same
    /// transaction: the store has the ledger's room too.
    #[must_use]
    pub fn signed_by(self, key: SigningKey) -> Self {
        Self { record: Record::signed_by(key), ..self }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn record(&self) -> Record {
        self.record.clone()
    }

    /// Reads something, as it is at one moment.
    pub(crate) async fn read_rows<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LibraryError> + Send + 'static,
    ) -> Result<T, LibraryError> {
        self.store.read(read).await
    }

    /// Changes something: whole when this returns, or not at all.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, LibraryError> + Send + 'static,
    ) -> Result<T, LibraryError> {
        self.store.write(change).await
    }

    /// Runs what waits for the disk where waiting is allowed.
    pub(crate) async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, LibraryError> + Send + 'static,
    ) -> Result<T, LibraryError> {
        let library = self.clone();
        tokio::task::spawn_blocking(move || work(&library)).await.unwrap_or(Err(LibraryError::Stopped))
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("store", &self.store).finish_non_exhaustive()
    }
}
