use std::collections::BTreeSet;

use banyan_governance::constitution::EmergencyPower;
use banyan_governance::decision::{SanctionStep, SharingKind, SourceUse};
use banyan_governance::policy::Policy;
use banyan_governance::{Decision, MemberId, Role, Time, kits};

use super::{DECISION, enact, settings, try_enact};
use crate::error::{AssemblyError, Refusal};
use crate::in_force::InForce;
use crate::people;
use crate::testing::{FOUNDED, World, decided};

const LATER: Time = Time(FOUNDED.0 + 1000);

fn fingerprint() -> String {
    "ab".repeat(32)
}

fn set_policy(closing: &str, based_on: u64) -> Decision {
    Decision::SetPolicy {
        policy: Box::new(Policy { closing: closing.into(), ..Policy::default() }),
        based_on,
    }
}

/// Enacts a decision and gives what is in force then; the ledger has one entry more, of the right kind.
async fn after(world: &World, decision: Decision) -> InForce {
    let before = world.ledger().await;
    let enactment = decided(decision);
    let entry = world.change(LATER, move |change| enact(change, &enactment)).await.unwrap();
    assert_eq!((entry, world.ledger().await), (before + 1, before + 1));
    assert_eq!(world.kinds().await.last().unwrap(), DECISION);
    (*world.assembly.in_force()).clone()
}

/// Tries to enact what cannot be; nothing changes.
async fn refused(world: &World, decision: Decision, code: &str) {
    let (ledger, in_force) = (world.ledger().await, world.assembly.in_force());
    let enactment = decided(decision);
    let error = world.change(LATER, move |change| enact(change, &enactment)).await.unwrap_err();
    let found = match &error {
        AssemblyError::Refused(Refusal::WrongState { code, .. } | Refusal::Invalid { code, .. }) => code,
        AssemblyError::Refused(Refusal::NotFound(_)) => "not_found",
        _ => "another error",
    };
    assert_eq!(found, code, "{error}");
    assert_eq!((world.ledger().await, world.assembly.in_force()), (ledger, in_force));
}

#[tokio::test]
async fn the_founding_puts_a_policy_a_constitution_and_a_steward_in_place() {
    let world = World::founded("circle", 2).await;
    let in_force = world.assembly.in_force();
    assert_eq!((in_force.policy_version, in_force.constitution_version), (1, 1));
    assert_eq!(in_force.community, "Test");
    let stewards = world.read(|connection| people::holders(connection, Role::Steward, LATER)).await;
    assert_eq!(stewards, world.members[..1]);
}

#[tokio::test]
async fn a_founded_box_is_not_founded_again() {
    let world = World::founded("circle", 2).await;
    let sources = ["wiki".to_owned()];
    for enactment in kits::found(kits::find("council").unwrap(), &world.members[1], &sources) {
        let error = world.change(LATER, move |change| enact(change, &enactment)).await;
        assert!(matches!(error, Err(AssemblyError::Refused(_))));
    }
    let error = world.change(LATER, |change| super::name_community(change, "Ours")).await;
    assert!(matches!(error, Err(AssemblyError::Refused(_))));
}

#[tokio::test]
async fn a_policy_is_in_force_at_once_and_every_version_is_kept() {
    let world = World::founded("circle", 1).await;
    let in_force = after(&world, set_policy("Peace.", 1)).await;
    assert_eq!((in_force.policy.closing.as_str(), in_force.policy_version), ("Peace.", 2));
    assert_eq!(in_force.policy_entry, in_force.entry);
    assert_eq!(world.rows("SELECT version FROM policies").await.len(), 2);
}

#[tokio::test]
async fn what_was_written_for_another_version_is_refused() {
    let world = World::founded("circle", 1).await;
    refused(&world, set_policy("Peace.", 0), "version_changed").await;
    refused(&world, set_policy("Peace.", 2), "version_changed").await;
    let constitution = Box::new(kits::find("council").unwrap().constitution.clone());
    let change = |based_on| Decision::ChangeConstitution { constitution: constitution.clone(), based_on };
    refused(&world, change(7), "version_changed").await;
    assert_eq!(after(&world, change(1)).await.constitution_version, 2);
}

#[tokio::test]
async fn sharing_is_one_more_version_of_the_policy() {
    let world = World::founded("circle", 1).await;
    let share = |allowed| Decision::SetSharing { kind: SharingKind::Knowledge, allowed };
    let in_force = after(&world, share(true)).await;
    assert_eq!(in_force.policy_version, 2);
    assert_eq!(
        (&in_force.sharing, &in_force.policy.sharing),
        (&BTreeSet::from([SharingKind::Knowledge]), &in_force.sharing)
    );
    // A policy that was written before cannot undo it unseen.
    refused(&world, set_policy("Peace.", 1), "version_changed").await;
    assert!(after(&world, share(false)).await.sharing.is_empty());
}

