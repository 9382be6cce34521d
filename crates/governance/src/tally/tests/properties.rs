//! What holds for every method, whoever votes, trusts, and in whatever order it arrives.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Members who may vote; three more numbers are people who may not.
const ELECTORATE: u64 = 9;
const PEOPLE: u64 = 12;
const OPTIONS: usize = 4;

/// A vote as it arrived: members may have cast several ballots, some of them not countable.
#[derive(Debug, Clone)]
struct Arrived {
    rule: MethodRule,
    ballots: Vec<Ballot>,
    delegations: Vec<Delegation>,
    delegation_rule: Option<DelegationRule>,
}

impl Arrived {
    fn tally(&self) -> Outcome {
        tally(
            &self.rule,
            OPTIONS,
            &electorate(ELECTORATE),
            &self.ballots,
            &self.delegations,
            Topic::People,
            self.delegation_rule.as_ref(),
        )
    }
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Consent),
        Just(Method::Consensus),
        Just(Method::Majority),
        (51..=100_u8).prop_map(|percent| Method::SuperMajority { percent }),
        (1..=10_u8).prop_map(|max| Method::Score { max }),
        Just(Method::RankedChoice),
        Just(Method::SenseCheck),
    ]
}

/// A choice in the method's words, now and then in another's.
fn choice(method: &Method) -> BoxedStrategy<Choice> {
    let objection = "[a-c]{0,2}".prop_map(|reason| Choice::Object { reason });
    let own = match method {
        Method::Consent | Method::Consensus => {
            prop_oneof![4 => Just(Choice::Yes), 1 => Just(Choice::Abstain), 1 => objection].boxed()
        }
        Method::Majority | Method::SuperMajority { .. } => {
            select(vec![Choice::Yes, Choice::No, Choice::Abstain]).boxed()
        }
        Method::Score { max } => {
            vec(0..=max + 1, OPTIONS).prop_map(|points| Choice::Score { points }).boxed()
        }
        Method::RankedChoice => (Just((0..=4_u8).collect::<Vec<_>>()).prop_shuffle(), 0..5_usize)
            .prop_map(|(order, length)| Choice::Ranking { order: order[..length].to_vec() })
            .boxed(),
        Method::SenseCheck => (-3..=3_i8).prop_map(|feeling| Choice::Sense { feeling }).boxed(),
    };
    prop_oneof![9 => own, 1 => Just(Choice::Yes)].boxed()
}

fn arrived() -> impl Strategy<Value = Arrived> {
    let delegation = (0..PEOPLE, 0..PEOPLE, option::of(select(vec![Topic::People, Topic::Models])))
        .prop_map(|(from, to, topic)| Delegation { from: member(from), to: member(to), topic });
    let delegation_rule = (0..5_u8, option::of(1..6_u32))
        .prop_map(|(max_length, max_votes)| DelegationRule { max_length, max_votes });
    (method(), option::of(0..=100_u8), vec(delegation, 0..12), option::of(delegation_rule)).prop_flat_map(
        |(method, quorum_percent, delegations, delegation_rule)| {
            let ballot = (0..PEOPLE, choice(&method))
                .prop_map(|(voter, choice)| Ballot { voter: member(voter), choice });
            let rule = MethodRule { quorum_percent, ..rule(method) };
            vec(ballot, 0..16).prop_map(move |ballots| Arrived {
                rule: rule.clone(),
                ballots,
                delegations: delegations.clone(),
                delegation_rule: delegation_rule.clone(),
            })
        },
    )
}

/// The countable ballots that hold, one a member.
fn standing(arrived: &Arrived) -> BTreeMap<MemberId, Ballot> {
    let countable = |ballot: &&Ballot| ballot.choice.check(&arrived.rule.method, OPTIONS).is_ok();
    let ballots = arrived.ballots.iter().filter(countable);
    ballots.map(|ballot| (ballot.voter.clone(), ballot.clone())).collect()
}

