//! How long a count takes, as one JSON object (`cargo xtask bench governance` runs it optimized):
//!
//! ```text
//! cargo run --release --package banyan-governance --example tally_speed -- 500 200
//! ```
//!
//! Two of five members vote; the others trust somebody, for the topic and for all, in chains of up to ten steps.

use std::error::Error;
use std::time::Instant;

use banyan_governance::constitution::DelegationRule;
use banyan_governance::delegation::Delegation;
use banyan_governance::method::{Choice, Method, MethodRule};
use banyan_governance::tally::{Ballot, tally};
use banyan_governance::{MemberId, Topic};
use fastrand::Rng;
use serde_json::json;

const USAGE: &str = "tally_speed MEMBERS ROUNDS: both are whole numbers above 0";
const OPTIONS: u8 = 8;
const RULE: DelegationRule = DelegationRule { max_length: 10, max_votes: Some(50) };

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [members @ 1..=u64::MAX, rounds @ 1..=u64::MAX] = numbers[..] else { return Err(USAGE.into()) };
    let mut random = Rng::with_seed(500);
    let electorate: Vec<MemberId> = (0..members).map(|_| MemberId::from_random(random.u64(..))).collect();
    let delegations = trusts(&electorate, &mut random);
    let mut figures = json!({ "members": members, "rounds": rounds });
    for (name, method) in [
        ("ranked_choice", Method::RankedChoice),
        ("score", Method::Score { max: 10 }),
        ("majority", Method::Majority),
    ] {
        let ballots = voted(&electorate, &method, &mut random);
        let rule = rule(method);
        let mut times = Vec::new();
        let mut delegated = 0;
        // The first is the warm-up.
        for round in 0..=rounds {
            let started = Instant::now();
            let outcome = std::hint::black_box(tally(
                &rule,
                usize::from(OPTIONS),
                &electorate,
                &ballots,
                &delegations,
                Topic::Behaviour,
                Some(&RULE),
            ));
            if round > 0 {
                times.push(started.elapsed().as_secs_f64() * 1_000.0);
            }
            delegated = outcome.delegated;
        }
        times.sort_by(f64::total_cmp);
        figures[name] = json!({ "median_ms": times[times.len() / 2], "delegated": delegated });
    }
    println!("{figures}");
    Ok(())
}

fn rule(method: Method) -> MethodRule {
    MethodRule {
        method,
        secret: false,
        quorum_percent: Some(20),
        discussion_hours: 24,
        min_open_hours: 24,
        max_open_hours: 72,
        review_days: None,
    }
}

/// Two of five vote.
fn voted(electorate: &[MemberId], method: &Method, random: &mut Rng) -> Vec<Ballot> {
    let mut choice = || match method {
        Method::RankedChoice => {
            let mut order: Vec<u8> = (0..OPTIONS).collect();
            random.shuffle(&mut order);
            Choice::Ranking { order }
        }
        Method::Score { max } => {
            Choice::Score { points: (0..OPTIONS).map(|_| random.u8(0..=*max)).collect() }
        }
        _ if random.bool() => Choice::Yes,
        _ => Choice::No,
    };
    let voters = electorate.iter().enumerate().filter(|(number, _)| number % 5 < 2);
    voters.map(|(_, voter)| Ballot { voter: voter.clone(), choice: choice() }).collect()
}

/// Everybody trusts somebody in everything, and somebody else in one topic; who votes does not need it.
fn trusts(electorate: &[MemberId], random: &mut Rng) -> Vec<Delegation> {
    let mut delegations = Vec::new();
    for from in electorate {
        for topic in [None, Some(Topic::Behaviour), Some(Topic::Models)] {
            let to = &electorate[random.usize(..electorate.len())];
            if to != from {
                delegations.push(Delegation { from: from.clone(), to: to.clone(), topic });
            }
        }
    }
    delegations
}
