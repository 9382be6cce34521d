//! Whatever members do and in whatever order: one vote each, none lost, none counted twice.

use std::collections::BTreeMap;

use banyan_governance::method::Choice;
use banyan_governance::tally::Detail;
use banyan_governance::{Time, kits};
use proptest::prelude::*;

use super::{closing_words, delegates, id, kept, member, propose, votes};
use crate::decide::vote::{Cast, cast};
use crate::error::AssemblyError;
use crate::testing::{FOUNDED, World};

const MEMBERS: usize = 6;
const NOW: Time = Time(FOUNDED.0 + 60);
/// `council`: discussed for a day, open for five.
const OPENED: Time = NOW.plus_hours(24);
const CLOSED: Time = OPENED.plus_hours(120);
/// Steps that `council` lets a vote go.
const MAX_LENGTH: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    Vote(usize, bool),
    OnPaper(usize, bool),
    TakeBack(usize),
    Delegate(usize, usize),
    LookAtTheClock,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = 0..MEMBERS;
    let act = prop_oneof![
        4 => (who.clone(), any::<bool>()).prop_map(|(who, yes)| Act::Vote(who, yes)),
        2 => (who.clone(), any::<bool>()).prop_map(|(who, yes)| Act::OnPaper(who, yes)),
        1 => who.clone().prop_map(Act::TakeBack),
        2 => (who.clone(), who).prop_map(|(from, to)| Act::Delegate(from, to)),
        1 => Just(Act::LookAtTheClock),
    ];
    prop::collection::vec(act, 0..25)
}

const fn choice(yes: bool) -> Choice {
    if yes { Choice::Yes } else { Choice::No }
}

/// What should count: who voted how, and who trusts whom.
#[derive(Debug, Default)]
struct Model {
    votes: BTreeMap<usize, bool>,
    trusted: BTreeMap<usize, usize>,
}

impl Model {
    /// Yes and no, with those who speak through another.
    fn counts(&self) -> (u32, u32) {
        let mut counts = (0, 0);
        for member in 0..MEMBERS {
            let mut here = member;
            let mut steps = 0;
            while !self.votes.contains_key(&here) && steps < MAX_LENGTH {
                let Some(&next) = self.trusted.get(&here) else { break };
                here = next;
                steps += 1;
            }
            match self.votes.get(&here) {
                Some(true) => counts.0 += 1,
                Some(false) => counts.1 += 1,
                None => {}
            }
        }
        counts
    }
}

async fn on_paper(world: &World, voter: usize, yes: bool) -> Result<(), AssemblyError> {
    let (voter, helper) = (member(voter), member(0));
    world
        .change(OPENED, move |change| {
            cast(change, &id(), &Cast { voter: &voter, choice: &choice(yes), helper: Some(&helper) })
        })
        .await
}

async fn take_back(world: &World, voter: usize) -> Result<bool, AssemblyError> {
    let voter = member(voter);
    world.change(OPENED, move |change| crate::decide::vote::take_back(change, &id(), &voter)).await
}

async fn act(world: &World, model: &mut Model, act: &Act) {
    match *act {
        Act::Vote(voter, yes) => {
            votes(world, id(), voter, choice(yes), OPENED).await.unwrap();
            model.votes.insert(voter, yes);
        }
        Act::OnPaper(voter, yes) => {
            // Who has voted is not voted for.
            let taken = on_paper(world, voter, yes).await.is_ok();
            assert_eq!(taken, !model.votes.contains_key(&voter));
            model.votes.entry(voter).or_insert(yes);
        }
        Act::TakeBack(voter) => {
            assert_eq!(take_back(world, voter).await.unwrap(), model.votes.remove(&voter).is_some());
        }
        Act::Delegate(from, to) => {
            if delegates(world, from, to, OPENED).await.is_ok() {
                model.trusted.insert(from, to);
            }
        }
        Act::LookAtTheClock => {
            world.assembly.settle(OPENED).await.unwrap();
        }
    }
}

async fn opened() -> World {
    let world = World::with(kits::find("council").unwrap(), MEMBERS as u64).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    world.assembly.settle(OPENED).await.unwrap();
    world
}

async fn yes_and_no(world: &World) -> (u32, u32) {
    world.assembly.settle(CLOSED).await.unwrap();
    world.ledger().await;
    match kept(world, id()).await.outcome.unwrap().detail {
        Detail::YesNo { yes, no, abstain: 0, .. } => (yes, no),
        other => panic!("{other:?}"),
    }
}

async fn check(acts: Vec<Act>) {
    let mut model = Model::default();
    let world = opened().await;
    for one in &acts {
        act(&world, &mut model, one).await;
    }
    let rows = world.rows("SELECT voter FROM ballots").await;
    assert_eq!(rows.len(), model.votes.len(), "one row for each who voted");
    assert_eq!(yes_and_no(&world).await, model.counts());

    // The same votes, the other way round and through a power cut.
    let again = opened().await;
    for (&from, &to) in &model.trusted {
        delegates(&again, from, to, OPENED).await.unwrap();
    }
    for (&voter, &yes) in model.votes.iter().rev() {
        votes(&again, id(), voter, choice(yes), OPENED).await.unwrap();
    }
    assert_eq!(yes_and_no(&again.reopened()).await, model.counts());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_vote_is_counted_twice_and_none_is_lost(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(acts));
    }
}
