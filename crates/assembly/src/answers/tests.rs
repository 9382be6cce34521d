use banyan_governance::{Decision, Permission, Role, Time};
use banyan_identity::SigningKey;
use banyan_store::{Store, StoreKey};
use tempfile::TempDir;

use super::{AnswerAction, AnswerRecord, Auditor, HeldSide, HeldState, NewHeld, Turn, owner_of};
use crate::assembly::{Assembly, rooms};
use crate::error::{AssemblyError, Refusal};
use crate::people::{Caller, Founding, SetupCode};
use crate::testing::decided;

const NOW: Time = Time(1_790_000_000);
const SECRET: &str = "2580";

struct World {
    assembly: Assembly,
    /// Who asks.
    ada: Caller,
    /// A moderator.
    ben: Caller,
    _data: TempDir,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), &StoreKey::from_bytes([3; 32]), &rooms()).unwrap();
        let assembly = Assembly::open(store, SigningKey::from_bytes(&[7; 32])).unwrap();
        let founding = Founding {
            setup_code: SetupCode::of_box(data.path()).load_or_create().unwrap(),
            community: "Riverside".into(),
            kit: "circle".into(),
            name: "Ada".into(),
            secret: SECRET.into(),
            shares: None,
            policy_greeting: None,
        };
        let founded = assembly.found(founding, &[], data.path(), NOW).await.unwrap();
        let ben = assembly.join(Some(&founded.invitation.code), "Ben", SECRET, NOW).await.unwrap().caller;
        let grant = Decision::GrantRole { member: ben.member.clone(), role: Role::Moderator, days: None };
        let world = Self { assembly, ada: founded.sign_in.caller, ben, _data: data };
        world.decide(grant).await;
        let ben = world.assembly.sign_in("Ben", SECRET, "here", NOW).await.unwrap().caller;
        assert!(ben.may(Permission::Moderate));
        Self { ben, ..world }
    }

    async fn decide(&self, decision: Decision) {
        let enactment = decided(decision);
        self.assembly.change(NOW, move |change| crate::enact::enact(change, &enactment)).await.unwrap();
    }

    async fn keep_conversations(&self, keep: bool) {
        let in_force = self.assembly.in_force();
        let mut policy = in_force.policy.clone();
        policy.keeping.conversations = keep;
        self.decide(Decision::SetPolicy { policy: Box::new(policy), based_on: in_force.policy_version })
            .await;
    }

    fn text(&self, side: HeldSide) -> NewHeld {
        NewHeld {
            side,
            owner: owner_of(&self.ada.member),
            rules: vec!["names".into()],
            earlier: vec![Turn { role: "user".into(), content: "Who is old Tom?".into() }],
            question: "Where is the boat?".into(),
            answer: (side == HeldSide::Answer).then(|| "With old Tom.".into()),
        }
    }

    async fn hold(&self, side: HeldSide) -> i64 {
        self.assembly.hold(self.text(side), NOW).await.unwrap()
    }

    /// Everything in the ledger as one text; it verifies.
    async fn ledger(&self) -> String {
        let key = self.assembly.public_key();
        self.assembly
            .read(move |connection| {
                banyan_ledger::verify(connection, &key, |_| {}).unwrap();
                let entries = banyan_ledger::page(connection, None, 10_000)?;
                Ok(entries.iter().map(|entry| String::from_utf8_lossy(&entry.payload).into_owned()).collect())
            })
            .await
            .unwrap()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "a test looks at the result and is done with it")]
fn code<T>(result: Result<T, AssemblyError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(AssemblyError::Refused(Refusal::WrongState { code, .. } | Refusal::Invalid { code, .. })) => code,
        Err(AssemblyError::Refused(Refusal::NotAllowed(_))) => "not_allowed",
        Err(AssemblyError::Refused(Refusal::NotYours(_))) => "not_yours",
        Err(AssemblyError::Refused(Refusal::NotFound(_))) => "not_found",
        Err(_) => "failed",
    }
}

fn record(rule: &str) -> AnswerRecord {
    AnswerRecord {
        model: Some("smol".into()),
        adapter: None,
        policy_version: 1,
        policy_entry: 2,
        rules: vec![rule.into()],
        skipped: Vec::new(),
        action: AnswerAction::Answered,
        sources: Vec::new(),
        queue_ms: 1,
        first_word_ms: Some(20),
        total_ms: 300,
    }
}

