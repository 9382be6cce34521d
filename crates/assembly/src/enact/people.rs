//! Roles and sanctions. The tables are `people`'s; only from here are they changed.

use banyan_governance::{Decision, Enactment};

use crate::assembly::Change;
use crate::error::AssemblyError;
use crate::people;

/// Gives or ends a role, imposes or lifts a sanction.
pub(super) fn apply(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    match enactment.decision() {
        Decision::GrantRole { .. } => people::grant_role(change, enactment),
        Decision::EndRole { .. } => people::end_role(change, enactment),
        Decision::Sanction { .. } => people::sanction(change, enactment),
        Decision::LiftSanction { .. } => people::lift_sanction(change, enactment),
        _ => Ok(()),
    }
}
