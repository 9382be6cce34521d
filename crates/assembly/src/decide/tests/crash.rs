//! The power goes between any two steps; what was acknowledged is there, what was not is gone whole, and the community
//! comes to the same result.

use banyan_governance::method::Choice;
use banyan_governance::proposal::ProposalState;
use banyan_governance::{Time, kits};

use super::{closing_words, delegates, id, propose, state, votes};
use crate::error::AssemblyError;
use crate::testing::{FOUNDED, World};

const NOW: Time = Time(FOUNDED.0 + 60);

/// What members do, one after the other; `council` discusses a day, and delegates.
const STEPS: usize = 7;

async fn step(world: &World, step: usize) -> Result<(), AssemblyError> {
    let opened = NOW.plus_hours(24);
    match step {
        0 => propose(world, id(), Some(closing_words(1)), NOW).await,
        1 => delegates(world, 3, 0, NOW).await,
        2 => world.assembly.settle(opened).await.map(drop),
        3 => votes(world, id(), 0, Choice::Yes, opened).await,
        4 => votes(world, id(), 1, Choice::No, opened).await,
        5 => votes(world, id(), 1, Choice::Yes, opened).await,
        _ => world.assembly.settle(opened.plus_hours(120)).await.map(drop),
    }
}

/// All that the community would miss, without what is random (the names of withheld texts).
async fn on_disk(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT * FROM proposals",
        "SELECT * FROM ballots",
        "SELECT * FROM counted",
        "SELECT * FROM delegations",
        "SELECT * FROM policies",
        "SELECT * FROM in_force",
        "SELECT seq, time, kind FROM ledger",
    ] {
        all.extend(world.rows(sql).await);
    }
    world.ledger().await;
    all
}

async fn world() -> World {
    World::with(kits::find("council").unwrap(), 4).await
}

#[tokio::test]
async fn a_power_cut_between_any_two_steps_loses_nothing() {
    let reference = {
        let world = world().await;
        for number in 0..STEPS {
            step(&world, number).await.unwrap();
        }
        assert_eq!(state(&world, id()).await, ProposalState::Enacted);
        on_disk(&world).await
    };
    let mut cuts = 0;
    for number in 0..STEPS {
        for after in 0.. {
            let mut world = world().await;
            for earlier in 0..number {
                step(&world, earlier).await.unwrap();
            }
            let before = on_disk(&world).await;
            world.assembly.cut_power_after(after);
            let cut = step(&world, number).await;
            world = world.reopened();
            if cut.is_ok() {
                break;
            }
            cuts += 1;
            assert_eq!(on_disk(&world).await, before, "step {number}, cut after {after}");
            for later in number..STEPS {
                step(&world, later).await.unwrap();
            }
            assert_eq!(on_disk(&world).await, reference, "step {number}, cut after {after}");
        }
    }
    assert!(cuts > 2 * STEPS, "{cuts} cuts: steps are not counted any more");
}

#[tokio::test]
async fn a_clock_that_stood_still_for_a_year_comes_to_the_same_result() {
    let world = world().await;
    for number in 0..STEPS - 1 {
        step(&world, number).await.unwrap();
    }
    let world = world.reopened();
    world.assembly.settle(NOW.plus_days(365)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
    assert_eq!(world.assembly.in_force().policy.closing, "Peace.");
}
