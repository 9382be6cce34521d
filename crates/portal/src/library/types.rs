//! What the web app and the portal say to each other about the library. The app's own types are made from these.
//!
//! Times are seconds since 1970. `start` and `end` are bytes of a plain text, as passages and addresses name them;
//! `start16` and `end16` are the same places in UTF-16 code units, as JavaScript counts.

use banyan_knowledge::{
    ChangeKind, Collection, CollectionId, CoverageDay, Document, DocumentId, Hit, How, MemberAnswer,
    Question, Theme, Trace, Version,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The shelves that the caller may read, and what else the caller may do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Shelves {
    /// Collections, by name.
    pub(crate) collections: Vec<ShelfView>,
    /// Archives (ZIM) that stand in them.
    pub(crate) archives: Vec<Archive>,
    /// Whether the caller may offer documents and answer questions.
    pub(crate) may_offer: bool,
    /// Whether the caller keeps the library: makes collections, reviews, exports.
    pub(crate) may_keep: bool,
    /// The largest file, in bytes.
    pub(crate) max_upload_bytes: u64,
    /// Endings of the files that can be read, such as `pdf`.
    pub(crate) endings: Vec<String>,
}

/// A collection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShelfView {
    #[serde(flatten)]
    pub(crate) collection: Collection,
    /// Whether answers may rest on it now: its consent allows it, and so does what the community decided.
    pub(crate) grounds: bool,
}

/// A ZIM archive.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Archive {
    /// Its name in addresses.
    pub(crate) id: String,
    /// What it is called.
    pub(crate) title: String,
    /// On which shelf.
    pub(crate) collection: String,
    /// Articles in it.
    pub(crate) articles: u64,
    /// BCP 47, where known.
    pub(crate) language: Option<String>,
    /// Whom to thank.
    pub(crate) attribution: String,
    /// Under which licence.
    pub(crate) licence: String,
    /// Whether it can be read: its file is there.
    pub(crate) readable: bool,
    /// Percent of its full text that is found; titles are found at once.
    pub(crate) indexed: u8,
}

/// A document as a list shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DocumentView {
    #[serde(flatten)]
    pub(crate) document: Document,
    /// What its collection is called.
    pub(crate) collection_name: String,
    /// What the member that gave it is called; for members only.
    pub(crate) contributor_name: Option<String>,
    /// Whether the caller gave it.
    pub(crate) yours: bool,
    /// Whether the caller may change, restore and withdraw it.
    pub(crate) may_change: bool,
}

/// A page of documents, by title.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DocumentPage {
    pub(crate) documents: Vec<DocumentView>,
    /// What to send as `after` for the next page; absent: this is the last.
    pub(crate) next: Option<u32>,
}

/// A version as the history shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct VersionView {
    #[serde(flatten)]
    pub(crate) version: Version,
    /// What the member that made it is called; for members only.
    pub(crate) by_name: Option<String>,
}

/// A part of a document to be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct DocumentReading {
    pub(crate) document: DocumentView,
    pub(crate) version: VersionView,
    /// Whether this is the version that is searched and cited.
    pub(crate) current: bool,
    #[serde(flatten)]
    pub(crate) part: Part,
}

/// A part of an article of an archive to be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ArticleReading {
    /// Which archive.
    pub(crate) zim: String,
    /// What it is called.
    pub(crate) zim_title: String,
    /// The article's path in it.
    pub(crate) path: String,
    /// What it is called.
    pub(crate) title: String,
    /// On which shelf.
    pub(crate) collection: String,
    /// What that is called.
    pub(crate) collection_name: String,
    /// Whom to thank.
    pub(crate) attribution: String,
    /// Under which licence.
    pub(crate) licence: String,
    /// BCP 47, where known.
    pub(crate) language: Option<String>,
    #[serde(flatten)]
    pub(crate) part: Part,
}

/// Some blocks of a text, in order. A short text is in one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Part {
    pub(crate) blocks: Vec<ReadBlock>,
    /// Ranges of the passage that was asked for with `from` and `to`.
    pub(crate) cited: Vec<Cited>,
    /// The headings of the whole text.
    pub(crate) outline: Vec<Heading>,
    /// Bytes of the whole text.
    pub(crate) bytes: usize,
    /// What to send as `at` for the part before; absent: this is the first.
    pub(crate) before: Option<usize>,
    /// What to send as `at` for the part after; absent: this is the last.
    pub(crate) after: Option<usize>,
}

/// A block of a text with its place in the plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ReadBlock {
    /// Its number in the whole text, from 0.
    pub(crate) number: usize,
    /// `heading`, `paragraph`, `item`, `row` or `verbatim`.
    pub(crate) kind: String,
    /// Of a heading: 1 the highest.
    pub(crate) level: Option<u8>,
    pub(crate) text: String,
    /// The page it stands on.
    pub(crate) page: Option<u32>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) start16: usize,
    pub(crate) end16: usize,
}

