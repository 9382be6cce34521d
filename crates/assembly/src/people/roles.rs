//! Who has which role, and until when. Governance says what holds (`roles::held`); only `enact` gives and ends roles:
//! each function here that changes something takes the [`Enactment`] it rests on.

use std::collections::{BTreeMap, BTreeSet};

use banyan_governance::roles::{self, RoleError};
use banyan_governance::{Decision, Enactment, MemberId, Permission, Role, RoleGrant, Time};
use banyan_store::rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use super::session::Caller;
use super::{from_word, id, members, word};
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};

/// A role, what it allows, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleView {
    /// Which.
    pub role: Role,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// Who has it now; empty for members and guests, of whom there are too many to say.
    pub members: Vec<RoleHolder>,
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleHolder {
    /// Who.
    pub id: MemberId,
    /// What they are called.
    pub name: String,
    /// Until when; absent: until ended by a decision.
    pub until: Option<Time>,
}

/// A role of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RoleOfMember {
    /// Which.
    pub role: Role,
    /// Since when.
    pub from: Time,
    /// Until when; absent: until ended by a decision.
    pub until: Option<Time>,
}

/// Which roles a member of the community has now; `Member` is always among them.
pub(crate) fn active_roles(
    connection: &Connection,
    member: &MemberId,
    now: Time,
) -> Result<BTreeSet<Role>, AssemblyError> {
    Ok(roles::held(&grants(connection)?, member, now))
}

/// Who has this role now.
pub(crate) fn holders(
    connection: &Connection,
    role: Role,
    now: Time,
) -> Result<Vec<MemberId>, AssemblyError> {
    Ok(of_members(connection, now)?
        .into_iter()
        .filter(|(_, held)| held.iter().any(|one| one.role == role))
        .map(|(member, _)| member)
        .collect())
}

/// Who may vote now: every member who is not suspended.
pub fn electorate(connection: &Connection, now: Time) -> Result<Vec<MemberId>, AssemblyError> {
    let sql = "SELECT id FROM members WHERE gone IS NULL AND id NOT IN
                   (SELECT member FROM sanctions
                    WHERE lifted IS NULL AND until > ?1 AND json_extract(step, '$.step') = 'suspend')
               ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now.0], |row| row.get::<_, String>(0))?;
    rows.map(|text| id(&text?)).collect()
}

/// Roles by member that hold now.
pub(super) fn of_members(
    connection: &Connection,
    now: Time,
) -> Result<BTreeMap<MemberId, Vec<RoleOfMember>>, AssemblyError> {
    let grants = grants(connection)?;
    let members: BTreeSet<&MemberId> = grants.iter().map(|grant| &grant.member).collect();
    let of = |member: &MemberId| {
        let held = roles::held(&grants, member, now);
        held.into_iter()
            .filter_map(|role| {
                let grant =
                    grants.iter().rev().find(|grant| grant.member == *member && grant.role == role)?;
                Some(RoleOfMember { role, from: grant.from, until: grant.until })
            })
            .collect()
    };
    Ok(members.into_iter().map(|member| (member.clone(), of(member))).collect())
}

/// Every grant that was not ended by a decision, the oldest first.
fn grants(connection: &Connection) -> Result<Vec<RoleGrant>, AssemblyError> {
    let sql =
        "SELECT member, role, begins, until FROM role_grants JOIN members ON members.id = role_grants.member
               WHERE members.gone IS NULL AND ended IS NULL ORDER BY role_grants.id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.push(RoleGrant {
            member: id(&row.get::<_, String>(0)?)?,
            role: from_word(&row.get::<_, String>(1)?)?,
            from: Time(row.get(2)?),
            until: row.get::<_, Option<i64>>(3)?.map(Time),
        });
    }
    Ok(grants)
}

/// Gives the role of this decision; one that the member has for a shorter time gets its new end.
pub(crate) fn grant_role(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    let Decision::GrantRole { member, role, days } = enactment.decision() else { return Ok(()) };
    members::name(change.tx, member)?;
    let until = days.map(|days| change.now.plus_days(days));
    roles::check_grant(&grants(change.tx)?, member, *role, until, change.now)
        .map_err(|error| refused(&error))?;
    end(change, member, *role)?;
    change.tx.execute(
        "INSERT INTO role_grants (member, role, begins, until) VALUES (?1, ?2, ?3, ?4)",
        params![member.as_str(), word(role)?, change.now.0, until.map(|until| until.0)],
    )?;
    Ok(())
}

/// Ends the role of this decision.
pub(crate) fn end_role(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    let Decision::EndRole { member, role } = enactment.decision() else { return Ok(()) };
    roles::check_end(&grants(change.tx)?, member, *role, change.now).map_err(|error| refused(&error))?;
    end(change, member, *role)
}

/// Refused to the last steward: a box that nobody may mend would help nobody.
pub(super) fn may_leave(connection: &Connection, member: &MemberId, now: Time) -> Result<(), AssemblyError> {
    match roles::check_end(&grants(connection)?, member, Role::Steward, now) {
        Ok(()) | Err(RoleError::HasNotGotIt(_)) => Ok(()),
        Err(error) => Err(refused(&error).into()),
    }
}

/// Writes the end of what was granted: the grants stay, so that anybody can see who had which role when.
fn end(change: &Change<'_>, member: &MemberId, role: Role) -> Result<(), AssemblyError> {
    let sql = "UPDATE role_grants SET ended = ?3 WHERE member = ?1 AND role = ?2 AND ended IS NULL";
    change.tx.execute(sql, params![member.as_str(), word(&role)?, change.now.0])?;
    Ok(())
}

fn refused(error: &RoleError) -> Refusal {
    let code = match error {
        RoleError::NotGiven(_) => "role_not_given",
        RoleError::HasIt(_) => "role_held_already",
        RoleError::HasNotGotIt(_) => "role_not_held",
        RoleError::LastSteward => "last_steward",
    };
    Refusal::WrongState { code, message: error.to_string() }
}

impl Assembly {
    /// All roles, what they allow and who has them.
    pub async fn roles(&self, caller: &Caller, now: Time) -> Result<Vec<RoleView>, AssemblyError> {
        caller.require(Permission::Read)?;
        self.read(move |connection| {
            let names = members::names(connection)?;
            let held = of_members(connection, now)?;
            let holders = |role: Role| {
                let of = |(member, roles): (&MemberId, &Vec<RoleOfMember>)| {
                    let until = roles.iter().find(|held| held.role == role)?.until;
                    Some(RoleHolder { id: member.clone(), name: names.get(member)?.clone(), until })
                };
                held.iter().filter_map(of).collect()
            };
            Ok(Role::ALL
                .into_iter()
                .map(|role| RoleView {
                    role,
                    permissions: role.permissions().to_vec(),
                    members: holders(role),
                })
                .collect())
        })
        .await
    }
}
