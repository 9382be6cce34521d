//! Roles and sanctions. The tables are `people`'s; only from here are they changed.

use banyan_governance::{Decision, Enactment, MemberId, Role};

use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::people;

/// Gives or ends a role, imposes or lifts a sanction.
pub(super) fn apply(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    match enactment.decision() {
        Decision::GrantRole { .. } => people::grant_role(change, enactment),
        Decision::EndRole { member, role } => {
            if *role == Role::Steward {
                another_steward(change, member)?;
            }
            people::end_role(change, enactment)
        }
        Decision::Sanction { .. } => people::sanction(change, enactment),
        Decision::LiftSanction { .. } => people::lift_sanction(change, enactment),
        _ => Ok(()),
    }
}

/// A box without a steward cannot be kept alive, and a forgotten secret could not be reset any more.
fn another_steward(change: &Change<'_>, than: &MemberId) -> Result<(), AssemblyError> {
    let stewards = people::holders(change.tx, Role::Steward, change.now)?;
    if stewards.contains(than) && stewards.len() == 1 {
        return Err(Refusal::WrongState {
            code: "last_steward",
            message: "this is the last steward, and a box needs one; make somebody else a steward first, then propose \
                      this again"
                .into(),
        }
        .into());
    }
    Ok(())
}
