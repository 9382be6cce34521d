//! Emergency powers: stewards ask and agree, `enact` puts the power in force, time ends it, the community confirms it
//! or does not. The rules are governance's ([`banyan_governance::emergency`]).

use banyan_governance::constitution::{EmergencyPower, EmergencyRule};
use banyan_governance::emergency::{Emergency, EmergencyError, Standing};
use banyan_governance::{EmergencyId, Enactment, MemberId, Permission, Time};
use banyan_store::rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::Caller;
use super::{members, random};
use crate::assembly::{Assembly, Change};
use crate::decide::MemberName;
use crate::enact;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// The longest reason, in characters.
const MAX_REASON: usize = 1000;
/// Uses that are over, shown to members.
const SHOWN_OVER: usize = 20;

/// What stewards may do alone, and what they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmergencyView {
    /// What the constitution allows; absent: nothing.
    pub rule: Option<EmergencyRule>,
    /// Powers in use.
    pub in_use: Vec<EmergencyCall>,
    /// What waits for more stewards.
    pub asked: Vec<EmergencyCall>,
    /// What is over, the latest first.
    pub over: Vec<EmergencyCall>,
}

/// A use of an emergency power, or a call for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmergencyCall {
    /// Its name.
    pub id: EmergencyId,
    /// What it allows.
    pub power: EmergencyPower,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: MemberName,
    /// Stewards who agreed, the one who asked among them.
    pub agreed: Vec<MemberName>,
    /// Where it stands.
    pub standing: Standing,
    /// When the first steward asked.
    pub asked: Time,
    /// When it ends by itself.
    pub until: Option<Time>,
    /// Until when the community can confirm it.
    pub ratify_by: Option<Time>,
    /// Whether the community confirmed it.
    pub ratified: bool,
}

/// A steward's call for an emergency power.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyWanted {
    /// Which power.
    pub power: EmergencyPower,
    /// Why; every member reads it.
    pub reason: String,
}

/// What the ledger says of a call.
#[derive(Serialize)]
struct Recorded<'a> {
    emergency: &'a EmergencyId,
    power: EmergencyPower,
    step: &'static str,
    by: &'a MemberId,
}

impl Assembly {
    /// What stewards may do alone, and what they did.
    pub async fn emergencies(&self, caller: &Caller, now: Time) -> Result<EmergencyView, AssemblyError> {
        caller.require(Permission::Read)?;
        let rule =
            self.in_force().constitution.as_ref().and_then(|constitution| constitution.emergency.clone());
        self.read(move |connection| view(connection, rule, now)).await
    }

    /// A steward asks for a power. Where one is enough, it is in force when this returns.
    pub async fn ask_emergency(
        &self,
        caller: &Caller,
        wanted: EmergencyWanted,
        now: Time,
    ) -> Result<EmergencyView, AssemblyError> {
        caller.require(Permission::Emergency)?;
        let reason = wanted.reason.trim().to_owned();
        if !(1..=MAX_REASON).contains(&reason.chars().count()) {
            let message = format!("say why; every member reads it. {MAX_REASON} characters at most");
            return Err(Refusal::Invalid { field: "reason", code: "reason_length", message }.into());
        }
        let (by, roles) = (caller.member.clone(), caller.roles.clone());
        self.change(now, move |change| {
            let rule = rule(change.tx)?;
            let earlier: Vec<Emergency> = load(change.tx)?.into_iter().map(|kept| kept.emergency).collect();
            let id = EmergencyId::from_random(random::bits()?);
            let asked = Emergency::ask(id, wanted.power, &by, &roles, &rule, &earlier, change.now);
            let (emergency, enactment) = asked.map_err(|error| refused(&error))?;
            change.tx.execute(
                "INSERT INTO emergencies (id, state, reason, made_by, created) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    emergency.id.as_str(),
                    serde_json::to_string(&emergency)?,
                    reason,
                    by.as_str(),
                    change.now.0
                ],
            )?;
            record(change, &emergency, "asked", &by)?;
            if let Some(enactment) = enactment {
                enact::enact(change, &enactment)?;
            }
            view(change.tx, Some(rule), change.now)
        })
        .await
    }

    /// Another steward agrees. With enough of them it is in force when this returns.
    pub async fn agree_to_emergency(
        &self,
        caller: &Caller,
        id: &EmergencyId,
        now: Time,
    ) -> Result<EmergencyView, AssemblyError> {
        caller.require(Permission::Emergency)?;
        let (by, roles, id) = (caller.member.clone(), caller.roles.clone(), id.clone());
        self.change(now, move |change| {
            let rule = rule(change.tx)?;
            let kept = load(change.tx)?.into_iter().find(|kept| kept.emergency.id == id);
            let mut emergency = kept.ok_or(Refusal::NotFound("emergency"))?.emergency;
            let enactment =
                emergency.agree(&by, &roles, &rule, change.now).map_err(|error| refused(&error))?;
            store(change, &emergency)?;
            record(change, &emergency, "agreed", &by)?;
            if let Some(enactment) = enactment {
                enact::enact(change, &enactment)?;
            }
            view(change.tx, Some(rule), change.now)
        })
        .await
    }
}

