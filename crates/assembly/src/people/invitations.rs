//! Invitations: codes that let somebody in, so often and so long.

use banyan_governance::{MemberId, Permission, Time};
use banyan_store::rusqlite::params;
use serde::Serialize;
use utoipa::ToSchema;

use super::session::Caller;
use super::{id, members, random};
use crate::assembly::{Assembly, Change};
use crate::decide::MemberName;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// The most people that one code lets in: a village meeting.
pub const MAX_USES: u32 = 500;
/// The longest life of a code.
pub const MAX_DAYS: u32 = 90;
/// The most codes of one member that are valid at the same time.
const MAX_OF_A_MEMBER: i64 = 50;

/// An invitation, without its code: that is seen when it is made, and never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invitation {
    /// Its number.
    pub id: String,
    /// Who made it.
    pub by: MemberName,
    /// How many it still lets in.
    pub uses_left: u32,
    /// Until when.
    pub expires: Time,
    /// Since when.
    pub created: Time,
}

/// A new invitation.
#[derive(Clone)]
pub struct NewInvitation {
    /// Its number.
    pub id: String,
    /// The code.
    pub code: String,
}

/// What the ledger says of an invitation.
#[derive(Serialize)]
struct Made<'a> {
    invitation: i64,
    by: &'a MemberId,
    uses: u32,
    expires: Time,
}

#[derive(Serialize)]
struct Withdrawn<'a> {
    invitation: i64,
    by: &'a MemberId,
}

/// Whether the caller may invite: stewards may, and every member where the constitution says so.
pub(super) fn may_invite(caller: &Caller, in_force: &InForce) -> bool {
    let members_may =
        in_force.constitution.as_ref().is_some_and(|constitution| constitution.joining.members_invite);
    caller.may(Permission::Invite) || (members_may && caller.may(Permission::Decide))
}

impl Assembly {
    /// Makes an invitation.
    pub async fn invite(
        &self,
        caller: &Caller,
        uses: u32,
        days: u32,
        now: Time,
    ) -> Result<NewInvitation, AssemblyError> {
        if !may_invite(caller, &self.in_force()) {
            return Err(Refusal::NotAllowed(Permission::Invite).into());
        }
        let out_of_range = |field, most: u32| {
            let message = format!("this is a number from 1 to {most}");
            Err(Refusal::Invalid { field, code: "out_of_range", message }.into())
        };
        if !(1..=MAX_USES).contains(&uses) {
            return out_of_range("uses", MAX_USES);
        }
        if !(1..=MAX_DAYS).contains(&days) {
            return out_of_range("days", MAX_DAYS);
        }
        let by = caller.member.clone();
        self.change(now, move |change| make(change, &by, uses, days)).await
    }

    /// The invitations that are still valid: the caller's own, for stewards everybody's.
    pub async fn invitations(&self, caller: &Caller, now: Time) -> Result<Vec<Invitation>, AssemblyError> {
        let all = caller.may(Permission::Operate);
        if !all && !may_invite(caller, &self.in_force()) {
            return Err(Refusal::NotAllowed(Permission::Invite).into());
        }
        let own = caller.member.clone();
        self.read(move |connection| {
            let names = members::names(connection)?;
            let sql = "SELECT id, made_by, uses_left, expires, created FROM invitations
                       WHERE uses_left > 0 AND expires > ?1 AND (?2 OR made_by = ?3) ORDER BY id DESC";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query(params![now.0, all, own.as_str()])?;
            let mut invitations = Vec::new();
            while let Some(row) = rows.next()? {
                let by: MemberId = id(&row.get::<_, String>(1)?)?;
                let name = names.get(&by).cloned().unwrap_or_else(|| by.to_string());
                invitations.push(Invitation {
                    id: row.get::<_, i64>(0)?.to_string(),
                    by: MemberName { id: by, name },
                    uses_left: row.get(2)?,
                    expires: Time(row.get(3)?),
                    created: Time(row.get(4)?),
                });
            }
            Ok(invitations)
        })
        .await
    }

    /// Takes an invitation back: one's own; a steward any.
    pub async fn withdraw_invitation(
        &self,
        caller: &Caller,
        id: &str,
        now: Time,
    ) -> Result<(), AssemblyError> {
        let number: i64 = id.parse().map_err(|_| Refusal::NotFound("invitation"))?;
        let (by, any) = (caller.member.clone(), caller.may(Permission::Operate));
        self.change(now, move |change| {
            let sql = "DELETE FROM invitations WHERE id = ?1 AND (?2 OR made_by = ?3)";
            if change.tx.execute(sql, params![number, any, by.as_str()])? == 0 {
                return Err(Refusal::NotFound("invitation").into());
            }
            change.record("invitation.withdrawn", &Withdrawn { invitation: number, by: &by })?;
            Ok(())
        })
        .await
    }
}

/// Writes an invitation down.
pub(super) fn make(
    change: &Change<'_>,
    by: &MemberId,
    uses: u32,
    days: u32,
) -> Result<NewInvitation, AssemblyError> {
    let (code, expires) = (random::code()?, change.now.plus_days(days));
    change.tx.execute("DELETE FROM invitations WHERE uses_left = 0 OR expires <= ?1", [change.now.0])?;
    let sql = "SELECT count(*) FROM invitations WHERE made_by = ?1";
    let valid: i64 = change.tx.query_row(sql, [by.as_str()], |row| row.get(0))?;
    if valid >= MAX_OF_A_MEMBER {
        let message =
            format!("you have {valid} invitations that are still valid; withdraw some of them first");
        return Err(Refusal::WrongState { code: "too_many_invitations", message }.into());
    }
    change.tx.execute(
        "INSERT INTO invitations (code_hash, made_by, uses_left, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![random::code_hash(&code), by.as_str(), uses, change.now.0, expires.0],
    )?;
    let invitation = change.tx.last_insert_rowid();
    change.record("invitation.made", &Made { invitation, by, uses, expires })?;
    Ok(NewInvitation { id: invitation.to_string(), code })
}
