use proptest::prelude::*;

use super::*;
use crate::constitution::Constitution;
use crate::decision::{DecisionError, SanctionStep};
use crate::method::Method;
use crate::policy::Policy;
use crate::tally::{Detail, Outcome, Rejection, Verdict};
use crate::{Authority, Role, kits};

const HOUR: i64 = 3600;

fn author() -> MemberId {
    MemberId::from_random(1)
}

fn other() -> MemberId {
    MemberId::from_random(2)
}

fn constitution(kit: &str) -> Constitution {
    kits::find(kit).unwrap().constitution.clone()
}

fn option(title: &str, decision: Option<Decision>) -> ProposalOption {
    ProposalOption { title: title.to_owned(), decision }
}

fn greeting() -> Decision {
    let policy = Policy { closing: "Peace be with you.".to_owned(), ..Policy::default() };
    Decision::SetPolicy { policy: Box::new(policy), based_on: 1 }
}

fn new(options: Vec<ProposalOption>) -> New {
    New {
        title: "Greeting".to_owned(),
        text: "So that we feel at home.".to_owned(),
        topic_if_none: None,
        options,
    }
}

fn draft_in(kit: &str, new: New) -> Result<Proposal, ProposalError> {
    Proposal::draft(ProposalId::from_random(3), author(), new, &constitution(kit), Time(0))
}

fn submitted(kit: &str, new: New) -> Proposal {
    let mut proposal = draft_in(kit, new).unwrap();
    proposal.submit(&author(), &constitution(kit), Time(0)).unwrap();
    proposal
}

fn outcome(verdict: Verdict, taking_part: u32, electorate: u32) -> Outcome {
    let detail = Detail::YesNo { yes: taking_part, no: 0, abstain: 0, reasons: Vec::new() };
    Outcome { verdict, electorate, taking_part, delegated: 0, detail }
}

fn accepted(taking_part: u32) -> Outcome {
    outcome(Verdict::Accepted { option: 0 }, taking_part, 3)
}

#[test]
fn in_a_circle_it_is_decided_at_once_when_everybody_has_voted() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    assert_eq!(proposal.due(Time(0), false), Some(Step::Open));
    proposal.open(Time(0)).unwrap();
    assert!(proposal.accepts_ballots());
    assert_eq!(proposal.due(Time(1), false), None);
    assert_eq!(proposal.due(Time(1), true), Some(Step::Close));
    let enactment = proposal.close(&accepted(3), Time(1)).unwrap();
    assert_eq!(enactment.decision(), &greeting());
    assert_eq!(enactment.authority(), &Authority::Proposal { proposal: proposal.id.clone() });
    assert_eq!(proposal.state, ProposalState::Passed);
    proposal.enacted(Time(2));
    assert_eq!((proposal.state, proposal.review), (ProposalState::Enacted, Some(Time(2).plus_days(90))));
    assert_eq!(proposal.enactment(), None);
}

#[test]
fn a_vote_is_not_closed_while_somebody_can_still_vote() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    proposal.open(Time(0)).unwrap();
    assert_eq!(proposal.close(&accepted(2), Time(1)), None);
    assert_eq!(proposal.state, ProposalState::Open);
    let end = proposal.closes().unwrap();
    assert_eq!(end, Time(48 * HOUR));
    assert!(proposal.close(&accepted(2), end).is_some());
    assert_eq!(proposal.close(&accepted(3), end), None, "a vote closes once");
}

#[test]
fn discussion_and_the_shortest_vote_take_their_time_even_when_all_agree() {
    let mut proposal = submitted("council", new(vec![option("Greet", Some(greeting()))]));
    assert_eq!(
        proposal.open(Time(24 * HOUR - 1)),
        Err(ProposalError::StillDiscussed { until: Time(24 * HOUR) })
    );
    assert_eq!(proposal.due(Time(24 * HOUR - 1), false), None);
    proposal.open(Time(24 * HOUR)).unwrap();
    assert_eq!(proposal.due(Time(25 * HOUR - 1), true), None);
    assert_eq!(proposal.close(&accepted(3), Time(25 * HOUR - 1)), None);
    assert!(proposal.close(&accepted(3), Time(25 * HOUR)).is_some());
}