#[tokio::test]
async fn answers_that_end_together_each_have_their_own_entry_and_it_can_be_read() {
    let world = World::new().await;
    let auditor = Auditor::new(world.assembly.clone());
    let writing = (0..50).map(|number| {
        let auditor = auditor.clone();
        tokio::spawn(async move { auditor.record(record(&format!("rule {number}")), NOW).await.unwrap() })
    });
    let mut entries = Vec::new();
    for (number, one) in writing.collect::<Vec<_>>().into_iter().enumerate() {
        let entry = one.await.unwrap();
        let audit = world.assembly.audit(entry).await.unwrap();
        assert_eq!((audit.record, audit.at), (record(&format!("rule {number}")), NOW));
        entries.push(entry);
    }
    entries.sort_unstable();
    assert!(entries.windows(2).all(|two| two[0] < two[1]));
    assert_eq!(code(world.assembly.audit(1).await), "not_found", "another kind of entry");
    assert_eq!(code(world.assembly.audit(u64::MAX).await), "not_found");
}

#[tokio::test]
async fn a_held_answer_is_the_members_once_a_moderator_allows_it() {
    let world = World::new().await;
    let (allowed, refused) = (world.hold(HeldSide::Answer).await, world.hold(HeldSide::Answer).await);
    assert_eq!(code(world.assembly.held(&world.ada).await), "not_allowed");
    let desk = world.assembly.held(&world.ben).await.unwrap();
    assert_eq!(desk.iter().map(|held| held.id).collect::<Vec<_>>(), [allowed, refused]);
    assert_eq!(desk[0].answer.as_deref(), Some("With old Tom."));
    assert_eq!(code(world.assembly.settle_held(&world.ada, allowed, true, NOW).await), "not_allowed");
    let own = world.assembly.held_of(owner_of(&world.ada.member)).await.unwrap();
    assert!(own.iter().all(|held| held.state == HeldState::Waiting && held.answer.is_none()));

    world.assembly.settle_held(&world.ben, allowed, true, NOW).await.unwrap();
    world.assembly.settle_held(&world.ben, refused, false, NOW).await.unwrap();
    assert_eq!(code(world.assembly.settle_held(&world.ben, refused, true, NOW).await), "settled");
    assert_eq!(code(world.assembly.settle_held(&world.ben, 99, true, NOW).await), "not_found");
    let own = world.assembly.held_of(owner_of(&world.ada.member)).await.unwrap();
    assert_eq!((own[1].state, own[1].answer.as_deref()), (HeldState::Allowed, Some("With old Tom.")));
    assert_eq!((own[0].state, own[0].question.as_deref()), (HeldState::Refused, None), "erased at once");
    assert!(world.assembly.held_of(owner_of(&world.ben.member)).await.unwrap().is_empty());
    assert!(world.assembly.held_of(String::new()).await.unwrap().is_empty());
    let ledger = world.ledger().await;
    assert!(ledger.contains("names") && !ledger.contains("Tom") && !ledger.contains("boat"));
}

#[tokio::test]
async fn nobody_moderates_their_own_text() {
    let world = World::new().await;
    let own = NewHeld { owner: owner_of(&world.ben.member), ..world.text(HeldSide::Question) };
    let id = world.assembly.hold(own, NOW).await.unwrap();
    assert_eq!(code(world.assembly.settle_held(&world.ben, id, true, NOW).await), "not_yours");
}

#[tokio::test]
async fn an_allowed_question_waits_for_its_answer_also_over_a_restart() {
    let world = World::new().await;
    let id = world.hold(HeldSide::Question).await;
    assert!(world.assembly.allowed_questions().await.unwrap().is_empty());
    world.assembly.settle_held(&world.ben, id, true, NOW).await.unwrap();
    for _ in 0..2 {
        let waiting = world.assembly.allowed_questions().await.unwrap();
        assert_eq!((waiting.len(), waiting[0].question.as_str()), (1, "Where is the boat?"));
        assert_eq!(waiting[0].earlier, world.text(HeldSide::Question).earlier);
        assert_eq!(waiting[0].owner, owner_of(&world.ada.member));
    }
    world.assembly.answer_held(id, "At the landing.".into(), NOW).await.unwrap();
    assert!(world.assembly.allowed_questions().await.unwrap().is_empty());
    let own = world.assembly.held_of(owner_of(&world.ada.member)).await.unwrap();
    assert_eq!((own[0].state, own[0].answer.as_deref()), (HeldState::Answered, Some("At the landing.")));
}

