//! A founded community with one member, who decides at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; a failure here is a failed test")]
#![allow(dead_code, reason = "each test file uses its own part")]

use banyan_assembly::decide::{CastBallot, NewProposal};
use banyan_assembly::people::{Caller, EmergencyWanted, Founding, SetupCode};
use banyan_assembly::{Assembly, rooms};
use banyan_governance::constitution::EmergencyPower;
use banyan_governance::method::Choice;
use banyan_governance::policy::Policy;
use banyan_governance::proposal::{ProposalOption, ProposalState};
use banyan_governance::{Decision, Role, Time};
use banyan_identity::SigningKey;
use banyan_store::{Store, StoreKey};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{TestBox, events, whole};

/// The community.
pub(crate) struct Community {
    pub(crate) assembly: Assembly,
    pub(crate) founder: Caller,
    /// The founder's session, as a cookie.
    pub(crate) cookie: String,
    /// Everybody who votes.
    members: Vec<Caller>,
    invitation: String,
    _dir: TempDir,
}

pub(crate) fn now() -> Time {
    Time(jiff::Timestamp::now().as_second())
}

/// Long enough for a role that takes days to be given.
fn a_month_ago() -> Time {
    Time(now().0 - 30 * 86_400)
}

impl Community {
    /// Founded with this kit.
    pub(crate) async fn found(kit: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), &StoreKey::from_bytes([3; 32]), &rooms()).unwrap();
        let assembly = Assembly::open(store, SigningKey::from_bytes(&[7; 32])).unwrap();
        let founding = Founding {
            setup_code: SetupCode::of_box(dir.path()).load_or_create().unwrap(),
            community: "Riverside".into(),
            kit: kit.into(),
            name: "Amina".into(),
            secret: "mango tree shade river".into(),
            shares: None,
            policy_greeting: None,
        };
        let founded = assembly.found(founding, &[], dir.path(), a_month_ago()).await.unwrap();
        let cookie = format!("banyan_session={}", founded.sign_in.token);
        let founder = founded.sign_in.caller;
        let (members, invitation) = (vec![founder.clone()], founded.invitation.code);
        Self { assembly, founder, cookie, members, invitation, _dir: dir }
    }

    /// Founded with this kit, with a second member who is its moderator; gives their session as a cookie.
    pub(crate) async fn with_moderator(kit: &str) -> (Self, String) {
        let mut community = Self::found(kit).await;
        let at = a_month_ago();
        let ben =
            community.assembly.join(Some(&community.invitation), "Ben", "river stone", at).await.unwrap();
        community.members.push(ben.caller.clone());
        let member = ben.caller.member.clone();
        let grant = Decision::GrantRole { member, role: Role::Moderator, days: None };
        community.decide_at(grant, [at, at.plus_days(5), at.plus_days(20)]).await;
        (community, format!("banyan_session={}", ben.token))
    }

    /// A box of this community.
    pub(crate) async fn portal(&self) -> TestBox {
        TestBox::with(|config| config.assembly = Some(self.assembly.clone())).await
    }

    /// Proposed, voted on and in force when this returns.
    pub(crate) async fn decide(&self, decision: Decision) {
        self.decide_at(decision, [now(); 3]).await;
    }

    /// Proposed, opened with everybody's vote, and closed at these times.
    async fn decide_at(&self, decision: Decision, [begun, opened, closed]: [Time; 3]) {
        let options = vec![ProposalOption { title: "Yes".into(), decision: Some(decision) }];
        let wanted =
            NewProposal { title: "This".into(), text: "Because.".into(), topic: None, options, submit: true };
        let id = self.assembly.propose(&self.founder, wanted, begun).await.unwrap().proposal.id;
        self.assembly.open_proposal(&self.founder, id.clone(), opened).await.unwrap();
        for member in &self.members {
            let yes = CastBallot { choice: Choice::Yes };
            self.assembly.vote(member, id.clone(), yes, opened).await.unwrap();
        }
        self.assembly.settle(closed).await.unwrap();
        let state = self.assembly.proposal(&self.founder, id, closed).await.unwrap().proposal.state;
        assert_eq!(state, ProposalState::Enacted);
    }

    /// Changes the policy by decision.
    pub(crate) async fn set_policy(&self, change: impl FnOnce(&mut Policy)) {
        let in_force = self.assembly.in_force();
        let mut policy = in_force.policy.clone();
        change(&mut policy);
        let based_on = in_force.policy_version;
        self.decide(Decision::SetPolicy { policy: Box::new(policy), based_on }).await;
    }

    /// Uses an emergency power.
    pub(crate) async fn emergency(&self, power: EmergencyPower) {
        let wanted = EmergencyWanted { power, reason: "The river rises.".into() };
        self.assembly.ask_emergency(&self.founder, wanted, now()).await.unwrap();
    }

    /// The same request, by the founder.
    pub(crate) fn signed(&self, mut request: Request<String>) -> Request<String> {
        request.headers_mut().insert("cookie", self.cookie.parse().unwrap());
        request
    }

    /// The events of an answer to the founder.
    pub(crate) async fn ask(&self, site: &TestBox, question: &str) -> Vec<Value> {
        answer(site, self.signed(crate::common::api_question(question))).await
    }

    /// The page of an answer to the founder.
    pub(crate) async fn ask_on_page(&self, site: &TestBox, question: &str) -> String {
        let sent = site.send(self.signed(crate::common::form(question, ""))).await;
        let page = sent.headers()["location"].to_str().unwrap();
        whole(site.send(self.signed(Request::get(page).body(String::new()).unwrap())).await).await.1
    }

    /// The audit entry that an answer's last event names.
    pub(crate) async fn audit(&self, site: &TestBox, events: &[Value]) -> Value {
        let last = events.last().unwrap();
        let entry = last["audit"].as_u64().unwrap_or_else(|| panic!("no audit entry: {last}"));
        let (response, text) = site.get(&format!("/api/audit/{entry}")).await;
        assert_eq!(response.status(), 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A request with a JSON body, by the founder.
    pub(crate) async fn send(
        &self,
        site: &TestBox,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(body.map_or_else(String::new, |body| body.to_string())).unwrap();
        let response = site.send(self.signed(request)).await;
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&text).unwrap_or(json!(null)))
    }
}

/// The events of an answer behind those of the queue.
pub(crate) async fn answer(site: &TestBox, request: Request<String>) -> Vec<Value> {
    let (response, text) = whole(site.send(request).await).await;
    assert_eq!(response.status(), 200, "{text}");
    let events = events(&text).into_iter().map(|(_, event)| event);
    events.filter(|event| !crate::common::is_of_the_queue(event)).collect()
}

/// What a listener has at the end: words, less those that were withdrawn.
pub(crate) fn read(events: &[Value]) -> String {
    events.iter().fold(String::new(), |so_far, event| match event["type"].as_str() {
        Some("token") => so_far + event["text"].as_str().unwrap(),
        Some("replaced") => event["text"].as_str().unwrap().to_owned(),
        _ => so_far,
    })
}
