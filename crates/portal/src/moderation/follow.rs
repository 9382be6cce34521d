//! What was decided takes hold at once: quotas and weights of the queue, and emergencies.

use std::time::Duration;

use banyan_assembly::{Assembly, InForce};
use banyan_governance::Time;
use banyan_governance::constitution::EmergencyPower;
use tokio::time::sleep;

use crate::answers::Answers;
use crate::community::now;
use crate::queue::{QueueSettings, Turns};

/// The settings of the queue under what is in force.
pub(crate) fn queue_under(base: &QueueSettings, in_force: &InForce, now: Time) -> QueueSettings {
    base.under(&in_force.policy.quotas, in_force.has_power(EmergencyPower::CrisisPriority, now))
}

/// Follows what is in force; ends with the assembly. Emergencies end by themselves, so it looks again when one does.
pub(crate) async fn follow(assembly: Assembly, base: QueueSettings, turns: Turns, answers: Answers) {
    let mut changes = assembly.watch();
    // From here on the channel alone says that the assembly lives.
    drop(assembly);
    loop {
        let in_force = changes.borrow_and_update().clone();
        let moment = now();
        turns.set(queue_under(&base, &in_force, moment));
        if in_force.has_power(EmergencyPower::PauseAnswers, moment) {
            answers.stop_all();
        }
        let ends = in_force.emergencies.iter().map(|used| used.until).filter(|until| *until > moment).min();
        let pause = ends.map(|until| Duration::from_secs(until.0.abs_diff(moment.0)));
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
        }
    }
}
