//! What is left of a file when everything but its words is gone: the same form for every format.

use serde::{Deserialize, Serialize};

/// The words of a file, in reading order. Made by the extractor, a process without rights; so its size is bounded there
/// and checked again where it is taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extracted {
    /// What the file calls itself.
    pub title: Option<String>,
    /// Who wrote it, as the file says.
    pub author: Option<String>,
    /// Its language (BCP 47), as the file says or as it was recognized.
    pub language: Option<String>,
    /// Its parts.
    pub blocks: Vec<Block>,
    /// What could not be read, in words a librarian understands; the rest is there.
    pub warnings: Vec<String>,
}

/// One part of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its words, in Unicode NFC, white space made single, no control characters.
    pub text: String,
    /// The page it stands on, from 1, where the format has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}

/// What a part of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// A heading, 1 the highest.
    Heading(u8),
    /// A paragraph.
    Paragraph,
    /// An item of a list.
    Item,
    /// A row of a table: cells, with ` | ` between them.
    Row,
    /// Text whose line breaks count.
    Verbatim,
}
