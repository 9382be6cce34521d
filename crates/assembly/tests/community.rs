//! A community from its founding to a policy in force, as its members do it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside the test functions")]

use std::collections::BTreeSet;

use banyan_assembly::decide::{
    CastBallot, IssuePaperCodes, NewComment, NewProposal, PaperBallot, ProposalView, SettleComment,
};
use banyan_assembly::people::{Caller, Founding, SetupCode};
use banyan_assembly::{Assembly, AssemblyError, Refusal, rooms};
use banyan_governance::method::Choice;
use banyan_governance::policy::{
    ModerationAction, ModerationRule, ModerationSide, Pattern, Policy, TopicAction, TopicRule,
};
use banyan_governance::proposal::{ProposalOption, ProposalState};
use banyan_governance::{Decision, Role, Time};
use banyan_identity::SigningKey;
use banyan_store::{Store, StoreKey};
use tempfile::TempDir;

const NOW: Time = Time(1_790_000_000);

struct Community {
    assembly: Assembly,
    ada: Caller,
    ben: Caller,
    cleo: Caller,
    _data: TempDir,
}

async fn founded(kit: &str) -> Community {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), &StoreKey::generate().unwrap(), &rooms()).unwrap();
    let assembly = Assembly::open(store, SigningKey::generate().unwrap()).unwrap();
    let founding = Founding {
        setup_code: SetupCode::of_box(data.path()).load_or_create().unwrap(),
        community: "Fig Street".into(),
        kit: kit.into(),
        name: "Ada".into(),
        secret: "four words that rhyme".into(),
        shares: None,
        policy_greeting: None,
    };
    let founded = assembly.found(founding, &[], data.path(), NOW).await.unwrap();
    let code = founded.invitation.code;
    let join = async |name: &str| {
        assembly.join(Some(&code), name, "another four words here", NOW).await.unwrap().caller
    };
    let (ben, cleo) = (join("Ben").await, join("Cleo").await);
    Community { ada: founded.sign_in.caller, ben, cleo, assembly, _data: data }
}

fn new(options: Vec<ProposalOption>) -> NewProposal {
    NewProposal {
        title: "Our greeting".into(),
        text: "So that everybody feels welcome.".into(),
        topic: None,
        options,
        submit: true,
    }
}

fn policy(assembly: &Assembly) -> ProposalOption {
    let in_force = assembly.in_force();
    let mut policy = Policy { closing: "Peace be with you.".into(), ..in_force.policy.clone() };
    policy.topics.push(TopicRule {
        name: "politics".into(),
        words: vec!["election".into()],
        action: TopicAction::Decline,
        message: String::new(),
    });
    let decision = Decision::SetPolicy { policy: Box::new(policy), based_on: in_force.policy_version };
    ProposalOption { title: "Yes".into(), decision: Some(decision) }
}

const fn yes() -> CastBallot {
    CastBallot { choice: Choice::Yes }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, AssemblyError>) -> Refusal {
    match result {
        Err(AssemblyError::Refused(refusal)) => refusal,
        other => panic!("{other:?} is no refusal"),
    }
}

async fn proposed(community: &Community) -> ProposalView {
    let option = policy(&community.assembly);
    community.assembly.propose(&community.ada, new(vec![option]), NOW).await.unwrap()
}

