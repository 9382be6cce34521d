//! Each method by example; [`properties`] holds for all of them, [`ties`] holds them to the tie rules word by word.

mod properties;
mod ties;

use super::*;
use crate::method::Choice;

pub(super) fn member(number: u64) -> MemberId {
    MemberId::from_random(number)
}

pub(super) fn rule(method: Method) -> MethodRule {
    MethodRule {
        method,
        secret: false,
        quorum_percent: None,
        discussion_hours: 0,
        min_open_hours: 0,
        max_open_hours: 24,
        review_days: None,
    }
}

/// One ballot of each of the first members.
pub(super) fn ballots(choices: Vec<Choice>) -> Vec<Ballot> {
    (0..).zip(choices).map(|(number, choice)| Ballot { voter: member(number), choice }).collect()
}

pub(super) fn electorate(of: u64) -> Vec<MemberId> {
    (0..of).map(member).collect()
}

fn trusts(from: u64, to: u64) -> Delegation {
    Delegation { from: member(from), to: member(to), topic: None }
}

/// Everybody votes.
pub(super) fn count(method: Method, options: usize, choices: Vec<Choice>) -> Outcome {
    let electorate = electorate(choices.len() as u64);
    tally(&rule(method), options, &electorate, &ballots(choices), &[], Topic::Other, None)
}

fn object(reason: &str) -> Choice {
    Choice::Object { reason: reason.to_owned() }
}

pub(super) fn ranking(order: &[u8]) -> Choice {
    Choice::Ranking { order: order.to_vec() }
}

fn points(points: &[u8]) -> Choice {
    Choice::Score { points: points.to_vec() }
}

const ACCEPTED: Verdict = Verdict::Accepted { option: 0 };

const fn rejected(reason: Rejection) -> Verdict {
    Verdict::Rejected { reason }
}

#[test]
fn one_reasoned_objection_stops_a_consent() {
    use Choice::{Abstain, Yes};
    assert_eq!(count(Method::Consent, 1, vec![Yes, Abstain, Yes]).verdict, ACCEPTED);
    assert_eq!(count(Method::Consent, 1, vec![Abstain, Abstain]).verdict, ACCEPTED);
    let outcome = count(Method::Consent, 1, vec![Yes, object("the roof leaks"), Yes]);
    assert_eq!(outcome.verdict, rejected(Rejection::Objection));
    let reasons = vec!["the roof leaks".to_owned()];
    assert_eq!(outcome.detail, Detail::YesNo { yes: 2, no: 1, abstain: 0, reasons });
}

#[test]
fn an_objection_is_one_however_many_votes_its_member_carries() {
    let delegation = DelegationRule { max_length: 3, max_votes: None };
    let outcome = tally(
        &rule(Method::Consent),
        1,
        &electorate(4),
        &ballots(vec![object("too dear"), Choice::Yes]),
        &[trusts(2, 0), trusts(3, 2)],
        Topic::Other,
        Some(&delegation),
    );
    assert_eq!(outcome.verdict, rejected(Rejection::Objection));
    assert_eq!((outcome.taking_part, outcome.delegated), (4, 2));
    let reasons = vec!["too dear".to_owned()];
    assert_eq!(outcome.detail, Detail::YesNo { yes: 1, no: 3, abstain: 0, reasons });
}

#[test]
fn a_consensus_needs_somebody_who_agrees_and_nobody_who_blocks() {
    use Choice::{Abstain, Yes};
    assert_eq!(count(Method::Consensus, 1, vec![Yes, Abstain]).verdict, ACCEPTED);
    assert_eq!(count(Method::Consensus, 1, vec![Abstain]).verdict, rejected(Rejection::NotEnough));
    let blocked = count(Method::Consensus, 1, vec![Yes, Yes, Yes, object("against our charter")]);
    assert_eq!(blocked.verdict, rejected(Rejection::Objection));
}

