use banyan_governance::constitution::DelegationRule;
use banyan_governance::kits::{self, Kit};
use banyan_governance::method::{Choice, Method};
use banyan_governance::proposal::ProposalState;
use banyan_governance::tally::{Detail, Verdict};
use banyan_governance::{Decision, Time, Topic};

use super::{closing_words, code, delegates, id, kept, propose, state, votes};
use crate::testing::{FOUNDED, World};

const NOW: Time = Time(FOUNDED.0 + 60);

fn circle_with(change: impl FnOnce(&mut banyan_governance::method::MethodRule)) -> Kit {
    let mut kit = kits::find("circle").unwrap().clone();
    change(kit.constitution.rules.get_mut(&Topic::Behaviour).unwrap());
    kit
}

#[tokio::test]
async fn the_last_vote_enacts_what_nobody_objects_to() {
    let world = World::founded("circle", 3).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    for voter in 0..3 {
        assert_eq!(state(&world, id()).await, ProposalState::Open);
        assert_eq!(world.assembly.in_force().policy_version, 1);
        votes(&world, id(), voter, Choice::Yes, NOW).await.unwrap();
    }
    let kept = kept(&world, id()).await;
    let in_force = world.assembly.in_force();
    assert_eq!((kept.proposal.state, kept.entry), (ProposalState::Enacted, Some(in_force.policy_entry)));
    assert_eq!((in_force.policy.closing.as_str(), in_force.policy_version), ("Peace.", 2));
    assert!(kept.proposal.review.is_some());
    let kinds = world.kinds().await;
    let of_the_vote: Vec<&str> =
        kinds.iter().map(String::as_str).skip_while(|kind| *kind == "decision").collect();
    assert_eq!(
        of_the_vote,
        [
            "proposal.submitted",
            "proposal.opened",
            "ballot.cast",
            "ballot.cast",
            "ballot.cast",
            "proposal.votes",
            "proposal.closed",
            "decision"
        ]
    );
}

#[tokio::test]
async fn an_objection_stops_and_its_reason_is_not_in_the_ledger() {
    let world = World::founded("circle", 2).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    votes(&world, id(), 0, Choice::Yes, NOW).await.unwrap();
    let reason = "too solemn for children".to_owned();
    votes(&world, id(), 1, Choice::Object { reason: reason.clone() }, NOW).await.unwrap();
    let kept = kept(&world, id()).await;
    assert_eq!(kept.proposal.state, ProposalState::Failed);
    assert!(
        matches!(&kept.outcome.unwrap().detail, Detail::YesNo { reasons, .. } if *reasons == [reason.clone()])
    );
    let entries = world.read(|connection| Ok(banyan_ledger::page(connection, None, 1000)?)).await;
    let ledger = entries.iter().map(|entry| String::from_utf8_lossy(&entry.payload)).collect::<String>();
    for words in [reason.as_str(), "Our words", "Because."] {
        assert!(!ledger.contains(words), "{words}");
    }
    assert_eq!(world.assembly.in_force().policy_version, 1);
}

#[tokio::test]
async fn a_vote_closes_by_its_time_when_somebody_does_not_vote() {
    let world = World::founded("circle", 3).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    votes(&world, id(), 0, Choice::Yes, NOW).await.unwrap();
    assert_eq!(world.assembly.settle(NOW.plus_hours(47)).await.unwrap(), 0);
    assert_eq!(world.assembly.settle(NOW.plus_hours(48)).await.unwrap(), 1);
    assert_eq!(world.assembly.settle(NOW.plus_hours(49)).await.unwrap(), 0);
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
}

#[tokio::test]
async fn a_vote_after_the_end_does_not_count_even_when_nobody_looked_at_the_clock() {
    let world = World::founded("circle", 3).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    votes(&world, id(), 0, Choice::Yes, NOW).await.unwrap();
    let object = Choice::Object { reason: "late".into() };
    let error = votes(&world, id(), 1, object, NOW.plus_hours(100)).await.unwrap_err();
    assert_eq!(code(&error), "vote_not_open");
    world.assembly.settle(NOW.plus_hours(100)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
}

#[tokio::test]
async fn everybody_voting_does_not_cut_the_least_time_short() {
    let kit = circle_with(|rule| rule.min_open_hours = 5);
    let world = World::with(&kit, 1).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    votes(&world, id(), 0, Choice::Object { reason: "hm".into() }, NOW).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Open);
    // A vote can be changed until the end, and the last one counts.
    votes(&world, id(), 0, Choice::Yes, NOW.plus_hours(1)).await.unwrap();
    world.assembly.settle(NOW.plus_hours(4)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Open);
    world.assembly.settle(NOW.plus_hours(5)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
}

#[tokio::test]
async fn discussion_comes_before_the_vote() {
    let kit = circle_with(|rule| rule.discussion_hours = 24);
    let world = World::with(&kit, 1).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    let error = votes(&world, id(), 0, Choice::Yes, NOW.plus_hours(23)).await.unwrap_err();
    assert_eq!(code(&error), "vote_not_open");
    votes(&world, id(), 0, Choice::Yes, NOW.plus_hours(24)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
}

#[tokio::test]
async fn what_was_overtaken_stays_passed_and_says_why() {
    let world = World::founded("circle", 1).await;
    let (first, second) = (id(), banyan_governance::ProposalId::from_random(2));
    propose(&world, first.clone(), Some(closing_words(1)), NOW).await.unwrap();
    propose(&world, second.clone(), Some(closing_words(1)), NOW).await.unwrap();
    votes(&world, first, 0, Choice::Yes, NOW).await.unwrap();
    votes(&world, second.clone(), 0, Choice::Yes, NOW).await.unwrap();
    let kept = kept(&world, second).await;
    assert_eq!((kept.proposal.state, kept.entry), (ProposalState::Passed, None));
    assert!(kept.proposal.not_enacted.unwrap().contains("version 2 is in force"), "the second one says why");
    assert_eq!(world.assembly.in_force().policy_version, 2);
    assert_eq!(world.kinds().await.last().unwrap(), "proposal.not_enacted");
}

#[tokio::test]
async fn a_secret_vote_leaves_no_way_back_to_the_voter() {
    let kit = circle_with(|rule| {
        rule.secret = true;
        rule.method = Method::Majority;
    });
    let world = World::with(&kit, 4).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    for (voter, choice) in [Choice::Yes, Choice::Yes, Choice::No, Choice::Yes].into_iter().enumerate() {
        votes(&world, id(), voter, choice, NOW).await.unwrap();
    }
    let ballots = world.rows("SELECT voter, choice, cast_at FROM ballots").await;
    assert_eq!(ballots.len(), 4);
    assert!(ballots.iter().all(|row| row.ends_with("Null | Integer(0)")), "{ballots:?}");
    let counted = world.rows("SELECT voter, through, choice FROM counted").await;
    assert_eq!(counted.len(), 4);
    assert!(counted.iter().all(|row| row.starts_with("Null | Null")), "{counted:?}");
    // The ledger has who voted and the counts, and no list of votes.
    let kinds = world.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "ballot.cast").count(), 4);
    assert!(!kinds.iter().any(|kind| kind == "proposal.votes"));
}

