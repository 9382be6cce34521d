//! What an answer leaves behind in the community's store: an entry in the ledger, and what a moderator has to look at.

use std::time::Duration;

use banyan_assembly::answers::{Auditor, NewHeld};
use banyan_assembly::{Assembly, AssemblyError};
use tokio::time::timeout;

use super::{AnswerLog, Failure};
use crate::community::now;
use crate::engines::Engines;
use crate::moderation::Effective;

/// How long an answer's end waits for its entry to be on the disk. The words are all there by then.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where answers are written down. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Records {
    store: Option<(Assembly, Auditor)>,
    engines: Engines,
}

impl Records {
    pub(crate) fn new(assembly: Option<Assembly>, engines: Engines) -> Self {
        let store = assembly.map(|assembly| (assembly.clone(), Auditor::new(assembly)));
        Self { store, engines }
    }

    /// For answers that leave nothing behind: a policy that is only tried.
    pub(crate) fn none(engines: Engines) -> Self {
        Self { store: None, engines }
    }

    /// Writes the entry about an answer; gives its number. None before there is a community, and when it could not be
    /// written, which the log says.
    pub(crate) async fn write_down(&self, log: &AnswerLog, effective: &Effective) -> Option<u64> {
        let (_, auditor) = self.store.as_ref().filter(|_| effective.is_decided())?;
        let record = log.record(effective, self.engines.own_model());
        timeout(PATIENCE, auditor.record(record, now())).await.ok().flatten()
    }

    /// Keeps a text for a moderator.
    pub(crate) async fn hold(&self, new: NewHeld) -> Result<(), Failure> {
        let Some((assembly, _)) = &self.store else { return Ok(()) };
        match assembly.hold(new, now()).await {
            Ok(_) => Ok(()),
            Err(AssemblyError::Refused(_)) => Err(Failure::barred(Failure::TOO_MANY_HELD)),
            Err(error) => {
                tracing::error!(%error, "a text that a moderator has to look at could not be kept");
                Err(Failure::no_rules("the box could not keep this for a moderator; tell a steward".into()))
            }
        }
    }
}
