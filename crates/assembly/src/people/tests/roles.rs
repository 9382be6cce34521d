use banyan_governance::Permission;
use banyan_governance::decision::SanctionStep;

use super::*;

#[tokio::test]
async fn a_role_is_there_for_its_term_in_the_very_next_request() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await;
    let roles = |now| {
        let (assembly, token) = (the_box.assembly.clone(), ben.token.clone());
        async move { assembly.session(&token, now).await.unwrap().unwrap().roles }
    };
    let member = ben.caller.member.clone();
    the_box
        .decide(Decision::GrantRole { member: member.clone(), role: Role::Moderator, days: Some(3) }, NOW)
        .await;
    assert!(roles(NOW).await.contains(&Role::Moderator));
    assert!(!roles(NOW.plus_days(3)).await.contains(&Role::Moderator));
    let view = the_box.assembly.roles(&ada, NOW).await.unwrap();
    let moderators = &view.iter().find(|view| view.role == Role::Moderator).unwrap().members;
    assert_eq!((moderators[0].name.as_str(), moderators[0].until), ("Ben", Some(NOW.plus_days(3))));
    the_box.decide(Decision::EndRole { member, role: Role::Moderator }, NOW).await;
    assert!(!roles(NOW).await.contains(&Role::Moderator));
}

#[tokio::test]
async fn a_recalled_steward_operates_nothing_from_the_next_request_on() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    the_box.grant(&ben.member, Role::Steward).await;
    the_box.decide(Decision::EndRole { member: ada.member.clone(), role: Role::Steward }, NOW).await;
    assert!(!the_box.caller("Ada", NOW).await.may(Permission::Operate));
    assert!(the_box.caller("Ben", NOW).await.may(Permission::Operate));
}

#[tokio::test]
async fn a_suspended_member_can_appeal_and_nothing_else_until_it_ends() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    the_box.grant(&ben.member, Role::Steward).await;
    let step = SanctionStep::Suspend { days: 2 };
    the_box.decide(Decision::Sanction { member: ben.member.clone(), step, case: None }, NOW).await;
    let now = the_box.caller("Ben", NOW).await;
    for permission in
        [Permission::Ask, Permission::Read, Permission::Decide, Permission::Operate, Permission::Emergency]
    {
        assert!(!now.may(permission), "{permission:?}");
    }
    assert!(now.may(Permission::Report) && now.is_suspended());
    let me = the_box.assembly.me(Some(&now), "box", NOW);
    assert_eq!(me.member.unwrap().permissions, [Permission::Report]);
    assert_eq!(me.sanction.unwrap().step, "suspend");
    assert!(the_box.caller("Ben", NOW.plus_days(2)).await.may(Permission::Operate));
}

#[tokio::test]
async fn a_muted_member_votes_and_does_not_speak_and_the_severest_sanction_counts() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    for step in [SanctionStep::Hold { hours: 200 }, SanctionStep::Mute { days: 2 }, SanctionStep::Warning] {
        the_box.decide(Decision::Sanction { member: ben.member.clone(), step, case: None }, NOW).await;
    }
    let muted = the_box.caller("Ben", NOW).await;
    assert!(muted.may(Permission::Decide) && muted.require_voice().is_err() && !muted.comments_are_held());
    let held = the_box.caller("Ben", NOW.plus_days(2)).await;
    assert!(held.require_voice().is_ok() && held.comments_are_held());
    the_box.decide(Decision::LiftSanction { member: ben.member.clone() }, NOW).await;
    assert_eq!(the_box.caller("Ben", NOW).await.sanction, None);
}
