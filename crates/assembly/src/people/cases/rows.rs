//! Cases in the store.

use banyan_governance::conflict::{About, Case, CaseState};
use banyan_governance::{CaseId, MemberId};
use banyan_store::rusqlite::{Connection, OptionalExtension as _, params};

use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::people::{id, members};

/// The longest reference to an answer: a number, or a name of thirty-two digits.
const MAX_REFERENCE: usize = 64;

pub(super) fn load(connection: &Connection, case: &CaseId) -> Result<Case, AssemblyError> {
    let sql = "SELECT state FROM cases WHERE id = ?1";
    let found: Option<String> = connection.query_row(sql, [case.as_str()], |row| row.get(0)).optional()?;
    Ok(serde_json::from_str(&found.ok_or(Refusal::NotFound("case"))?)?)
}

pub(super) fn insert(change: &Change<'_>, case: &Case) -> Result<(), AssemblyError> {
    change.tx.execute(
        "INSERT INTO cases (id, state, is_over, created, changed) VALUES (?1, '', 0, ?2, ?2)",
        params![case.id.as_str(), change.now.0],
    )?;
    update(change, case)
}

/// Writes the case, and who is part of it by now.
pub(super) fn update(change: &Change<'_>, case: &Case) -> Result<(), AssemblyError> {
    let is_over = matches!(case.state, CaseState::Agreed | CaseState::Closed);
    change.tx.execute(
        "UPDATE cases SET state = ?2, is_over = ?3, changed = ?4 WHERE id = ?1",
        params![case.id.as_str(), serde_json::to_string(case)?, is_over, change.now.0],
    )?;
    let sides = case.sides();
    let parties = sides.iter().chain(&case.moderator).chain(&case.mediator).chain(case.named.values());
    let mut statement =
        change.tx.prepare_cached("INSERT OR IGNORE INTO case_parties (of_case, member) VALUES (?1, ?2)")?;
    for party in parties {
        statement.execute([case.id.as_str(), party.as_str()])?;
    }
    Ok(())
}

/// Keeps what somebody wrote, beside the case.
pub(super) fn say(
    change: &Change<'_>,
    case: &CaseId,
    by: &MemberId,
    words: &str,
) -> Result<(), AssemblyError> {
    change.tx.execute(
        "INSERT INTO case_words (of_case, member, at, words) VALUES (?1, ?2, ?3, ?4)",
        params![case.as_str(), by.as_str(), change.now.0, words],
    )?;
    Ok(())
}

/// Reports of this member that no moderator has looked at.
pub(super) fn waiting_of(connection: &Connection, reporter: &MemberId) -> Result<u32, AssemblyError> {
    let sql = "SELECT count(*) FROM cases WHERE json_extract(state, '$.reporter') = ?1
               AND json_extract(state, '$.state') = 'reported'";
    Ok(connection.query_row(sql, [reporter.as_str()], |row| row.get(0))?)
}

/// What a report refers to, and whom it is against.
pub(super) fn reported(
    connection: &Connection,
    about: About,
    reference: Option<&str>,
) -> Result<(Option<String>, Option<MemberId>), AssemblyError> {
    let given = reference.map(str::trim).filter(|text| !text.is_empty());
    let needed = || {
        let message = "say which one: its id is needed here".into();
        Refusal::Invalid { field: "reference", code: "reference_needed", message }
    };
    match about {
        About::Answer => match given {
            Some(text) if text.len() > MAX_REFERENCE || text.contains(char::is_control) => {
                let message = "an answer is named by the number of its entry in the ledger".into();
                Err(Refusal::Invalid { field: "reference", code: "bad_reference", message }.into())
            }
            other => Ok((other.map(ToOwned::to_owned), None)),
        },
        About::Member => {
            let text = given.ok_or_else(needed)?;
            let member: MemberId = text.parse().map_err(|_| Refusal::NotFound("member"))?;
            members::name(connection, &member)?;
            Ok((Some(text.to_owned()), Some(member)))
        }
        About::Comment => {
            let text = given.ok_or_else(needed)?;
            let number: i64 = text.parse().map_err(|_| Refusal::NotFound("comment"))?;
            let sql = "SELECT author FROM comments WHERE id = ?1";
            let author: Option<String> = connection.query_row(sql, [number], |row| row.get(0)).optional()?;
            let author = id(&author.ok_or(Refusal::NotFound("comment"))?)?;
            Ok((Some(text.to_owned()), Some(author)))
        }
    }
}

/// Closes what nobody appealed against; erases what is over for so many days.
pub(super) fn sweep(change: &Change<'_>, keep_days: u32) -> Result<usize, AssemblyError> {
    let open: Vec<String> = {
        let mut statement = change.tx.prepare("SELECT state FROM cases WHERE is_over = 0")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for text in open {
        let mut case: Case = serde_json::from_str(&text)?;
        if case.expire(change.now) {
            update(change, &case)?;
            super::record(change, &case.id, "expired", None)?;
        }
    }
    let oldest = change.now.0.saturating_sub(i64::from(keep_days) * 86_400);
    let old = "SELECT id FROM cases WHERE is_over = 1 AND changed < ?1";
    change.tx.execute(&format!("DELETE FROM case_words WHERE of_case IN ({old})"), [oldest])?;
    change.tx.execute(&format!("DELETE FROM case_parties WHERE of_case IN ({old})"), [oldest])?;
    Ok(change.tx.execute("DELETE FROM cases WHERE is_over = 1 AND changed < ?1", [oldest])?)
}
