//! The one key to the one gate: what a decision needs before anything is changed by it.
//!
//! An [`Enactment`] can be made in this crate only. Whoever changes policy, roles, models, sources, neighbours or
//! quotas takes one as an argument, so code that has none does not compile. It is made in four places, each of which has
//! checked the rules first: a vote that closes (`proposal`), a founding (`kits`), a moderator's settlement and an agreed
//! mediation (`conflict`), and enough stewards in an emergency (`emergency`). It is written, but never read back: what
//! is read from the ledger is a [`Recorded`], which opens nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decision::Decision;
use crate::ids::{CaseId, EmergencyId, MemberId, ProposalId};

/// A decision together with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enactment {
    decision: Decision,
    authority: Authority,
}

/// A decision as the ledger has it: to show, to search, to count. Nothing can be changed with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
pub struct Recorded {
    /// What was decided.
    pub decision: Decision,
    /// What it rested on.
    pub authority: Authority,
}

/// What a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Authority {
    /// A proposal that passed.
    Proposal {
        /// Which.
        proposal: ProposalId,
    },
    /// The founding of the community, with a constitution kit.
    Founding {
        /// Which kit.
        kit: String,
    },
    /// A moderator, on the lower steps of the sanctions ladder.
    Moderation {
        /// Who.
        moderator: MemberId,
        /// In which case.
        case: CaseId,
    },
    /// An outcome that both sides of a mediation agreed to.
    Mediation {
        /// In which case.
        case: CaseId,
    },
    /// An emergency power, until it expires.
    Emergency {
        /// Which.
        emergency: EmergencyId,
    },
}

impl Enactment {
    pub(crate) fn new(decision: Decision, authority: Authority) -> Self {
        Self { decision, authority }
    }

    /// What was decided.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What it rests on.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}