#[test]
fn a_tie_is_no_majority() {
    use Choice::{Abstain, No, Yes};
    assert_eq!(count(Method::Majority, 1, vec![Yes, Yes, No, Abstain]).verdict, ACCEPTED);
    assert_eq!(count(Method::Majority, 1, vec![Yes, No]).verdict, rejected(Rejection::NotEnough));
    assert_eq!(count(Method::Majority, 1, vec![Abstain]).verdict, rejected(Rejection::NotEnough));
}

#[test]
fn a_super_majority_is_of_those_who_said_yes_or_no() {
    use Choice::{Abstain, No, Yes};
    let two_of_three = || vec![Yes, Yes, No, Abstain, Abstain];
    for (percent, verdict) in [
        (66, ACCEPTED),
        (67, rejected(Rejection::NotEnough)),
        (0, ACCEPTED),
        (200, rejected(Rejection::NotEnough)),
    ] {
        assert_eq!(count(Method::SuperMajority { percent }, 1, two_of_three()).verdict, verdict, "{percent}");
    }
    // Asking for less than more than half is asking for more than half; more than all is all.
    assert_eq!(
        count(Method::SuperMajority { percent: 0 }, 1, vec![Yes, No]).verdict,
        rejected(Rejection::NotEnough)
    );
    assert_eq!(count(Method::SuperMajority { percent: 200 }, 1, vec![Yes]).verdict, ACCEPTED);
}

#[test]
fn nobody_votes_and_nothing_is_accepted_by_any_method() {
    for method in [
        Method::Consent,
        Method::Consensus,
        Method::Majority,
        Method::SuperMajority { percent: 51 },
        Method::Score { max: 5 },
        Method::RankedChoice,
    ] {
        let outcome = tally(&rule(method.clone()), 2, &electorate(3), &[], &[], Topic::Other, None);
        assert_eq!(outcome.verdict, rejected(Rejection::NoVotes), "{method:?}");
        assert_eq!((outcome.electorate, outcome.taking_part), (3, 0));
    }
}

#[test]
fn a_quorum_is_asked_for_only_by_a_rule_that_has_one_and_delegations_count_for_it() {
    let mut rule = rule(Method::Majority);
    let delegation = DelegationRule { max_length: 1, max_votes: None };
    let verdict = |rule: &MethodRule, delegations: &[Delegation]| {
        let ballots = ballots(vec![Choice::Yes]);
        tally(rule, 1, &electorate(4), &ballots, delegations, Topic::Other, Some(&delegation)).verdict
    };
    assert_eq!(verdict(&rule, &[]), ACCEPTED);
    rule.quorum_percent = Some(50);
    assert_eq!(verdict(&rule, &[]), rejected(Rejection::NoQuorum));
    assert_eq!(verdict(&rule, &[trusts(1, 0)]), ACCEPTED);
    // More than everybody is everybody; else such a rule could never be changed again.
    rule.quorum_percent = Some(150);
    assert_eq!(verdict(&rule, &[trusts(1, 0), trusts(2, 0)]), rejected(Rejection::NoQuorum));
    assert_eq!(verdict(&rule, &[trusts(1, 0), trusts(2, 0), trusts(3, 0)]), ACCEPTED);
}

#[test]
fn the_option_with_most_points_wins() {
    let outcome = count(Method::Score { max: 5 }, 3, vec![points(&[5, 3, 0]), points(&[0, 4, 1])]);
    assert_eq!(outcome.verdict, Verdict::Accepted { option: 1 });
    let Detail::Score { sums, given } = outcome.detail else { panic!("not points") };
    assert_eq!(sums, [5, 7, 1]);
    assert_eq!(given[0], [1, 0, 0, 0, 0, 1]);
}

