use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn member(number: u64) -> MemberId {
    MemberId::from_random(number)
}

fn members(numbers: &[u64]) -> Vec<MemberId> {
    numbers.iter().copied().map(member).collect()
}

fn trusts(from: u64, to: u64, topic: Option<Topic>) -> Delegation {
    Delegation { from: member(from), to: member(to), topic }
}

fn rule(max_length: u8, max_votes: Option<u32>) -> DelegationRule {
    DelegationRule { max_length, max_votes }
}

/// Voices in a vote about people, by number of member.
fn voices(of: u64, voters: &[u64], delegations: &[Delegation], rule: &DelegationRule) -> Vec<Voice> {
    let electorate: Vec<MemberId> = (0..of).map(member).collect();
    let resolved = resolve(&electorate, &members(voters), delegations, Topic::People, Some(rule));
    electorate.iter().map(|member| resolved.voices[member].clone()).collect()
}

fn through(path: &[u64]) -> Voice {
    Voice::Through { path: members(path) }
}

fn silent(why: Silence) -> Voice {
    Voice::Silent { why }
}

#[test]
fn a_vote_goes_on_until_it_finds_somebody_who_votes() {
    let chain = [trusts(0, 1, None), trusts(1, 2, None), trusts(2, 3, None)];
    let found = voices(4, &[3], &chain, &rule(3, None));
    assert_eq!(found, [through(&[1, 2, 3]), through(&[2, 3]), through(&[3]), Voice::Own]);
    let found = voices(4, &[2], &chain, &rule(3, None));
    assert_eq!(found[..3], [through(&[1, 2]), through(&[2]), Voice::Own]);
    assert_eq!(found[3], silent(Silence::DidNotVote));
}

#[test]
fn ones_own_vote_comes_before_the_one_that_was_handed_on() {
    let found = voices(3, &[0, 1], &[trusts(0, 1, None), trusts(2, 0, None)], &rule(5, None));
    assert_eq!(found, [Voice::Own, Voice::Own, through(&[0])]);
}

#[test]
fn the_delegation_for_the_topic_comes_before_the_one_for_all() {
    let delegations =
        [trusts(0, 1, Some(Topic::People)), trusts(0, 2, None), trusts(0, 3, Some(Topic::Models))];
    assert_eq!(voices(4, &[1, 2, 3], &delegations, &rule(5, None))[0], through(&[1]));
    assert_eq!(voices(4, &[1, 2, 3], &delegations[1..], &rule(5, None))[0], through(&[2]));
    assert_eq!(voices(4, &[1, 2, 3], &delegations[2..], &rule(5, None))[0], silent(Silence::DidNotVote));
}

#[test]
fn chains_that_lead_nowhere_say_why() {
    let circle = [trusts(0, 1, None), trusts(1, 2, None), trusts(2, 1, None)];
    assert_eq!(voices(3, &[], &circle, &rule(9, None)), [(); 3].map(|()| silent(Silence::Circle)));
    let chain = [trusts(0, 1, None), trusts(1, 2, None), trusts(2, 3, None)];
    assert_eq!(voices(4, &[3], &chain, &rule(2, None))[0], silent(Silence::TooLong));
    assert_eq!(voices(4, &[], &chain, &rule(9, None))[0], silent(Silence::ChainEnds));
    // Member 3 has left.
    assert_eq!(voices(3, &[3], &chain, &rule(9, None))[0], silent(Silence::NotAVoter));
}

