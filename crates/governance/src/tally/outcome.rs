//! The result of a vote, as everybody may read it and count it again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The result of a vote, with everything that a member needs to count again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// Whether and what.
    pub verdict: Verdict,
    /// Members who may vote.
    pub electorate: u32,
    /// Members whose vote counts, by themselves or through the one they trust.
    pub taking_part: u32,
    /// Of them, through another.
    pub delegated: u32,
    /// How many said what, and the rounds of a run-off.
    pub detail: Detail,
}

/// Whether a proposal was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Accepted.
    Accepted {
        /// Index of the winning option.
        option: u8,
    },
    /// Not accepted.
    Rejected {
        /// Why, as a name that a page puts into words.
        reason: Rejection,
    },
    /// A sense check: nothing to accept.
    Sensed,
}

/// Why a proposal was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Nobody voted.
    NoVotes,
    /// Fewer took part than the rule asks for.
    NoQuorum,
    /// Somebody objected (consent) or blocked (consensus).
    Objection,
    /// Not enough yes; no option got a point.
    NotEnough,
}

/// How many said what. Numbers are votes, delegated ones among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// Consent, consensus, majorities.
    YesNo {
        /// Yes, no objection, agreement.
        yes: u32,
        /// No; votes that object or block, with those they carry.
        no: u32,
        /// Abstained, stood aside.
        abstain: u32,
        /// Reasons of objections: one for each member who objected, however many votes that member carries. In
        /// alphabetical order, which says nothing about who wrote which.
        reasons: Vec<String>,
    },
    /// Points.
    Score {
        /// Sum of points by option, in the options' order.
        sums: Vec<u64>,
        /// How many votes gave 0, 1, 2 … points, by option: what the tie rule looks at.
        given: Vec<Vec<u32>>,
    },
    /// The rounds of the run-off.
    Ranked {
        /// First to last.
        rounds: Vec<RankedRound>,
    },
    /// A sense check.
    Sense {
        /// How many said -2, -1, 0, 1, 2.
        counts: [u32; 5],
    },
}

/// One round of a run-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RankedRound {
    /// Votes by option; options that are out have 0.
    pub votes: Vec<u32>,
    /// Votes that rank none of those left.
    pub exhausted: u32,
    /// The option that goes out after this round; in the last round none.
    pub eliminated: Option<u8>,
    /// The options that had the fewest votes together, when the tie rule had to choose one of them; else empty.
    #[serde(default)]
    pub tied: Vec<u8>,
}