#[test]
fn equal_sums_go_to_what_more_members_gave_the_most_points_and_then_to_the_earlier_option() {
    let winner = |choices| count(Method::Score { max: 3 }, 3, choices).verdict;
    // 3 points each; the last has them from one member.
    assert_eq!(
        winner(vec![points(&[1, 2, 3]), points(&[1, 1, 0]), points(&[1, 0, 0])]),
        Verdict::Accepted { option: 2 }
    );
    // No 3 anywhere; the second and the third have one 2 and one 1 each.
    assert_eq!(
        winner(vec![points(&[1, 2, 0]), points(&[1, 1, 1]), points(&[1, 0, 2])]),
        Verdict::Accepted { option: 1 }
    );
    assert_eq!(winner(vec![points(&[2, 2, 1]), points(&[1, 1, 2])]), Verdict::Accepted { option: 0 });
    assert_eq!(winner(vec![points(&[0, 0, 0])]), rejected(Rejection::NotEnough));
}

#[test]
fn a_run_off_moves_votes_on_until_one_option_has_more_than_half() {
    // The capital of Tennessee: Memphis, Nashville, Chattanooga, Knoxville.
    let mut choices = Vec::new();
    for (order, votes) in [([0, 1, 2, 3], 42), ([1, 2, 3, 0], 26), ([2, 3, 1, 0], 15), ([3, 2, 1, 0], 17)] {
        choices.extend(vec![ranking(&order); votes]);
    }
    let outcome = count(Method::RankedChoice, 4, choices);
    assert_eq!(outcome.verdict, Verdict::Accepted { option: 3 });
    let Detail::Ranked { rounds } = outcome.detail else { panic!("no rounds") };
    let seen: Vec<_> = rounds.iter().map(|round| (round.votes.clone(), round.eliminated)).collect();
    assert_eq!(
        seen,
        [(vec![42, 26, 15, 17], Some(2)), (vec![42, 26, 0, 32], Some(1)), (vec![42, 0, 0, 58], None),]
    );
    assert!(rounds.iter().all(|round| round.tied.is_empty() && round.exhausted == 0));
}

#[test]
fn votes_that_rank_none_of_those_left_are_exhausted_and_the_others_decide() {
    let outcome = count(
        Method::RankedChoice,
        3,
        vec![ranking(&[0]), ranking(&[0]), ranking(&[1]), ranking(&[1]), ranking(&[1, 0]), ranking(&[2])],
    );
    assert_eq!(outcome.verdict, Verdict::Accepted { option: 1 });
    let Detail::Ranked { rounds } = outcome.detail else { panic!("no rounds") };
    assert_eq!(rounds.last().map(|round| (round.votes.clone(), round.exhausted)), Some((vec![2, 3, 0], 1)));
}

#[test]
fn in_a_sense_check_everybody_speaks_for_themselves() {
    let delegation = DelegationRule { max_length: 3, max_votes: None };
    let feeling = |feeling| Choice::Sense { feeling };
    let ballots = ballots(vec![feeling(2), feeling(-2), feeling(2), feeling(0)]);
    let rule = rule(Method::SenseCheck);
    let outcome = tally(&rule, 0, &electorate(5), &ballots, &[trusts(4, 0)], Topic::Other, Some(&delegation));
    assert_eq!(outcome.verdict, Verdict::Sensed);
    assert_eq!(outcome.detail, Detail::Sense { counts: [1, 0, 1, 0, 2] });
    assert_eq!((outcome.taking_part, outcome.delegated), (4, 0));
}

#[test]
fn ballots_of_strangers_and_ballots_that_say_nothing_do_not_count() {
    let mut cast = ballots(vec![Choice::Yes, Choice::Sense { feeling: 2 }]);
    cast.push(Ballot { voter: member(99), choice: Choice::No });
    let outcome = tally(&rule(Method::Majority), 1, &electorate(2), &cast, &[], Topic::Other, None);
    assert_eq!(outcome.verdict, ACCEPTED);
    assert_eq!(outcome.taking_part, 1);
}

#[test]
fn a_result_is_the_same_after_it_was_written_down_and_read() {
    let outcome = count(Method::RankedChoice, 3, vec![ranking(&[2, 1]), ranking(&[0])]);
    let written = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&written).unwrap(), outcome);
}
