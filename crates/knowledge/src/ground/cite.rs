//! Citations in a text that is still being written: `[1]`, `[1, 2]`, `[1-3]`.

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Text(String),
    /// A citation.
    Marker {
        /// As it was written, brackets included.
        text: String,
        /// The passages that it names, each once, in the order of the text.
        numbers: Vec<u32>,
    },
}

/// The longest marker: more than eight numbers are no citation.
const MAX_MARKER: usize = 32;

/// Finds citations in a text that comes in pieces. What may become one is held back until that is clear, at most
/// 32 bytes.
#[derive(Debug, Clone)]
pub struct Citations {
    passages: u32,
    held: String,
}

impl Citations {
    /// For an answer to so many passages; what names another number is no citation.
    #[must_use]
    pub fn new(passages: usize) -> Self {
        Self { passages: u32::try_from(passages).unwrap_or(u32::MAX), held: String::new() }
    }

    /// The parts of a whole text.
    #[must_use]
    pub fn of(text: &str, passages: usize) -> Vec<Piece> {
        let mut citations = Self::new(passages);
        let mut pieces = citations.push(text);
        pieces.extend(citations.finish());
        pieces
    }

    /// Adds a piece; gives what is clear by now.
    pub fn push(&mut self, piece: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        for one in piece.chars() {
            if self.held.is_empty() {
                if one == '[' {
                    self.held.push(one);
                } else {
                    text.push(one);
                }
                continue;
            }
            match one {
                ']' => {
                    self.held.push(one);
                    let held = std::mem::take(&mut self.held);
                    match numbers(&held, self.passages) {
                        Some(numbers) => {
                            flush(&mut text, &mut pieces);
                            pieces.push(Piece::Marker { text: held, numbers });
                        }
                        None => text.push_str(&held),
                    }
                }
                '0'..='9' | ',' | ' ' | '-' | '–' | ';' if self.held.len() < MAX_MARKER => {
                    self.held.push(one);
                }
                '[' => {
                    text.push_str(&self.held);
                    self.held.truncate(1);
                }
                _ => {
                    text.push_str(&std::mem::take(&mut self.held));
                    text.push(one);
                }
            }
        }
        flush(&mut text, &mut pieces);
        pieces
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> Option<Piece> {
        let rest = std::mem::take(&mut self.held);
        (!rest.is_empty()).then_some(Piece::Text(rest))
    }
}

fn flush(text: &mut String, pieces: &mut Vec<Piece>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text)));
    }
}

/// The numbers in a marker; none when it is not one.
fn numbers(marker: &str, passages: u32) -> Option<Vec<u32>> {
    let inside = marker.strip_prefix('[')?.strip_suffix(']')?;
    let known = |text: &str| text.trim().parse::<u32>().ok().filter(|number| (1..=passages).contains(number));
    let mut numbers = Vec::new();
    for part in inside.split([',', ';']) {
        let range = match part.split_once(['-', '–']) {
            None => known(part).map(|number| number..=number)?,
            Some((first, last)) => known(first)?..=known(last)?,
        };
        for number in range {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked(text: &str) -> Vec<Vec<u32>> {
        let marker = |piece| if let Piece::Marker { numbers, .. } = piece { Some(numbers) } else { None };
        Citations::of(text, 4).into_iter().filter_map(marker).collect()
    }

    #[test]
    fn what_models_write_as_citations_is_found_and_what_is_none_is_not() {
        assert_eq!(
            marked("a [1], b [2, 3] c[1][4]. d [2-4] e [ 1 ;2 ]"),
            [vec![1], vec![2, 3], vec![1], vec![4], vec![2, 3, 4], vec![1, 2]]
        );
        for none in ["[5]", "[0]", "[1, 9]", "[2024]", "[a]", "[]", "[,]", "[1", "1]", "[4-2]", "[[", "[- 1]"]
        {
            assert_eq!(marked(none), Vec::<Vec<u32>>::new(), "{none}");
        }
        assert_eq!(marked("[[1]"), [vec![1]]);
    }

    fn joined(pieces: impl IntoIterator<Item = Piece>) -> Vec<Piece> {
        let mut out: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (out.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => out.push(piece),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn wherever_the_stream_is_cut_the_parts_are_the_same_and_nothing_is_lost(
            pieces in proptest::collection::vec("[\\[\\]12, \\-a–é]{0,6}", 0..10),
        ) {
            let mut citations = Citations::new(2);
            let mut out: Vec<Piece> = pieces.iter().flat_map(|piece| citations.push(piece)).collect();
            prop_assert!(citations.held.len() <= MAX_MARKER + 4);
            out.extend(citations.finish());
            let whole = pieces.concat();
            let text: String = out.iter().map(|piece| match piece {
                Piece::Text(text) | Piece::Marker { text, .. } => text.as_str(),
            }).collect();
            prop_assert_eq!(&text, &whole);
            prop_assert_eq!(joined(out), joined(Citations::of(&whole, 2)));
        }
    }
}