#[test]
fn an_amendment_keeps_the_old_words_and_starts_discussion_again() {
    let mut proposal = submitted("council", new(vec![option("Greet", Some(greeting()))]));
    let mut wording = new(vec![option("Greet warmly", Some(greeting()))]);
    wording.title = "Warm greeting".to_owned();
    assert_eq!(
        proposal.amend(&other(), wording.clone(), "better", Time(HOUR)),
        Err(ProposalError::NotTheAuthor)
    );
    assert!(matches!(
        proposal.amend(&author(), wording.clone(), " ", Time(HOUR)),
        Err(ProposalError::Text { .. })
    ));
    proposal.amend(&author(), wording.clone(), "better", Time(10 * HOUR)).unwrap();
    assert_eq!(proposal.title, "Warm greeting");
    let kept = &proposal.amendments[0];
    assert_eq!((kept.title.as_str(), kept.reason.as_str(), kept.at), ("Greeting", "better", Time(10 * HOUR)));
    assert_eq!(kept.options[0].title, "Greet");
    assert_eq!(proposal.opens_earliest(), Some(Time(34 * HOUR)));
    proposal.open(Time(34 * HOUR)).unwrap();
    let late = proposal.amend(&author(), wording, "too late", Time(35 * HOUR));
    assert!(matches!(late, Err(ProposalError::WrongState { state: ProposalState::Open, .. })));
}

#[test]
fn an_amendment_does_not_make_another_proposal_of_it() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    let recall = Decision::EndRole { member: other(), role: Role::Steward };
    for options in [
        vec![option("Recall", Some(recall))],
        vec![option("Just words", None)],
        vec![option("One", Some(greeting())), option("Two", None)],
        Vec::new(),
    ] {
        let result = proposal.amend(&author(), new(options), "why not", Time(1));
        assert!(matches!(result, Err(ProposalError::AnotherProposal { .. })), "{result:?}");
    }
    assert!(proposal.amendments.is_empty());
}

#[test]
fn a_draft_goes_by_the_constitution_of_the_day_on_which_it_is_submitted() {
    let mut proposal = draft_in("circle", new(vec![option("Greet", Some(greeting()))])).unwrap();
    assert_eq!(proposal.rule.method, Method::Consent);
    proposal.submit(&author(), &constitution("council"), Time(5)).unwrap();
    assert_eq!(proposal.rule, *constitution("council").rule(Topic::Behaviour));
}

#[test]
fn what_binds_nobody_goes_by_its_shape() {
    let sense = draft_in("council", new(Vec::new())).unwrap();
    assert_eq!((sense.topic, sense.rule.method), (Topic::Other, Method::SenseCheck));
    let statement = draft_in("council", new(vec![option("We meet on Sundays", None)])).unwrap();
    assert_eq!(statement.rule.method, Method::Majority);
    let several = draft_in("circle", new(vec![option("Sunday", None), option("Monday", None)])).unwrap();
    assert_eq!(several.rule.method, Method::RankedChoice);
    let mut about = new(Vec::new());
    about.topic_if_none = Some(Topic::Sources);
    assert_eq!(draft_in("circle", about).unwrap().topic, Topic::Sources);
}

#[test]
fn a_proposal_that_cannot_be_decided_on_is_refused_with_the_remedy() {
    let recall = |member| Decision::EndRole { member, role: Role::Steward };
    let refused = [
        (
            new(vec![option("One", Some(greeting())), option("Two", Some(greeting()))]),
            "Make a proposal for each option",
        ),
        (
            new(vec![option("Greet", Some(greeting())), option("Model", Some(Decision::RollBackAdapter))]),
            "make a proposal for each",
        ),
        (new(vec![option("Same ", None), option("Same", None)]), "give each its own title"),
        (
            new(vec![option("A", Some(recall(author()))), option("B", Some(recall(other())))]),
            "nobody loses a vote on the other question",
        ),
        (
            new(vec![
                option(
                    "Warn",
                    Some(Decision::Sanction { member: other(), step: SanctionStep::Warning, case: None }),
                ),
                option(
                    "Elect",
                    Some(Decision::GrantRole { member: author(), role: Role::Steward, days: None }),
                ),
            ]),
            "nobody loses a vote on the other question",
        ),
        (New { title: " ".to_owned(), ..new(Vec::new()) }, "title needs 1 to 140 characters"),
        (
            New { text: "x".repeat(12_001), ..new(Vec::new()) },
            "text needs 1 to 12000 characters and has 12001",
        ),
    ];
    for (new, words) in refused {
        let error = draft_in("circle", new).unwrap_err().to_string();
        assert!(error.contains(words), "\"{error}\" does not say \"{words}\"");
    }
    let glass = Decision::BreakGlass { reason: "disk".to_owned(), hours: 100 };
    let error = draft_in("circle", new(vec![option("Look", Some(glass))])).unwrap_err();
    assert!(matches!(error, ProposalError::Decision { option: 1, error: DecisionError::OutOfRange { .. } }));
}

