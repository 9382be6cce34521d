//! A community with somebody in each role, and one thing of each kind that belongs to somebody.

use std::time::{SystemTime, UNIX_EPOCH};

use banyan_assembly::decide::{CastBallot, NewComment, NewProposal};
use banyan_assembly::people::{Caller, EmergencyWanted, Founding, NewReport, SetupCode, SignIn};
use banyan_assembly::{Assembly, rooms};
use banyan_governance::conflict::About;
use banyan_governance::constitution::EmergencyPower;
use banyan_governance::decision::SanctionStep;
use banyan_governance::method::Choice;
use banyan_governance::proposal::ProposalOption;
use banyan_governance::{Decision, ProposalId, Role, Time};
use banyan_portal::{ApiKeys, PortalConfig};
use banyan_store::{Store, StoreKey};
use http::Request;

use crate::common::{Act, Engine, TestBox, events, whole};
use crate::shelf::Shelf;

const SECRET: &str = "2580";

/// The community, and who is in it.
pub(crate) struct Village {
    pub(crate) web: TestBox,
    pub(crate) shelf: Shelf,
    _engine: Engine,
    cookies: Vec<(&'static str, String)>,
    key: String,
    /// What stands in a path or a body as `{name}`, for all addresses or for one.
    names: Vec<(&'static str, String)>,
}

/// Those who are members, in the order of joining; the founder is the steward. The silent one does nothing: a vote in
/// which everybody has spoken would be over.
const MEMBERS: [&str; 7] = ["suspended", "other", "librarian", "mediator", "moderator", "owner", "silent"];

impl Village {
    pub(crate) async fn founded() -> Self {
        let mut opened = None;
        let web = TestBox::with(|config| opened = Some(open(config))).await;
        let (assembly, shelf) = opened.unwrap();
        let engine = web.engine((0..20).map(|_| Act::Say(vec!["Good ", "morning."])));
        web.is_ready().await;
        let now = Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed());
        let begun = Time(now.0 - 30 * 86_400);

        let steward = found(&assembly, &web, begun).await;
        let invitation = assembly.invite(&steward.caller, 100, 90, begun).await.unwrap();
        let mut sessions = vec![("steward", steward)];
        for name in MEMBERS {
            let joined = assembly.join(Some(&invitation.code), name, SECRET, begun).await.unwrap();
            sessions.push((name, joined));
        }
        let caller = |name: &str| &sessions.iter().find(|(one, _)| *one == name).unwrap().1.caller;
        let roles =
            [("librarian", Role::Librarian), ("mediator", Role::Mediator), ("moderator", Role::Moderator)];
        let mut decisions: Vec<Decision> = roles
            .into_iter()
            .map(|(name, role)| Decision::GrantRole { member: caller(name).member.clone(), role, days: None })
            .collect();
        let member = caller("suspended").member.clone();
        decisions.push(Decision::Sanction { member, step: SanctionStep::Suspend { days: 365 }, case: None });
        decide(&assembly, caller("steward"), decisions, begun).await;

        let key = ApiKeys::new(web.dir.path()).add("till").unwrap();
        let shelf = shelf.filled(caller("owner").member.as_str(), now.0).await;
        let mut village = Self { names: Vec::new(), cookies: Vec::new(), key, shelf, _engine: engine, web };
        for (name, session) in &sessions {
            village.cookies.push((*name, format!("banyan_session={}", session.token)));
        }
        village.cookies.push(("ended", format!("banyan_session={}", ended(&assembly, begun).await)));
        village.things(&assembly, &sessions, now).await;
        village
    }

    /// One thing of each kind.
    async fn things(&mut self, assembly: &Assembly, sessions: &[(&'static str, SignIn)], now: Time) {
        let session = |name: &str| sessions.iter().find(|(one, _)| *one == name).unwrap().1.token.clone();
        let mut callers = Vec::new();
        for name in ["steward", "owner", "other", "mediator"] {
            callers.push((name, assembly.session(&session(name), now).await.unwrap().unwrap()));
        }
        let caller = |name: &str| &callers.iter().find(|(one, _)| *one == name).unwrap().1;
        let owner = caller("owner");
        let mut names: Vec<(&'static str, String)> = Vec::new();
        for name in ["other", "mediator"] {
            names.push((name, caller(name).member.to_string()));
        }
        let invitation = assembly.invite(caller("steward"), 1, 1, now).await.unwrap();
        names.push(("invitation", invitation.id));
        let report =
            NewReport { about: About::Answer, reference: Some("12".into()), words: "It is wrong".into() };
        names.push(("case", assembly.report(owner, report, now).await.unwrap().to_string()));
        let wanted = EmergencyWanted { power: EmergencyPower::CloseToGuests, reason: "A flood".into() };
        let asked = assembly.ask_emergency(caller("steward"), wanted, now).await.unwrap();
        names.push(("emergency", asked.asked[0].id.to_string()));

        for (name, submit) in [("draft", false), ("discussed", true), ("doomed", true)] {
            let id = propose(assembly, owner, share(), submit, now).await;
            names.push((name, id.to_string()));
        }
        let update = Decision::InstallUpdate { version: "2".into(), digest: "ab".repeat(32) };
        let open = propose(assembly, owner, update, true, now).await;
        assembly.settle(now).await.unwrap();
        names.push(("open", open.to_string()));
        let discussed: ProposalId =
            names.iter().find(|(name, _)| *name == "discussed").unwrap().1.parse().unwrap();
        let comment = NewComment { text: "Good".into() };
        let view = assembly.comment(owner, discussed, comment, now).await.unwrap();
        names.push(("comment", view.comments[0].id.to_string()));
        let mut number = |name: &'static str, number: i64| names.push((name, number.to_string()));
        for (question, reply) in [("question", "reply"), ("doomed_question", "doomed_reply")] {
            let (one, other) = self.shelf.asked(owner.member.as_str(), now.0).await;
            number(question, one);
            number(reply, other);
        }
        let (collection, minutes, draft) = (&self.shelf.inner, &self.shelf.minutes, &self.shelf.draft);
        for (name, value) in [("collection", collection), ("minutes", minutes), ("draft_document", draft)] {
            names.push((name, value.clone()));
        }
        self.names = names;

        let (answer, audit) = self.asked().await;
        self.names.push(("answer", answer));
        self.names.push(("entry", audit));
    }

    /// An answer to the owner, and the entry of the ledger about it.
    async fn asked(&self) -> (String, String) {
        let body = r#"{"messages":[{"role":"user","content":"Good morning?"}]}"#.to_owned();
        let request =
            Request::post("/api/chat").header("cookie", self.cookie("owner").unwrap()).body(body).unwrap();
        let (response, text) = whole(self.web.send(request).await).await;
        assert_eq!(response.status(), 200, "{text}");
        let events = events(&text);
        let done = &events.last().unwrap().1;
        (events[0].1["answer"].as_str().unwrap().to_owned(), done["audit"].to_string())
    }

    /// The cookie of somebody; none of who has no session.
    fn cookie(&self, who: &str) -> Option<&str> {
        self.cookies.iter().find(|(name, _)| *name == who).map(|(_, cookie)| cookie.as_str())
    }

    /// What somebody shows of themselves: a cookie, a key, or nothing.
    pub(crate) fn credential(&self, who: &str) -> Option<(&'static str, String)> {
        if who == "program" {
            return Some(("authorization", format!("Bearer {}", self.key)));
        }
        self.cookie(who).map(|cookie| ("cookie", cookie.to_owned()))
    }

    /// The text with what stands in it as `{name}`. In paths the names are the description's: which thing is meant there
    /// depends on the address.
    pub(crate) fn filled_in(&self, route: &str, text: &str) -> String {
        let (_, path) = route.split_once(' ').unwrap();
        let thing = match path {
            "/api/proposals/{id}/submit" => "draft",
            "/api/proposals/{id}/withdraw" => "doomed",
            "/api/proposals/{id}/ballot"
            | "/api/proposals/{id}/paper-codes"
            | "/api/proposals/{id}/paper-ballot" => "open",
            "/api/library/questions/{id}" if route.starts_with("DELETE") => "doomed_question",
            path if path.starts_with("/api/library/documents/") => "minutes",
            path if path.starts_with("/api/library/collections/") => "collection",
            path if path.starts_with("/api/library/review/") => "draft_document",
            path if path.starts_with("/api/library/questions/") => "question",
            path if path.starts_with("/api/proposals/") => "discussed",
            path if path.starts_with("/api/comments/") => "comment",
            path if path.starts_with("/api/cases/") => "case",
            path if path.starts_with("/api/invitations/") => "invitation",
            path if path.starts_with("/api/emergency/") => "emergency",
            path if path.starts_with("/api/members/") => "other",
            _ => "",
        };
        let mut filled = text.to_owned();
        if let Some((_, value)) = self.names.iter().find(|(name, _)| *name == thing) {
            filled = filled.replace("{id}", value);
        }
        for (name, value) in &self.names {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        // What nobody has: held texts, kept conversations, models.
        filled
            .replace("{id}", "999")
            .replace("{model}", "none")
            .replace("{zim}", "none")
            .replace("{version}", "1")
    }
}

fn open(config: &mut PortalConfig) -> (Assembly, Shelf) {
    let rooms: Vec<_> = rooms().into_iter().chain(banyan_knowledge::rooms()).collect();
    let store = Store::open(&config.data_dir, &StoreKey::from_bytes([3; 32]), &rooms).unwrap();
    let shelf = Shelf::empty(store.clone());
    let assembly = Assembly::open(store, banyan_identity::SigningKey::from_bytes(&[7; 32])).unwrap();
    config.assembly = Some(assembly.clone());
    config.library = Some(shelf.library.clone());
    config.importer = Some(shelf.importer.clone());
    (assembly, shelf)
}

async fn found(assembly: &Assembly, web: &TestBox, now: Time) -> SignIn {
    let founding = Founding {
        setup_code: SetupCode::of_box(web.dir.path()).load_or_create().unwrap(),
        community: "Riverside".into(),
        // Not everybody invites, guests do not ask, and votes can be handed on.
        kit: "council".into(),
        name: "steward".into(),
        secret: SECRET.into(),
        shares: None,
        policy_greeting: None,
    };
    assembly.found(founding, &[], web.dir.path(), now).await.unwrap().sign_in
}

fn share() -> Decision {
    let kind = banyan_governance::decision::SharingKind::Knowledge;
    Decision::SetSharing { kind, allowed: true }
}

async fn propose(
    assembly: &Assembly,
    by: &Caller,
    decision: Decision,
    submit: bool,
    now: Time,
) -> ProposalId {
    let option = ProposalOption { title: "Yes".into(), decision: Some(decision) };
    let new = NewProposal { title: "A".into(), text: "B".into(), topic: None, options: vec![option], submit };
    assembly.propose(by, new, now).await.unwrap().proposal.id
}

/// What the steward proposes and alone takes part in.
async fn decide(assembly: &Assembly, steward: &Caller, decisions: Vec<Decision>, begun: Time) {
    let mut proposals = Vec::new();
    for decision in decisions {
        proposals.push(propose(assembly, steward, decision, true, begun).await);
    }
    let discussed = begun.plus_hours(48);
    assembly.settle(discussed).await.unwrap();
    for id in proposals {
        assembly.vote(steward, id, CastBallot { choice: Choice::Yes }, discussed).await.unwrap();
    }
    assembly.settle(discussed.plus_hours(168)).await.unwrap();
}

/// The token of a session that is over.
async fn ended(assembly: &Assembly, now: Time) -> String {
    let session = assembly.sign_in("owner", SECRET, "here", now).await.unwrap();
    assembly.sign_out(&session.caller, false, now).await.unwrap();
    session.token
}
