//! Texts that a moderator looks at first.
//!
//! ```text
//!            ┌── refused: the member is told, the text is erased
//!   waiting ─┤                         ┌ an answer: it is the member's to read
//!            └── allowed ──────────────┤
//!                                      └ a question: the box answers it ──▶ answered
//! ```

use banyan_governance::{MemberId, Permission, Time};
use banyan_ledger::withheld;
use banyan_store::rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Assembly;
use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::people::Caller;

/// The most texts of one person that may wait for a moderator.
const WAITING_OF_ONE: i64 = 8;

/// The most texts that are shown to a moderator or a member at once.
const SHOWN: i64 = 100;

/// Whether a question or an answer is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldSide {
    /// The question; no engine has seen it.
    Question,
    /// The answer.
    Answer,
}

/// Where a held text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// For a moderator.
    Waiting,
    /// A moderator allowed it.
    Allowed,
    /// A moderator did not allow it.
    Refused,
    /// It was a question; it was allowed and answered.
    Answered,
}

/// A text that is to be held.
#[derive(Debug, Clone)]
pub struct NewHeld {
    /// Which.
    pub side: HeldSide,
    /// By what the one who asked is known again ([`owner_of`] for a member); empty: by nothing.
    pub owner: String,
    /// Names of the rules that fired.
    pub rules: Vec<String>,
    /// What was said before, oldest first: the box needs it to answer later. No moderator sees it.
    pub earlier: Vec<Turn>,
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: Option<String>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// A held text as a moderator sees it: not whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// Its number.
    pub id: i64,
    /// Since when it waits.
    pub at: Time,
    /// Which.
    pub side: HeldSide,
    /// Names of the rules that fired.
    pub rules: Vec<String>,
    /// What was asked.
    pub question: String,
    /// What was answered; absent while no engine was asked.
    pub answer: Option<String>,
}

/// A held text as the one who asked sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnHeld {
    /// Its number.
    pub id: i64,
    /// Since when.
    pub at: Time,
    /// Which.
    pub side: HeldSide,
    /// Where it stands.
    pub state: HeldState,
    /// What was asked; absent once it was erased.
    pub question: Option<String>,
    /// The answer, once it may be read.
    pub answer: Option<String>,
}

/// A question that was allowed and is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Its number.
    pub id: i64,
    /// By what the one who asked is known again.
    pub owner: String,
    /// What was said before.
    pub earlier: Vec<Turn>,
    /// What was asked.
    pub question: String,
}

/// By what a member is known as the owner of a held text.
#[must_use]
pub fn owner_of(member: &MemberId) -> String {
    format!("person:{member}")
}

/// What is sealed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sealed {
    earlier: Vec<Turn>,
    question: String,
    answer: Option<String>,
}

impl Assembly {
    /// Holds a text for a moderator; gives its number. Refused when too many of the same person wait already.
    pub async fn hold(&self, new: NewHeld, now: Time) -> Result<i64, AssemblyError> {
        self.change(now, move |change| hold(change, &new)).await
    }

    /// The texts that wait for a moderator, the oldest first.
    pub async fn held(&self, caller: &Caller) -> Result<Vec<Held>, AssemblyError> {
        caller.require(Permission::Moderate)?;
        self.read(|connection| {
            let sql = "SELECT id, created, side, owner, rules, withheld, state FROM held WHERE state = 'waiting' \
                       ORDER BY id LIMIT ?1";
            let rows: Vec<Line> = connection
                .prepare_cached(sql)?
                .query_map([SHOWN], Line::read)?
                .collect::<Result<_, _>>()?;
            rows.into_iter().map(|line| line.for_moderators(connection)).collect()
        })
        .await
    }

    /// The held texts of one person, the newest first.
    pub async fn held_of(&self, owner: String) -> Result<Vec<OwnHeld>, AssemblyError> {
        if owner.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |connection| {
            let sql = "SELECT id, created, side, owner, rules, withheld, state FROM held WHERE owner = ?1 \
                       ORDER BY id DESC LIMIT ?2";
            let rows: Vec<Line> = connection
                .prepare_cached(sql)?
                .query_map(params![owner, SHOWN], Line::read)?
                .collect::<Result<_, _>>()?;
            rows.into_iter().map(|line| line.for_its_owner(connection)).collect()
        })
        .await
    }

    /// Lets a held text go to the one who asked, or not.
    pub async fn settle_held(
        &self,
        caller: &Caller,
        id: i64,
        allow: bool,
        now: Time,
    ) -> Result<(), AssemblyError> {
        caller.require(Permission::Moderate)?;
        let moderator = caller.member.clone();
        self.change(now, move |change| settle(change, &moderator, id, allow)).await
    }

    /// Questions that were allowed and are still to be answered, the oldest first.
    pub async fn allowed_questions(&self) -> Result<Vec<Allowed>, AssemblyError> {
        self.read(|connection| {
            let sql = "SELECT id, created, side, owner, rules, withheld, state FROM held \
                       WHERE state = 'allowed' AND side = 'question' ORDER BY id LIMIT 16";
            let rows: Vec<Line> =
                connection.prepare_cached(sql)?.query_map([], Line::read)?.collect::<Result<_, _>>()?;
            let allowed = rows.into_iter().filter_map(|line| {
                let sealed = line.open(connection).transpose()?;
                Some(sealed.map(|Sealed { earlier, question, .. }| Allowed {
                    id: line.id,
                    owner: line.owner.clone(),
                    earlier,
                    question,
                }))
            });
            allowed.collect()
        })
        .await
    }

    /// Keeps the answer to an allowed question for the one who asked.
    pub async fn answer_held(&self, id: i64, answer: String, now: Time) -> Result<(), AssemblyError> {
        self.change(now, move |change| {
            let line = line(change.tx, id)?;
            let Some(mut sealed) = line.open(change.tx)? else { return Ok(()) };
            sealed.answer = Some(answer);
            sealed.earlier.clear();
            let concealed = withheld::conceal(change.tx, &serde_json::to_string(&sealed)?)?;
            withheld::erase(change.tx, &line.withheld)?;
            change.tx.execute(
                "UPDATE held SET state = 'answered', withheld = ?2 WHERE id = ?1 AND state = 'allowed'",
                params![id, concealed.id],
            )?;
            Ok(())
        })
        .await
    }
}

