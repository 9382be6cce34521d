//! Answers of members.

use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MAX_ANSWER, MAX_ANSWERS, QuestionThread, rows, written};
use crate::consent::Audience;
use crate::document::Reader;
use crate::library::{Hand, Library, LibraryError};

/// An answer that is to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    /// Its words.
    pub text: String,
    /// Whether it may become a document of the library, under the name of who writes it.
    #[serde(default = "yes")]
    pub may_become_document: bool,
}

const fn yes() -> bool {
    true
}

impl Library {
    /// Answers a question; gives it with all its answers.
    ///
    /// # Errors
    ///
    /// There is no such question, it is closed, it has too many answers, or the text is empty or too long.
    pub async fn answer_question(
        &self,
        id: i64,
        new: NewAnswer,
        member: String,
        now: i64,
    ) -> Result<QuestionThread, LibraryError> {
        let text = written("text", &new.text, MAX_ANSWER)?;
        self.change(move |tx| {
            rows::asker(tx, id)?;
            rows::not_closed(tx, id)?;
            let sql = "SELECT count(*) FROM answers WHERE question = ?1";
            let there: i64 = tx.query_row(sql, [id], |row| row.get(0))?;
            if there >= MAX_ANSWERS {
                let message = format!("this question has {MAX_ANSWERS} answers, and no room for more");
                return Err(LibraryError::WrongState(message));
            }
            tx.execute(
                "INSERT INTO answers (question, text, at, member, may_become_document) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, text, now, member, new.may_become_document],
            )?;
            tx.execute("UPDATE questions SET touched = ?2 WHERE id = ?1", params![id, now])?;
            let reader = Reader { audience: Audience::Members, member: Some(member) };
            rows::question(tx, id, &reader)
        })
        .await
    }

    /// Takes an answer back, and the document that it became.
    ///
    /// # Errors
    ///
    /// There is no such answer, or it is somebody else's and the hand is no librarian's.
    pub async fn withdraw_answer(
        &self,
        question: i64,
        answer: i64,
        hand: Hand,
        now: i64,
    ) -> Result<(), LibraryError> {
        let row = self.read_rows(move |connection| rows::answer(connection, question, answer)).await?;
        hand.may_change(Some(&row.member))?;
        if let Some(document) = row.document {
            let why = "the answer that it was made from was taken back".to_owned();
            match self.withdraw(document, why, hand, now).await {
                // It went in between, or went before a power cut.
                Ok(_) | Err(LibraryError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.change(move |tx| {
            tx.execute("DELETE FROM answers WHERE question = ?1 AND id = ?2", params![question, answer])?;
            Ok(())
        })
        .await
    }
}
