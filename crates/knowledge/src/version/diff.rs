//! What changed between two versions, block by block. Blocks that stand exactly once in both are where the texts are
//! pinned together (patience diff); between two pins the same is done again, and what has no pin was replaced.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extracted::Block;

/// How often pins are looked for between pins. Each time finds almost all there are.
const DEPTH: usize = 32;

/// A block that stayed, went or came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Which of the three.
    pub kind: ChangeKind,
    /// Its words.
    pub text: String,
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is in both.
    Same,
    /// It is in the earlier one only.
    Removed,
    /// It is in the later one only.
    Added,
}

/// From one to the other: without what was removed it is the later one, without what was added the earlier one.
pub(crate) fn changes(before: &[Block], after: &[Block]) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&words(before), &words(after), DEPTH, &mut changes);
    changes
}

fn words(blocks: &[Block]) -> Vec<&str> {
    blocks.iter().map(|block| block.text.as_str()).collect()
}

fn compare(mut before: &[&str], mut after: &[&str], depth: usize, changes: &mut Vec<Change>) {
    while let ([first, rest @ ..], [same, others @ ..]) = (before, after) {
        if first != same {
            break;
        }
        note(ChangeKind::Same, &[*first], changes);
        (before, after) = (rest, others);
    }
    let ends = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    let (before, tail) = before.split_at(before.len() - ends);
    let after = after.get(..after.len() - ends).unwrap_or_default();
    let pins = if depth == 0 { Vec::new() } else { pins(before, after) };
    let (mut from, mut to) = (0, 0);
    for (one, other) in pins.iter().copied() {
        compare(
            before.get(from..one).unwrap_or_default(),
            after.get(to..other).unwrap_or_default(),
            depth - 1,
            changes,
        );
        note(ChangeKind::Same, before.get(one..=one).unwrap_or_default(), changes);
        (from, to) = (one + 1, other + 1);
    }
    if pins.is_empty() {
        note(ChangeKind::Removed, before, changes);
        note(ChangeKind::Added, after, changes);
    } else {
        compare(
            before.get(from..).unwrap_or_default(),
            after.get(to..).unwrap_or_default(),
            depth - 1,
            changes,
        );
    }
    note(ChangeKind::Same, tail, changes);
}

fn note(kind: ChangeKind, texts: &[&str], changes: &mut Vec<Change>) {
    changes.extend(texts.iter().map(|text| Change { kind, text: (*text).to_owned() }));
}

/// Places of the blocks that stand once in both: the longest run of them that is in the same order in both.
fn pins(before: &[&str], after: &[&str]) -> Vec<(usize, usize)> {
    let (once, other) = (standing_once(before), standing_once(after));
    let mut pairs: Vec<(usize, usize)> =
        once.iter().filter_map(|(text, place)| Some((*place, *other.get(text)?))).collect();
    pairs.sort_unstable();
    // Longest increasing run of the second places: for each length the pair that ends it earliest.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, (_, place)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs.get(*end).is_some_and(|(_, earlier)| earlier < place));
        previous.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(number) = next {
        run.extend(pairs.get(number).copied());
        next = previous.get(number).copied().flatten();
    }
    run.reverse();
    run
}

fn standing_once<'t>(texts: &[&'t str]) -> HashMap<&'t str, usize> {
    let mut places: HashMap<&'t str, Option<usize>> = HashMap::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        places.entry(*text).and_modify(|once| *once = None).or_insert(Some(place));
    }
    places.into_iter().filter_map(|(text, place)| Some((text, place?))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extracted::BlockKind;

    fn blocks(texts: &[String]) -> Vec<Block> {
        texts
            .iter()
            .map(|text| Block { kind: BlockKind::Paragraph, text: text.clone(), page: None })
            .collect()
    }

    fn split(text: &str) -> Vec<Block> {
        blocks(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_stayed_is_found_around_what_went_and_came() {
        let shown: String = changes(&split("a b c d e f"), &split("a x c d f g"))
            .iter()
            .map(|change| {
                let sign = match change.kind {
                    ChangeKind::Same => ' ',
                    ChangeKind::Removed => '-',
                    ChangeKind::Added => '+',
                };
                format!("{sign}{}", change.text)
            })
            .collect();
        assert_eq!(shown, " a-b+x c d-e f+g");
    }

    #[test]
    fn two_long_texts_are_compared_at_once() {
        let texts: Vec<String> = (0..100_000).map(|number| format!("line {}", number % 60_000)).collect();
        let mut other = texts.clone();
        other.rotate_left(7);
        let changes = changes(&blocks(&texts), &blocks(&other));
        assert!(changes.iter().filter(|change| change.kind == ChangeKind::Same).count() > 15_000);
    }

    proptest! {
        #[test]
        fn both_versions_can_be_made_from_the_changes(
            before in proptest::collection::vec("[a-e]{1,2}", 0..30),
            after in proptest::collection::vec("[a-e]{1,2}", 0..30),
        ) {
            let changes = changes(&blocks(&before), &blocks(&after));
            let without = |kind| changes.iter().filter(|c| c.kind != kind).map(|c| c.text.clone()).collect::<Vec<_>>();
            prop_assert_eq!(without(ChangeKind::Added), before);
            prop_assert_eq!(without(ChangeKind::Removed), after);
        }
    }
}