#[test]
fn without_a_rule_every_member_speaks_only_for_themselves() {
    let resolved = resolve(&members(&[0, 1]), &members(&[1]), &[trusts(0, 1, None)], Topic::People, None);
    assert_eq!(resolved.voices[&member(0)], silent(Silence::DidNotVote));
    assert_eq!(resolved.weights().into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn who_may_carry_three_votes_carries_the_nearest_two_and_their_own() {
    let delegations = [trusts(0, 1, None), trusts(1, 4, None), trusts(2, 4, None), trusts(3, 4, None)];
    let found = voices(5, &[4], &delegations, &rule(5, Some(3)));
    let carried: Vec<usize> =
        (0..4).filter(|&number| matches!(found[number], Voice::Through { .. })).collect();
    // Member 0 is two steps away; of the three that are one step away those whose names come first are carried.
    let mut near = [1_usize, 2, 3];
    near.sort_by_key(|&number| member(number as u64));
    let mut expected = near[..2].to_vec();
    expected.sort_unstable();
    assert_eq!(carried, expected);
    assert_eq!(found[0], silent(Silence::TooMany));
    assert_eq!(voices(5, &[4], &delegations, &rule(5, Some(0)))[4], Voice::Own);
}

#[test]
fn a_new_delegation_may_not_close_a_circle() {
    let held = [trusts(0, 1, None), trusts(1, 2, Some(Topic::People))];
    let closing = trusts(2, 0, None);
    // Only in questions about people; elsewhere 1 trusts nobody.
    assert_eq!(would_cycle(&closing, &held), Some(members(&[2, 0, 1, 2])));
    assert!(matches!(check(&closing, &held, Some(&rule(9, None))), Err(DelegationError::Circle { .. })));
    assert_eq!(would_cycle(&trusts(2, 0, Some(Topic::Models)), &held), None);
    // The one for the topic takes the member out of the circle.
    let out = [trusts(0, 1, None), trusts(1, 2, None), trusts(2, 3, Some(Topic::People))];
    assert!(would_cycle(&trusts(2, 0, Some(Topic::Models)), &out).is_some());
    assert!(would_cycle(&trusts(2, 4, None), &out).is_none());
    // A circle further on is not this delegation's; it counts for nobody and harms nobody.
    assert_eq!(would_cycle(&trusts(5, 6, None), &[trusts(6, 7, None), trusts(7, 6, None)]), None);
}

#[test]
fn a_new_delegation_replaces_the_members_own_for_the_same_topic() {
    let held = [trusts(0, 1, None), trusts(1, 2, None)];
    assert_eq!(check(&trusts(1, 3, None), &held, Some(&rule(2, None))), Ok(()));
    assert_eq!(would_cycle(&trusts(1, 0, None), &held), Some(members(&[1, 0, 1])));
    // Turned round in one step: 0 no longer trusts 1.
    assert_eq!(would_cycle(&trusts(0, 3, None), &[trusts(3, 1, None), trusts(0, 1, None)]), None);
}

#[test]
fn what_is_refused_says_what_to_do_instead() {
    let held = [trusts(1, 2, None), trusts(2, 3, None)];
    for (new, rule, words) in [
        (trusts(0, 1, None), None, "propose it"),
        (trusts(0, 0, None), Some(rule(9, None)), "simply vote"),
        (trusts(3, 1, None), Some(rule(9, None)), "circle"),
        (trusts(0, 1, None), Some(rule(2, None)), "3 steps"),
    ] {
        let error = check(&new, &held, rule.as_ref()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(check(&trusts(0, 1, None), &held, Some(&rule(3, None))), Ok(()));
}

#[test]
fn everybody_sees_along_whom_a_vote_would_go() {
    let held = [trusts(0, 1, None), trusts(1, 2, Some(Topic::People)), trusts(1, 0, None)];
    assert_eq!(path(&member(0), &held, Some(Topic::People)), members(&[1, 2]));
    assert_eq!(path(&member(0), &held, None), members(&[1]));
    assert!(path(&member(7), &held, None).is_empty());
}

/// Members who may vote; two more numbers are people who may not.
const ELECTORATE: u64 = 6;
const PEOPLE: u64 = 8;

fn some_delegations() -> impl Strategy<Value = Vec<Delegation>> {
    let topic = select(vec![None, None, Some(Topic::People), Some(Topic::Models)]);
    vec((0..PEOPLE, 0..PEOPLE, topic).prop_map(|(from, to, topic)| trusts(from, to, topic)), 0..24)
}

/// Tries every chain of different members there is, and keeps those in which each step is the trust that holds.
fn oracle(
    voters: &BTreeSet<u64>,
    delegations: &[Delegation],
    rule: &DelegationRule,
) -> BTreeMap<u64, Vec<u64>> {
    let holds = |from: u64, to: u64| {
        let of = |topic| delegations.iter().rfind(|held| held.from == member(from) && held.topic == topic);
        of(Some(Topic::People)).or_else(|| of(None)).is_some_and(|held| held.to == member(to))
    };
    let mut found: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for start in (0..ELECTORATE).filter(|start| !voters.contains(start)) {
        let mut chains = vec![vec![start]];
        while let Some(chain) = chains.pop() {
            let (last, steps) = (chain[chain.len() - 1], chain.len() - 1);
            if voters.contains(&last) {
                found.insert(start, chain[1..].to_vec());
            } else if steps < usize::from(rule.max_length) {
                for next in (0..ELECTORATE).filter(|next| !chain.contains(next)) {
                    if holds(last, next) {
                        chains.push([&chain[..], &[next]].concat());
                    }
                }
            }
        }
    }
    if let Some(max_votes) = rule.max_votes {
        for &voter in voters {
            let mut carried: Vec<u64> = found
                .iter()
                .filter(|(_, chain)| chain.last() == Some(&voter))
                .map(|(&start, _)| start)
                .collect();
            carried.sort_by_key(|start| (found[start].len(), member(*start)));
            for start in carried.into_iter().skip((max_votes as usize).max(1) - 1) {
                found.remove(&start);
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn every_voice_is_what_trying_all_chains_finds(
        delegations in some_delegations(),
        voters in btree_set(0..ELECTORATE, 0..4),
        max_length in 0..8_u8,
        max_votes in option::of(0..5_u32),
    ) {
        let rule = rule(max_length, max_votes);
        let expected = oracle(&voters, &delegations, &rule);
        let voters_list: Vec<u64> = voters.iter().copied().collect();
        for (number, voice) in (0..).zip(voices(ELECTORATE, &voters_list, &delegations, &rule)) {
            let expected = match expected.get(&number) {
                _ if voters.contains(&number) => Some(Voice::Own),
                Some(path) => Some(through(path)),
                None => None,
            };
            match expected {
                Some(expected) => prop_assert_eq!(voice, expected),
                None => prop_assert!(matches!(voice, Voice::Silent { .. }), "{:?}", voice),
            }
        }
    }

    #[test]
    fn every_member_is_counted_at_most_once_and_no_voter_carries_too_many(
        delegations in some_delegations(),
        voters in btree_set(0..PEOPLE, 0..6),
        max_length in 0..8_u8,
        max_votes in option::of(1..4_u32),
    ) {
        let electorate: Vec<MemberId> = (0..ELECTORATE).map(member).collect();
        let voters: Vec<MemberId> = voters.into_iter().map(member).collect();
        let rule = rule(max_length, max_votes);
        let resolved = resolve(&electorate, &voters, &delegations, Topic::People, Some(&rule));
        prop_assert_eq!(resolved.voices.keys().cloned().collect::<BTreeSet<_>>(), electorate.iter().cloned().collect());
        let weights = resolved.weights();
        let counted = resolved.voices.values().filter(|voice| !matches!(voice, Voice::Silent { .. })).count();
        prop_assert_eq!(weights.values().sum::<u32>() as usize, counted);
        prop_assert!(weights.keys().all(|voter| voters.contains(voter) && electorate.contains(voter)));
        prop_assert!(weights.values().all(|&weight| weight <= max_votes.unwrap_or(u32::MAX)));
    }

    #[test]
    fn delegations_that_were_checked_one_by_one_never_form_a_circle_in_the_topic_they_are_for(
        wanted in vec((0..PEOPLE, 0..PEOPLE), 0..20),
    ) {
        let mut held: Vec<Delegation> = Vec::new();
        for (from, to) in wanted {
            let new = trusts(from, to, Some(Topic::People));
            if check(&new, &held, Some(&rule(u8::MAX, None))).is_ok() {
                held.retain(|other| other.from != new.from);
                held.push(new);
            }
        }
        let found = voices(PEOPLE, &[], &held, &rule(u8::MAX, None));
        prop_assert!(!found.contains(&silent(Silence::Circle)), "{:?}", held);
    }
}
