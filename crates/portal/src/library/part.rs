//! A text in parts: a book on a phone is read piece by piece, and a citation opens the piece where it stands.
//!
//! Where one part ends follows from the text alone, so that going on and going back meet the same places.

use std::ops::Range;

use banyan_knowledge::PlacedBlock;

use super::types::{Cited, Heading, Part, ReadBlock};

/// Bytes of text after which a part ends: some forty pages of a book, a second of a weak connection.
const PART_BYTES: usize = 64 * 1024;

/// Blocks after which a part ends: rows of a table are short, and each costs a phone more than its bytes.
const PART_BLOCKS: usize = 500;

/// Headings that an outline has. More are no help in finding one's way.
const OUTLINE: usize = 500;

/// What stands between two blocks of a plain text, in bytes and in UTF-16 code units alike.
const BETWEEN: usize = 2;

/// What of a text is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The part with this byte.
    pub(crate) at: Option<usize>,
    /// The passage from this byte to before that one, and the part where it begins.
    pub(crate) cited: Option<(usize, usize)>,
}

/// The part that is wanted; the first where nothing is, or where what is wanted is not in the text.
pub(crate) fn part(blocks: &[PlacedBlock], wanted: Wanted) -> Part {
    let bytes = blocks.last().map_or(0, |last| last.end);
    let cited = wanted.cited.filter(|(from, to)| from < to && *from < bytes);
    let at = wanted.at.or(cited.map(|(from, _)| from)).filter(|at| *at < bytes).unwrap_or(0);
    let parts = cuts(blocks);
    let here = parts.iter().rposition(|part| starts(blocks, part) <= at).unwrap_or(0);
    let range = parts.get(here).cloned().unwrap_or(0..0);
    let neighbour = |part: Option<&Range<usize>>| part.map(|part| starts(blocks, part));
    let read = placed16(blocks, &range);
    Part {
        cited: read.iter().filter_map(|block| within(block, cited?)).collect(),
        blocks: read,
        outline: outline(blocks),
        bytes,
        before: neighbour(here.checked_sub(1).and_then(|before| parts.get(before))),
        after: neighbour(parts.get(here + 1)),
    }
}

fn starts(blocks: &[PlacedBlock], part: &Range<usize>) -> usize {
    blocks.get(part.start).map_or(0, |block| block.start)
}

/// The numbers of the blocks of each part.
fn cuts(blocks: &[PlacedBlock]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut begun = 0;
    for (number, block) in blocks.iter().enumerate() {
        let first = blocks.get(begun).map_or(0, |first| first.start);
        let full = block.end - first > PART_BYTES || number - begun >= PART_BLOCKS;
        if full && number > begun {
            parts.push(begun..number);
            begun = number;
        }
    }
    if begun < blocks.len() {
        parts.push(begun..blocks.len());
    }
    parts
}

/// The blocks of a part with their places in UTF-16.
fn placed16(blocks: &[PlacedBlock], part: &Range<usize>) -> Vec<ReadBlock> {
    let mut start16 = 0;
    let mut read = Vec::with_capacity(part.len());
    for (number, block) in blocks.iter().enumerate().take(part.end) {
        let end16 = start16 + block.text.encode_utf16().count();
        if number >= part.start {
            read.push(ReadBlock {
                number,
                kind: block.kind.clone(),
                level: block.level,
                text: block.text.clone(),
                page: block.page,
                start: block.start,
                end: block.end,
                start16,
                end16,
            });
        }
        start16 = end16 + BETWEEN;
    }
    read
}

fn outline(blocks: &[PlacedBlock]) -> Vec<Heading> {
    let headings = blocks.iter().filter_map(|block| {
        let text: String = block.text.chars().take(200).collect();
        block.level.map(|level| Heading { level, text, start: block.start })
    });
    headings.take(OUTLINE).collect()
}

