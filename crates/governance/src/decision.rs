//! What can be decided, as data. A [`Decision`] alone changes nothing: enacting needs an
//! [`Enactment`](crate::Enactment), which only a passed proposal, the founding or a bounded power makes.

mod check;

pub use self::check::{DecisionError, MODERATORS_HOURS};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::constitution::{Constitution, EmergencyPower};
use crate::ids::{CaseId, EmergencyId, MemberId};
use crate::policy::Policy;
use crate::roles::Role;
use crate::time::Time;

/// Everything that changes how the box behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Put this policy in force, in place of the one with version `based_on`.
    SetPolicy {
        /// The whole new policy.
        policy: Box<Policy>,
        /// The version it was written from; where another is in force by then, enactment fails and says so.
        based_on: u64,
    },
    /// Let this model answer.
    ActivateModel {
        /// Name of a pack that the box has.
        model: String,
    },
    /// Let this adapter change the model's answers.
    ActivateAdapter {
        /// Name of an adapter that the box has.
        adapter: String,
    },
    /// Answer without the adapter again.
    RollBackAdapter,
    /// A source may be used for this.
    ApproveSource {
        /// Its name.
        source: String,
        /// For what.
        r#use: SourceUse,
    },
    /// A source may not be used for this any more.
    WithdrawSource {
        /// Its name.
        source: String,
        /// For what.
        r#use: SourceUse,
    },
    /// Take part in a training run.
    JoinTraining {
        /// Its name.
        run: String,
        /// The most privacy budget (epsilon) it may spend, in thousandths.
        max_epsilon_milli: u32,
    },
    /// Share with a neighbour community.
    Federate {
        /// The neighbour's charter, by its fingerprint (64 hexadecimal digits).
        community: String,
        /// What the community calls it.
        name: String,
        /// What may go there.
        kinds: Vec<SharingKind>,
    },
    /// Share nothing more with a neighbour.
    LeaveFederation {
        /// By its fingerprint.
        community: String,
    },
    /// Whether items of this kind may be shared at all.
    SetSharing {
        /// Of this kind.
        kind: SharingKind,
        /// May they?
        allowed: bool,
    },
    /// Install an update.
    InstallUpdate {
        /// Its version.
        version: String,
        /// BLAKE3 of the whole bundle (64 hexadecimal digits).
        digest: String,
    },
    /// Give a role.
    GrantRole {
        /// To whom.
        member: MemberId,
        /// Which.
        role: Role,
        /// For so many days; absent: until ended.
        #[serde(default)]
        days: Option<u32>,
    },
    /// End a role before its time (recall).
    EndRole {
        /// Whose.
        member: MemberId,
        /// Which.
        role: Role,
    },
    /// A step of the sanctions ladder.
    Sanction {
        /// Against whom.
        member: MemberId,
        /// Which step.
        step: SanctionStep,
        /// What it follows from.
        #[serde(default)]
        case: Option<CaseId>,
    },
    /// Lift a sanction.
    LiftSanction {
        /// Whose.
        member: MemberId,
    },
    /// Put this constitution in force.
    ChangeConstitution {
        /// The whole new constitution.
        constitution: Box<Constitution>,
        /// The version it was written from.
        based_on: u64,
    },
    /// Let a steward look, for a time, at what is closed to stewards; logged.
    BreakGlass {
        /// What for.
        reason: String,
        /// For so many hours.
        hours: u32,
    },
    /// Use an emergency power until it ends by itself. Never proposed: stewards agree on it (see `emergency`).
    UseEmergency {
        /// Its name.
        emergency: EmergencyId,
        /// What it allows.
        power: EmergencyPower,
        /// When it ends by itself.
        until: Time,
    },
    /// Confirm an emergency power that was used.
    RatifyEmergency {
        /// Which.
        emergency: EmergencyId,
    },
}

/// For what a source may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceUse {
    /// Answers may quote it.
    Grounding,
    /// Models may learn from it.
    Training,
    /// Neighbours may get it.
    Sharing,
}

/// What can be shared with neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharingKind {
    /// Documents.
    Knowledge,
    /// What models learned.
    Learning,
    /// Time of the engine.
    Compute,
    /// Offers and requests.
    MutualAid,
}

impl SharingKind {
    /// What it is called in an English sentence.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Knowledge => "documents",
            Self::Learning => "what models learned",
            Self::Compute => "time of the engine",
            Self::MutualAid => "offers and requests",
        }
    }
}

/// The sanctions ladder, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SanctionStep {
    /// A word, written down.
    Warning,
    /// May ask, but comments are held for so many hours.
    Hold {
        /// At most 72 without a decision of the community.
        hours: u32,
    },
    /// May not comment or propose for so many days; asking and voting stay.
    Mute {
        /// Only by a decision of the community.
        days: u32,
    },
    /// May not use the box for so many days; by a decision of the community only.
    Suspend {
        /// So many.
        days: u32,
    },
}

/// What a decision is about. Rules and delegations go by topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// How the assistant behaves: policies.
    Behaviour,
    /// Models and adapters, learning.
    Models,
    /// Sources.
    Sources,
    /// Roles, sanctions.
    People,
    /// Neighbours, sharing.
    Neighbours,
    /// Updates, quotas, emergencies.
    Operation,
    /// The constitution.
    Constitution,
    /// A question without a decision.
    Other,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 8] = [
        Self::Behaviour,
        Self::Models,
        Self::Sources,
        Self::People,
        Self::Neighbours,
        Self::Operation,
        Self::Constitution,
        Self::Other,
    ];
}

impl Decision {
    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::SetPolicy { .. } => Topic::Behaviour,
            Self::ActivateModel { .. }
            | Self::ActivateAdapter { .. }
            | Self::RollBackAdapter
            | Self::JoinTraining { .. } => Topic::Models,
            Self::ApproveSource { .. } | Self::WithdrawSource { .. } => Topic::Sources,
            Self::GrantRole { .. }
            | Self::EndRole { .. }
            | Self::Sanction { .. }
            | Self::LiftSanction { .. } => Topic::People,
            Self::Federate { .. } | Self::LeaveFederation { .. } | Self::SetSharing { .. } => {
                Topic::Neighbours
            }
            Self::InstallUpdate { .. }
            | Self::BreakGlass { .. }
            | Self::UseEmergency { .. }
            | Self::RatifyEmergency { .. } => Topic::Operation,
            Self::ChangeConstitution { .. } => Topic::Constitution,
        }
    }

    /// The member against or for whom it is, where it takes something from them or gives it back: they have no vote on
    /// it, in person or for others (see [`Proposal::voters`](crate::proposal::Proposal::voters)). So a steward
    /// cannot object to their own recall. Whoever is to be given a role does vote, as in any election.
    #[must_use]
    pub const fn concerns(&self) -> Option<&MemberId> {
        match self {
            Self::EndRole { member, .. } | Self::Sanction { member, .. } | Self::LiftSanction { member } => {
                Some(member)
            }
            _ => None,
        }
    }
}
