//! Score: the highest sum of points wins.

use super::Detail;
use super::votes::Vote;
use crate::method::Choice;

/// The winning option, if any got a point, and how many gave how much.
///
/// A tie goes to the option that more votes gave `max` points, then to the one that more gave `max - 1`, and so on; when
/// all of that is equal, to the earlier option.
pub(super) fn count(votes: &[Vote<'_>], options: usize, max: u8) -> (Option<u8>, Detail) {
    let mut given = vec![vec![0_u32; usize::from(max) + 1]; options];
    for vote in votes {
        let Choice::Score { points } = vote.choice else { continue };
        for (given, &points) in given.iter_mut().zip(points) {
            if let Some(count) = given.get_mut(usize::from(points)) {
                *count = count.saturating_add(vote.weight);
            }
        }
    }
    let sums: Vec<u64> = given.iter().map(|given| sum(given)).collect();
    let mut winner: Option<(u8, usize)> = None;
    for (option, place) in (0..=u8::MAX).zip(0..options) {
        // More points; else more of the most, of the next lower number, and so on: lists compare place by place.
        let standing = (sums[place], given[place].iter().rev());
        let better = winner.is_none_or(|(_, best)| {
            standing.0.cmp(&sums[best]).then_with(|| standing.1.cmp(given[best].iter().rev())).is_gt()
        });
        if better && sums[place] > 0 {
            winner = Some((option, place));
        }
    }
    (winner.map(|(option, _)| option), Detail::Score { sums, given })
}

/// At most 2^32 votes of at most 255 points: below 2^40.
fn sum(given: &[u32]) -> u64 {
    (0_u64..).zip(given).fold(0, |sum: u64, (points, &votes)| sum.saturating_add(points * u64::from(votes)))
}
