use std::collections::BTreeSet;

use super::*;
use crate::enactment::Authority;
use crate::{Decision, Role};

fn member(number: u64) -> MemberId {
    MemberId::from_random(number)
}

const REPORTER: u64 = 1;
const REPORTED: u64 = 2;
const MODERATOR: u64 = 3;
const MEDIATOR: u64 = 4;

fn moderates() -> BTreeSet<Role> {
    BTreeSet::from([Role::Member, Role::Moderator])
}

fn mediates() -> BTreeSet<Role> {
    BTreeSet::from([Role::Member, Role::Mediator])
}

fn reported() -> Case {
    let id = CaseId::from_random(9);
    Case::report(id, About::Comment, None, member(REPORTER), Some(member(REPORTED)), Time(0)).unwrap()
}

fn settled(settlement: Settlement) -> Case {
    let mut case = reported();
    case.settle(&member(MODERATOR), &moderates(), settlement, Time(10)).unwrap();
    case
}

fn in_mediation() -> Case {
    let mut case = settled(Settlement::Hold { hours: 72 });
    case.appeal(&member(REPORTED), Time(20)).unwrap();
    for side in [REPORTED, REPORTER] {
        case.name_mediator(&member(side), &member(MEDIATOR), &mediates(), Time(30)).unwrap();
    }
    case
}

#[test]
fn a_report_goes_all_the_way_to_an_agreement_that_lifts_the_sanction() {
    let mut case = in_mediation();
    assert_eq!((case.state, case.mediator.clone()), (CaseState::Mediation, Some(member(MEDIATOR))));
    case.propose_outcome(&member(MEDIATOR), Time(40)).unwrap();
    assert_eq!(case.agree(&member(REPORTED), Time(50)), Ok(None));
    let enactment = case.agree(&member(REPORTER), Time(60)).unwrap().unwrap();
    assert_eq!(enactment.decision(), &Decision::LiftSanction { member: member(REPORTED) });
    assert_eq!(enactment.authority(), &Authority::Mediation { case: case.id.clone() });
    assert_eq!(case.state, CaseState::Agreed);
    let acts: Vec<_> = case.record.iter().map(|step| step.act).collect();
    use CaseAct::{Agreed, Appealed, NamedMediator, ProposedOutcome, Reported, Sanctioned};
    let all = [Reported, Sanctioned, Appealed, NamedMediator, NamedMediator, ProposedOutcome, Agreed, Agreed];
    assert_eq!(acts, all);
}

#[test]
fn a_moderator_does_not_settle_a_case_about_themselves() {
    for own in [REPORTER, REPORTED] {
        let result = reported().settle(&member(own), &moderates(), Settlement::Dismiss, Time(1));
        assert_eq!(result, Err(CaseError::OwnCase));
    }
}

#[test]
fn only_moderators_settle_and_only_once() {
    let member_only = BTreeSet::from([Role::Member, Role::Steward]);
    let result = reported().settle(&member(MODERATOR), &member_only, Settlement::Warn, Time(1));
    assert_eq!(result, Err(CaseError::NotTheRole("moderator")));
    let again = settled(Settlement::Warn).settle(&member(5), &moderates(), Settlement::Dismiss, Time(11));
    assert!(matches!(again, Err(CaseError::WrongState { state: CaseState::Settled, .. })));
}

#[test]
fn a_moderator_alone_climbs_three_days_at_most() {
    let hold =
        |hours| reported().settle(&member(MODERATOR), &moderates(), Settlement::Hold { hours }, Time(1));
    assert_eq!(hold(73), Err(CaseError::TooHigh(73)));
    assert_eq!(hold(0), Err(CaseError::TooHigh(0)));
    let enactment = hold(72).unwrap().unwrap();
    assert!(
        matches!(enactment.decision(), Decision::Sanction { member: who, .. } if *who == member(REPORTED))
    );
    assert!(
        matches!(enactment.authority(), Authority::Moderation { moderator, .. } if *moderator == member(MODERATOR))
    );
}