#[test]
fn whoever_is_to_be_recalled_has_no_vote_on_it() {
    let recall = Decision::EndRole { member: other(), role: Role::Steward };
    let proposal = submitted("circle", new(vec![option("Recall", Some(recall))]));
    let third = MemberId::from_random(9);
    let members = [author(), other(), third.clone()];
    assert_eq!(proposal.voters(&members), [author(), third]);
    assert!(proposal.concerns(&other()));
    let policy = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    assert_eq!(policy.voters(&members), members);
}

#[test]
fn what_is_rejected_enacts_nothing_and_a_sense_check_passes_nothing() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    proposal.open(Time(0)).unwrap();
    let rejected = outcome(Verdict::Rejected { reason: Rejection::Objection }, 3, 3);
    assert_eq!(proposal.close(&rejected, Time(1)), None);
    assert_eq!((proposal.state, proposal.enactment()), (ProposalState::Failed, None));
    let mut sense = submitted("circle", new(Vec::new()));
    sense.open(Time(0)).unwrap();
    assert_eq!(sense.close(&outcome(Verdict::Sensed, 3, 3), Time(1)), None);
    assert_eq!(sense.state, ProposalState::Sensed);
}

#[test]
fn an_option_that_is_not_there_is_not_accepted() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    proposal.open(Time(0)).unwrap();
    assert_eq!(proposal.close(&outcome(Verdict::Accepted { option: 1 }, 3, 3), Time(1)), None);
    assert_eq!(proposal.state, ProposalState::Failed);
}

#[test]
fn what_cannot_be_enacted_stays_passed_and_says_why() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    proposal.open(Time(0)).unwrap();
    proposal.close(&accepted(3), Time(1)).unwrap();
    // After a crash between close and enactment it is still to be had.
    let read: Proposal = serde_json::from_str(&serde_json::to_string(&proposal).unwrap()).unwrap();
    assert!(read.enactment().is_some());
    proposal.cannot_be_enacted("another policy is in force");
    assert_eq!((proposal.state, proposal.enactment()), (ProposalState::Passed, None));
    proposal.enacted(Time(2));
    assert_eq!(proposal.state, ProposalState::Passed);
}

#[test]
fn a_statement_that_passed_is_looked_at_again_too() {
    let mut proposal = submitted(
        "circle",
        New { topic_if_none: Some(Topic::Behaviour), ..new(vec![option("Be kind", None)]) },
    );
    proposal.open(Time(0)).unwrap();
    assert_eq!(proposal.close(&accepted(3), Time(1)), None);
    assert_eq!((proposal.state, proposal.review), (ProposalState::Passed, Some(Time(1).plus_days(90))));
}

#[test]
fn only_its_author_takes_a_proposal_back_and_only_before_it_is_decided() {
    let mut proposal = submitted("circle", new(vec![option("Greet", Some(greeting()))]));
    assert_eq!(proposal.withdraw(&other(), Time(1)), Err(ProposalError::NotTheAuthor));
    proposal.open(Time(0)).unwrap();
    let mut passed = proposal.clone();
    proposal.withdraw(&author(), Time(1)).unwrap();
    assert_eq!(proposal.close(&accepted(3), Time(2)), None);
    assert_eq!(proposal.state, ProposalState::Withdrawn);
    passed.close(&accepted(3), Time(2));
    assert!(passed.withdraw(&author(), Time(3)).is_err());
}

/// Everything that can be done to a proposal, at any time, by anybody.
#[derive(Debug, Clone)]
enum Act {
    Amend { mine: bool, options: u8 },
    Submit { mine: bool },
    Open,
    Withdraw { mine: bool },
    Close { verdict: u8, taking_part: u32 },
    Enacted,
    CannotBeEnacted,
    StoreAndRead,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (any::<bool>(), 0..4_u8).prop_map(|(mine, options)| Act::Amend { mine, options }),
        any::<bool>().prop_map(|mine| Act::Submit { mine }),
        Just(Act::Open),
        prop_oneof![4 => Just(false), 1 => Just(true)].prop_map(|mine| Act::Withdraw { mine }),
        (0..5_u8, 0..4_u32).prop_map(|(verdict, taking_part)| Act::Close { verdict, taking_part }),
        Just(Act::Enacted),
        Just(Act::CannotBeEnacted),
        Just(Act::StoreAndRead),
    ]
}

