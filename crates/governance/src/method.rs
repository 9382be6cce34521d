//! How a group decides: the methods, and what a community may set about each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A decision method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Method {
    /// Passes unless somebody objects with a reason (sociocracy: "good enough for now, safe enough to try").
    Consent,
    /// Passes when nobody blocks and at least one agrees; standing aside is written down.
    Consensus,
    /// Passes with more yes than no; abstentions count for the quorum only. A tie fails.
    Majority,
    /// Passes when yes is at least so many hundredths of yes and no together.
    SuperMajority {
        /// 51 to 100.
        percent: u8,
    },
    /// Each option gets 0 to `max` points from each member; the highest sum wins, if it is not 0. Ties go to the option
    /// that more votes gave the most points, then the next lower number of points and so on, then to the earlier option.
    Score {
        /// 1 to 10.
        max: u8,
    },
    /// Instant run-off: without more than half of the votes that still count, the option with the fewest goes out. Of
    /// several with the fewest the one with the fewest in the round before, and so on back; else the later option.
    RankedChoice,
    /// How does it feel? No result binds; it shows where a group stands.
    SenseCheck,
}

/// How a kind of decision is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodRule {
    /// How votes become a result.
    pub method: Method,
    /// Whether who voted how is hidden, and forgotten when the vote closes.
    pub secret: bool,
    /// The least share of members, in hundredths, that has to take part (delegations count); absent: no quorum.
    #[serde(default)]
    pub quorum_percent: Option<u8>,
    /// Hours of discussion before a vote may open.
    pub discussion_hours: u32,
    /// Hours for which a vote is open at least, even when everybody has voted.
    pub min_open_hours: u32,
    /// Hours after which a vote closes.
    pub max_open_hours: u32,
    /// Days after enactment at which the community looks at it again.
    #[serde(default)]
    pub review_days: Option<u32>,
}

/// What one member says in a vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Choice {
    /// Consent: no objection. Consensus: agree. Majorities: yes.
    Yes,
    /// Majorities: no.
    No,
    /// Majorities: neither. Consent and consensus: stands aside.
    Abstain,
    /// Consent: a reasoned objection. Consensus: a block.
    Object {
        /// Why; never empty.
        reason: String,
    },
    /// Score: points by option, in the options' order; one number for each.
    Score {
        /// 0 to the method's `max`.
        points: Vec<u8>,
    },
    /// Ranked choice: options by index, best first; those left out are not ranked.
    Ranking {
        /// Each index at most once.
        order: Vec<u8>,
    },
    /// Sense check: from -2 (against) to 2 (for).
    Sense {
        /// -2 to 2.
        feeling: i8,
    },
}
