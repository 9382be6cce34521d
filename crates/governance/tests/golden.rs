//! What stands in the ledger stands there for ever: every version of it has to be readable by every later one. A file
//! here is never changed; when something is added, a new file joins it and what is written is compared with that one.

#![allow(clippy::unwrap_used, reason = "helpers of tests stand outside the test functions")]

use banyan_governance::policy::Policy;
use banyan_governance::{Authority, Constitution, Decision, Recorded};
use serde_json::{Value, json};

const POLICY: &str = include_str!("golden/policy_v1.json");
const CONSTITUTION: &str = include_str!("golden/constitution_v1.json");
const DECISIONS: &str = include_str!("golden/decisions_v1.jsonl");

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every decision there is, in JSON.
fn decisions() -> Vec<Value> {
    let mut all: Vec<Value> = DECISIONS.lines().map(json).collect();
    all.push(json!({ "type": "set_policy", "policy": json(POLICY), "based_on": 3 }));
    all.push(json!({ "type": "change_constitution", "constitution": json(CONSTITUTION), "based_on": 2 }));
    all
}

#[test]
fn a_policy_is_read_from_the_ledger_and_written_the_same() {
    let policy: Policy = serde_json::from_str(POLICY).unwrap();
    assert_eq!(policy.check(), Ok(()));
    assert_eq!(serde_json::to_value(&policy).unwrap(), json(POLICY));
}

#[test]
fn a_policy_of_which_most_is_left_out_is_the_default() {
    let policy: Policy = serde_json::from_str(r#"{"closing":"Go well!"}"#).unwrap();
    assert_eq!(policy, Policy { closing: "Go well!".to_owned(), ..Policy::default() });
    assert!(
        serde_json::from_str::<Policy>(r#"{"closign":"Go well!"}"#).is_err(),
        "a slip is not passed over"
    );
}

#[test]
fn a_constitution_is_read_from_the_ledger_and_written_the_same() {
    let constitution: Constitution = serde_json::from_str(CONSTITUTION).unwrap();
    assert_eq!(constitution.check(), Ok(()));
    assert_eq!(serde_json::to_value(&constitution).unwrap(), json(CONSTITUTION));
}

#[test]
fn every_decision_is_read_from_the_ledger_and_written_the_same() {
    for golden in decisions() {
        let decision: Decision = serde_json::from_value(golden.clone()).unwrap();
        assert_eq!(serde_json::to_value(&decision).unwrap(), golden);
    }
}

#[test]
fn every_kind_of_decision_and_authority_has_its_golden_line() {
    // A new kind does not compile here before it has got its line in a golden file.
    let number = |decision: &Decision| match decision {
        Decision::SetPolicy { .. } => 0,
        Decision::ActivateModel { .. } => 1,
        Decision::ActivateAdapter { .. } => 2,
        Decision::RollBackAdapter => 3,
        Decision::ApproveSource { .. } => 4,
        Decision::WithdrawSource { .. } => 5,
        Decision::JoinTraining { .. } => 6,
        Decision::Federate { .. } => 7,
        Decision::LeaveFederation { .. } => 8,
        Decision::SetSharing { .. } => 9,
        Decision::InstallUpdate { .. } => 10,
        Decision::GrantRole { .. } => 11,
        Decision::EndRole { .. } => 12,
        Decision::Sanction { .. } => 13,
        Decision::LiftSanction { .. } => 14,
        Decision::ChangeConstitution { .. } => 15,
        Decision::BreakGlass { .. } => 16,
        Decision::UseEmergency { .. } => 17,
        Decision::RatifyEmergency { .. } => 18,
    };
    let mut numbers: Vec<usize> =
        decisions().into_iter().map(|golden| number(&serde_json::from_value(golden).unwrap())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (0..=18).collect::<Vec<_>>());
}

#[test]
fn what_a_decision_rests_on_is_read_back() {
    for golden in [
        json!({ "by": "proposal", "proposal": "p-0123456789" }),
        json!({ "by": "founding", "kit": "circle" }),
        json!({ "by": "moderation", "moderator": "m-0123456789", "case": "c-0123456789" }),
        json!({ "by": "mediation", "case": "c-0123456789" }),
        json!({ "by": "emergency", "emergency": "e-0123456789" }),
    ] {
        let authority: Authority = serde_json::from_value(golden.clone()).unwrap();
        assert_eq!(serde_json::to_value(&authority).unwrap(), golden);
        let entry = json!({ "decision": { "type": "roll_back_adapter" }, "authority": golden });
        let recorded: Recorded = serde_json::from_value(entry).unwrap();
        assert_eq!((recorded.decision, recorded.authority), (Decision::RollBackAdapter, authority));
    }
}

#[test]
fn an_enactment_is_written_as_it_is_read_from_the_ledger() {
    let kit = banyan_governance::kits::find("commons").unwrap();
    let founder = "m-0123456789".parse().unwrap();
    for enactment in banyan_governance::kits::found(kit, &founder, &[]) {
        let recorded: Recorded = serde_json::from_value(serde_json::to_value(&enactment).unwrap()).unwrap();
        assert_eq!(&recorded.decision, enactment.decision());
        assert_eq!(&recorded.authority, enactment.authority());
    }
}