fn may_follow(before: ProposalState, after: ProposalState) -> bool {
    use ProposalState::{Discussion, Draft, Enacted, Failed, Open, Passed, Sensed, Withdrawn};
    before == after
        || matches!(
            (before, after),
            (Draft, Discussion)
                | (Discussion, Open)
                | (Open, Passed | Failed | Sensed)
                | (Passed, Enacted)
                | (Draft | Discussion | Open, Withdrawn)
        )
}

proptest! {
    #[test]
    fn every_order_of_steps_keeps_what_is_promised(
        kit in prop::sample::select(vec!["circle", "council", "commons"]),
        binds in any::<bool>(),
        // Clocks jump, also backwards.
        steps in prop::collection::vec((act(), -2..40_i64), 1..40),
    ) {
        let options = |count: u8| -> Vec<ProposalOption> {
            (0..count).map(|i| option(&format!("Option {i}"), binds.then(greeting))).collect()
        };
        let mut proposal = draft_in(kit, new(options(1))).unwrap();
        let mut now = Time(0);
        let mut enactments = 0;
        let mut accepted_by_vote = false;
        for (act, hours) in steps {
            now = Time(now.0 + hours * HOUR);
            let before = proposal.clone();
            match act {
                Act::Amend { mine, options: count } => {
                    let by = if mine { author() } else { other() };
                    let result = proposal.amend(&by, new(options(count)), "because", now);
                    prop_assert!(mine || result.is_err());
                    if result.is_err() {
                        prop_assert_eq!(&proposal, &before);
                    }
                }
                Act::Submit { mine } => {
                    let by = if mine { author() } else { other() };
                    let result = proposal.submit(&by, &constitution(kit), now);
                    prop_assert_eq!(result.is_ok(), proposal.state != before.state);
                }
                Act::Open => {
                    let discussed = before.due(now, false) == Some(Step::Open);
                    prop_assert_eq!(proposal.open(now).is_ok(), discussed);
                }
                Act::Withdraw { mine } => {
                    let by = if mine { author() } else { other() };
                    prop_assert!(proposal.withdraw(&by, now).is_err() || mine);
                }
                Act::Close { verdict, taking_part } => {
                    let verdict = match verdict {
                        0 => Verdict::Rejected { reason: Rejection::NoVotes },
                        1 => Verdict::Sensed,
                        option => Verdict::Accepted { option: option - 2 },
                    };
                    let is_accepted = matches!(verdict, Verdict::Accepted { .. });
                    let was_due = before.due(now, taking_part >= 3) == Some(Step::Close);
                    let enactment = proposal.close(&outcome(verdict, taking_part, 3), now);
                    prop_assert_eq!(proposal.state != before.state, was_due);
                    if let Some(enactment) = enactment {
                        enactments += 1;
                        prop_assert!(was_due && is_accepted && binds);
                        prop_assert_eq!(enactment.decision(), &greeting());
                    }
                    accepted_by_vote |= proposal.state == ProposalState::Passed && was_due;
                    // Open long enough, whatever was said.
                    if was_due && let Some(opened) = proposal.opened {
                        prop_assert!(opened.plus_hours(proposal.rule.min_open_hours) <= now);
                    }
                }
                Act::Enacted => proposal.enacted(now),
                Act::CannotBeEnacted => proposal.cannot_be_enacted("because"),
                Act::StoreAndRead => {
                    let read = serde_json::from_str(&serde_json::to_string(&proposal).unwrap()).unwrap();
                    prop_assert_eq!(&proposal, &read);
                }
            }
            prop_assert!(may_follow(before.state, proposal.state), "{:?} {:?}", before.state, proposal.state);
            // Nothing is enacted that no vote accepted, and nothing twice.
            prop_assert!(enactments <= 1);
            if proposal.state == ProposalState::Enacted {
                prop_assert!(accepted_by_vote && binds && proposal.not_enacted.is_none());
            }
            if proposal.enactment().is_some() {
                prop_assert!(accepted_by_vote && proposal.state == ProposalState::Passed);
            }
            // The rule stays what it was when discussion began, and no wording is lost.
            if before.submitted.is_some() {
                prop_assert_eq!(&proposal.rule, &before.rule);
                prop_assert_eq!(proposal.topic, before.topic);
                prop_assert!(proposal.amendments.starts_with(&before.amendments));
                if proposal.options != before.options {
                    prop_assert_eq!(&proposal.amendments.last().unwrap().options, &before.options);
                }
            }
        }
    }
}
