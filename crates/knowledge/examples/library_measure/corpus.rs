//! What libraries are filled with: real documents, and beyond those documents made of real sentences.

use banyan_knowledge::{Block, BlockKind};
use serde::Deserialize;

use crate::{Outcome, lines};

/// Paragraphs of a made document; each becomes a passage of its own.
const PARAGRAPHS: usize = 50;

/// Words of a made paragraph are drawn from here: real passages have 40 to 240, and 140 on average.
const WORDS: std::ops::Range<usize> = 60..220;

/// A document as `corpus.py` writes it.
#[derive(Deserialize)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

pub(crate) fn read(path: &str) -> Outcome<Vec<Document>> {
    lines(path)
}

/// Makes documents out of the sentences of real ones, in an order that no text has. The words come as often as they do
/// in real texts, so the lists of an index are as long.
pub(crate) struct Growth {
    sentences: Vec<String>,
}

impl Growth {
    pub(crate) fn of(documents: &[Document]) -> Self {
        let paragraphs = documents.iter().flat_map(|document| &document.blocks);
        let paragraphs = paragraphs.filter(|block| block.kind == BlockKind::Paragraph);
        let sentences = paragraphs.flat_map(|block| block.text.split_inclusive(". "));
        Self { sentences: sentences.map(|one| one.trim().to_owned()).filter(|one| one.len() > 20).collect() }
    }

    /// The document of this number; the same each time.
    pub(crate) fn document(&self, number: usize) -> Document {
        let mut rng = fastrand::Rng::with_seed(number as u64);
        let mut blocks = Vec::new();
        for paragraph in 0..PARAGRAPHS {
            let wanted = rng.usize(WORDS);
            let (mut text, mut words) = (String::new(), 0);
            while let Some(sentence) = rng.choice(&self.sentences).filter(|_| words < wanted) {
                words += sentence.split_whitespace().count();
                text.push_str(sentence);
                text.push(' ');
            }
            // Under a heading each is a passage by itself.
            let heading = format!("Part {}", paragraph + 1);
            blocks.push(Block { kind: BlockKind::Heading(2), text: heading, page: None });
            blocks.push(Block { kind: BlockKind::Paragraph, text: text.trim().to_owned(), page: None });
        }
        Document { id: format!("made/{number}"), title: format!("Made {number}"), blocks }
    }
}
