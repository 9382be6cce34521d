//! Sense check: where a group stands.

use super::Detail;
use super::votes::Vote;
use crate::method::Choice;

pub(super) fn count(votes: &[Vote<'_>]) -> Detail {
    let mut counts = [0_u32; 5];
    for vote in votes {
        let Choice::Sense { feeling } = vote.choice else { continue };
        let place = usize::try_from(i16::from(*feeling) + 2).ok();
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count = count.saturating_add(vote.weight);
        }
    }
    Detail::Sense { counts }
}
