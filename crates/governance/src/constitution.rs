//! How a community decides: which method for what, who may join, how far delegation and emergencies go.

mod check;

pub use self::check::ConstitutionError;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::Topic;
use crate::method::MethodRule;

/// The rules about rules. Changed only by a decision on [`Topic::Constitution`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Constitution {
    /// How power is spread, in a word.
    pub governance_model: GovernanceModel,
    /// How each topic is decided; topics left out go by `otherwise`.
    pub rules: BTreeMap<Topic, MethodRule>,
    /// How everything else is decided.
    pub otherwise: MethodRule,
    /// Who may join.
    pub joining: Joining,
    /// Whether votes may be handed on; absent: they may not.
    #[serde(default)]
    pub delegation: Option<DelegationRule>,
    /// What stewards may do alone in an emergency; absent: nothing.
    #[serde(default)]
    pub emergency: Option<EmergencyRule>,
}

impl Constitution {
    /// How this topic is decided.
    #[must_use]
    pub fn rule(&self, topic: Topic) -> &MethodRule {
        self.rules.get(&topic).unwrap_or(&self.otherwise)
    }
}

/// How power is spread. A preset over methods and delegation; the rules say what holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GovernanceModel {
    /// Everybody, until nobody objects.
    Consensus,
    /// By people one trusts, per topic.
    Delegated,
    /// Everyday matters delegated or by majority, what is fundamental by consent.
    Hybrid,
}

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Joining {
    /// Whether whoever is at the hotspot may join without an invitation.
    pub open: bool,
    /// Whether every member may invite, or stewards only.
    pub members_invite: bool,
    /// Whether guests may ask the assistant.
    pub guests_ask: bool,
}

/// How votes may be handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationRule {
    /// The most steps from a member to the one who votes; 1: no handing on.
    pub max_length: u8,
    /// The most votes that one member may carry, with their own; absent: no limit.
    #[serde(default)]
    pub max_votes: Option<u32>,
}

/// What stewards may do alone, for a short time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyRule {
    /// After so many hours it ends by itself.
    pub max_hours: u32,
    /// Within so many hours of its beginning the community has to have confirmed it; otherwise it stands on record as not
    /// ratified, and stewards may not use the same power again for a month. At least `max_hours`.
    pub ratify_hours: u32,
    /// Stewards who have to agree to it.
    pub stewards: u8,
    /// Which powers there are.
    pub powers: Vec<EmergencyPower>,
}

/// A power for emergencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyPower {
    /// Stop all answers.
    PauseAnswers,
    /// Only members may ask.
    CloseToGuests,
    /// Urgent questions before all others.
    CrisisPriority,
}
