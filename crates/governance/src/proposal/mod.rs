//! A proposal, from the first draft to the day on which the community looks at it again.
//!
//! ```text
//!   Draft ──submit──▶ Discussion ──open (discussion_hours are over)──▶ Open ──close──▶ Passed ──▶ Enacted
//!     │                  │   ▲ amend                                     │              └─▶ (cannot be enacted: says why)
//!     └──withdraw────────┴───┴──────────────── Withdrawn ◀──withdraw─────┤
//!                                                                        ├──▶ Failed
//!                                                                        └──▶ Sensed (a sense check: nothing to accept)
//! ```
//!
//! Draft, amend, submit and withdraw are the author's. Nobody opens or closes: [`Proposal::due`] says when the rule
//! asks for it, and the box does it. No step looks at a clock, and none can be taken twice.
//!
//! * The rule is fixed when discussion begins, by the constitution of that moment, so that nobody changes it while
//!   people vote, and nobody keeps a draft from the days of an easier rule.
//! * An amendment starts the hours of discussion again: what is voted on has always been open to everybody for the
//!   whole time. Every earlier wording is kept.
//! * Only [`Proposal::close`] makes an [`Enactment`](crate::Enactment), and only of an option that was accepted.

mod error;
mod life;
mod shape;
#[cfg(test)]
mod tests;

pub use self::error::ProposalError;
pub use self::life::Step;
pub use self::shape::New;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::{Decision, Topic};
use crate::ids::{MemberId, ProposalId};
use crate::method::MethodRule;
use crate::time::Time;

/// A proposal as everybody may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Its name.
    pub id: ProposalId,
    /// Whose.
    pub author: MemberId,
    /// In a line.
    pub title: String,
    /// What and why.
    pub text: String,
    /// What it is about.
    pub topic: Topic,
    /// What can be chosen: one for yes-and-no methods, two or more for score and ranked choice, none for a sense check.
    pub options: Vec<ProposalOption>,
    /// How it is decided; fixed when it is submitted, by the constitution of that moment.
    pub rule: MethodRule,
    /// Where it stands.
    pub state: ProposalState,
    /// When it was begun.
    pub created: Time,
    /// When discussion began.
    #[serde(default)]
    pub submitted: Option<Time>,
    /// When the vote opened.
    #[serde(default)]
    pub opened: Option<Time>,
    /// When the vote closed, or it was withdrawn.
    #[serde(default)]
    pub closed: Option<Time>,
    /// When the community looks at it again.
    #[serde(default)]
    pub review: Option<Time>,
    /// Earlier wordings, oldest first.
    #[serde(default)]
    pub amendments: Vec<Amendment>,
    /// Index of the option that was accepted.
    #[serde(default)]
    pub accepted: Option<u8>,
    /// Why what was accepted could not be enacted, such as that another policy came into force meanwhile.
    #[serde(default)]
    pub not_enacted: Option<String>,
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalOption {
    /// In a line.
    pub title: String,
    /// What happens when it wins; absent: nothing, it is a statement.
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// An earlier wording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amendment {
    /// When it was replaced.
    pub at: Time,
    /// Why.
    pub reason: String,
    /// The title before.
    pub title: String,
    /// The text before.
    pub text: String,
    /// The options before.
    pub options: Vec<ProposalOption>,
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Only its author sees it.
    Draft,
    /// Everybody can discuss it, the author can amend it.
    Discussion,
    /// Votes are taken.
    Open,
    /// Accepted; on its way to be enacted. A statement stays here.
    Passed,
    /// Not accepted.
    Failed,
    /// Taken back by its author.
    Withdrawn,
    /// In force.
    Enacted,
    /// A sense check that is over: it shows where the group stands, and nothing follows by itself.
    Sensed,
}
