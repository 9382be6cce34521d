//! Where a text is cut into passages: at the borders of its blocks, near [`AIM`] words; a block that is too long by
//! itself at the end of a sentence.

use crate::extracted::{Block, BlockKind};
use crate::version::text;

/// Words of a passage: enough to answer from, little enough that several fit into a small model's prompt.
const AIM: usize = 200;

/// More than this a passage has only where there is no white space to cut at.
const MOST: usize = 240;

/// A heading ends the passage before it, unless that has fewer words than this: then they stand together, since a
/// heading with two lines under it says little by itself.
const LEAST: usize = 40;

/// Characters of a path of headings.
const MAX_HEADING: usize = 300;

/// A passage that is going to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) heading: String,
    pub(crate) page: Option<u32>,
    pub(crate) text: String,
}

/// The passages of a text, in its order. Together they hold every block; they do not overlap.
pub(crate) fn passages(blocks: &[Block]) -> Vec<Piece> {
    let plain = text::plain(blocks);
    let mut cutter = Cutter { plain: &plain, path: Vec::new(), open: None, done: Vec::new() };
    for (block, range) in blocks.iter().zip(text::ranges(blocks)) {
        if let BlockKind::Heading(level) = block.kind {
            cutter.heading(level, &block.text);
        }
        for (start, end, words) in parts(&plain, range.start, range.end) {
            cutter.part(start, end, words, block.page);
        }
    }
    cutter.close();
    cutter.done
}

struct Cutter<'p> {
    plain: &'p str,
    path: Vec<(u8, String)>,
    open: Option<(Piece, usize)>,
    done: Vec<Piece>,
}

impl Cutter<'_> {
    /// Under this heading stands what follows.
    fn heading(&mut self, level: u8, words: &str) {
        if self.open.as_ref().is_some_and(|(_, words)| *words >= LEAST) {
            self.close();
        }
        self.path.retain(|(above, _)| *above < level);
        self.path.push((level, words.split_whitespace().collect::<Vec<_>>().join(" ")));
    }

    fn part(&mut self, start: usize, end: usize, words: usize, page: Option<u32>) {
        // Nearer to the aim without this part than with it.
        if self.open.as_ref().is_some_and(|(_, open)| {
            *open + words > AIM && AIM.abs_diff(*open) <= (*open + words).abs_diff(AIM)
        }) {
            self.close();
        }
        match &mut self.open {
            Some((piece, open)) => {
                piece.end = end;
                *open += words;
            }
            None => {
                let heading: Vec<&str> = self.path.iter().map(|(_, words)| words.as_str()).collect();
                let heading = heading.join(" › ").chars().take(MAX_HEADING).collect();
                self.open = Some((Piece { start, end, heading, page, text: String::new() }, words));
            }
        }
        if self.open.as_ref().is_some_and(|(_, open)| *open >= AIM) {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some((mut piece, _)) = self.open.take() {
            piece.text = self.plain.get(piece.start..piece.end).unwrap_or_default().to_owned();
            self.done.push(piece);
        }
    }
}

/// A block whole, or cut at the ends of its sentences where it is longer than a passage; each part with its words.
fn parts(plain: &str, start: usize, end: usize) -> Vec<(usize, usize, usize)> {
    let block = plain.get(start..end).unwrap_or_default();
    let whole = weight(block);
    if whole <= MOST {
        return vec![(start, end, whole)];
    }
    let mut parts = Vec::new();
    let (mut from, mut words) = (start, 0);
    for (at, piece) in sentences(block) {
        let more = weight(piece);
        if words > 0 && words + more > AIM {
            parts.push((from, trimmed(plain, from, start + at), words));
            (from, words) = (start + at, 0);
        }
        words += more;
    }
    if words > 0 {
        parts.push((from, end, words));
    }
    parts
}

/// Without the white space at the end.
fn trimmed(plain: &str, from: usize, to: usize) -> usize {
    from + plain.get(from..to).map_or(0, |text| text.trim_end().len())
}

/// The sentences of a block with where they begin, those that are too long cut between words, and words that no
/// language has between characters. Each takes the white space behind it with it.
fn sentences(block: &str) -> Vec<(usize, &str)> {
    let mut all = Vec::new();
    let (mut from, mut words) = (0, 0);
    let mut ended = false;
    for (at, word) in block.split_inclusive(char::is_whitespace).scan(0, |next, word| {
        let at = *next;
        *next += word.len();
        Some((at, word))
    }) {
        for (inner, piece) in pieces(word) {
            let more = weight(piece);
            if at + inner > from && (ended || words + more > AIM) {
                all.push((from, block.get(from..at + inner).unwrap_or_default()));
                (from, words) = (at + inner, 0);
            }
            words += more;
            ended = piece.trim_end().ends_with(['.', '!', '?', '。', '！', '？', '।', '؟', '።'])
                || piece.ends_with('\n');
        }
    }
    if from < block.len() {
        all.push((from, block.get(from..).unwrap_or_default()));
    }
    all
}

