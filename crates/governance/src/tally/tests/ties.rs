//! The tie rules, written down a second time in another way, over elections so small that many of them are tied.

use std::cmp::Reverse;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Votes by option when the options of `out` are out.
fn votes(papers: &[Vec<u8>], options: u8, out: &[u8]) -> Vec<usize> {
    let first = |paper: &Vec<u8>| paper.iter().copied().find(|option| !out.contains(option));
    (0..options).map(|option| papers.iter().filter(|paper| first(paper) == Some(option)).count()).collect()
}

/// Who goes out, one after the other, until one is left: each time the option that comes first when all that are left
/// are sorted by their votes now, then by their votes in the round before, and so on, then from the last to the first.
fn out_in_order(papers: &[Vec<u8>], options: u8) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    while out.len() + 1 < usize::from(options) {
        let history: Vec<Vec<usize>> =
            (0..=out.len()).rev().map(|round| votes(papers, options, &out[..round])).collect();
        let key = |option: &u8| {
            let record: Vec<usize> = history.iter().map(|votes| votes[usize::from(*option)]).collect();
            (record, Reverse(*option))
        };
        let loser = (0..options).filter(|option| !out.contains(option)).min_by_key(key).unwrap();
        out.push(loser);
    }
    out
}

fn papers(options: u8) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let paper = (Just((0..options).collect::<Vec<u8>>()).prop_shuffle(), 1..=usize::from(options));
    vec(paper.prop_map(|(order, length)| order[..length].to_vec()), 1..16)
}

#[test]
fn tied_options_are_told_apart_by_the_round_just_before_not_by_the_first() {
    let mut choices = Vec::new();
    for (order, votes) in
        [(&[0, 1][..], 5), (&[1], 4), (&[2, 0, 1], 1), (&[2, 4], 2), (&[3, 1], 2), (&[4], 8)]
    {
        choices.extend(vec![ranking(order); votes]);
    }
    let outcome = count(Method::RankedChoice, 5, choices);
    let Detail::Ranked { rounds } = outcome.detail else { panic!("no rounds") };
    assert_eq!(rounds[0].votes, [5, 4, 3, 2, 8]);
    assert_eq!(rounds[1].votes, [5, 6, 3, 0, 8]);
    // 0 had more than 1 at first, and fewer just before.
    assert_eq!(rounds[2].votes, [6, 6, 0, 0, 10]);
    assert_eq!((&rounds[2].tied[..], rounds[2].eliminated), (&[0, 1][..], Some(0)));
    assert_eq!(outcome.verdict, Verdict::Accepted { option: 1 });
}

proptest! {
    #[test]
    fn a_run_off_is_what_the_rule_says_also_when_options_are_tied(
        (options, papers) in (1..7_u8).prop_flat_map(|options| (Just(options), papers(options)))
    ) {
        let outcome = count(Method::RankedChoice, options.into(), papers.iter().map(|order| ranking(order)).collect());
        let expected = out_in_order(&papers, options);
        let winner = (0..options).find(|option| !expected.contains(option)).unwrap();
        prop_assert_eq!(outcome.verdict, Verdict::Accepted { option: winner });
        let Detail::Ranked { rounds } = outcome.detail else { panic!("no rounds") };
        for (number, round) in rounds.iter().enumerate() {
            let now = votes(&papers, options, &expected[..number]);
            prop_assert_eq!(round.votes.iter().map(|votes| *votes as usize).collect::<Vec<_>>(), now.clone());
            let Some(out) = round.eliminated else { continue };
            prop_assert_eq!(out, expected[number]);
            let as_few: Vec<u8> = (0..options)
                .filter(|option| !expected[..number].contains(option))
                .filter(|option| now[usize::from(*option)] == now[usize::from(out)])
                .collect();
            prop_assert_eq!(&round.tied, &if as_few.len() > 1 { as_few } else { Vec::new() });
        }
        // It stops as soon as, and not before, one has more than half.
        let decided = |round: &RankedRound| {
            let counting: u32 = round.votes.iter().sum();
            round.votes.iter().any(|votes| votes * 2 > counting)
        };
        prop_assert!(rounds.split_last().is_some_and(|(last, before)| decided(last) && !before.iter().any(decided)));
    }

    #[test]
    fn points_are_counted_as_the_rule_says_also_when_options_are_tied(
        (options, max, papers) in (1..5_usize, 1..4_u8).prop_flat_map(|(options, max)| {
            (Just(options), Just(max), vec(vec(0..=max, options), 1..7))
        })
    ) {
        let outcome = count(
            Method::Score { max },
            options,
            papers.iter().map(|points| Choice::Score { points: points.clone() }).collect(),
        );
        // More points in all; then, with each option's points sorted from the most, the larger list; then the earlier.
        let standing = |option: &usize| {
            let mut points: Vec<u8> = papers.iter().map(|points| points[*option]).collect();
            points.sort_unstable_by(|a, b| b.cmp(a));
            (points.iter().map(|points| u64::from(*points)).sum::<u64>(), points, Reverse(*option))
        };
        let winner = (0..options).max_by_key(standing).unwrap();
        let expected = if standing(&winner).0 == 0 {
            rejected(Rejection::NotEnough)
        } else {
            Verdict::Accepted { option: u8::try_from(winner).unwrap() }
        };
        prop_assert_eq!(outcome.verdict, expected);
    }
}