/// What of a block is cited.
fn within(block: &ReadBlock, (from, to): (usize, usize)) -> Option<Cited> {
    let range = byte_range(block, from, to)?;
    let count = |range: Range<usize>| block.text.get(range).unwrap_or_default().encode_utf16().count();
    let from16 = count(0..range.start);
    Some(Cited { block: block.number, from16, to16: from16 + count(range) })
}

/// The bytes of a block's own text that lie between two places of the plain text; whole characters only, whatever an
/// address says.
pub(crate) fn byte_range(block: &ReadBlock, from: usize, to: usize) -> Option<Range<usize>> {
    if from >= block.end || to <= block.start {
        return None;
    }
    let whole = |mut place: usize| {
        while !block.text.is_char_boundary(place) {
            place -= 1;
        }
        place
    };
    let start = whole(from.saturating_sub(block.start).min(block.text.len()));
    let end = whole((to - block.start).min(block.text.len()));
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(blocks: &[&str]) -> Vec<PlacedBlock> {
        let mut start = 0;
        let place = |text: &&str| {
            let end = start + text.len();
            let block = PlacedBlock {
                kind: "paragraph".into(),
                level: None,
                text: (*text).to_owned(),
                page: None,
                start,
                end,
            };
            start = end + BETWEEN;
            block
        };
        blocks.iter().map(place).collect()
    }

    #[test]
    fn places_are_given_as_bytes_and_as_javascript_counts() {
        let text = text(&["Maji ṣafi 💧", "rain"]);
        let part = part(&text, Wanted::default());
        let places: Vec<_> = part.blocks.iter().map(|b| (b.start, b.end, b.start16, b.end16)).collect();
        assert_eq!(places, [(0, 16, 0, 12), (18, 22, 14, 18)]);
        assert_eq!((part.bytes, part.before, part.after), (22, None, None));
    }

    #[test]
    fn a_passage_is_marked_in_each_block_that_it_touches_and_never_within_a_character() {
        let text = text(&["Maji ṣafi 💧", "rain", "sun"]);
        let cited = |from, to| part(&text, Wanted { at: None, cited: Some((from, to)) }).cited;
        assert_eq!(cited(18, 22), [Cited { block: 1, from16: 0, to16: 4 }]);
        // From within the drop to within the next block.
        assert_eq!(
            cited(14, 20),
            [Cited { block: 0, from16: 10, to16: 12 }, Cited { block: 1, from16: 0, to16: 2 }]
        );
        assert!(cited(16, 18).is_empty(), "between two blocks there are no words");
        for (from, to) in [(5, 5), (9, 3), (900, 1000), (usize::MAX, usize::MAX)] {
            assert!(cited(from, to).is_empty(), "{from} {to}");
        }
    }

    #[test]
    fn a_long_text_comes_in_parts_that_follow_on_each_other_both_ways() {
        let page = "x".repeat(20_000);
        let pages: Vec<&str> = std::iter::repeat_n(page.as_str(), 10).collect();
        let text = text(&pages);
        let mut at = Some(0);
        let (mut numbers, mut before) = (Vec::new(), None);
        while let Some(here) = at {
            let part = part(&text, Wanted { at: Some(here), cited: None });
            assert_eq!(part.before, before);
            assert!(part.blocks.len() <= 3, "{}", part.blocks.len());
            numbers.extend(part.blocks.iter().map(|block| block.number));
            (before, at) = (Some(here), part.after);
        }
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        let last = part(&text, Wanted { at: None, cited: Some((199_000, 199_010)) });
        assert!(last.after.is_none() && last.cited.len() == 1, "the part is the one with the passage");
        assert_eq!(part(&text, Wanted { at: Some(usize::MAX), cited: None }).before, None);
        let rows = vec!["a | b"; 1200];
        assert_eq!(part(&self::text(&rows), Wanted::default()).blocks.len(), PART_BLOCKS);
        assert_eq!(part(&[], Wanted::default()).blocks, []);
    }
}
