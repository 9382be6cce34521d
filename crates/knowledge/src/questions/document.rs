//! An answer becomes a document, with its author's name on it.

use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows;
use crate::document::{Added, NewDocument};
use crate::extracted::{Block, BlockKind, Extracted};
use crate::library::{CollectionId, Hand, Library, LibraryError};

/// How an answer becomes a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerDocument {
    /// Which answer.
    pub answer: i64,
    /// Where the document is to stand.
    pub collection: CollectionId,
    /// What it is called; the question's words do not go into it otherwise.
    pub title: String,
    /// How its author wants to be named.
    #[serde(default)]
    pub attribution: String,
}

impl Library {
    /// Makes a document of an answer. It belongs to who wrote the answer, who can withdraw it like anything they gave.
    ///
    /// # Errors
    ///
    /// The hand is no librarian's, there is no such answer, its author does not want it to be a document, or it is one.
    pub async fn answer_to_document(
        &self,
        question: i64,
        wanted: AnswerDocument,
        hand: Hand,
        now: i64,
    ) -> Result<Added, LibraryError> {
        hand.keeps_library()?;
        let answer = wanted.answer;
        let row = self.read_rows(move |connection| rows::answer(connection, question, answer)).await?;
        if let Some(document) = row.document {
            let message = format!("this answer is a document already ({document}); open that");
            return Err(LibraryError::WrongState(message));
        }
        if !row.may_become_document {
            let message = "who wrote this answer does not want it to become a document; ask them".to_owned();
            return Err(LibraryError::WrongState(message));
        }
        let extracted = Extracted { blocks: paragraphs(&row.text), ..Extracted::default() };
        let source = format!("answer {answer} to question {question} of the members");
        let new = NewDocument {
            title: Some(wanted.title),
            author: Some(wanted.attribution.clone()),
            attribution: Some(wanted.attribution),
            language: row.language,
            contributor: Some(row.member),
            ..NewDocument::new(wanted.collection, &source, extracted)
        };
        let added = self.add(new, hand, now).await?;
        let document = added.document.clone();
        self.change(move |tx| {
            tx.execute("UPDATE answers SET document = ?2 WHERE id = ?1", params![answer, document])?;
            tx.execute("UPDATE questions SET touched = ?2 WHERE id = ?1", params![question, now])?;
            Ok(())
        })
        .await?;
        Ok(added)
    }
}

fn paragraphs(text: &str) -> Vec<Block> {
    let blocks = text.split('\n').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    blocks
        .filter(|text| !text.is_empty())
        .map(|text| Block { kind: BlockKind::Paragraph, text, page: None })
        .collect()
}