fn hold(change: &Change<'_>, new: &NewHeld) -> Result<i64, AssemblyError> {
    let waiting: i64 = change.tx.query_row(
        "SELECT count(*) FROM held WHERE owner = ?1 AND state = 'waiting'",
        [&new.owner],
        |row| row.get(0),
    )?;
    if waiting >= WAITING_OF_ONE {
        return Err(Refusal::WrongState {
            code: "too_many_held",
            message: format!(
                "{waiting} texts of yours wait for a moderator already; wait until they are looked at"
            ),
        }
        .into());
    }
    let sealed =
        Sealed { earlier: new.earlier.clone(), question: new.question.clone(), answer: new.answer.clone() };
    let concealed = withheld::conceal(change.tx, &serde_json::to_string(&sealed)?)?;
    let side = side_name(new.side);
    change.tx.execute(
        "INSERT INTO held (created, side, owner, rules, withheld, state) VALUES (?1, ?2, ?3, ?4, ?5, 'waiting')",
        params![change.now.0, side, new.owner, serde_json::to_string(&new.rules)?, concealed.id],
    )?;
    let id = change.tx.last_insert_rowid();
    let hash: String = concealed.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    change
        .record("held", &serde_json::json!({ "held": id, "side": side, "rules": new.rules, "hash": hash }))?;
    Ok(id)
}

fn settle(change: &Change<'_>, moderator: &MemberId, id: i64, allow: bool) -> Result<(), AssemblyError> {
    let line = line(change.tx, id)?;
    if line.state != HeldState::Waiting {
        let message = "somebody has looked at this text already".into();
        return Err(Refusal::WrongState { code: "settled", message }.into());
    }
    if line.owner == owner_of(moderator) {
        return Err(Refusal::NotYours("this text is your own; another moderator has to look at it").into());
    }
    let (state, kept) = if allow { ("allowed", line.withheld.as_str()) } else { ("refused", "") };
    if !allow {
        withheld::erase(change.tx, &line.withheld)?;
    }
    change.tx.execute(
        "UPDATE held SET state = ?2, settled = ?3, withheld = ?4 WHERE id = ?1",
        params![id, state, change.now.0, kept],
    )?;
    change.record(
        "held.settled",
        &serde_json::json!({ "held": id, "allowed": allow, "moderator": moderator }),
    )?;
    Ok(())
}

/// A row of the table.
struct Line {
    id: i64,
    created: i64,
    side: HeldSide,
    owner: String,
    rules: String,
    withheld: String,
    state: HeldState,
}

impl Line {
    fn read(row: &Row<'_>) -> Result<Self, banyan_store::rusqlite::Error> {
        let (side, state): (String, String) = (row.get(2)?, row.get(6)?);
        Ok(Self {
            id: row.get(0)?,
            created: row.get(1)?,
            side: if side == "question" { HeldSide::Question } else { HeldSide::Answer },
            owner: row.get(3)?,
            rules: row.get(4)?,
            withheld: row.get(5)?,
            state: match state.as_str() {
                "waiting" => HeldState::Waiting,
                "allowed" => HeldState::Allowed,
                "answered" => HeldState::Answered,
                _ => HeldState::Refused,
            },
        })
    }

    /// None once it was erased.
    fn open(&self, connection: &Connection) -> Result<Option<Sealed>, AssemblyError> {
        if self.withheld.is_empty() {
            return Ok(None);
        }
        let text = withheld::reveal(connection, &self.withheld)?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    fn for_moderators(self, connection: &Connection) -> Result<Held, AssemblyError> {
        let sealed = self.open(connection)?.unwrap_or_default();
        Ok(Held {
            id: self.id,
            at: Time(self.created),
            side: self.side,
            rules: serde_json::from_str(&self.rules)?,
            question: sealed.question,
            answer: sealed.answer,
        })
    }

    fn for_its_owner(self, connection: &Connection) -> Result<OwnHeld, AssemblyError> {
        let sealed = self.open(connection)?;
        let may_read = matches!(self.state, HeldState::Allowed | HeldState::Answered);
        let (question, answer) = sealed.map_or((None, None), |sealed| (Some(sealed.question), sealed.answer));
        Ok(OwnHeld {
            id: self.id,
            at: Time(self.created),
            side: self.side,
            state: self.state,
            question,
            answer: answer.filter(|_| may_read),
        })
    }
}

fn line(connection: &Connection, id: i64) -> Result<Line, AssemblyError> {
    let sql = "SELECT id, created, side, owner, rules, withheld, state FROM held WHERE id = ?1";
    Ok(connection.query_row(sql, [id], Line::read).optional()?.ok_or(Refusal::NotFound("held text"))?)
}

fn side_name(side: HeldSide) -> &'static str {
    match side {
        HeldSide::Question => "question",
        HeldSide::Answer => "answer",
    }
}