/// Writes down that the community confirmed what it decided to confirm; refused where it is too late for that.
pub(crate) fn ratify(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    for mut kept in load(change.tx)? {
        if kept.emergency.ratify(enactment, change.now) {
            return store(change, &kept.emergency);
        }
    }
    let message = "there is no use of an emergency power by that name that can still be confirmed".into();
    Err(Refusal::WrongState { code: "cannot_ratify", message }.into())
}

struct Kept {
    emergency: Emergency,
    reason: String,
    by: MemberId,
}

/// All calls, the latest first.
fn load(connection: &Connection) -> Result<Vec<Kept>, AssemblyError> {
    let sql = "SELECT state, reason, made_by FROM emergencies ORDER BY created DESC, id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Kept {
            emergency: serde_json::from_str(&row.get::<_, String>(0)?)?,
            reason: row.get(1)?,
            by: super::id(&row.get::<_, String>(2)?)?,
        });
    }
    Ok(all)
}

fn store(change: &Change<'_>, emergency: &Emergency) -> Result<(), AssemblyError> {
    let state = serde_json::to_string(emergency)?;
    let sql = "UPDATE emergencies SET state = ?2 WHERE id = ?1";
    change.tx.execute(sql, params![emergency.id.as_str(), state])?;
    Ok(())
}

fn record(
    change: &Change<'_>,
    emergency: &Emergency,
    step: &'static str,
    by: &MemberId,
) -> Result<(), AssemblyError> {
    change.record("emergency", &Recorded { emergency: &emergency.id, power: emergency.power, step, by })?;
    Ok(())
}

fn rule(connection: &Connection) -> Result<EmergencyRule, AssemblyError> {
    let rule = InForce::load(connection)?.constitution.and_then(|constitution| constitution.emergency);
    rule.ok_or_else(|| {
        let message =
            "the constitution gives stewards no emergency powers; propose what should happen instead".into();
        Refusal::WrongState { code: "no_emergency_powers", message }.into()
    })
}

fn view(
    connection: &Connection,
    rule: Option<EmergencyRule>,
    now: Time,
) -> Result<EmergencyView, AssemblyError> {
    let names = members::names(connection)?;
    let named = |id: &MemberId| {
        let name = names.get(id).cloned().unwrap_or_else(|| id.to_string());
        MemberName { id: id.clone(), name }
    };
    let mut view = EmergencyView { rule, in_use: Vec::new(), asked: Vec::new(), over: Vec::new() };
    for Kept { emergency, reason, by } in load(connection)? {
        let standing = emergency.standing(now);
        let list = match standing {
            Standing::Asked => &mut view.asked,
            Standing::InUse => &mut view.in_use,
            _ if view.over.len() < SHOWN_OVER => &mut view.over,
            _ => continue,
        };
        list.push(EmergencyCall {
            standing,
            reason,
            by: named(&by),
            agreed: emergency.agreed.iter().map(named).collect(),
            asked: emergency.asked,
            until: emergency.until,
            ratify_by: emergency.ratify_by,
            ratified: emergency.ratified.is_some(),
            id: emergency.id,
            power: emergency.power,
        });
    }
    Ok(view)
}

/// A rule's no, in the assembly's words.
fn refused(error: &EmergencyError) -> Refusal {
    let message = error.to_string();
    let code = match error {
        EmergencyError::NoSuchPower(_) => "no_such_power",
        EmergencyError::NotASteward => return Refusal::NotAllowed(Permission::Emergency),
        EmergencyError::Already => "already_asked",
        EmergencyError::Resting { .. } => "power_rests",
        EmergencyError::NotAsked(_) => "wrong_state",
    };
    Refusal::WrongState { code, message }
}