/// What of a block is cited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Cited {
    /// The block's number.
    pub(crate) block: usize,
    /// From this UTF-16 code unit of the block's own text.
    pub(crate) from16: usize,
    /// To before this one.
    pub(crate) to16: usize,
}

/// A heading of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Heading {
    pub(crate) level: u8,
    pub(crate) text: String,
    /// Where it stands: what to send as `at`.
    pub(crate) start: usize,
}

/// What changed between two versions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Diff {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) changes: Vec<DiffPart>,
}

/// A block that stayed, went or came; or, without words, a run of blocks that stayed and are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DiffPart {
    pub(crate) kind: ChangeKind,
    /// Absent where blocks are left out.
    pub(crate) text: Option<String>,
    /// How many blocks this stands for.
    pub(crate) blocks: usize,
}

/// Another version is to be read.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restore {
    /// Which.
    pub(crate) version: u32,
    /// Why, for the history.
    pub(crate) why: String,
}

/// What became of a file, a restored version or an answer that is to become a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct AddedView {
    pub(crate) document: DocumentId,
    pub(crate) version: u32,
    /// Whether a librarian looks at it first.
    pub(crate) waiting: bool,
    /// What could not be read.
    pub(crate) warnings: Vec<String>,
}

/// A file was taken.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UploadTaken {
    /// For `/api/library/uploads/{id}`.
    pub(crate) upload: String,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UploadView {
    /// Its name.
    pub(crate) id: String,
    /// What the file is called.
    pub(crate) name: String,
    pub(crate) state: UploadState,
    /// Percent of what is to be done: of the file's bytes while it arrives, of all steps afterwards.
    pub(crate) progress: u8,
    /// Files that are read before this one.
    pub(crate) ahead: usize,
    /// When it began to arrive.
    pub(crate) began: i64,
    /// Once it is done.
    pub(crate) document: Option<DocumentId>,
    /// Once it is done: whether a librarian looks at it first.
    pub(crate) waiting: bool,
    /// Why it was refused.
    pub(crate) reason: Option<String>,
    /// What could not be read of it.
    pub(crate) warnings: Vec<String>,
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UploadState {
    /// It is on its way to the box.
    Arriving,
    /// It waits until others are read.
    Queued,
    /// Its words are taken out.
    Reading,
    /// It is a document.
    Done,
    /// It became none.
    Refused,
}

/// What a search found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Found {
    pub(crate) hits: Vec<FoundHit>,
    pub(crate) how: How,
}

/// A passage that was found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FoundHit {
    #[serde(flatten)]
    pub(crate) hit: Hit,
    /// The page on which it is read, at the passage.
    pub(crate) href: String,
    /// Where the words that were looked for stand in `text`: pairs of UTF-16 places.
    pub(crate) marks: Vec<(usize, usize)>,
}

/// A version that waits for a librarian.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WaitingView {
    pub(crate) document: DocumentView,
    pub(crate) version: VersionView,
    /// Whether another version of the document is read meanwhile.
    pub(crate) replaces: Option<u32>,
}

/// What a librarian decides.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Review {
    /// Whether it is read from now on.
    pub(crate) accept: bool,
    /// Why not; needed where it is refused.
    #[serde(default)]
    pub(crate) why: String,
}

/// All that the caller gave.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Mine {
    /// What is here, in whatever state.
    pub(crate) documents: Vec<DocumentView>,
    /// What is not here any more.
    pub(crate) traces: Vec<Trace>,
}

/// Why something is withdrawn.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    pub(crate) why: String,
}

/// What was withdrawn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Withdrawn {
    /// What is left of each document: that it was there.
    pub(crate) traces: Vec<Trace>,
}

/// Questions to the members, the newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct QuestionPage {
    pub(crate) questions: Vec<QuestionView>,
    /// What to send as `after` for the next page; absent: this is the last.
    pub(crate) next: Option<u32>,
}

/// A question to the members.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct QuestionView {
    #[serde(flatten)]
    pub(crate) question: Question,
    /// What the one who asked is called, if they wanted to be named.
    pub(crate) by_name: Option<String>,
}

/// A question with the members' answers, the oldest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ThreadView {
    pub(crate) question: QuestionView,
    pub(crate) answers: Vec<MemberAnswerView>,
    /// Whether the caller may answer.
    pub(crate) may_answer: bool,
    /// Whether the caller may make a document of an answer.
    pub(crate) may_keep: bool,
}

/// A member's answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MemberAnswerView {
    #[serde(flatten)]
    pub(crate) answer: MemberAnswer,
    /// What the member is called.
    pub(crate) by_name: Option<String>,
}

/// An answer is to become a document.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepAnswer {
    /// The answer's number.
    pub(crate) answer: i64,
    /// Where the document is to stand.
    pub(crate) collection: CollectionId,
    /// What it is to be called.
    pub(crate) title: String,
}

/// What the library did not cover.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Unanswered {
    /// Open questions by theme, the largest first.
    pub(crate) themes: Vec<Theme>,
    /// How many questions to the assistant the library covered, by day; numbers only.
    pub(crate) coverage: Vec<CoverageDay>,
}