#[tokio::test]
async fn a_few_held_texts_of_one_person_are_enough() {
    let world = World::new().await;
    for _ in 0..8 {
        world.hold(HeldSide::Question).await;
    }
    assert_eq!(code(world.assembly.hold(world.text(HeldSide::Question), NOW).await), "too_many_held");
    let other = NewHeld { owner: owner_of(&world.ben.member), ..world.text(HeldSide::Question) };
    world.assembly.hold(other, NOW).await.unwrap();
}

#[tokio::test]
async fn a_kept_conversation_is_closed_to_everybody_else() {
    let world = World::new().await;
    let words = br#"["the words of Ada"]"#;
    assert_eq!(code(world.assembly.keep_conversation(&world.ada, "one", words, NOW).await), "history_off");
    world.keep_conversations(true).await;
    world.assembly.keep_conversation(&world.ada, "one", words, NOW).await.unwrap();
    world.assembly.keep_conversation(&world.ada, "one", words, NOW).await.unwrap();
    assert_eq!(world.assembly.conversation(&world.ada, "one").await.unwrap(), words);
    assert_eq!(code(world.assembly.conversation(&world.ben, "one").await), "not_found");
    let again = world.assembly.sign_in("Ada", SECRET, "there", NOW).await.unwrap().caller;
    assert_eq!(world.assembly.conversation(&again, "one").await.unwrap(), words, "on another phone");
    let sealed: Vec<u8> = world
        .assembly
        .read(|connection| Ok(connection.query_row("SELECT sealed FROM history", [], |row| row.get(0))?))
        .await
        .unwrap();
    assert!(!sealed.windows(5).any(|part| part == b"words"));
    // A steward who moves the row to another member does not open it.
    let ben = world.ben.member.as_str().to_owned();
    world
        .assembly
        .change(NOW, move |change| {
            Ok(change.tx.execute("UPDATE history SET member = ?1", [ben]).map(drop)?)
        })
        .await
        .unwrap();
    assert_eq!(code(world.assembly.conversation(&world.ben, "one").await), "failed");
    for name in ["", "a b", "../x", &"x".repeat(65)] {
        assert_eq!(
            code(world.assembly.keep_conversation(&world.ada, name, words, NOW).await),
            "bad_id",
            "{name}"
        );
    }
    let large = vec![b'1'; super::MAX_CONVERSATION + 1];
    assert_eq!(code(world.assembly.keep_conversation(&world.ada, "large", &large, NOW).await), "too_large");
}

#[tokio::test]
async fn what_is_old_is_erased_as_the_policy_says() {
    let world = World::new().await;
    world.keep_conversations(true).await;
    world.assembly.keep_conversation(&world.ada, "old", b"1", NOW).await.unwrap();
    world.assembly.keep_conversation(&world.ada, "new", b"1", NOW.plus_days(60)).await.unwrap();
    let settled = world.hold(HeldSide::Answer).await;
    world.assembly.settle_held(&world.ben, settled, true, NOW).await.unwrap();
    let forgotten = world.hold(HeldSide::Answer).await;
    assert_eq!(world.assembly.sweep_answers(NOW.plus_days(29)).await.unwrap(), 0);
    assert_eq!(
        world.assembly.sweep_answers(NOW.plus_days(31)).await.unwrap(),
        1,
        "30 days after it was settled"
    );
    assert_eq!(world.assembly.sweep_answers(NOW.plus_days(61)).await.unwrap(), 1, "nobody looked at it");
    assert_eq!(code(world.assembly.settle_held(&world.ben, forgotten, true, NOW).await), "not_found");
    assert_eq!(world.assembly.sweep_answers(NOW.plus_days(91)).await.unwrap(), 1);
    let left = world.assembly.history(&world.ada).await.unwrap();
    assert_eq!(left.conversations.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["new"]);
    world.keep_conversations(false).await;
    assert_eq!(
        world.assembly.sweep_answers(NOW.plus_days(91)).await.unwrap(),
        1,
        "the policy keeps none any more"
    );
    let withheld: i64 = world
        .assembly
        .read(|connection| Ok(connection.query_row("SELECT count(*) FROM withheld", [], |row| row.get(0))?))
        .await
        .unwrap();
    assert_eq!(withheld, 0);
    world.ledger().await;
}
