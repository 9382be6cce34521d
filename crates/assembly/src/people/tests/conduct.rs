use banyan_governance::CaseId;
use banyan_governance::conflict::{About, CaseState};
use banyan_governance::decision::SanctionStep;

use super::*;
use crate::people::{CaseView, NewReport, Settling, SettlingAction};

/// Ada is the steward; Ben reported Cleo; Mod moderates, Med mediates.
struct Village {
    the_box: TestBox,
    case: CaseId,
}

impl Village {
    async fn with_a_report() -> Self {
        let (the_box, ada) = TestBox::founded().await;
        for name in ["Ben", "Cleo", "Mod", "Med"] {
            let member = the_box.join(&ada, name).await.caller.member;
            match name {
                "Mod" => the_box.grant(&member, Role::Moderator).await,
                "Med" => the_box.grant(&member, Role::Mediator).await,
                _ => {}
            }
        }
        let cleo = the_box.caller("Cleo", NOW).await.member;
        let report = NewReport {
            about: About::Member,
            reference: Some(cleo.to_string()),
            words: "It was loud".into(),
        };
        let case = the_box.assembly.report(&the_box.caller("Ben", NOW).await, report, NOW).await.unwrap();
        Self { the_box, case }
    }

    async fn sees(&self, name: &str) -> Vec<CaseView> {
        let caller = self.the_box.caller(name, NOW).await;
        self.the_box.assembly.cases(&caller, NOW).await.unwrap()
    }

    async fn settle(
        &self,
        name: &str,
        action: SettlingAction,
        hours: Option<u32>,
    ) -> Result<CaseView, AssemblyError> {
        let caller = self.the_box.caller(name, NOW).await;
        let settling = Settling { action, hours, words: "Please rest a while".into() };
        self.the_box.assembly.settle_case(&caller, &self.case, settling, NOW).await
    }

    async fn appeal(&self, name: &str, now: Time) -> Result<CaseView, AssemblyError> {
        let caller = self.the_box.caller(name, now).await;
        self.the_box.assembly.appeal(&caller, &self.case, "It was a feast", now).await
    }

    async fn name(&self, name: &str, mediator: &str) -> Result<CaseView, AssemblyError> {
        let caller = self.the_box.caller(name, NOW).await;
        let mediator = self.the_box.caller(mediator, NOW).await.member;
        self.the_box.assembly.name_mediator(&caller, &self.case, &mediator, NOW).await
    }
}

#[tokio::test]
async fn a_case_goes_from_a_report_to_an_agreement_that_takes_the_sanctions_place() {
    let village = Village::with_a_report().await;
    let (the_box, case) = (&village.the_box, &village.case);
    assert_eq!(code(village.settle("Cleo", SettlingAction::Dismiss, None).await), "not_allowed");
    assert_eq!(code(village.settle("Mod", SettlingAction::Hold, None).await), "hours_needed");
    assert_eq!(code(village.settle("Mod", SettlingAction::Hold, Some(73)).await), "beyond_authority");
    let settled = village.settle("Mod", SettlingAction::Hold, Some(72)).await.unwrap();
    assert_eq!(
        (settled.state, settled.sanction),
        (CaseState::Settled, Some(SanctionStep::Hold { hours: 72 }))
    );
    assert!(the_box.caller("Cleo", NOW).await.comments_are_held());
    assert_eq!(code(village.settle("Mod", SettlingAction::Warn, None).await), "wrong_state");

    assert_eq!(code(village.appeal("Ada", NOW).await), "not_found");
    village.appeal("Cleo", NOW).await.unwrap();
    assert_eq!(code(village.name("Ben", "Ada").await), "not_a_mediator");
    village.name("Ben", "Med").await.unwrap();
    let mediation = village.name("Cleo", "Med").await.unwrap();
    assert_eq!((mediation.state, mediation.mediator.unwrap().name.as_str()), (CaseState::Mediation, "Med"));

    let (ben, cleo, med) = (
        the_box.caller("Ben", NOW).await,
        the_box.caller("Cleo", NOW).await,
        the_box.caller("Med", NOW).await,
    );
    assert_eq!(code(the_box.assembly.agree_to_outcome(&ben, case, NOW).await), "no_outcome");
    assert_eq!(code(the_box.assembly.propose_outcome(&ben, case, "I win", NOW).await), "not_allowed");
    the_box.assembly.propose_outcome(&med, case, "Drums until ten", NOW).await.unwrap();
    the_box.assembly.agree_to_outcome(&ben, case, NOW).await.unwrap();
    let agreed = the_box.assembly.agree_to_outcome(&cleo, case, NOW).await.unwrap();
    assert_eq!((agreed.state, agreed.agreed.len()), (CaseState::Agreed, 2));
    assert!(!the_box.caller("Cleo", NOW).await.comments_are_held());
    let texts: Vec<&str> = agreed.words.iter().map(|words| words.text.as_str()).collect();
    assert_eq!(texts, ["It was loud", "Please rest a while", "It was a feast", "Drums until ten"]);
}

