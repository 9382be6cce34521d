//! The community's library: its own documents, found in a blink and cited to the exact passage.
//!
//! * `extract` takes the words out of files, in a process without rights; `library` keeps documents with their versions,
//!   attribution and consent; `search` finds passages; `ground` builds a prompt from them and checks what the answer
//!   rests on.
//!
//! Promises: what may not be used for something is not found for it ([`Use`] is a parameter of every search); a
//! withdrawal takes text, index and vectors away in one transaction.
//!
//! Refuses: to open a network connection; to decide who may do what (the caller says on whose behalf it asks).

mod consent;
mod document;
mod embedder;
pub mod extract;
mod extracted;
pub mod ground;
mod hit;
mod import;
mod library;
mod query;
mod questions;
mod review;
mod search;
mod version;
mod withdraw;
mod zim;

pub use consent::{Audience, Consent, Level, Use};
pub use document::{
    Added, Document, DocumentEdit, DocumentState, Listing, MAX_PAGE, NewDocument, Original, Passage, Reader,
};
pub use embedder::{Embedder, Embedding, Reranker, Reranking};
pub use extracted::{Block, BlockKind, Extracted};
pub use hit::{Hit, How, Place, Results, Shelf};
pub use import::{
    Extract, FileOutcome, Import, ImportState, ImportedFile, Importer, NewImport, Progress, Upload,
};
pub use library::{
    BadId, Collection, CollectionId, DocumentId, ExportOf, Exported, Hand, Library, LibraryError,
    NewCollection, ROOM_LIBRARY,
};
pub use query::{MAX_HITS, Query};
pub use questions::{
    AnswerDocument, CoverageDay, MemberAnswer, NewAnswer, NewQuestion, Question, QuestionListing,
    QuestionState, QuestionThread, ROOM_QUESTIONS, Theme,
};
pub use review::Waiting;
pub use search::{PATIENCE, ROOM_SEARCH, Text};
pub use version::{Change, ChangeKind, NewVersion, PlacedBlock, Reading, Version, VersionState};
pub use withdraw::{Contributions, Trace, TraceKind};
pub use zim::{
    ROOM_ZIM, Zim, ZimArchive, ZimArticle, ZimError, ZimProgress, ZimShelf, ZimState, ZimTitle, is_zim,
};

/// The rooms of the store that the library keeps, for [`Store::open`](banyan_store::Store::open).
#[must_use]
pub fn rooms() -> Vec<banyan_store::Room> {
    vec![ROOM_LIBRARY, ROOM_SEARCH, ROOM_QUESTIONS, ROOM_ZIM]
}
