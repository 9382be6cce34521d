//! Proposals and ballots as the store keeps them.

use banyan_governance::method::Choice;
use banyan_governance::proposal::Proposal;
use banyan_governance::tally::{Ballot, Outcome};
use banyan_governance::{MemberId, ProposalId, Time};
use banyan_store::rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use crate::error::{AssemblyError, Refusal};

/// A proposal with what became of it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) proposal: Proposal,
    /// The result, once the vote has closed.
    pub(super) outcome: Option<Outcome>,
    /// The ledger entry that enacted it.
    pub(super) entry: Option<u64>,
}

impl Kept {
    pub(super) fn new(proposal: Proposal) -> Self {
        Self { proposal, outcome: None, entry: None }
    }
}

const COLUMNS: &str = "value, outcome, entry";

type Columns = (String, Option<String>, Option<i64>);

fn columns(row: &Row<'_>) -> banyan_store::rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn read((value, outcome, entry): Columns) -> Result<Kept, AssemblyError> {
    Ok(Kept {
        proposal: serde_json::from_str(&value)?,
        outcome: outcome.map(|outcome| serde_json::from_str(&outcome)).transpose()?,
        entry: entry.map(i64::cast_unsigned),
    })
}

/// The proposal of this name; refused where there is none.
pub(super) fn load(connection: &Connection, id: &ProposalId) -> Result<Kept, AssemblyError> {
    let found = connection
        .query_row(&format!("SELECT {COLUMNS} FROM proposals WHERE id = ?1"), [id.as_str()], columns)
        .optional()?;
    read(found.ok_or(Refusal::NotFound("proposal"))?)
}

/// All proposals, newest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Kept>, AssemblyError> {
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM proposals ORDER BY created DESC, id"))?;
    let rows = statement.query_map([], columns)?;
    rows.map(|row| read(row?)).collect()
}

/// Those that wait for something to happen by itself: a vote to open or to close.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<Kept>, AssemblyError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM proposals WHERE state IN ('discussion', 'open') ORDER BY created, id"
    ))?;
    let rows = statement.query_map([], columns)?;
    rows.map(|row| read(row?)).collect()
}

/// Those the community has to look at again by now.
pub(super) fn due_for_review(connection: &Connection, now: Time) -> Result<Vec<ProposalId>, AssemblyError> {
    let mut statement = connection
        .prepare("SELECT value FROM proposals WHERE review <= ?1 AND state IN ('enacted', 'passed') ORDER BY review, id")?;
    let rows = statement.query_map([now.0], |row| row.get::<_, String>(0))?;
    rows.map(|row| Ok(serde_json::from_str::<Proposal>(&row?)?.id)).collect()
}

/// Keeps the proposal as it is now.
pub(super) fn save(connection: &Connection, kept: &Kept) -> Result<(), AssemblyError> {
    let proposal = &kept.proposal;
    connection.execute(
        "INSERT INTO proposals (id, author, state, topic, created, review, value, outcome, entry)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, topic = excluded.topic, review = excluded.review,
             value = excluded.value, outcome = excluded.outcome, entry = excluded.entry",
        params![
            proposal.id.as_str(),
            proposal.author.as_str(),
            word(&proposal.state)?,
            word(&proposal.topic)?,
            proposal.created.0,
            proposal.review.map(|review| review.0),
            serde_json::to_string(proposal)?,
            kept.outcome.as_ref().map(serde_json::to_string).transpose()?,
            kept.entry.map(u64::cast_signed),
        ],
    )?;
    Ok(())
}

/// The votes of an open proposal, in the order of the voters' ids.
pub(super) fn ballots(connection: &Connection, id: &ProposalId) -> Result<Vec<Ballot>, AssemblyError> {
    let mut statement = connection.prepare(
        "SELECT voter, choice FROM ballots WHERE proposal = ?1 AND choice IS NOT NULL ORDER BY voter",
    )?;
    let rows =
        statement.query_map([id.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (voter, choice) = row?;
        Ok(Ballot { voter: name(&voter)?, choice: serde_json::from_str(&choice)? })
    })
    .collect()
}

/// How this member has voted, while the vote is open.
pub(super) fn ballot_of(
    connection: &Connection,
    id: &ProposalId,
    voter: &MemberId,
) -> Result<Option<Choice>, AssemblyError> {
    let choice: Option<Option<String>> = connection
        .query_row(
            "SELECT choice FROM ballots WHERE proposal = ?1 AND voter = ?2",
            [id.as_str(), voter.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(choice.flatten().map(|choice| serde_json::from_str(&choice)).transpose()?)
}

/// Whether this member has voted; known for good, as how is not.
pub(super) fn has_voted(
    connection: &Connection,
    id: &ProposalId,
    voter: &MemberId,
) -> Result<bool, AssemblyError> {
    let found = connection
        .query_row(
            "SELECT 1 FROM ballots WHERE proposal = ?1 AND voter = ?2",
            [id.as_str(), voter.as_str()],
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}

/// How many rows of a table belong to the proposal.
pub(super) fn count(
    connection: &Connection,
    sql: &'static str,
    id: &ProposalId,
) -> Result<u32, AssemblyError> {
    Ok(connection.query_row(sql, [id.as_str()], |row| row.get(0))?)
}

/// A value of an enumeration without fields, as the wire writes it.
pub(super) fn word(value: &impl Serialize) -> Result<String, AssemblyError> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}

/// A name or word that the store holds, read back.
pub(super) fn name<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, AssemblyError> {
    Ok(serde_json::from_value(serde_json::Value::String(text.to_owned()))?)
}

/// Forgets how anybody has voted; that they have stays.
pub(super) fn erase_choices(connection: &Connection, id: &ProposalId) -> Result<(), AssemblyError> {
    connection.execute("UPDATE ballots SET choice = NULL, cast_at = 0 WHERE proposal = ?1", [id.as_str()])?;
    Ok(())
}
