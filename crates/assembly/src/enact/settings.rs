//! Models, sources, neighbours, updates, emergencies and what else is one line of what is in force.

use banyan_governance::{Decision, Time};

use crate::error::Refusal;
use crate::in_force::{EmergencyInForce, InForce, Neighbour};

/// Days for which an emergency that is over stays in what is in force, so that it can still be ratified.
const EMERGENCY_DAYS: u32 = 90;

/// Changes the line. Pure, so that each decision can be tried without a store. Whether the decision means anything at
/// all was looked at before (`Decision::check`).
pub(super) fn apply(decision: &Decision, now: Time, in_force: &mut InForce) -> Result<(), Refusal> {
    match decision {
        Decision::ActivateModel { model } => {
            in_force.model = Some(model.clone());
            // An adapter changes the model that it was made for, and no other.
            in_force.adapter = None;
        }
        Decision::ActivateAdapter { adapter } => in_force.adapter = Some(adapter.clone()),
        Decision::RollBackAdapter => {
            if in_force.adapter.take().is_none() {
                return Err(nothing("no adapter is in use; there is nothing to roll back"));
            }
        }
        Decision::ApproveSource { source, r#use } => {
            in_force.sources.entry(source.clone()).or_default().insert(*r#use);
        }
        Decision::WithdrawSource { source, r#use } => {
            let uses = in_force.sources.get_mut(source).ok_or(Refusal::NotFound("approved source"))?;
            if !uses.remove(r#use) {
                return Err(nothing(
                    "the source was not approved for this use; there is nothing to withdraw",
                ));
            }
            if uses.is_empty() {
                in_force.sources.remove(source);
            }
        }
        Decision::JoinTraining { run, max_epsilon_milli } => {
            in_force.training.insert(run.clone(), *max_epsilon_milli);
        }
        Decision::Federate { community, name, kinds } => {
            let neighbour = Neighbour { name: name.clone(), kinds: kinds.iter().copied().collect() };
            in_force.neighbours.insert(community.to_ascii_lowercase(), neighbour);
        }
        Decision::LeaveFederation { community } => {
            let left = in_force.neighbours.remove(&community.to_ascii_lowercase());
            left.ok_or(Refusal::NotFound("neighbour"))?;
        }
        Decision::InstallUpdate { version, digest } => {
            in_force.update = Some((version.clone(), digest.to_ascii_lowercase()));
        }
        Decision::BreakGlass { hours, .. } => in_force.break_glass = Some(now.plus_hours(*hours)),
        Decision::UseEmergency { emergency, power, until } => {
            let rule =
                in_force.constitution.as_ref().and_then(|constitution| constitution.emergency.as_ref());
            let within = |rule: &banyan_governance::constitution::EmergencyRule| {
                rule.powers.contains(power) && *until <= now.plus_hours(rule.max_hours)
            };
            if !rule.is_some_and(within) {
                return Err(nothing("the constitution does not give this power, or not for so long"));
            }
            in_force.emergencies.retain(|used| now < used.until.plus_days(EMERGENCY_DAYS));
            let (id, power, until) = (emergency.clone(), *power, *until);
            in_force.emergencies.push(EmergencyInForce { id, power, until, ratified: false });
        }
        Decision::RatifyEmergency { emergency } => {
            let used = in_force.emergencies.iter_mut().find(|used| used.id == *emergency);
            used.ok_or(Refusal::NotFound("emergency"))?.ratified = true;
        }
        // These change more than a line; `enact` gives them to their own modules.
        Decision::SetPolicy { .. }
        | Decision::SetSharing { .. }
        | Decision::ChangeConstitution { .. }
        | Decision::GrantRole { .. }
        | Decision::EndRole { .. }
        | Decision::Sanction { .. }
        | Decision::LiftSanction { .. } => {}
    }
    Ok(())
}

fn nothing(message: &str) -> Refusal {
    Refusal::WrongState { code: "nothing_to_change", message: message.to_owned() }
}
