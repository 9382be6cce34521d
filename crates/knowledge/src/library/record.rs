//! What the community's ledger says of the library: what was withdrawn, accepted and refused, and how its collections
//! were changed. In the same transaction as the change, and by ids and counts alone: what a document was called, what it
//! said and why it went stay where they can be withdrawn.

use std::sync::Arc;

use banyan_identity::SigningKey;
use banyan_store::rusqlite::Transaction;
use serde_json::{Value, json};

use super::{Hand, LibraryError};

/// A document, or all that a member gave, was withdrawn.
pub(crate) const WITHDRAWN: &str = "library.withdrawn";
/// A version was let through at the review desk.
pub(crate) const ACCEPTED: &str = "library.accepted";
/// A version was not.
pub(crate) const REFUSED: &str = "library.refused";
/// A collection was made, changed or removed.
pub(crate) const COLLECTION: &str = "library.collection";
/// A folder was taken in.
pub(crate) const IMPORTED: &str = "library.imported";

/// Where it is written down; without a key, nowhere: a library of a tool or a test, which is no box's.
#[derive(Clone, Default)]
pub(crate) struct Record(Option<Arc<SigningKey>>);

impl Record {
    /// Signed with the key of the box.
    pub(crate) fn signed_by(key: SigningKey) -> Self {
        Self(Some(Arc::new(key)))
    }

    /// Appends an entry within the change that it records.
    pub(crate) fn note(
        &self,
        tx: &Transaction<'_>,
        now: i64,
        kind: &'static str,
        what: &Value,
    ) -> Result<(), LibraryError> {
        let Some(key) = &self.0 else { return Ok(()) };
        banyan_ledger::append(tx, key, now, kind, what.to_string().as_bytes())?;
        Ok(())
    }
}

/// By whom, as it stands in the ledger: members are there by their ids.
pub(crate) fn by(hand: &Hand) -> Value {
    match hand {
        Hand::Member(member) => json!({ "member": member }),
        Hand::Librarian(member) => json!({ "librarian": member }),
        Hand::Box => json!("box"),
    }
}
