//! Who belongs to the community.

use std::collections::BTreeMap;

use banyan_governance::{MemberId, Permission, Time};
use banyan_store::rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::id;
use super::roles::{self, RoleOfMember};
use super::session::Caller;
use crate::assembly::Assembly;
use crate::error::{AssemblyError, Refusal};

/// A member as the others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberView {
    /// Who.
    pub id: MemberId,
    /// What they are called.
    pub name: String,
    /// Roles beyond that of a member.
    pub roles: Vec<RoleOfMember>,
    /// Since when.
    pub joined: Time,
}

/// What a member is called; refused when they do not belong to the community, or not any more.
pub(crate) fn name(connection: &Connection, member: &MemberId) -> Result<String, AssemblyError> {
    let sql = "SELECT name FROM members WHERE id = ?1 AND gone IS NULL";
    let found = connection.prepare_cached(sql)?.query_row([member.as_str()], |row| row.get(0)).optional()?;
    found.ok_or_else(|| Refusal::NotFound("member").into())
}

/// What everybody is or was called, for showing what they did.
pub(crate) fn names(connection: &Connection) -> Result<BTreeMap<MemberId, String>, AssemblyError> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM members")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (member, name) = row?;
        Ok((id(&member)?, name))
    })
    .collect()
}

impl Assembly {
    /// Who belongs to the community, in the order of joining.
    pub async fn members(&self, caller: &Caller, now: Time) -> Result<Vec<MemberView>, AssemblyError> {
        caller.require(Permission::Read)?;
        self.read(move |connection| {
            let mut roles = roles::of_members(connection, now)?;
            let sql = "SELECT id, name, joined FROM members WHERE gone IS NULL ORDER BY joined, id";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut members = Vec::new();
            while let Some(row) = rows.next()? {
                let member: MemberId = id(&row.get::<_, String>(0)?)?;
                let roles = roles.remove(&member).unwrap_or_default();
                members.push(MemberView { id: member, name: row.get(1)?, roles, joined: Time(row.get(2)?) });
            }
            Ok(members)
        })
        .await
    }
}
