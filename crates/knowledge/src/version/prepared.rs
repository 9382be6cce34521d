//! A version's words, checked and put in order before anything is written. The extractor bounds what it gives; since it
//! is a process without rights that reads what strangers wrote, it is not taken at its word.

use crate::document::{Original, line};
use crate::extracted::{Block, BlockKind};
use crate::library::{Library, LibraryError};

/// Bytes of a document's words: about ten thousand printed pages. Indexing it holds other changes up for seconds.
const MAX_TEXT: usize = 16 << 20;

/// Parts of a document.
const MAX_BLOCKS: usize = 400_000;

/// Warnings that are kept of one file; a broken file can have one for each of its parts.
const MAX_WARNINGS: usize = 50;

/// What is going to be a version.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) blocks: Vec<Block>,
    /// The same as it is stored.
    pub(crate) json: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) hash: [u8; 32],
    pub(crate) file_name: String,
    pub(crate) original: Option<Vec<u8>>,
}

impl Prepared {
    /// Refused when there are no words, or too many.
    pub(crate) fn new(
        blocks: Vec<Block>,
        warnings: Vec<String>,
        original: Option<Original>,
    ) -> Result<Self, LibraryError> {
        if blocks.len() > MAX_BLOCKS {
            return Err(invalid(format!("it has {} parts, and {MAX_BLOCKS} are the most", blocks.len())));
        }
        let blocks: Vec<Block> = blocks.into_iter().filter_map(clean).collect();
        let length: usize = blocks.iter().map(|block| block.text.len()).sum();
        if blocks.is_empty() {
            return Err(invalid(
                "no words were found in it; scanned pages need OCR (tesseract) on the box".into(),
            ));
        }
        if length > MAX_TEXT {
            return Err(invalid(format!(
                "its words have {} MB, and {} MB are the most; split it into several documents",
                length >> 20,
                MAX_TEXT >> 20
            )));
        }
        let json = serde_json::to_string(&blocks)?;
        let mut warnings: Vec<String> =
            warnings.into_iter().take(MAX_WARNINGS).map(|text| line::cut(&text)).collect();
        let (hash, file_name, original) = match original {
            Some(Original { name, hash, bytes }) => {
                if bytes.is_none() {
                    warnings.push("the file is too large to be kept; its words are here".into());
                }
                (hash, name, bytes)
            }
            None => (*blake3::hash(json.as_bytes()).as_bytes(), String::new(), None),
        };
        Ok(Self { blocks, json, warnings, hash, file_name, original })
    }

    /// Makes a change that names the file. The file is written before it, so that its size holds no other change up, and
    /// is removed again when the change is refused.
    pub(crate) fn named_by<T>(
        self,
        library: &Library,
        change: impl FnOnce(Self) -> Result<T, LibraryError>,
    ) -> Result<T, LibraryError> {
        let Some(bytes) = &self.original else { return change(self) };
        library.announce_original_blocking(bytes)?;
        let made = change(self);
        if made.is_err() {
            // Whatever it says: the next start tries again.
            let _ = library.remove_originals_blocking();
        }
        made
    }
}

fn invalid(message: String) -> LibraryError {
    LibraryError::Invalid { field: "file", message }
}

/// A block as [`Block`] promises it; none when nothing is left.
fn clean(mut block: Block) -> Option<Block> {
    let keeps_lines = block.kind == BlockKind::Verbatim;
    if block.text.chars().any(|one| one.is_control() && !(keeps_lines && matches!(one, '\n' | '\t'))) {
        block.text = block
            .text
            .chars()
            .filter_map(|one| match one {
                '\n' | '\t' if keeps_lines => Some(one),
                '\n' | '\t' | '\r' => Some(' '),
                control if control.is_control() => None,
                other => Some(other),
            })
            .collect();
    }
    if let BlockKind::Heading(level) = block.kind {
        block.kind = BlockKind::Heading(level.clamp(1, 6));
    }
    if block.text.trim().is_empty() {
        return None;
    }
    if !keeps_lines && block.text.trim().len() != block.text.len() {
        block.text = block.text.trim().to_owned();
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(kind: BlockKind, text: &str) -> Block {
        Block { kind, text: text.into(), page: None }
    }

    #[test]
    fn what_an_extractor_gives_is_cleaned_and_bounded() {
        let given = vec![
            block(BlockKind::Heading(9), " Water\u{0}\n "),
            block(BlockKind::Paragraph, "\u{7} "),
            block(BlockKind::Verbatim, "a\n\tb\u{1b}"),
        ];
        let prepared = Prepared::new(given, vec!["x".repeat(900); 90], None).unwrap();
        assert_eq!(
            prepared.blocks,
            [block(BlockKind::Heading(6), "Water"), block(BlockKind::Verbatim, "a\n\tb")]
        );
        assert_eq!((prepared.warnings.len(), prepared.warnings[0].len()), (50, 300));
    }

    #[test]
    fn no_words_and_too_many_are_refused_with_what_helps() {
        let error = Prepared::new(Vec::new(), Vec::new(), None).unwrap_err().to_string();
        assert!(error.contains("no words") && error.contains("OCR"), "{error}");
        let long = block(BlockKind::Paragraph, &"word ".repeat(4 << 20));
        let error = Prepared::new(vec![long], Vec::new(), None).unwrap_err().to_string();
        assert!(error.contains("split it"), "{error}");
    }
}
