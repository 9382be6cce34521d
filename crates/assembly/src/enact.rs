//! The one gate. Nothing else writes what is in force, who has which role, or who is under which sanction; and nothing
//! enters here without an [`Enactment`], which only governance makes.
//!
//! An enactment and its ledger entry (kind [`DECISION`]) are one transaction: what the ledger says was decided is in
//! force, and nothing is in force that the ledger does not say. What cannot be carried out (it was written for another
//! version, the member is gone, it would leave the box without a steward) is refused in words, and then nothing of it
//! stays.

mod authority;
mod behaviour;
mod people;
mod settings;
#[cfg(test)]
mod tests;

use banyan_governance::{Decision, Enactment};
use banyan_store::rusqlite::params;

use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;

/// The kind of the ledger entry that an enactment writes; its payload is the whole [`Enactment`].
pub(crate) const DECISION: &str = "decision";

/// Carries out what was decided; gives the number of its ledger entry. On an error the caller's transaction has to be
/// given up; where it is to go on, use [`try_enact`].
pub(crate) fn enact(change: &Change<'_>, enactment: &Enactment) -> Result<u64, AssemblyError> {
    authority::check(change, enactment)?;
    meaningful(enactment.decision())?;
    let entry = change.record(DECISION, enactment)?;
    let mut in_force = InForce::load(change.tx)?;
    let before = in_force.clone();
    match enactment.decision() {
        Decision::SetPolicy { .. } | Decision::SetSharing { .. } | Decision::ChangeConstitution { .. } => {
            behaviour::apply(change, enactment, entry, &mut in_force)?;
        }
        Decision::GrantRole { .. }
        | Decision::EndRole { .. }
        | Decision::Sanction { .. }
        | Decision::LiftSanction { .. } => people::apply(change, enactment)?,
        decision => {
            settings::apply(decision, change.now, &mut in_force)?;
            if matches!(decision, Decision::RatifyEmergency { .. }) {
                crate::people::ratify(change, enactment)?;
            }
        }
    }
    if in_force != before {
        in_force.entry = entry;
        store(change, &in_force)?;
    }
    Ok(entry)
}

/// As [`enact`], but a refusal takes back only what the enactment did, and the transaction goes on.
pub(crate) fn try_enact(
    change: &Change<'_>,
    enactment: &Enactment,
) -> Result<Result<u64, Refusal>, AssemblyError> {
    change.tx.execute_batch("SAVEPOINT enactment")?;
    match enact(change, enactment) {
        Ok(entry) => {
            change.tx.execute_batch("RELEASE enactment")?;
            Ok(Ok(entry))
        }
        Err(AssemblyError::Refused(refusal)) => {
            change.tx.execute_batch("ROLLBACK TO enactment; RELEASE enactment")?;
            Ok(Err(refusal))
        }
        Err(error) => Err(error),
    }
}

/// What the community is called: a part of its founding, and only of that.
pub(crate) fn name_community(change: &Change<'_>, name: &str) -> Result<(), AssemblyError> {
    let mut in_force = InForce::load(change.tx)?;
    if in_force.is_founded() {
        return Err(Refusal::WrongState {
            code: "founded_already",
            message: "there is a community on this box already; join it".into(),
        }
        .into());
    }
    name.clone_into(&mut in_force.community);
    store(change, &in_force)
}

/// Looked at when it was proposed, and again here: a version of the box in between may know more.
fn meaningful(decision: &Decision) -> Result<(), Refusal> {
    match decision {
        // Never proposed, only used; its bounds are the constitution's.
        Decision::UseEmergency { .. } => Ok(()),
        decision => decision.check().map_err(|error| Refusal::Invalid {
            field: "decision",
            code: "decision_invalid",
            message: error.to_string(),
        }),
    }
}

fn store(change: &Change<'_>, in_force: &InForce) -> Result<(), AssemblyError> {
    change.tx.execute(
        "INSERT INTO in_force (one, value) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET value = excluded.value",
        params![serde_json::to_string(in_force)?],
    )?;
    Ok(())
}
