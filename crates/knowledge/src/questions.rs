//! Questions to the members: what the library does not cover, asked of people.
//!
//! ```text
//!   ask ──▶ Open ──answer──▶ Answered ──▶ an answer becomes a document, under the name of who wrote it
//!            │                  │
//!            └──────close───────┴──▶ Closed        each is erased so long after the last thing that happened to it
//!            └─ withdraw ─▶ gone                    as the community's policy says
//! ```
//!
//! Nothing gets here by itself: a question to the assistant is written down nowhere, and comes here only when the member
//! presses "ask the members". Others see who asked only where the member wanted to be named. Who wrote an answer is
//! named, as it is advice; they say themselves whether it may become a document, and take it back with its document.
//!
//! Beside it stands a count of how often the library covered a question, in numbers a day.

mod answer;
mod coverage;
mod document;
mod rows;
#[cfg(test)]
mod tests;
mod unanswered;

use banyan_store::Room;
use banyan_store::rusqlite::params;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::answer::NewAnswer;
pub use self::coverage::CoverageDay;
pub use self::document::AnswerDocument;
pub use self::unanswered::Theme;
use crate::consent::Audience;
use crate::document::{Reader, line};
use crate::library::{DocumentId, Hand, Library, LibraryError};

/// The tables of questions and answers.
pub const ROOM_QUESTIONS: Room = Room { name: "questions", steps: &[include_str!("schema/questions_1.sql")] };

/// Characters of a question: what is longer is a story, and its question is not found in it.
const MAX_QUESTION: usize = 1_000;
/// Characters of an answer: some four pages.
const MAX_ANSWER: usize = 8_000;
/// Questions of one member that are open at the same time.
const MAX_OPEN: i64 = 20;
/// Answers to one question.
const MAX_ANSWERS: i64 = 50;
/// Questions that are listed at once.
const MAX_PAGE: u32 = 100;

/// A question to the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// Its number.
    pub id: i64,
    /// Its words.
    pub text: String,
    /// Its language (BCP 47), where it is known.
    pub language: Option<String>,
    /// When it was asked.
    pub asked: i64,
    /// Who asked, for those who may know: everybody where they wanted to be named, else they alone.
    pub by: Option<String>,
    /// Whether the reader asked it.
    pub yours: bool,
    /// How many answers it has.
    pub answers: u32,
    /// How it stands.
    pub state: QuestionState,
    /// Why it was closed; empty while it is not.
    pub why_closed: String,
    /// The first document that an answer became.
    pub document: Option<DocumentId>,
}

/// How a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    /// Nobody has answered yet.
    Open,
    /// Somebody has.
    Answered,
    /// Nobody is asked any more.
    Closed,
}

/// What a member answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberAnswer {
    /// Its number.
    pub id: i64,
    /// Its words.
    pub text: String,
    /// When it was written.
    pub at: i64,
    /// Who wrote it.
    pub by: String,
    /// Whether the reader wrote it.
    pub yours: bool,
    /// Whether who wrote it agrees that it becomes a document.
    pub may_become_document: bool,
    /// The document that it became.
    pub document: Option<DocumentId>,
}

/// A question with its answers, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuestionThread {
    /// The question.
    pub question: Question,
    /// The answers.
    pub answers: Vec<MemberAnswer>,
}

/// A question that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuestion {
    /// Its words.
    pub text: String,
    /// Its language (BCP 47).
    #[serde(default)]
    pub language: Option<String>,
    /// Whether others see who asked.
    #[serde(default)]
    pub named: bool,
}

/// Which questions are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuestionListing {
    /// Only those that stand so.
    pub state: Option<QuestionState>,
    /// How many to leave out at the beginning.
    pub skip: u32,
    /// How many at most; 0 is 100.
    pub limit: u32,
}

