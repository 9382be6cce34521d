use banyan_governance::constitution::EmergencyPower;
use banyan_governance::emergency::Standing;

use super::*;
use crate::people::EmergencyWanted;

fn pause() -> EmergencyWanted {
    EmergencyWanted {
        power: EmergencyPower::PauseAnswers,
        reason: "It tells people to drink from the well".into(),
    }
}

#[tokio::test]
async fn two_stewards_pause_the_answers_time_ends_it_and_the_community_confirms_it() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    the_box.grant(&ben.member, Role::Steward).await;
    let ben = the_box.caller("Ben", NOW).await;
    let asked = the_box.assembly.ask_emergency(&ada, pause(), NOW).await.unwrap();
    let id = asked.asked[0].id.clone();
    assert!(!the_box.assembly.in_force().has_power(EmergencyPower::PauseAnswers, NOW));
    // Alone a steward does not get there by agreeing twice.
    let again = the_box.assembly.agree_to_emergency(&ada, &id, NOW).await.unwrap();
    assert_eq!(again.asked[0].agreed.len(), 1);
    let used = the_box.assembly.agree_to_emergency(&ben, &id, NOW).await.unwrap();
    assert_eq!((used.in_use.len(), used.asked.len()), (1, 0));
    assert!(the_box.assembly.in_force().has_power(EmergencyPower::PauseAnswers, NOW));
    assert!(!the_box.assembly.in_force().has_power(EmergencyPower::PauseAnswers, NOW.plus_hours(24)));

    the_box.decide(Decision::RatifyEmergency { emergency: id }, NOW.plus_hours(30)).await;
    let view = the_box.assembly.emergencies(&ada, NOW.plus_hours(31)).await.unwrap();
    assert_eq!((view.over[0].standing, view.over[0].ratified), (Standing::Ratified, true));
}

#[tokio::test]
async fn members_see_emergencies_and_do_not_use_them_and_stewards_say_why() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    assert_eq!(code(the_box.assembly.ask_emergency(&ben, pause(), NOW).await), "not_allowed");
    let silent = EmergencyWanted { reason: " ".into(), ..pause() };
    assert_eq!(code(the_box.assembly.ask_emergency(&ada, silent, NOW).await), "reason_length");
    the_box.assembly.ask_emergency(&ada, pause(), NOW).await.unwrap();
    assert_eq!(code(the_box.assembly.ask_emergency(&ada, pause(), NOW).await), "already_asked");
    let seen = the_box.assembly.emergencies(&ben, NOW).await.unwrap();
    assert_eq!(
        (seen.asked[0].by.name.as_str(), seen.asked[0].reason.as_str()),
        ("Ada", pause().reason.as_str())
    );
    assert!(seen.rule.is_some());
    let nothing = banyan_governance::EmergencyId::from_random(1);
    assert_eq!(code(the_box.assembly.agree_to_emergency(&ada, &nothing, NOW).await), "not_found");
}

#[tokio::test]
async fn what_was_not_used_cannot_be_confirmed() {
    let (the_box, _) = TestBox::founded().await;
    let emergency = banyan_governance::EmergencyId::from_random(1);
    let enactment = decided(Decision::RatifyEmergency { emergency });
    let ratified = the_box.assembly.change(NOW, move |change| crate::enact::enact(change, &enactment)).await;
    assert_eq!(code(ratified), "not_found");
}