#[test]
fn where_nobody_is_reported_nobody_is_sanctioned_and_the_moderator_is_the_other_side() {
    let id = CaseId::from_random(9);
    let mut case =
        Case::report(id, About::Answer, Some("17".to_owned()), member(REPORTER), None, Time(0)).unwrap();
    let warn = case.settle(&member(MODERATOR), &moderates(), Settlement::Warn, Time(1));
    assert_eq!(warn, Err(CaseError::NobodyReported));
    assert_eq!(case.settle(&member(MODERATOR), &moderates(), Settlement::Dismiss, Time(1)), Ok(None));
    assert_eq!(case.sides(), BTreeSet::from([member(REPORTER), member(MODERATOR)]));
}

#[test]
fn an_appeal_comes_from_a_side_and_in_time() {
    let mut case = settled(Settlement::Warn);
    assert_eq!(case.appeal(&member(5), Time(20)), Err(CaseError::NotASide));
    let late = Time(10).plus_days(APPEAL_DAYS);
    assert_eq!(case.appeal(&member(REPORTED), late), Err(CaseError::TooLate));
    assert!(!case.expire(Time(late.0 - 1)));
    assert!(case.expire(late));
    assert_eq!(case.state, CaseState::Closed);
}

#[test]
fn both_sides_have_to_choose_the_same_mediator_who_is_neither_side() {
    let mut case = settled(Settlement::Warn);
    case.appeal(&member(REPORTED), Time(20)).unwrap();
    for partial in [REPORTER, REPORTED, MODERATOR] {
        let result = case.name_mediator(&member(REPORTED), &member(partial), &mediates(), Time(30));
        assert_eq!(result, Err(CaseError::NotNeutral));
    }
    assert_eq!(
        case.name_mediator(&member(REPORTED), &member(MEDIATOR), &moderates(), Time(30)),
        Err(CaseError::NotTheRole("mediator"))
    );
    case.name_mediator(&member(REPORTED), &member(MEDIATOR), &mediates(), Time(31)).unwrap();
    case.name_mediator(&member(REPORTER), &member(5), &mediates(), Time(32)).unwrap();
    assert_eq!(case.state, CaseState::Appealed);
    case.name_mediator(&member(REPORTED), &member(5), &mediates(), Time(33)).unwrap();
    assert_eq!((case.state, case.mediator), (CaseState::Mediation, Some(member(5))));
}

#[test]
fn another_outcome_has_to_be_agreed_to_anew() {
    let mut case = in_mediation();
    assert_eq!(case.agree(&member(REPORTED), Time(40)), Err(CaseError::NoOutcome));
    case.propose_outcome(&member(MEDIATOR), Time(41)).unwrap();
    case.agree(&member(REPORTED), Time(42)).unwrap();
    case.propose_outcome(&member(MEDIATOR), Time(43)).unwrap();
    assert_eq!(case.agree(&member(REPORTER), Time(44)), Ok(None));
    assert_eq!(case.state, CaseState::Mediation);
    assert_eq!(case.propose_outcome(&member(MODERATOR), Time(45)), Err(CaseError::NotTheMediator));
}

#[test]
fn who_gives_up_leaves_the_settlement_as_it_was() {
    let mut case = in_mediation();
    assert_eq!(case.give_up(&member(5), Time(50)), Err(CaseError::NotASide));
    case.give_up(&member(MEDIATOR), Time(50)).unwrap();
    assert_eq!((case.state, case.sanction), (CaseState::Closed, Some(SanctionStep::Hold { hours: 72 })));
}

#[test]
fn a_report_can_be_taken_back_before_it_is_settled_and_none_is_about_oneself() {
    let mut case = reported();
    case.withdraw(&member(REPORTER), Time(1)).unwrap();
    assert_eq!(case.state, CaseState::Closed);
    assert!(settled(Settlement::Warn).withdraw(&member(REPORTER), Time(11)).is_err());
    let id = CaseId::from_random(9);
    let own = Case::report(id, About::Member, None, member(1), Some(member(1)), Time(0));
    assert_eq!(own, Err(CaseError::Yourself));
}

#[test]
fn a_case_reads_back_as_it_was_written() {
    let case = in_mediation();
    let json = serde_json::to_string(&case).unwrap();
    assert_eq!(serde_json::from_str::<Case>(&json).unwrap(), case);
}
