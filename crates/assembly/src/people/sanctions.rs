//! Sanctions in force. Only `enact` imposes and lifts them, each with the [`Enactment`] it rests on.

use banyan_governance::decision::SanctionStep;
use banyan_governance::{Authority, CaseId, Decision, Enactment, MemberId, Time};
use banyan_store::rusqlite::{Connection, params};

use super::members;
use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};

/// A sanction that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SanctionInForce {
    /// Which step of the ladder.
    pub step: SanctionStep,
    /// When it ends by itself.
    pub until: Option<Time>,
}

/// The severest sanction that is in force against a member. A warning is a word, and is over when it was said.
pub(crate) fn in_force(
    connection: &Connection,
    member: &MemberId,
    now: Time,
) -> Result<Option<SanctionInForce>, AssemblyError> {
    let sql = "SELECT step, until FROM sanctions WHERE member = ?1 AND lifted IS NULL AND until > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![member.as_str(), now.0])?;
    let mut severest: Option<SanctionInForce> = None;
    while let Some(row) = rows.next()? {
        let step: SanctionStep = serde_json::from_str(&row.get::<_, String>(0)?)?;
        let one = SanctionInForce { step, until: Some(Time(row.get(1)?)) };
        let rank = |sanction: &SanctionInForce| (rung(sanction.step), sanction.until);
        if severest.as_ref().is_none_or(|so_far| rank(so_far) < rank(&one)) {
            severest = Some(one);
        }
    }
    Ok(severest)
}

fn rung(step: SanctionStep) -> u8 {
    match step {
        SanctionStep::Warning => 0,
        SanctionStep::Hold { .. } => 1,
        SanctionStep::Mute { .. } => 2,
        SanctionStep::Suspend { .. } => 3,
    }
}

/// Imposes the sanction of this decision.
pub(crate) fn sanction(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    let Decision::Sanction { member, step, case } = enactment.decision() else { return Ok(()) };
    members::name(change.tx, member)?;
    let until = match *step {
        SanctionStep::Warning => None,
        SanctionStep::Hold { hours } => Some(change.now.plus_hours(hours)),
        SanctionStep::Mute { days } | SanctionStep::Suspend { days } => Some(change.now.plus_days(days)),
    };
    change.tx.execute(
        "INSERT INTO sanctions (member, step, begins, until, of_case) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            member.as_str(),
            serde_json::to_string(step)?,
            change.now.0,
            until.map(|until| until.0),
            case.as_ref().map(CaseId::as_str)
        ],
    )?;
    Ok(())
}

/// Lifts what is in force against the member of this decision; a mediation lifts only what its own case led to.
pub(crate) fn lift_sanction(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    let Decision::LiftSanction { member } = enactment.decision() else { return Ok(()) };
    let of_case = match enactment.authority() {
        Authority::Mediation { case } => Some(case.as_str()),
        _ => None,
    };
    let sql = "UPDATE sanctions SET lifted = ?2
               WHERE member = ?1 AND lifted IS NULL AND until > ?2 AND (?3 IS NULL OR of_case = ?3)";
    if change.tx.execute(sql, params![member.as_str(), change.now.0, of_case])? == 0 {
        let message = "there is no sanction against this member, or not any more".into();
        return Err(Refusal::WrongState { code: "no_sanction", message }.into());
    }
    Ok(())
}