#[tokio::test]
async fn an_agreement_lifts_its_own_sanction_and_not_the_communitys() {
    let village = Village::with_a_report().await;
    let (the_box, case) = (&village.the_box, &village.case);
    village.settle("Mod", SettlingAction::Hold, Some(10)).await.unwrap();
    let cleo = the_box.caller("Cleo", NOW).await;
    let step = SanctionStep::Mute { days: 9 };
    the_box.decide(Decision::Sanction { member: cleo.member.clone(), step, case: None }, NOW).await;
    village.appeal("Cleo", NOW).await.unwrap();
    village.name("Ben", "Med").await.unwrap();
    village.name("Cleo", "Med").await.unwrap();
    let med = the_box.caller("Med", NOW).await;
    the_box.assembly.propose_outcome(&med, case, "Peace", NOW).await.unwrap();
    the_box.assembly.agree_to_outcome(&the_box.caller("Ben", NOW).await, case, NOW).await.unwrap();
    the_box.assembly.agree_to_outcome(&cleo, case, NOW).await.unwrap();
    assert_eq!(the_box.caller("Cleo", NOW).await.sanction.unwrap().step, step);
}

#[tokio::test]
async fn who_is_reported_learns_of_it_when_something_follows_and_by_whom_when_one_appeals() {
    let village = Village::with_a_report().await;
    assert_eq!((village.sees("Ben").await.len(), village.sees("Cleo").await.len()), (1, 0));
    assert_eq!(village.sees("Ada").await.len(), 0);
    village.settle("Mod", SettlingAction::Warn, None).await.unwrap();
    let before = village.sees("Cleo").await.remove(0);
    assert_eq!(before.reporter, None);
    assert_eq!(
        before.words.iter().map(|words| words.text.as_str()).collect::<Vec<_>>(),
        ["Please rest a while"]
    );
    village.appeal("Cleo", NOW).await.unwrap();
    let after = village.sees("Cleo").await.remove(0);
    assert_eq!((after.reporter.unwrap().name.as_str(), after.words.len()), ("Ben", 3));
}

#[tokio::test]
async fn a_moderator_does_not_see_or_settle_what_is_about_them() {
    let village = Village::with_a_report().await;
    let the_box = &village.the_box;
    let moderator = the_box.caller("Mod", NOW).await;
    let about = NewReport {
        about: About::Member,
        reference: Some(moderator.member.to_string()),
        words: "Asleep".into(),
    };
    let case = the_box.assembly.report(&the_box.caller("Ben", NOW).await, about, NOW).await.unwrap();
    let desk = the_box.assembly.desk(&moderator, NOW).await.unwrap();
    assert_eq!(desk.iter().map(|view| &view.id).collect::<Vec<_>>(), [&village.case]);
    let settling = Settling { action: SettlingAction::Dismiss, hours: None, words: "No".into() };
    assert_eq!(code(the_box.assembly.settle_case(&moderator, &case, settling, NOW).await), "not_found");
    let cleo = the_box.caller("Cleo", NOW).await;
    assert_eq!(code(the_box.assembly.desk(&cleo, NOW).await), "not_allowed");
}

#[tokio::test]
async fn reports_are_about_what_there_is_and_do_not_pile_up() {
    let (the_box, ada) = TestBox::founded().await;
    let report = |about, reference: Option<&str>, words: &str| {
        let report = NewReport { about, reference: reference.map(Into::into), words: words.into() };
        the_box.assembly.report(&ada, report, NOW)
    };
    assert_eq!(code(report(About::Answer, None, "  ").await), "words_length");
    assert_eq!(code(report(About::Member, None, "x").await), "reference_needed");
    assert_eq!(code(report(About::Member, Some("m-0123456789"), "x").await), "not_found");
    assert_eq!(code(report(About::Member, Some(ada.member.as_str()), "x").await), "yourself");
    assert_eq!(code(report(About::Comment, Some("99"), "x").await), "not_found");
    for _ in 0..10 {
        assert_eq!(code(report(About::Answer, Some("12"), "wrong").await), "ok");
    }
    assert_eq!(code(report(About::Answer, Some("12"), "wrong").await), "too_many_reports");
}

#[tokio::test]
async fn time_closes_what_nobody_appealed_and_the_policy_says_when_words_are_erased() {
    let village = Village::with_a_report().await;
    let the_box = &village.the_box;
    village.settle("Mod", SettlingAction::Warn, None).await.unwrap();
    let late = NOW.plus_days(banyan_governance::conflict::APPEAL_DAYS);
    assert_eq!(code(village.appeal("Cleo", late).await), "wrong_state");
    assert_eq!(the_box.assembly.sweep_cases(late).await.unwrap(), 0);
    let kept = the_box.assembly.in_force().policy.keeping.moderation_days;
    assert_eq!(the_box.assembly.sweep_cases(Time(late.plus_days(kept).0 + 1)).await.unwrap(), 1);
    assert_eq!(village.sees("Ben").await.len(), 0);
}

#[tokio::test]
async fn a_report_can_be_taken_back_by_who_made_it() {
    let village = Village::with_a_report().await;
    let the_box = &village.the_box;
    let cleo = the_box.caller("Cleo", NOW).await;
    assert_eq!(code(the_box.assembly.close_case(&cleo, &village.case, NOW).await), "not_found");
    let ben = the_box.caller("Ben", NOW).await;
    let closed = the_box.assembly.close_case(&ben, &village.case, NOW).await.unwrap();
    assert_eq!(closed.state, CaseState::Closed);
}
