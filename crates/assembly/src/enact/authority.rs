//! What each authority may do. Governance makes no enactment that goes further; that is held here a second time, at the
//! one place that all of them pass.

use banyan_governance::{Authority, Decision, Enactment, Role};
use banyan_store::rusqlite::OptionalExtension as _;

use crate::assembly::Change;
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people;

pub(super) fn check(change: &Change<'_>, enactment: &Enactment) -> Result<(), AssemblyError> {
    let decision = enactment.decision();
    let may = match enactment.authority() {
        Authority::Proposal { proposal } => {
            let entry: Option<Option<i64>> = change
                .tx
                .query_row("SELECT entry FROM proposals WHERE id = ?1", [proposal.as_str()], |row| row.get(0))
                .optional()?;
            if entry.flatten().is_some() {
                return Err(too_far("enacted_already", "this proposal was enacted already").into());
            }
            true
        }
        // Policy and constitution are guarded by their versions: the founding's are written from version 0.
        Authority::Founding { .. } => match decision {
            Decision::SetPolicy { .. } | Decision::ChangeConstitution { .. } => true,
            Decision::GrantRole { role: Role::Steward, .. } => {
                people::holders(change.tx, Role::Steward, change.now)?.is_empty()
            }
            // Before the constitution, which the founding writes behind them: from then on it takes a decision.
            Decision::ApproveSource { .. } => !InForce::load(change.tx)?.is_founded(),
            _ => false,
        },
        Authority::Moderation { .. } => match decision {
            Decision::Sanction { step, .. } => step.is_for_moderators(),
            _ => false,
        },
        Authority::Mediation { .. } => {
            matches!(decision, Decision::Sanction { .. } | Decision::LiftSanction { .. })
        }
        Authority::Emergency { .. } => matches!(decision, Decision::UseEmergency { .. }),
    };
    if may {
        Ok(())
    } else {
        Err(too_far(
            "beyond_authority",
            "only a decision of the whole community can do this; make a proposal",
        )
        .into())
    }
}

fn too_far(code: &'static str, message: &str) -> Refusal {
    Refusal::WrongState { code, message: message.to_owned() }
}
