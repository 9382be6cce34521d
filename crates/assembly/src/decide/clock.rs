//! What happens by itself: somebody has to look at the clock.

use std::time::Duration;

use banyan_governance::{ProposalId, Time};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::{close, rows};
use crate::assembly::Assembly;
use crate::error::AssemblyError;

/// How often the clock is looked at. A vote that passed by its time, not by its last ballot, is in force this much
/// later at most; nothing is lost when a look comes late or twice.
const LOOK: Duration = Duration::from_secs(3);

impl Assembly {
    /// Looks at the clock every few seconds, for as long as the task lives; needs a runtime. `now` is asked each time.
    pub fn spawn_clock(&self, now: impl Fn() -> Time + Send + 'static) -> JoinHandle<()> {
        let assembly = self.clone();
        tokio::spawn(async move {
            let mut looks = interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                if let Err(error) = assembly.settle(now()).await {
                    tracing::error!(%error, "what was due could not be done; it is tried again");
                }
            }
        })
    }

    /// Lets everything happen that is due: votes open, close, are counted, and what passed is enacted. Gives how many
    /// proposals moved. Each moves in its own transaction, so one that cannot does not hold up the others.
    pub async fn settle(&self, now: Time) -> Result<usize, AssemblyError> {
        let due = self.read(move |connection| {
            let waiting = rows::waiting(connection)?;
            let may_be_due = waiting.into_iter().filter(|kept| kept.proposal.due(now, true).is_some());
            Ok::<Vec<ProposalId>, AssemblyError>(may_be_due.map(|kept| kept.proposal.id).collect())
        });
        let mut moved = 0;
        let mut failed = None;
        for id in due.await? {
            let settled = self.change(now, move |change| {
                let mut kept = rows::load(change.tx, &id)?;
                close::settle(change, &mut kept)
            });
            match settled.await {
                Ok(did) => moved += usize::from(did),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(moved), Err)
    }
}
