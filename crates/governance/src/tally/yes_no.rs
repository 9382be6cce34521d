//! Consent, consensus and the majorities.

use super::votes::Vote;
use super::{Detail, Rejection};
use crate::method::{Choice, Method};

/// A super-majority is more than half and at most all; a rule outside of that is read as the nearest that is inside.
const LEAST_PERCENT: u8 = 51;

#[derive(Default)]
pub(super) struct Count {
    yes: u32,
    no: u32,
    abstain: u32,
    reasons: Vec<String>,
}

impl Count {
    pub(super) fn of(votes: &[Vote<'_>]) -> Self {
        let mut count = Self::default();
        for vote in votes {
            let place = match vote.choice {
                Choice::Yes => &mut count.yes,
                Choice::No => &mut count.no,
                Choice::Object { reason } => {
                    count.reasons.push(reason.clone());
                    &mut count.no
                }
                // Other words are not counted by these methods; `Choice::check` has kept them out.
                Choice::Abstain | Choice::Score { .. } | Choice::Ranking { .. } | Choice::Sense { .. } => {
                    &mut count.abstain
                }
            };
            *place = place.saturating_add(vote.weight);
        }
        count.reasons.sort_unstable();
        count
    }

    /// Whether it is accepted.
    pub(super) fn verdict(&self, method: &Method) -> Result<(), Rejection> {
        let (yes, no) = (u64::from(self.yes), u64::from(self.no));
        let enough = match method {
            Method::Consent | Method::Consensus if !self.reasons.is_empty() => {
                return Err(Rejection::Objection);
            }
            Method::Consent => true,
            Method::Consensus => yes > 0,
            Method::SuperMajority { percent } => {
                yes > 0 && yes * 100 >= u64::from((*percent).clamp(LEAST_PERCENT, 100)) * (yes + no)
            }
            // The last three are counted elsewhere and never come here.
            Method::Majority | Method::Score { .. } | Method::RankedChoice | Method::SenseCheck => yes > no,
        };
        if enough { Ok(()) } else { Err(Rejection::NotEnough) }
    }

    pub(super) fn detail(self) -> Detail {
        Detail::YesNo { yes: self.yes, no: self.no, abstain: self.abstain, reasons: self.reasons }
    }
}
