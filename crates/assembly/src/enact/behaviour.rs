//! Policies and constitutions: whole, with versions, and every version is kept.

use banyan_governance::constitution::Constitution;
use banyan_governance::policy::Policy;
use banyan_governance::{Decision, Enactment};
use banyan_store::rusqlite::params;

use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// Puts the policy or the constitution in force.
pub(super) fn apply(
    change: &Change<'_>,
    enactment: &Enactment,
    entry: u64,
    in_force: &mut InForce,
) -> Result<(), AssemblyError> {
    match enactment.decision() {
        Decision::SetPolicy { policy, based_on } => {
            same_version("policy", *based_on, in_force.policy_version)?;
            set_policy(change, enactment, entry, in_force, (**policy).clone())
        }
        // What may be shared is a part of the policy; so it is one more version of it, and a policy proposal that was
        // written before cannot undo it unseen.
        Decision::SetSharing { kind, allowed } => {
            let mut policy = in_force.policy.clone();
            if *allowed {
                policy.sharing.insert(*kind);
            } else {
                policy.sharing.remove(kind);
            }
            set_policy(change, enactment, entry, in_force, policy)
        }
        Decision::ChangeConstitution { constitution, based_on } => {
            same_version("constitution", *based_on, in_force.constitution_version)?;
            set_constitution(change, enactment, entry, in_force, constitution)
        }
        _ => Ok(()),
    }
}

fn set_policy(
    change: &Change<'_>,
    enactment: &Enactment,
    entry: u64,
    in_force: &mut InForce,
    policy: Policy,
) -> Result<(), AssemblyError> {
    in_force.policy_version += 1;
    in_force.policy_entry = entry;
    in_force.sharing = policy.sharing.clone();
    keep(change, "policies", in_force.policy_version, entry, enactment, &policy)?;
    in_force.policy = policy;
    Ok(())
}

fn set_constitution(
    change: &Change<'_>,
    enactment: &Enactment,
    entry: u64,
    in_force: &mut InForce,
    constitution: &Constitution,
) -> Result<(), AssemblyError> {
    in_force.constitution_version += 1;
    keep(change, "constitutions", in_force.constitution_version, entry, enactment, constitution)?;
    in_force.constitution = Some(constitution.clone());
    Ok(())
}

fn keep(
    change: &Change<'_>,
    table: &'static str,
    version: u64,
    entry: u64,
    enactment: &Enactment,
    value: &impl serde::Serialize,
) -> Result<(), AssemblyError> {
    let (authority, value) = (serde_json::to_string(enactment.authority())?, serde_json::to_string(value)?);
    change.tx.execute(
        &format!("INSERT INTO {table} (version, entry, at, authority, value) VALUES (?1, ?2, ?3, ?4, ?5)"),
        params![version.cast_signed(), entry.cast_signed(), change.now.0, authority, value],
    )?;
    Ok(())
}

fn same_version(what: &'static str, written_from: u64, in_force: u64) -> Result<(), Refusal> {
    if written_from == in_force {
        return Ok(());
    }
    Err(Refusal::WrongState {
        code: "version_changed",
        message: format!(
            "this was written from version {written_from} of the {what}, and version {in_force} is in force by now; \
             propose it again, written from that one"
        ),
    })
}
