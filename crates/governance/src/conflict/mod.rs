//! When something went wrong between people, or between a member and the assistant: a report, a moderator who looks at
//! it, and a way to be heard again.
//!
//! ```text
//!   Reported ──settle──▶ Settled ──appeal (14 days)──▶ Appealed ──all name the same mediator──▶ Mediation
//!      │  (a moderator who     │                           │                              outcome │ ▲ another
//!      │   is no side of it)   └── nobody appeals ──┐      └── give up ──┐                 all agree ▼ │ outcome
//!      └── withdraw ───────────────────────────▶ Closed ◀────────────────┴── give up ───────────── Agreed
//! ```
//!
//! * **The ladder.** A moderator alone may dismiss, warn, or hold comments for at most three days. Everything above is
//!   a proposal like any other, in which the member concerned has no vote.
//! * **Nobody judges their own case**: a moderator cannot settle what they reported or are reported for, and a mediator
//!   is neither a side nor the moderator.
//! * **A sanction stands while it is appealed** (it is short), and an agreed outcome takes its place.
//! * The two sides are who reported and who is reported. Where nobody is (an answer was wrong), the other side of an
//!   appeal is the moderator who settled it.
//!
//! What people write stands beside a case, in the store, and can be erased; here are only names of steps.

mod case;
mod error;
#[cfg(test)]
mod tests;

pub use self::error::CaseError;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::SanctionStep;
use crate::ids::{CaseId, MemberId};
use crate::time::Time;

/// Days in which whoever is a side may appeal against a settlement.
pub const APPEAL_DAYS: u32 = 14;

/// A report and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// What it is about.
    pub about: About,
    /// Which answer or comment.
    #[serde(default)]
    pub reference: Option<String>,
    /// Who reported it.
    pub reporter: MemberId,
    /// Who is reported; absent: it is about the assistant.
    #[serde(default)]
    pub against: Option<MemberId>,
    /// Where it stands.
    pub state: CaseState,
    /// Who settled it.
    #[serde(default)]
    pub moderator: Option<MemberId>,
    /// The step of the ladder that the moderator took.
    #[serde(default)]
    pub sanction: Option<SanctionStep>,
    /// Whom each side named as mediator.
    #[serde(default)]
    pub named: BTreeMap<MemberId, MemberId>,
    /// Whom they chose.
    #[serde(default)]
    pub mediator: Option<MemberId>,
    /// Whether an outcome lies on the table.
    #[serde(default)]
    pub has_outcome: bool,
    /// Who agreed to the outcome as it stands.
    #[serde(default)]
    pub agreed: BTreeSet<MemberId>,
    /// When it was reported.
    pub created: Time,
    /// Every step, first to last.
    pub record: Vec<CaseStep>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// An answer of the assistant.
    Answer,
    /// What a member wrote.
    Comment,
    /// What a member did.
    Member,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Waits for a moderator.
    Reported,
    /// A moderator settled it; can be appealed.
    Settled,
    /// A side appealed; both name a mediator.
    Appealed,
    /// The mediator helps both sides to agree.
    Mediation,
    /// All sides agreed to an outcome.
    Agreed,
    /// Over without an agreement.
    Closed,
}

/// What happened in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseStep {
    /// Who; absent: time did.
    #[serde(default)]
    pub by: Option<MemberId>,
    /// When.
    pub at: Time,
    /// What.
    pub act: CaseAct,
}

/// What somebody did in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseAct {
    /// Reported it.
    Reported,
    /// Took the report back.
    Withdrew,
    /// Settled it without a sanction.
    Dismissed,
    /// Settled it with a sanction.
    Sanctioned,
    /// Appealed.
    Appealed,
    /// Named a mediator.
    NamedMediator,
    /// Put an outcome on the table.
    ProposedOutcome,
    /// Agreed to the outcome.
    Agreed,
    /// Gave up on an agreement.
    GaveUp,
    /// Nobody appealed in time.
    Expired,
}

/// How a moderator settles a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Settlement {
    /// There is nothing to be done.
    Dismiss,
    /// A word, written down.
    Warn,
    /// Comments of the member are held for so many hours.
    Hold {
        /// At most 72.
        hours: u32,
    },
}
