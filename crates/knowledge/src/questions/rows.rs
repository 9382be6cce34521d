//! Questions and answers as the store keeps them.

use banyan_store::rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{MAX_PAGE, MemberAnswer, Question, QuestionListing, QuestionState, QuestionThread};
use crate::consent::Audience;
use crate::document::Reader;
use crate::library::LibraryError;

/// A document counts while it is there and read.
const SELECT: &str = "SELECT q.id, q.text, q.language, q.asked, q.member, q.named, q.closed, q.why_closed, \
    (SELECT count(*) FROM answers a WHERE a.question = q.id), \
    (SELECT d.id FROM answers a JOIN documents d ON d.id = a.document WHERE a.question = q.id ORDER BY a.id LIMIT 1) \
    FROM questions q";

fn read(row: &Row<'_>, reader: &Reader) -> banyan_store::rusqlite::Result<Question> {
    let member: String = row.get(4)?;
    let (named, closed): (bool, bool) = (row.get(5)?, row.get(6)?);
    let answers: u32 = row.get(8)?;
    let yours = reader.member.as_ref() == Some(&member);
    Ok(Question {
        id: row.get(0)?,
        text: row.get(1)?,
        language: row.get(2)?,
        asked: row.get(3)?,
        by: (named || yours).then_some(member),
        yours,
        answers,
        state: match (closed, answers) {
            (true, _) => QuestionState::Closed,
            (false, 0) => QuestionState::Open,
            (false, _) => QuestionState::Answered,
        },
        why_closed: row.get(7)?,
        document: row.get(9)?,
    })
}

pub(super) fn list(
    connection: &Connection,
    listing: &QuestionListing,
    reader: &Reader,
) -> Result<Vec<Question>, LibraryError> {
    if reader.audience < Audience::Members {
        return Ok(Vec::new());
    }
    let has_answers = "EXISTS (SELECT 1 FROM answers a WHERE a.question = q.id)";
    let filter = match listing.state {
        None => "1".to_owned(),
        Some(QuestionState::Open) => format!("q.closed = 0 AND NOT {has_answers}"),
        Some(QuestionState::Answered) => format!("q.closed = 0 AND {has_answers}"),
        Some(QuestionState::Closed) => "q.closed = 1".to_owned(),
    };
    let limit = if listing.limit == 0 { MAX_PAGE } else { listing.limit.min(MAX_PAGE) };
    let sql = format!("{SELECT} WHERE {filter} ORDER BY q.asked DESC, q.id DESC LIMIT ?1 OFFSET ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![limit, listing.skip], |row| read(row, reader))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn question(
    connection: &Connection,
    id: i64,
    reader: &Reader,
) -> Result<QuestionThread, LibraryError> {
    let found = if reader.audience < Audience::Members {
        None
    } else {
        let sql = format!("{SELECT} WHERE q.id = ?1");
        connection.prepare_cached(&sql)?.query_row([id], |row| read(row, reader)).optional()?
    };
    let question = found.ok_or_else(|| LibraryError::not_found("question", id))?;
    let mut statement = connection.prepare_cached(
        "SELECT a.id, a.text, a.at, a.member, a.may_become_document, \
         (SELECT d.id FROM documents d WHERE d.id = a.document) FROM answers a WHERE a.question = ?1 ORDER BY a.id",
    )?;
    let rows = statement.query_map([id], |row| {
        let by: String = row.get(3)?;
        Ok(MemberAnswer {
            id: row.get(0)?,
            text: row.get(1)?,
            at: row.get(2)?,
            yours: reader.member.as_ref() == Some(&by),
            by,
            may_become_document: row.get(4)?,
            document: row.get(5)?,
        })
    })?;
    Ok(QuestionThread { question, answers: rows.collect::<Result<_, _>>()? })
}

/// Who asked it.
pub(super) fn asker(connection: &Connection, id: i64) -> Result<String, LibraryError> {
    let sql = "SELECT member FROM questions WHERE id = ?1";
    let found = connection.query_row(sql, [id], |row| row.get(0)).optional()?;
    found.ok_or_else(|| LibraryError::not_found("question", id))
}

/// Refused when nobody is asked any more.
pub(super) fn not_closed(connection: &Connection, id: i64) -> Result<(), LibraryError> {
    let sql = "SELECT why_closed FROM questions WHERE id = ?1 AND closed = 1";
    match connection.query_row(sql, [id], |row| row.get::<_, String>(0)).optional()? {
        None => Ok(()),
        Some(why) => Err(LibraryError::WrongState(format!("this question was closed: {why}"))),
    }
}

/// How many open questions a member has.
pub(super) fn open_of(connection: &Connection, member: &str) -> Result<i64, LibraryError> {
    let sql = "SELECT count(*) FROM questions q WHERE q.member = ?1 AND q.closed = 0 \
               AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.question = q.id)";
    Ok(connection.query_row(sql, [member], |row| row.get(0))?)
}

/// An answer, with who wrote it and what became of it.
pub(super) struct AnswerRow {
    pub(super) text: String,
    pub(super) member: String,
    pub(super) may_become_document: bool,
    pub(super) document: Option<crate::library::DocumentId>,
    pub(super) language: Option<String>,
}

pub(super) fn answer(connection: &Connection, question: i64, answer: i64) -> Result<AnswerRow, LibraryError> {
    let sql = "SELECT a.text, a.member, a.may_become_document, \
               (SELECT d.id FROM documents d WHERE d.id = a.document), q.language \
               FROM answers a JOIN questions q ON q.id = a.question WHERE a.question = ?1 AND a.id = ?2";
    let read = |row: &Row<'_>| {
        Ok(AnswerRow {
            text: row.get(0)?,
            member: row.get(1)?,
            may_become_document: row.get(2)?,
            document: row.get(3)?,
            language: row.get(4)?,
        })
    };
    let found = connection.query_row(sql, params![question, answer], read).optional()?;
    found.ok_or_else(|| LibraryError::not_found("answer", answer))
}