proptest! {
    #[test]
    fn the_order_in_which_members_vote_and_delegate_changes_nothing(arrived in arrived(), seed in any::<u64>()) {
        let mut other = arrived.clone();
        // What holds: the last ballot of each member, the last delegation for each topic.
        other.ballots = standing(&arrived).into_values().collect();
        let delegations: BTreeMap<_, _> =
            arrived.delegations.iter().map(|held| ((&held.from, held.topic), held)).collect();
        other.delegations = delegations.into_values().cloned().collect();
        let mut random = fastrand::Rng::with_seed(seed);
        random.shuffle(&mut other.ballots);
        random.shuffle(&mut other.delegations);
        prop_assert_eq!(other.tally(), arrived.tally());
    }

    #[test]
    fn no_vote_is_counted_twice_and_none_is_lost(arrived in arrived()) {
        let outcome = arrived.tally();
        let members = electorate(ELECTORATE);
        let own = standing(&arrived).keys().filter(|voter| members.contains(voter)).count();
        prop_assert_eq!(outcome.electorate as u64, ELECTORATE);
        prop_assert_eq!((outcome.taking_part - outcome.delegated) as usize, own);
        prop_assert!(outcome.taking_part <= outcome.electorate);
        let part = outcome.taking_part;
        match outcome.detail {
            Detail::YesNo { yes, no, abstain, reasons } => {
                prop_assert_eq!(yes + no + abstain, part);
                prop_assert!(reasons.len() <= no as usize);
            }
            Detail::Score { sums, given } => {
                for (sum, given) in sums.into_iter().zip(given) {
                    prop_assert_eq!(given.iter().sum::<u32>(), part);
                    prop_assert_eq!((0..).zip(given).map(|(points, votes)| points * u64::from(votes)).sum::<u64>(), sum);
                }
            }
            Detail::Ranked { rounds } => {
                for round in rounds {
                    prop_assert_eq!(round.votes.iter().sum::<u32>() + round.exhausted, part);
                }
            }
            Detail::Sense { counts } => prop_assert_eq!(counts.iter().sum::<u32>(), part),
        }
    }

    #[test]
    fn a_delegated_vote_counts_as_if_its_member_had_voted_the_same(arrived in arrived()) {
        let outcome = arrived.tally();
        let own = standing(&arrived);
        let voters: Vec<MemberId> = own.keys().cloned().collect();
        let rule = arrived.delegation_rule.as_ref().filter(|_| arrived.rule.method != Method::SenseCheck);
        let resolved = crate::delegation::resolve(
            &electorate(ELECTORATE), &voters, &arrived.delegations, Topic::People, rule,
        );
        let mut by_hand = arrived.clone();
        by_hand.delegation_rule = None;
        for (member, voice) in &resolved.voices {
            if let crate::delegation::Voice::Through { path } = voice {
                let choice = own[&path[path.len() - 1]].choice.clone();
                by_hand.ballots.push(Ballot { voter: member.clone(), choice });
            }
        }
        let by_hand = by_hand.tally();
        prop_assert_eq!(by_hand.verdict, outcome.verdict);
        prop_assert_eq!(by_hand.taking_part, outcome.taking_part);
        // Reasons are the one difference: who hands on a vote has not objected with a reason of their own.
        let without_reasons = |detail: Detail| match detail {
            Detail::YesNo { yes, no, abstain, .. } => Detail::YesNo { yes, no, abstain, reasons: Vec::new() },
            other => other,
        };
        prop_assert_eq!(without_reasons(by_hand.detail), without_reasons(outcome.detail));
    }

    #[test]
    fn changing_ones_vote_before_the_end_leaves_only_the_last(arrived in arrived()) {
        let mut twice = arrived.clone();
        // Everybody says first what the next one says in the end, and then what they said.
        let said: Vec<Ballot> = standing(&arrived).into_values().collect();
        let voters: Vec<MemberId> = said.iter().map(|ballot| ballot.voter.clone()).collect();
        let mut first: Vec<Ballot> = said.clone();
        first.rotate_left(1.min(said.len()));
        twice.ballots = voters
            .into_iter()
            .zip(first)
            .map(|(voter, ballot)| Ballot { voter, choice: ballot.choice })
            .chain(said)
            .collect();
        prop_assert_eq!(twice.tally(), arrived.tally());
    }
}