#[tokio::test]
async fn three_members_agree_on_closing_words_and_a_declined_topic() {
    let community = founded("circle").await;
    let Community { assembly, ada, ben, cleo, .. } = &community;
    let proposed = proposed(&community).await;
    let id = proposed.proposal.id.clone();
    assert_eq!(proposed.proposal.state, ProposalState::Open);
    assert_eq!((proposed.electorate, proposed.voted, proposed.author_name.as_str()), (3, 0, "Ada"));
    assert!(proposed.may.vote && proposed.may.comment && proposed.may.withdraw && !proposed.may.amend);
    assert!(
        proposed.diff.as_ref().unwrap().iter().any(|line| line.starts_with("+ ") && line.contains("Peace"))
    );

    let comment = NewComment { text: "I like it".into() };
    let seen = assembly.comment(ben, id.clone(), comment, NOW).await.unwrap();
    assert_eq!((seen.comments.len(), seen.comments[0].by.name.as_str()), (1, "Ben"));

    let mut changes = assembly.watch();
    for caller in [ada, ben, cleo] {
        let seen = assembly.vote(caller, id.clone(), yes(), NOW).await.unwrap();
        assert!(seen.voted > 0);
    }
    // Whoever answers questions is told at once.
    assert!(changes.has_changed().unwrap());
    let in_force = changes.borrow_and_update().clone();
    assert_eq!(in_force.policy.closing, "Peace be with you.");
    assert_eq!(in_force.policy.topics[0].name, "politics");

    let seen = assembly.proposal(cleo, id.clone(), NOW).await.unwrap();
    assert_eq!(seen.proposal.state, ProposalState::Enacted);
    assert_eq!(seen.enacted_entry, Some(in_force.policy_entry));
    let names: BTreeSet<String> = seen.ballots.unwrap().into_iter().map(|line| line.name).collect();
    assert_eq!(names, ["Ada", "Ben", "Cleo"].map(String::from).into());

    let policy = assembly.policy(ben).await.unwrap();
    assert_eq!((policy.version, policy.proposal), (2, Some(id)));
    assert!(policy.sentences.iter().any(|sentence| sentence.text.contains("Peace be with you.")));
    assert_eq!(assembly.policy_history(ben).await.unwrap().len(), 2);

    let verdict = assembly.verify_ledger(ben).await.unwrap();
    assert!(verdict.ok, "{verdict:?}");
    let page = assembly.ledger_page(ben, None, None).await.unwrap();
    let decision = page.entries.iter().find(|entry| entry.seq == in_force.policy_entry).unwrap();
    assert_eq!((decision.kind.as_str(), page.entries.len() as u64), ("decision", verdict.entries));
    assert_eq!(decision.payload["decision"]["policy"]["closing"], "Peace be with you.");
    let ledger = serde_json::to_string(&page).unwrap();
    for words in ["I like it", "Ben", "everybody feels welcome"] {
        assert!(!ledger.contains(words), "{words}");
    }
    let list = assembly.proposals(ben, NOW.plus_days(400)).await.unwrap();
    assert_eq!((list.proposals.len(), list.reviews.len()), (1, 1));
}

#[tokio::test]
async fn a_draft_is_its_authors_alone() {
    let community = founded("circle").await;
    let Community { assembly, ada, ben, .. } = &community;
    let draft = NewProposal { submit: false, ..new(vec![policy(assembly)]) };
    let draft = assembly.propose(ada, draft, NOW).await.unwrap();
    let id = draft.proposal.id.clone();
    assert!(draft.may.submit && draft.may.amend && !draft.may.vote);
    assert_eq!(assembly.proposals(ben, NOW).await.unwrap().proposals.len(), 0);
    assert!(matches!(refusal(assembly.proposal(ben, id.clone(), NOW).await), Refusal::NotFound(_)));
    assert!(matches!(refusal(assembly.submit_proposal(ben, id.clone(), NOW).await), Refusal::NotFound(_)));
    let before = assembly.verify_ledger(ada).await.unwrap().entries;
    assembly.withdraw_proposal(ada, id, NOW).await.unwrap();
    assert_eq!(assembly.verify_ledger(ada).await.unwrap().entries, before, "nobody else ever saw it");
}

#[tokio::test]
async fn others_proposals_are_not_ones_own_to_change() {
    let community = founded("circle").await;
    let Community { assembly, ben, .. } = &community;
    let id = proposed(&community).await.proposal.id;
    assert!(matches!(refusal(assembly.withdraw_proposal(ben, id, NOW).await), Refusal::NotYours(_)));
}

