//! Who votes for whom. Everybody can see to whom their own vote would go, and whose votes come to them.

use banyan_governance::constitution::DelegationRule;
use banyan_governance::delegation::{Delegation, check, path};
use banyan_governance::{MemberId, Permission, Time, Topic};
use banyan_store::rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows::{name, word};
use super::view::{MemberName, Names};
use crate::assembly::{Assembly, Change};
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people::{self, Caller};

/// A wish to hand on one's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegate {
    /// On this topic; absent: on all for which there is no other.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// Who speaks for the caller.
    pub to: MemberId,
}

/// The caller's delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DelegationsView {
    /// What the constitution says about handing on votes; absent: it is not done here.
    pub rule: Option<DelegationRule>,
    /// To whom the caller hands on their vote.
    pub mine: Vec<MyDelegation>,
    /// Whose votes come to the caller at first hand.
    pub to_me: Vec<FromMember>,
}

/// A delegation that the caller gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MyDelegation {
    /// On this topic; absent: on all others.
    pub topic: Option<Topic>,
    /// To whom.
    pub to: MemberName,
    /// Along whom the vote goes while none of them votes, nearest first.
    pub path: Vec<String>,
}

/// A delegation that the caller got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FromMember {
    /// On this topic; absent: on all others.
    pub topic: Option<Topic>,
    /// From whom.
    pub from: MemberName,
}

impl Assembly {
    /// The caller's delegations.
    pub async fn delegations(&self, caller: &Caller) -> Result<DelegationsView, AssemblyError> {
        caller.require(Permission::Read)?;
        let member = caller.member.clone();
        self.read(move |connection| view(connection, &member)).await
    }

    /// The caller hands on their vote; replaces what they had said for the same topic.
    pub async fn delegate(
        &self,
        caller: &Caller,
        wanted: Delegate,
        now: Time,
    ) -> Result<DelegationsView, AssemblyError> {
        caller.require(Permission::Decide)?;
        let from = caller.member.clone();
        self.change(now, move |change| {
            give(change, &from, wanted.topic, wanted.to)?;
            view(change.tx, &from)
        })
        .await
    }

    /// The caller speaks for themselves again.
    pub async fn end_delegation(
        &self,
        caller: &Caller,
        topic: Option<Topic>,
        now: Time,
    ) -> Result<DelegationsView, AssemblyError> {
        caller.require(Permission::Decide)?;
        let from = caller.member.clone();
        self.change(now, move |change| {
            let ended = change.tx.execute(
                "DELETE FROM delegations WHERE giver = ?1 AND topic = ?2",
                params![from.as_str(), written(topic)?],
            )?;
            if ended == 0 {
                return Err(Refusal::NotFound("delegation").into());
            }
            record_end(change, &from, topic)?;
            view(change.tx, &from)
        })
        .await
    }
}

/// A delegation, when it is not a circle nor too long.
pub(super) fn give(
    change: &Change<'_>,
    from: &MemberId,
    topic: Option<Topic>,
    to: MemberId,
) -> Result<(), AssemblyError> {
    let new = Delegation { from: from.clone(), to, topic };
    if !people::electorate(change.tx, change.now)?.contains(&new.to) {
        return Err(Refusal::NotFound("active member").into());
    }
    let constitution = InForce::load(change.tx)?.constitution;
    let rule = constitution.as_ref().and_then(|constitution| constitution.delegation.as_ref());
    let names = Names::load(change.tx)?;
    check(&new, &all(change.tx)?, rule).map_err(|error| Refusal::Invalid {
        field: "to",
        code: "delegation_invalid",
        message: names.spell(&error.to_string()),
    })?;
    change.tx.execute(
        "INSERT INTO delegations (giver, topic, receiver, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (giver, topic) DO UPDATE SET receiver = excluded.receiver, since = excluded.since",
        params![new.from.as_str(), written(new.topic)?, new.to.as_str(), change.now.0],
    )?;
    change.record("delegation.given", &new)?;
    Ok(())
}

fn record_end(change: &Change<'_>, from: &MemberId, topic: Option<Topic>) -> Result<(), AssemblyError> {
    #[derive(Serialize)]
    struct Ended<'a> {
        from: &'a MemberId,
        topic: Option<Topic>,
    }
    change.record("delegation.ended", &Ended { from, topic })?;
    Ok(())
}

/// All delegations.
pub(super) fn all(connection: &Connection) -> Result<Vec<Delegation>, AssemblyError> {
    let mut statement =
        connection.prepare_cached("SELECT giver, receiver, topic FROM delegations ORDER BY giver, topic")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    rows.map(|row| {
        let (from, to, topic) = row?;
        let topic = if topic.is_empty() { None } else { Some(name(&topic)?) };
        Ok(Delegation { from: name(&from)?, to: name(&to)?, topic })
    })
    .collect()
}

fn written(topic: Option<Topic>) -> Result<String, AssemblyError> {
    topic.map_or_else(|| Ok(String::new()), |topic| word(&topic))
}

fn view(connection: &Connection, member: &MemberId) -> Result<DelegationsView, AssemblyError> {
    let constitution = InForce::load(connection)?.constitution;
    let rule = constitution.and_then(|constitution| constitution.delegation);
    let names = Names::load(connection)?;
    let all = all(connection)?;
    let mine = all.iter().filter(|delegation| delegation.from == *member).map(|delegation| MyDelegation {
        topic: delegation.topic,
        to: names.of(&delegation.to),
        path: path(member, &all, delegation.topic).iter().map(|id| names.of(id).name).collect(),
    });
    let to_me = all.iter().filter(|delegation| delegation.to == *member);
    let to_me =
        to_me.map(|delegation| FromMember { topic: delegation.topic, from: names.of(&delegation.from) });
    Ok(DelegationsView { rule, mine: mine.collect(), to_me: to_me.collect() })
}