#[tokio::test]
async fn each_line_of_what_is_in_force_follows_its_decision() {
    let world = World::founded("circle", 1).await;
    assert_eq!(after(&world, Decision::ActivateModel { model: "m".into() }).await.model, Some("m".into()));
    refused(&world, Decision::RollBackAdapter, "nothing_to_change").await;
    assert_eq!(
        after(&world, Decision::ActivateAdapter { adapter: "a".into() }).await.adapter,
        Some("a".into())
    );
    assert_eq!(after(&world, Decision::RollBackAdapter).await.adapter, None);
    after(&world, Decision::ActivateAdapter { adapter: "a".into() }).await;
    let other = after(&world, Decision::ActivateModel { model: "m".into() }).await;
    assert_eq!((other.model.as_deref(), other.adapter), (Some("m"), None), "it was made for another model");

    let (source, r#use) = (String::from("wiki"), SourceUse::Grounding);
    let withdraw = Decision::WithdrawSource { source: source.clone(), r#use };
    refused(&world, withdraw.clone(), "not_found").await;
    let approved = after(&world, Decision::ApproveSource { source, r#use }).await;
    assert_eq!(approved.sources["wiki"], BTreeSet::from([SourceUse::Grounding]));
    assert!(after(&world, withdraw).await.sources.is_empty());

    let joined = after(&world, Decision::JoinTraining { run: "r".into(), max_epsilon_milli: 500 }).await;
    assert_eq!(joined.training["r"], 500);

    let leave = Decision::LeaveFederation { community: fingerprint().to_uppercase() };
    refused(&world, leave.clone(), "not_found").await;
    let kinds = vec![SharingKind::MutualAid];
    let federate = Decision::Federate { community: fingerprint(), name: "Valley".into(), kinds };
    assert_eq!(after(&world, federate).await.neighbours[&fingerprint()].name, "Valley");
    assert!(after(&world, leave).await.neighbours.is_empty());

    let update = Decision::InstallUpdate { version: "2".into(), digest: fingerprint() };
    assert_eq!(after(&world, update).await.update, Some(("2".into(), fingerprint())));

    let glass = Decision::BreakGlass { reason: "the disk".into(), hours: 2 };
    assert_eq!(after(&world, glass).await.break_glass, Some(LATER.plus_hours(2)));
}

#[test]
fn an_emergency_power_is_what_the_constitution_says_and_no_longer() {
    let mut in_force = InForce {
        constitution: Some(kits::find("circle").unwrap().constitution.clone()),
        ..InForce::default()
    };
    let emergency = banyan_governance::EmergencyId::from_random(1);
    let power = EmergencyPower::PauseAnswers;
    let max_hours = in_force.constitution.as_ref().unwrap().emergency.as_ref().unwrap().max_hours;
    let used = |hours| Decision::UseEmergency {
        emergency: emergency.clone(),
        power,
        until: LATER.plus_hours(hours),
    };
    assert!(settings::apply(&used(max_hours + 1), LATER, &mut in_force).is_err());
    settings::apply(&used(max_hours), LATER, &mut in_force).unwrap();
    assert!(in_force.has_power(power, LATER));
    assert!(!in_force.has_power(power, LATER.plus_hours(max_hours)));
    let ratify = Decision::RatifyEmergency { emergency: emergency.clone() };
    settings::apply(&ratify, LATER, &mut in_force).unwrap();
    assert!(in_force.emergencies[0].ratified);
    let unknown = Decision::RatifyEmergency { emergency: banyan_governance::EmergencyId::from_random(2) };
    assert!(settings::apply(&unknown, LATER, &mut in_force).is_err());
}

#[tokio::test]
async fn roles_and_sanctions_follow_their_decisions() {
    let world = World::founded("circle", 2).await;
    let member = world.members[1].clone();
    let moderators = || world.read(|connection| people::holders(connection, Role::Moderator, LATER));
    let grant = Decision::GrantRole { member: member.clone(), role: Role::Moderator, days: Some(3) };
    after(&world, grant).await;
    assert_eq!(moderators().await, std::slice::from_ref(&member));
    after(&world, Decision::EndRole { member: member.clone(), role: Role::Moderator }).await;
    assert!(moderators().await.is_empty());

    let voters = || world.read(|connection| people::electorate(connection, LATER));
    let step = SanctionStep::Suspend { days: 2 };
    after(&world, Decision::Sanction { member: member.clone(), step, case: None }).await;
    assert_eq!(voters().await.len(), 1);
    after(&world, Decision::LiftSanction { member }).await;
    assert_eq!(voters().await.len(), 2);
}

#[tokio::test]
async fn nobody_who_is_not_there_gets_a_role_and_the_last_steward_stays() {
    let world = World::founded("circle", 2).await;
    let nobody = MemberId::from_random(99);
    refused(
        &world,
        Decision::GrantRole { member: nobody.clone(), role: Role::Steward, days: None },
        "not_found",
    )
    .await;
    let step = SanctionStep::Warning;
    refused(&world, Decision::Sanction { member: nobody, step, case: None }, "not_found").await;
    let recall = Decision::EndRole { member: world.members[0].clone(), role: Role::Steward };
    refused(&world, recall.clone(), "last_steward").await;
    after(&world, Decision::GrantRole { member: world.members[1].clone(), role: Role::Steward, days: None })
        .await;
    after(&world, recall).await;
}

#[tokio::test]
async fn a_refused_enactment_takes_back_its_own_steps_and_no_others() {
    let world = World::founded("circle", 1).await;
    let before = world.ledger().await;
    let refusal = world
        .change(LATER, |change| {
            change.record("before", &1)?;
            let refusal = try_enact(change, &decided(set_policy("Peace.", 9)))?;
            change.record("after", &2)?;
            Ok(refusal)
        })
        .await
        .unwrap();
    assert!(refusal.is_err());
    assert_eq!(world.ledger().await, before + 2);
    assert_eq!(world.kinds().await[before as usize..], ["before", "after"]);
    assert_eq!(world.assembly.in_force().policy_version, 1);
}