#[tokio::test]
async fn a_sheet_of_paper_is_one_vote_of_one_member() {
    let community = founded("circle").await;
    let Community { assembly, ada, ben, cleo, .. } = &community;
    let id = proposed(&community).await.proposal.id;
    let issue = |caller: Caller, count| {
        let id = id.clone();
        async move { assembly.issue_paper_codes(&caller, id, IssuePaperCodes { count }, NOW).await }
    };
    assert!(matches!(refusal(issue(ben.clone(), 1).await), Refusal::NotAllowed(_)));
    assert!(matches!(refusal(issue(ada.clone(), 4).await), Refusal::Invalid { code: "too_many_codes", .. }));
    let codes = issue(ada.clone(), 2).await.unwrap().codes;
    assert_eq!(assembly.proposal(ben, id.clone(), NOW).await.unwrap().paper_codes_open, 2);
    let sheet = |code: &str, member: &Caller| PaperBallot {
        code: code.into(),
        member: member.member.clone(),
        choice: Choice::Yes,
    };
    assembly.cast_paper_ballot(ben, id.clone(), sheet(&codes[0], cleo), NOW).await.unwrap();
    let again = assembly.cast_paper_ballot(ben, id.clone(), sheet(&codes[0], ada), NOW).await;
    assert!(matches!(refusal(again), Refusal::Invalid { code: "no_such_code", .. }));
    let twice = assembly.cast_paper_ballot(ben, id.clone(), sheet(&codes[1], cleo), NOW).await;
    assert!(matches!(refusal(twice), Refusal::WrongState { code: "has_voted", .. }));
    // The refused sheet is not used up, and a member's own vote comes before what was typed in for them.
    assert_eq!(assembly.proposal(ben, id.clone(), NOW).await.unwrap().paper_codes_open, 1);
    let objection = Choice::Object { reason: "I was not asked".into() };
    assembly.vote(cleo, id.clone(), CastBallot { choice: objection }, NOW).await.unwrap();
    for caller in [ada, ben] {
        assembly.vote(caller, id.clone(), yes(), NOW).await.unwrap();
    }
    assert_eq!(assembly.proposal(ben, id, NOW).await.unwrap().proposal.state, ProposalState::Failed);
}

#[tokio::test]
async fn a_comment_that_the_policy_holds_waits_for_a_moderator_and_can_be_erased() {
    let community = founded("circle").await;
    let Community { assembly, ada, ben, cleo, .. } = &community;
    let in_force = assembly.in_force();
    let mut policy = in_force.policy.clone();
    policy.moderation.push(ModerationRule {
        name: "insults".into(),
        pattern: Pattern::Words { words: vec!["fool".into()] },
        on: ModerationSide::Both,
        action: ModerationAction::Hold,
    });
    let decisions = [
        Decision::SetPolicy { policy: Box::new(policy), based_on: 1 },
        Decision::GrantRole { member: cleo.member.clone(), role: Role::Moderator, days: None },
    ];
    for decision in decisions {
        let option = ProposalOption { title: "Yes".into(), decision: Some(decision) };
        let id = assembly.propose(ada, new(vec![option]), NOW).await.unwrap().proposal.id;
        let opened = NOW.plus_hours(24);
        assembly.settle(opened).await.unwrap();
        for caller in [ada, ben, cleo] {
            let voted = assembly.vote(caller, id.clone(), yes(), opened).await;
            assert!(voted.is_ok(), "{voted:?}");
        }
        assembly.settle(NOW.plus_days(7)).await.unwrap();
    }
    let later = NOW.plus_days(8);
    let option = self::policy(assembly);
    let id = assembly.propose(ada, new(vec![option]), later).await.unwrap().proposal.id;
    let comment = NewComment { text: "You fool".into() };
    let seen = assembly.comment(ben, id.clone(), comment, later).await.unwrap();
    assert!(seen.comments[0].held, "its author sees that it is held");
    assert!(assembly.proposal(ada, id.clone(), later).await.unwrap().comments.is_empty());
    assert!(matches!(refusal(assembly.held_comments(ada).await), Refusal::NotAllowed(_)));

    // Roles are those of the moment at which somebody signs in or asks.
    let cleo = assembly.sign_in("Cleo", "another four words here", "test", later).await.unwrap().caller;
    let held = assembly.held_comments(&cleo).await.unwrap();
    assert_eq!((held.len(), held[0].why.as_str()), (1, "insults"));
    let number = held[0].comment.id;
    assembly.settle_comment(&cleo, number, SettleComment { allow: true }, later).await.unwrap();
    assert_eq!(assembly.proposal(ada, id.clone(), later).await.unwrap().comments.len(), 1);
    assert!(matches!(refusal(assembly.erase_comment(ada, number, later).await), Refusal::NotYours(_)));
    assembly.erase_comment(ben, number, later).await.unwrap();
    assert!(assembly.proposal(ada, id, later).await.unwrap().comments.is_empty());
    assert!(assembly.verify_ledger(ada).await.unwrap().ok, "what is erased leaves the ledger whole");
}

#[tokio::test]
async fn the_ledger_can_be_taken_along_and_checked_elsewhere() {
    let community = founded("circle").await;
    let Community { assembly, ada, .. } = &community;
    proposed(&community).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("banyan-ledger.jsonl");
    let file = std::fs::File::create(&path).unwrap();
    let entries = assembly.export_ledger(ada, file).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count() as u64, entries + 1);
    assert!(text.contains(&assembly.public_key().to_string()));
}
