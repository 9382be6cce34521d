//! A community that comes together the way real ones do: a founder with the setup code, members with invitations.

mod accounts;
mod conduct;
mod emergency;
mod joining;
mod roles;

use std::collections::BTreeMap;
use std::sync::Mutex;

use banyan_governance::{Decision, MemberId, Role, Time};
use banyan_identity::SigningKey;
use banyan_store::{KeySource, Store, StoreKey};
use tempfile::TempDir;

use super::{Caller, Founded, Founding, SetupCode, SharesWanted, SignIn};
use crate::assembly::{Assembly, rooms};
use crate::error::{AssemblyError, Refusal};
use crate::testing::decided;

const NOW: Time = Time(1_790_000_000);
const SECRET: &str = "2580";
const HERE: &str = "10.0.0.7";

struct TestBox {
    assembly: Assembly,
    data: TempDir,
    /// Tokens of the first session of each member.
    tokens: Mutex<BTreeMap<String, String>>,
}

impl TestBox {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), &StoreKey::from_bytes([3; 32]), &rooms()).unwrap();
        let assembly = Assembly::open(store, SigningKey::from_bytes(&[7; 32])).unwrap();
        Self { assembly, data, tokens: Mutex::default() }
    }

    fn setup_code(&self) -> String {
        SetupCode::of_box(self.data.path()).load_or_create().unwrap()
    }

    async fn try_found(&self, change: impl FnOnce(&mut Founding)) -> Result<Founded, AssemblyError> {
        let mut founding = Founding {
            setup_code: self.setup_code(),
            community: "Riverside".into(),
            kit: "circle".into(),
            name: "Ada".into(),
            secret: SECRET.into(),
            shares: None,
            policy_greeting: None,
        };
        change(&mut founding);
        self.assembly.found(founding, &[], self.data.path(), NOW).await
    }

    /// A founded community, and its founder.
    async fn founded() -> (Self, Caller) {
        let new = Self::new();
        let founder = new.try_found(|_| {}).await.unwrap().sign_in;
        new.tokens.lock().unwrap().insert("Ada".into(), founder.token);
        (new, founder.caller)
    }

    async fn join(&self, inviter: &Caller, name: &str) -> SignIn {
        let invitation = self.assembly.invite(inviter, 1, 1, NOW).await.unwrap();
        let joined = self.assembly.join(Some(&invitation.code), name, SECRET, NOW).await.unwrap();
        self.tokens.lock().unwrap().insert(name.into(), joined.token.clone());
        joined
    }

    /// Carries out a decision of everybody.
    async fn decide(&self, decision: Decision, now: Time) {
        let enactment = decided(decision);
        self.assembly.change(now, move |change| crate::enact::enact(change, &enactment)).await.unwrap();
    }

    async fn grant(&self, member: &MemberId, role: Role) {
        self.decide(Decision::GrantRole { member: member.clone(), role, days: None }, NOW).await;
    }

    /// Who is signed in as this member in the next request, with what holds at that moment.
    async fn caller(&self, name: &str, now: Time) -> Caller {
        let token = self.tokens.lock().unwrap()[name].clone();
        self.assembly.session(&token, now).await.unwrap().unwrap()
    }

    /// Kinds and payloads of the ledger; it verifies.
    async fn ledger(&self) -> Vec<(String, String)> {
        let key = self.assembly.public_key();
        self.assembly
            .read(move |connection| {
                banyan_ledger::verify(connection, &key, |_| {}).unwrap();
                let entries = banyan_ledger::page(connection, None, 10_000)?;
                let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
                Ok(entries.into_iter().rev().map(|entry| (entry.kind, text(&entry.payload))).collect())
            })
            .await
            .unwrap()
    }
}

/// The code that a program would test.
fn code<T>(result: Result<T, AssemblyError>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(AssemblyError::Refused(Refusal::Invalid { code, .. } | Refusal::WrongState { code, .. })) => {
            code.into()
        }
        Err(AssemblyError::Refused(Refusal::NotAllowed(_))) => "not_allowed".into(),
        Err(AssemblyError::Refused(Refusal::NotYours(_))) => "not_yours".into(),
        Err(AssemblyError::Refused(Refusal::NotFound(_))) => "not_found".into(),
        Err(AssemblyError::Refused(Refusal::TooOften(_))) => "too_often".into(),
        Err(AssemblyError::Refused(Refusal::SignedOut)) => "signed_out".into(),
        Err(other) => other.to_string(),
    }
}

#[tokio::test]
async fn a_founding_needs_the_setup_code_and_happens_once() {
    let new = TestBox::new();
    let founded = |change: fn(&mut Founding)| new.try_found(change);
    assert_eq!(
        code(founded(|founding| founding.setup_code = "00000-00000".into()).await),
        "wrong_setup_code"
    );
    assert_eq!(code(founded(|founding| founding.kit = "monarchy".into()).await), "no_such_kit");
    assert_eq!(code(founded(|founding| founding.name = " ".into()).await), "name_empty");
    assert_eq!(code(founded(|founding| founding.secret = "1234".into()).await), "secret_too_simple");
    assert_eq!(code(founded(|founding| founding.community = String::new()).await), "community_name");
    assert!(!new.assembly.in_force().is_founded());

    let founded = new.try_found(|founding| founding.policy_greeting = Some("Peace.".into())).await.unwrap();
    assert!(founded.sign_in.caller.roles.contains(&Role::Steward));
    let in_force = new.assembly.in_force();
    assert_eq!((in_force.community.as_str(), in_force.policy.closing.as_str()), ("Riverside", "Peace."));
    assert_eq!(SetupCode::of_box(new.data.path()).load().unwrap(), None);
    assert_eq!(code(new.try_found(|_| {}).await), "founded_already");
    let kinds: Vec<String> = new.ledger().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["founding", "decision", "decision", "decision", "invitation.made"]);
}

#[tokio::test]
async fn the_founders_shares_rebuild_the_boxs_key() {
    use banyan_identity::recovery::{self, Share};
    let new = TestBox::new();
    let key = KeySource::of_box(new.data.path()).load_or_create(false).unwrap();
    assert_eq!(
        code(new.try_found(|founding| founding.shares = Some(SharesWanted { needed: 4, of: 3 })).await),
        "shares"
    );
    let founded =
        new.try_found(|founding| founding.shares = Some(SharesWanted { needed: 2, of: 3 })).await.unwrap();
    let shares: Vec<Share> =
        founded.shares[1..].iter().map(|words| Share::from_words(words).unwrap()).collect();
    assert_eq!(&*recovery::combine(&shares).unwrap(), key.as_bytes());
}

#[tokio::test]
async fn the_ledger_names_nobody_and_holds_no_words() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Benedikt").await.caller;
    the_box.assembly.change_secret(&ben, SECRET, "three goats", NOW).await.unwrap();
    let report = super::NewReport {
        about: banyan_governance::conflict::About::Member,
        reference: Some(ada.member.to_string()),
        words: "She took my spade".into(),
    };
    the_box.assembly.report(&ben, report, NOW).await.unwrap();
    let ledger = the_box.ledger().await;
    assert!(ledger.iter().any(|(kind, _)| kind == "member.joined"), "{ledger:?}");
    for (kind, payload) in &ledger {
        for secret in ["Benedikt", "Ada", "spade", "2580", "goats"] {
            assert!(!payload.contains(secret), "{kind}: {payload}");
        }
        let reports_anybody = kind == "case" && payload.contains(ben.member.as_str());
        assert!(!reports_anybody, "{payload}");
    }
}
