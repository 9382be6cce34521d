//! From votes to a result.
//!
//! [`tally`] is a function: the same rule, members, ballots and delegations give the same [`Outcome`] on every machine,
//! in whatever order they arrived, so that anybody can count again.
//!
//! What holds for every method:
//!
//! * One vote a member. Of several ballots of a member the last one in the list counts. Ballots of people who may not
//!   vote, and choices that [`Choice::check`](crate::method::Choice::check) refuses, do not count.
//! * Who does not vote speaks through the member they trust, if the constitution allows delegation (see
//!   [`delegation`](crate::delegation)): the voter's choice counts once more for each. One's own vote comes first. In a
//!   sense check everybody speaks for themselves.
//! * Nobody voted: not accepted, by any method. Fewer than the quorum: not accepted. Without a quorum in the rule none
//!   is asked for.
//! * Consent and consensus: one objection stops, whether its voter carries one vote or fifty.
//! * Score: an option needs at least one point to win. Ties: the option that more votes gave the most points, then the
//!   next lower number of points and so on, then the earlier option.
//! * Ranked choice, by instant run-off: more than half of the votes that still rank an option left wins; else the option
//!   with the fewest votes goes out. Ties: of those with the fewest the one that had the fewest in the round before, and
//!   so on back to the first round; equal in all rounds, the later option on the list goes out.

mod ballot;
mod outcome;
mod ranked;
mod score;
mod sense;
mod votes;
mod yes_no;

#[cfg(test)]
mod tests;

pub use ballot::{Ballot, BallotError, OPTIONS_AT_MOST, REASON_AT_MOST};
pub use outcome::{Detail, Outcome, RankedRound, Rejection, Verdict};

use crate::constitution::DelegationRule;
use crate::decision::Topic;
use crate::delegation::Delegation;
use crate::ids::MemberId;
use crate::method::{Method, MethodRule};
use votes::Votes;
use yes_no::Count;

/// Counts a vote.
///
/// `options` is how many the proposal has, `electorate` who may vote, `delegations` all that are in force, and
/// `delegation_rule` what the constitution says about them; without it they do not count.
#[must_use]
pub fn tally(
    rule: &MethodRule,
    options: usize,
    electorate: &[MemberId],
    ballots: &[Ballot],
    delegations: &[Delegation],
    topic: Topic,
    delegation_rule: Option<&DelegationRule>,
) -> Outcome {
    let options = options.min(OPTIONS_AT_MOST);
    let votes =
        Votes::collect(&rule.method, options, electorate, ballots, delegations, topic, delegation_rule);
    let (found, detail) = match &rule.method {
        Method::SenseCheck => {
            return outcome(&votes, Verdict::Sensed, sense::count(&votes.cast));
        }
        Method::Score { max } => {
            let (winner, detail) = score::count(&votes.cast, options, *max);
            (winner.ok_or(Rejection::NotEnough), detail)
        }
        Method::RankedChoice => {
            let (winner, rounds) = ranked::run_off(&votes.cast, options);
            (winner.ok_or(Rejection::NotEnough), Detail::Ranked { rounds })
        }
        Method::Consent | Method::Consensus | Method::Majority | Method::SuperMajority { .. } => {
            let count = Count::of(&votes.cast);
            (count.verdict(&rule.method).map(|()| 0), count.detail())
        }
    };
    let found = if votes.taking_part == 0 {
        Err(Rejection::NoVotes)
    } else if !votes.meet(rule.quorum_percent) {
        Err(Rejection::NoQuorum)
    } else {
        found
    };
    let verdict = match found {
        Ok(option) => Verdict::Accepted { option },
        Err(reason) => Verdict::Rejected { reason },
    };
    outcome(&votes, verdict, detail)
}

fn outcome(votes: &Votes<'_>, verdict: Verdict, detail: Detail) -> Outcome {
    Outcome {
        verdict,
        electorate: votes.electorate,
        taking_part: votes.taking_part,
        delegated: votes.delegated,
        detail,
    }
}