#[tokio::test]
async fn who_delegates_speaks_through_the_other_until_they_vote_themselves() {
    let mut kit = circle_with(|rule| rule.min_open_hours = 1);
    kit.constitution.delegation = Some(DelegationRule { max_length: 3, max_votes: None });
    let world = World::with(&kit, 4).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    delegates(&world, 1, 0, NOW).await.unwrap();
    delegates(&world, 2, 1, NOW).await.unwrap();
    assert_eq!(code(&delegates(&world, 0, 2, NOW).await.unwrap_err()), "delegation_invalid");
    votes(&world, id(), 0, Choice::Yes, NOW).await.unwrap();
    votes(&world, id(), 3, Choice::Yes, NOW).await.unwrap();
    // Everybody's vote is there, through the one they trust.
    world.assembly.settle(NOW.plus_hours(1)).await.unwrap();
    let kept = kept(&world, id()).await;
    let outcome = kept.outcome.unwrap();
    assert_eq!((outcome.taking_part, outcome.delegated), (4, 2));
    let through = world.rows("SELECT voter, through FROM counted WHERE through IS NOT NULL").await;
    assert_eq!(through.len(), 2);
}

#[tokio::test]
async fn a_sense_check_shows_where_the_group_stands() {
    let world = World::founded("circle", 2).await;
    propose(&world, id(), None, NOW).await.unwrap();
    for voter in 0..2 {
        votes(&world, id(), voter, Choice::Sense { feeling: 1 }, NOW).await.unwrap();
    }
    let kept = kept(&world, id()).await;
    assert_eq!(kept.proposal.state, ProposalState::Sensed);
    assert_eq!(kept.outcome.unwrap().verdict, Verdict::Sensed);
}

#[tokio::test]
async fn nobody_votes_on_their_own_recall() {
    let world = World::founded("circle", 2).await;
    let grant = Decision::GrantRole {
        member: world.members[1].clone(),
        role: banyan_governance::Role::Steward,
        days: None,
    };
    let enactment = crate::testing::decided(grant);
    world.change(NOW, move |change| crate::enact::enact(change, &enactment)).await.unwrap();
    let recall =
        Decision::EndRole { member: world.members[0].clone(), role: banyan_governance::Role::Steward };
    propose(&world, id(), Some(recall), NOW).await.unwrap();
    let opened = NOW.plus_hours(24);
    let error = votes(&world, id(), 0, Choice::No, opened).await.unwrap_err();
    assert_eq!(code(&error), "not_yours");
    votes(&world, id(), 1, Choice::Yes, opened).await.unwrap();
    world.assembly.settle(opened.plus_hours(1)).await.unwrap();
    assert_eq!(state(&world, id()).await, ProposalState::Enacted);
    let stewards = world
        .read(move |connection| {
            crate::people::holders(connection, banyan_governance::Role::Steward, opened.plus_hours(2))
        })
        .await;
    assert_eq!(stewards, world.members[1..]);
}

#[tokio::test]
async fn who_joins_when_a_vote_is_open_has_no_vote_in_it() {
    let mut world = World::founded("circle", 2).await;
    propose(&world, id(), Some(closing_words(1)), NOW).await.unwrap();
    world.joined_by(banyan_governance::MemberId::from_random(3), Time(NOW.0 + 1)).await;
    let error = votes(&world, id(), 2, Choice::Yes, NOW.plus_hours(1)).await.unwrap_err();
    assert_eq!(code(&error), "not_yours");
    // Nor is it waited for.
    for voter in 0..2 {
        votes(&world, id(), voter, Choice::Yes, NOW.plus_hours(1)).await.unwrap();
    }
    let kept = kept(&world, id()).await;
    assert_eq!((kept.proposal.state, kept.outcome.unwrap().electorate), (ProposalState::Enacted, 2));
}
