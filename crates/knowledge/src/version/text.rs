//! The plain text of a version: its blocks' words with an empty line between them. It follows from the blocks alone, so
//! a range of its bytes names the same words for ever.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extracted::{Block, BlockKind};

/// What stands between blocks.
const BETWEEN: &str = "\n\n";

/// A block with the range of the plain text where its words stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedBlock {
    /// `heading`, `paragraph`, `item`, `row` or `verbatim`.
    pub kind: String,
    /// Of a heading: 1 the highest.
    pub level: Option<u8>,
    /// Its words.
    pub text: String,
    /// The page it stands on.
    pub page: Option<u32>,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// The plain text.
pub(crate) fn plain(blocks: &[Block]) -> String {
    let length = blocks.iter().map(|block| block.text.len() + BETWEEN.len()).sum();
    let mut plain = String::with_capacity(length);
    for (number, block) in blocks.iter().enumerate() {
        if number > 0 {
            plain.push_str(BETWEEN);
        }
        plain.push_str(&block.text);
    }
    plain
}

/// Where each block stands in the plain text.
pub(crate) fn ranges(blocks: &[Block]) -> impl Iterator<Item = Range<usize>> {
    blocks.iter().scan(0, |next, block| {
        let start = *next;
        let end = start + block.text.len();
        *next = end + BETWEEN.len();
        Some(start..end)
    })
}

/// Each block with its place.
pub(crate) fn placed(blocks: Vec<Block>) -> Vec<PlacedBlock> {
    let ranges: Vec<Range<usize>> = ranges(&blocks).collect();
    let placed = blocks.into_iter().zip(ranges).map(|(block, Range { start, end })| {
        let (kind, level) = match block.kind {
            BlockKind::Heading(level) => ("heading", Some(level)),
            BlockKind::Paragraph => ("paragraph", None),
            BlockKind::Item => ("item", None),
            BlockKind::Row => ("row", None),
            BlockKind::Verbatim => ("verbatim", None),
        };
        PlacedBlock { kind: kind.into(), level, text: block.text, page: block.page, start, end }
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_stands_where_its_range_says() {
        let block = |text: &str| Block { kind: BlockKind::Paragraph, text: text.into(), page: None };
        let blocks = vec![block("Maji safi"), block("é"), block("end")];
        let plain = plain(&blocks);
        assert_eq!(plain, "Maji safi\n\né\n\nend");
        for placed in placed(blocks) {
            assert_eq!(&plain[placed.start..placed.end], placed.text);
        }
    }
}
