//! Makes up elections and counts them, one JSON object a line, for other programs to count again
//! (`tests/tally/test_tally.py`):
//!
//! ```text
//! cargo run --package banyan-governance --example elections -- 4000 7 > elections.jsonl
//! ```
//!
//! Members are numbers. Some vote twice, some not at all, and of those some trust somebody. Options differ in how much
//! they are liked, so that most large elections have a clear result and most small ones are tied somewhere.

use std::error::Error;
use std::io::Write;

use banyan_governance::constitution::DelegationRule;
use banyan_governance::delegation::Delegation;
use banyan_governance::method::{Choice, Method, MethodRule};
use banyan_governance::tally::{Ballot, Outcome, tally};
use banyan_governance::{MemberId, Topic};
use fastrand::Rng;
use serde_json::json;

const USAGE: &str = "elections COUNT SEED: both are whole numbers";

struct Election {
    method: Method,
    options: u8,
    members: u64,
    /// Voter and numbers: points by option, or options in order.
    ballots: Vec<(u64, Vec<u8>)>,
    /// From and to.
    delegations: Vec<(u64, u64)>,
    max_length: u8,
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [count, seed] = numbers[..] else { return Err(USAGE.into()) };
    let mut random = Rng::with_seed(seed);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for _ in 0..count {
        let election = Election::made_up(&mut random);
        let outcome = election.count();
        let line = json!({
            "method": election.method,
            "options": election.options,
            "members": election.members,
            "ballots": election.ballots,
            "delegations": election.delegations,
            "max_length": election.max_length,
            "outcome": outcome,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}

impl Election {
    fn made_up(random: &mut Rng) -> Self {
        let method =
            if random.bool() { Method::RankedChoice } else { Method::Score { max: random.u8(1..=10) } };
        let options = random.u8(2..=8);
        let members = match random.u8(0..4) {
            0 => random.u64(1..10),
            1 => random.u64(10..60),
            _ => random.u64(60..250),
        };
        let liked: Vec<f64> = (0..options).map(|_| random.f64()).collect();
        let mut ballots = Vec::new();
        let mut delegations = Vec::new();
        for member in 0..members {
            if random.u8(0..4) == 0 {
                if random.bool() {
                    delegations.push((member, random.u64(0..members)));
                }
                continue;
            }
            for _ in 0..random.choice([1, 1, 1, 1, 2]).unwrap_or(1) {
                ballots.push((member, numbers(&method, &liked, random)));
            }
        }
        random.shuffle(&mut delegations);
        Self { method, options, members, ballots, delegations, max_length: random.u8(1..=4) }
    }

    fn count(&self) -> Outcome {
        let electorate: Vec<MemberId> = (0..self.members).map(MemberId::from_random).collect();
        let ballot = |(voter, numbers): &(u64, Vec<u8>)| Ballot {
            voter: MemberId::from_random(*voter),
            choice: match self.method {
                Method::RankedChoice => Choice::Ranking { order: numbers.clone() },
                _ => Choice::Score { points: numbers.clone() },
            },
        };
        let delegation = |(from, to): &(u64, u64)| Delegation {
            from: MemberId::from_random(*from),
            to: MemberId::from_random(*to),
            topic: None,
        };
        let rule = MethodRule {
            method: self.method.clone(),
            secret: false,
            quorum_percent: None,
            discussion_hours: 0,
            min_open_hours: 0,
            max_open_hours: 24,
            review_days: None,
        };
        tally(
            &rule,
            usize::from(self.options),
            &electorate,
            &self.ballots.iter().map(ballot).collect::<Vec<_>>(),
            &self.delegations.iter().map(delegation).collect::<Vec<_>>(),
            Topic::Other,
            Some(&DelegationRule { max_length: self.max_length, max_votes: None }),
        )
    }
}

/// What one member says: how much everybody likes each option, and as much again of their own.
fn numbers(method: &Method, liked: &[f64], random: &mut Rng) -> Vec<u8> {
    let own: Vec<f64> = liked.iter().map(|liked| liked + random.f64()).collect();
    if let Method::Score { max } = method {
        // From 0 to 2, spread over the points.
        return own.iter().map(|liking| (liking / 2.0 * f64::from(*max)).round() as u8).collect();
    }
    let mut order: Vec<u8> = (0..=u8::MAX).zip(liked).map(|(option, _)| option).collect();
    order.sort_by(|a, b| own[usize::from(*b)].total_cmp(&own[usize::from(*a)]));
    order.truncate(random.usize(1..=order.len()));
    order
}
