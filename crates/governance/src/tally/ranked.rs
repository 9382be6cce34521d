//! Ranked choice by instant run-off.

use super::RankedRound;
use super::votes::Vote;
use crate::method::Choice;

/// The winning option, if anybody voted, and every round.
///
/// In each round every vote counts for the option it ranks highest among those left. More than half of the votes that
/// still rank one of those left wins. Otherwise the option with the fewest votes goes out, one in each round.
///
/// **Ties.** When several have the fewest, the one goes out that had the fewest of them in the round before; where they
/// were equal there too, in the round before that, and so on back to the first. Options that were equal in every round:
/// the one that stands later on the list goes out.
pub(super) fn run_off(votes: &[Vote<'_>], options: usize) -> (Option<u8>, Vec<RankedRound>) {
    let mut papers: Vec<Paper<'_>> = votes.iter().filter_map(Paper::of).collect();
    let mut left: Vec<u8> = (0..=u8::MAX).zip(0..options).map(|(option, _)| option).collect();
    let mut rounds = Vec::new();
    if papers.is_empty() {
        return (None, rounds);
    }
    while let Some(&last) = left.last() {
        let mut round = count(&mut papers, &left, options);
        let counting = left.iter().fold(0_u64, |sum, &option| sum + u64::from(votes_of(&round, option)));
        let leader = left.iter().find(|&&option| u64::from(votes_of(&round, option)) * 2 > counting);
        if let Some(&winner) = leader.or_else(|| left.first().filter(|_| left.len() == 1)) {
            rounds.push(round);
            return (Some(winner), rounds);
        }
        let fewest = fewest(&round, &left);
        // `fewest` is never empty while options are left; the later one on the list stands last in it.
        let out = loser(&fewest, &rounds).unwrap_or(last);
        round.eliminated = Some(out);
        round.tied = if fewest.len() > 1 { fewest } else { Vec::new() };
        left.retain(|option| *option != out);
        rounds.push(round);
    }
    (None, rounds)
}

/// A ranking and how far down it one has read. Options once out never come back, so that nothing is read twice.
struct Paper<'a> {
    order: &'a [u8],
    weight: u32,
}

impl<'a> Paper<'a> {
    fn of(vote: &Vote<'a>) -> Option<Self> {
        match vote.choice {
            Choice::Ranking { order } => Some(Self { order, weight: vote.weight }),
            _ => None,
        }
    }

    fn first_of(&mut self, left: &[u8]) -> Option<u8> {
        while let Some((&option, rest)) = self.order.split_first() {
            if left.contains(&option) {
                return Some(option);
            }
            self.order = rest;
        }
        None
    }
}

fn count(papers: &mut [Paper<'_>], left: &[u8], options: usize) -> RankedRound {
    let mut round = RankedRound { votes: vec![0; options], exhausted: 0, eliminated: None, tied: Vec::new() };
    for paper in papers {
        let place = paper.first_of(left).and_then(|option| round.votes.get_mut(usize::from(option)));
        let place = place.unwrap_or(&mut round.exhausted);
        *place = place.saturating_add(paper.weight);
    }
    round
}

fn votes_of(round: &RankedRound, option: u8) -> u32 {
    round.votes.get(usize::from(option)).copied().unwrap_or(0)
}

fn fewest(round: &RankedRound, among: &[u8]) -> Vec<u8> {
    let least = among.iter().map(|&option| votes_of(round, option)).min();
    among.iter().copied().filter(|&option| Some(votes_of(round, option)) == least).collect()
}

/// Who of those with the fewest votes goes out, by the rounds before.
fn loser(tied: &[u8], before: &[RankedRound]) -> Option<u8> {
    let mut tied = tied.to_vec();
    for round in before.iter().rev() {
        if tied.len() < 2 {
            break;
        }
        tied = fewest(round, &tied);
    }
    tied.last().copied()
}