impl Library {
    /// Asks the members. `keep_days`: how long the policy lets a question be kept after the last thing that happened to
    /// it; 0 means that the community keeps none, and then none can be asked.
    ///
    /// # Errors
    ///
    /// The text is empty or too long, the policy keeps no questions, or the member has too many open ones.
    pub async fn ask_members(
        &self,
        new: NewQuestion,
        member: String,
        keep_days: u32,
        now: i64,
    ) -> Result<Question, LibraryError> {
        if keep_days == 0 {
            let message =
                "by the community's policy no questions to the members are kept; ask somebody in person";
            return Err(LibraryError::WrongState(message.into()));
        }
        let text = written("text", &new.text, MAX_QUESTION)?;
        let language = new.language.as_deref().map(line::language).transpose()?.flatten();
        self.change(move |tx| {
            if rows::open_of(tx, &member)? >= MAX_OPEN {
                return Err(LibraryError::WrongState(format!(
                    "{MAX_OPEN} of your questions are open; close or withdraw one first"
                )));
            }
            tx.execute(
                "INSERT INTO questions (text, language, asked, member, named, closed, why_closed, touched) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, '', ?3)",
                params![text, language, now, member, new.named],
            )?;
            let reader = Reader { audience: Audience::Members, member: Some(member) };
            Ok(rows::question(tx, tx.last_insert_rowid(), &reader)?.question)
        })
        .await
    }

    /// Questions to the members, the newest first; guests get none.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub async fn questions(
        &self,
        listing: QuestionListing,
        reader: impl Into<Reader>,
    ) -> Result<Vec<Question>, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| rows::list(connection, &listing, &reader)).await
    }

    /// A question with its answers.
    ///
    /// # Errors
    ///
    /// There is none of this number, or none for this reader.
    pub async fn question(&self, id: i64, reader: impl Into<Reader>) -> Result<QuestionThread, LibraryError> {
        let reader = reader.into();
        self.read_rows(move |connection| rows::question(connection, id, &reader)).await
    }

    /// Ends a question: by who asked it, or by a librarian, with the reason.
    ///
    /// # Errors
    ///
    /// There is no such question, it is closed already, or it is somebody else's.
    pub async fn close_question(
        &self,
        id: i64,
        why: String,
        hand: Hand,
        now: i64,
    ) -> Result<(), LibraryError> {
        let why = line::required("why", &why)?;
        self.change(move |tx| {
            hand.may_change(Some(&rows::asker(tx, id)?))?;
            rows::not_closed(tx, id)?;
            tx.execute(
                "UPDATE questions SET closed = 1, why_closed = ?2, touched = ?3 WHERE id = ?1",
                params![id, why, now],
            )?;
            Ok(())
        })
        .await
    }

    /// Takes a question back: it is gone with its answers. Documents that came of them stay; they are their authors'.
    ///
    /// # Errors
    ///
    /// There is no such question, or it is somebody else's and the hand is no librarian's.
    pub async fn withdraw_question(&self, id: i64, hand: Hand) -> Result<(), LibraryError> {
        self.change(move |tx| {
            hand.may_change(Some(&rows::asker(tx, id)?))?;
            tx.execute("DELETE FROM questions WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Erases questions to which nothing has happened for so many days; gives how many. What should last longer becomes
    /// a document.
    ///
    /// # Errors
    ///
    /// The store cannot be written.
    pub async fn sweep_questions(&self, keep_days: u32, now: i64) -> Result<usize, LibraryError> {
        let before = now - i64::from(keep_days) * 86_400;
        self.change(move |tx| Ok(tx.execute("DELETE FROM questions WHERE touched <= ?1", [before])?)).await
    }
}

/// A text of a member: its lines stay, what cannot be seen goes.
fn written(field: &'static str, text: &str, longest: usize) -> Result<String, LibraryError> {
    let plain: String = text.chars().filter(|one| *one == '\n' || !one.is_control()).collect();
    let plain = plain.trim().to_owned();
    let message = match plain.chars().count() {
        0 => "it is empty; write something".to_owned(),
        length if length > longest => {
            format!("it has {length} characters and may have {longest}; write less")
        }
        _ => return Ok(plain),
    };
    Err(LibraryError::Invalid { field, message })
}