/// A run without white space: whole, or, in scripts that write without spaces, after each full stop and at the latest
/// every so many characters.
fn pieces(run: &str) -> Vec<(usize, &str)> {
    const LONGEST: usize = 200;
    let mut all = Vec::new();
    let (mut from, mut characters) = (0, 0);
    for (at, one) in run.char_indices() {
        characters += 1;
        let next = at + one.len_utf8();
        if next < run.len() && (characters >= LONGEST || matches!(one, '。' | '！' | '？')) {
            all.push((from, run.get(from..next).unwrap_or_default()));
            (from, characters) = (next, 0);
        }
    }
    all.push((from, run.get(from..).unwrap_or_default()));
    all
}

/// How many words a text has. In scripts that write without spaces two characters count as one word; of other runs
/// without a space, each started ten characters do.
fn weight(text: &str) -> usize {
    text.split_whitespace()
        .map(|run| {
            let (all, dense) = run.chars().fold((0_usize, 0_usize), |(all, dense), one| {
                (all + 1, dense + usize::from(writes_without_spaces(one)))
            });
            let other: usize = all - dense;
            dense.div_ceil(2) + if other > 20 { other / 10 } else { usize::from(other > 0) }
        })
        .sum()
}

fn writes_without_spaces(one: char) -> bool {
    matches!(
        one,
        // Thai, Lao, Burmese, Khmer, kana, Chinese characters.
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(kind: BlockKind, text: &str) -> Block {
        Block { kind, text: text.into(), page: None }
    }

    fn words(count: usize) -> String {
        (0..count).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn short_paragraphs_stand_together_and_headings_say_under_what() {
        let blocks = [
            block(BlockKind::Heading(1), "Water"),
            block(BlockKind::Paragraph, &words(120)),
            block(BlockKind::Paragraph, &words(70)),
            block(BlockKind::Heading(2), "Boiling"),
            block(BlockKind::Paragraph, &words(60)),
            block(BlockKind::Heading(1), "Fire"),
            block(BlockKind::Paragraph, &words(60)),
        ];
        let pieces = passages(&blocks);
        let headings: Vec<&str> = pieces.iter().map(|piece| piece.heading.as_str()).collect();
        assert_eq!(headings, ["Water", "Water › Boiling", "Fire"]);
        assert!(pieces[1].text.starts_with("Boiling\n\nword0"), "{}", pieces[1].text);
    }

    #[test]
    fn a_heading_with_little_under_it_is_no_passage_of_its_own() {
        let blocks: Vec<Block> = (0..6)
            .flat_map(|_| {
                [block(BlockKind::Heading(2), "Question"), block(BlockKind::Paragraph, "A short answer.")]
            })
            .collect();
        assert_eq!(passages(&blocks).len(), 1);
    }

    #[test]
    fn a_long_paragraph_is_cut_at_the_ends_of_sentences() {
        let sentence = format!("{} end. ", words(30));
        let pieces = passages(&[block(BlockKind::Paragraph, sentence.repeat(20).trim_end())]);
        assert!(pieces.len() >= 3, "{}", pieces.len());
        for piece in &pieces {
            assert!(piece.text.ends_with("end.") && weight(&piece.text) <= MOST, "{}", piece.text);
        }
    }

    #[test]
    fn text_without_spaces_is_cut_too() {
        let pieces = passages(&[block(BlockKind::Paragraph, &"水をきれいにする方法。".repeat(200))]);
        assert!(
            pieces.len() > 3 && pieces.iter().all(|piece| weight(&piece.text) <= MOST),
            "{}",
            pieces.len()
        );
        let pieces = passages(&[block(BlockKind::Verbatim, &"x".repeat(40_000))]);
        assert!(pieces.len() > 3, "{}", pieces.len());
    }

    proptest! {
        #[test]
        fn passages_are_ranges_of_the_plain_text_in_order_and_lose_no_word(
            texts in proptest::collection::vec(("[\\PC]{0,60}|([a-z]{1,9}[ .]){1,400}", 0u8..4), 0..12)
        ) {
            let blocks: Vec<Block> = texts
                .iter()
                .map(|(text, kind)| block(if *kind == 0 { BlockKind::Heading(2) } else { BlockKind::Paragraph }, text.trim()))
                .filter(|block| !block.text.is_empty())
                .collect();
            let plain = text::plain(&blocks);
            let mut at = 0;
            for piece in passages(&blocks) {
                prop_assert!(piece.start >= at && piece.end > piece.start);
                prop_assert!(plain[at..piece.start].trim().is_empty());
                prop_assert_eq!(&plain[piece.start..piece.end], &piece.text);
                at = piece.end;
            }
            prop_assert!(plain[at..].trim().is_empty());
        }
    }
}
