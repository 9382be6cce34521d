//! Who sees what of a case.
//!
//! * Who reported it sees it from the first day; moderators see what waits and what was settled, unless it is about
//!   them.
//! * Who is reported sees it once something was decided about them, and learns who reported it only when one of the
//!   two appeals: from then on they are to come to an agreement, and that cannot be had with a stranger.
//! * A mediator sees it once somebody names them.

use std::collections::BTreeMap;

use banyan_governance::conflict::{About, Case, CaseAct, CaseState};
use banyan_governance::decision::SanctionStep;
use banyan_governance::{CaseId, MemberId, Time};
use banyan_store::rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use crate::decide::MemberName;
use crate::error::AssemblyError;
use crate::people::{id, members};

/// A case as one member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseView {
    /// Its name.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// What it is about.
    pub about: About,
    /// Which answer, comment or member.
    pub reference: Option<String>,
    /// Who reported it, where the caller may know.
    pub reporter: Option<MemberName>,
    /// Who is reported; absent: it is about the assistant.
    pub against: Option<MemberName>,
    /// Who settled it.
    pub moderator: Option<MemberName>,
    /// Whom each side named as mediator.
    pub named: Vec<NamedMediator>,
    /// Whom both chose.
    pub mediator: Option<MemberName>,
    /// The sanction that followed.
    pub sanction: Option<SanctionStep>,
    /// What was written, oldest first.
    pub words: Vec<CaseWords>,
    /// Who agreed to the outcome.
    pub agreed: Vec<MemberId>,
    /// When it was reported.
    pub created: Time,
}

/// Whom a side named as mediator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedMediator {
    /// Who named.
    pub by: MemberId,
    /// Whom.
    pub mediator: MemberName,
}

/// What somebody wrote in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CaseWords {
    /// Who.
    pub by: MemberName,
    /// When.
    pub at: Time,
    /// What.
    pub text: String,
}

/// Whether the member is a part of the case and may know of it.
pub(super) fn sees(case: &Case, member: &MemberId) -> bool {
    if case.against.as_ref() == Some(member) {
        return case.sanction.is_some() || was_appealed(case);
    }
    case.involves(member)
}

/// Whether it lies before this moderator.
pub(super) fn is_on_desk_of(case: &Case, moderator: &MemberId) -> bool {
    matches!(case.state, CaseState::Reported | CaseState::Settled) && case.against.as_ref() != Some(moderator)
}

fn was_appealed(case: &Case) -> bool {
    case.record.iter().any(|step| step.act == CaseAct::Appealed)
}

/// What waits for a moderator, the oldest first, and then what was settled.
pub(super) fn desk(
    connection: &Connection,
    moderator: &MemberId,
    now: Time,
) -> Result<Vec<CaseView>, AssemblyError> {
    let names = members::names(connection)?;
    let mut statement =
        connection.prepare("SELECT state FROM cases WHERE is_over = 0 ORDER BY created, id")?;
    let mut views = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut case: Case = serde_json::from_str(&row.get::<_, String>(0)?)?;
        case.expire(now);
        if is_on_desk_of(&case, moderator) {
            views.push(view(connection, &case, moderator, &names)?);
        }
    }
    views.sort_by_key(|view| view.state);
    Ok(views)
}

/// The cases that a member is part of, the newest first.
pub(super) fn of_member(
    connection: &Connection,
    member: &MemberId,
    now: Time,
) -> Result<Vec<CaseView>, AssemblyError> {
    let names = members::names(connection)?;
    let sql = "SELECT state FROM cases JOIN case_parties ON of_case = id WHERE member = ?1 ORDER BY created DESC, id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([member.as_str()])?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        let mut case: Case = serde_json::from_str(&row.get::<_, String>(0)?)?;
        case.expire(now);
        if sees(&case, member) {
            views.push(view(connection, &case, member, &names)?);
        }
    }
    Ok(views)
}

/// One case.
pub(super) fn one(
    connection: &Connection,
    case: &Case,
    member: &MemberId,
) -> Result<CaseView, AssemblyError> {
    view(connection, case, member, &members::names(connection)?)
}

fn view(
    connection: &Connection,
    case: &Case,
    member: &MemberId,
    names: &BTreeMap<MemberId, String>,
) -> Result<CaseView, AssemblyError> {
    let named = |id: &MemberId| {
        let name = names.get(id).cloned().unwrap_or_else(|| id.to_string());
        MemberName { id: id.clone(), name }
    };
    let hides_reporter = case.against.as_ref() == Some(member) && !was_appealed(case);
    let mut words = Vec::new();
    let mut statement = connection
        .prepare_cached("SELECT member, at, words FROM case_words WHERE of_case = ?1 ORDER BY id")?;
    let mut rows = statement.query(params![case.id.as_str()])?;
    while let Some(row) = rows.next()? {
        let by: MemberId = id(&row.get::<_, String>(0)?)?;
        if !(hides_reporter && by == case.reporter) {
            words.push(CaseWords { by: named(&by), at: Time(row.get(1)?), text: row.get(2)? });
        }
    }
    Ok(CaseView {
        id: case.id.clone(),
        state: case.state,
        about: case.about,
        reference: case.reference.clone(),
        reporter: (!hides_reporter).then(|| named(&case.reporter)),
        against: case.against.as_ref().map(named),
        moderator: case.moderator.as_ref().map(named),
        named: case
            .named
            .iter()
            .map(|(by, mediator)| NamedMediator { by: by.clone(), mediator: named(mediator) })
            .collect(),
        mediator: case.mediator.as_ref().map(named),
        sanction: case.sanction,
        words,
        agreed: case.agreed.iter().cloned().collect(),
        created: case.created,
    })
}
