//! Two engines behind one portal, on two real listeners, and everything that one of them can do wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; a failure here is a failed test")]

mod common;
#[path = "common/foreign.rs"]
mod foreign;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use banyan_openai::BearerKey;
use banyan_portal::{EngineSpec, EngineState, EngineView, Portal, PortalConfig, serve};
use common::{Act, Engine, TestBox, api_question, impatient, whole};
use foreign::{Foreign, LLAMA_CPP, Manner, VLLM};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// One place, so that a single question goes to the other engine, whose load would be lower.
const ONE_PLACE: &str = r#"{"status":"ready","model":"smol","context_length":2048,"slots":1,"version":"0"}"#;
const FOUR_PLACES: &str =
    r#"{"status":"ready","model":"smol","context_length":2048,"slots":4,"version":"0"}"#;

/// A portal before its own engine and another one.
struct Pair {
    portal: Portal,
    page: TestBox,
    own: Engine,
    hall: Foreign,
}

impl Pair {
    async fn start(maker: &'static str, own_health: &'static str) -> Self {
        Self::with(maker, own_health, |_| {}).await
    }

    async fn with(
        maker: &'static str,
        own_health: &'static str,
        change: impl FnOnce(&mut EngineSpec),
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let socket = dir.path().join("infer.sock");
        let own = Engine::start(&socket, []);
        *own.health.lock().unwrap() = own_health;
        let hall = Foreign::start(maker).await;
        let mut config = PortalConfig::new(socket, dir.path());
        config.patience = impatient();
        config.queue.quotas.members.running = 100;
        config.queue.quotas.members.waiting = 100;
        let mut spec = hall.spec();
        change(&mut spec);
        config.engines = vec![spec];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let portal = Portal::new(config);
        let serving = tokio::spawn(serve(listener, portal.clone(), async {
            stopped.await.ok();
        }));
        let pair = Self { portal, page: TestBox { dir, address, stop: Some(stop), serving }, own, hall };
        pair.until("both were looked at", |views| views.iter().all(|view| view.state != EngineState::Unseen))
            .await;
        pair
    }

    /// Waits until the engines are as `wanted`.
    async fn until(&self, what: &str, wanted: impl Fn(&[EngineView]) -> bool) {
        for _ in 0..600 {
            if wanted(&self.portal.engine_views()) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain until {what}: {:#?}", self.portal.engine_views());
    }

    async fn until_hall_is(&self, state: EngineState) {
        self.until(&format!("the hall is {state:?}"), |views| views[1].state == state).await;
    }

    fn hall_view(&self) -> EngineView {
        self.portal.engine_views().remove(1)
    }

    /// The events of one answer.
    async fn ask(&self) -> Vec<Value> {
        let (response, text) = whole(self.page.send(api_question("Where is the key?")).await).await;
        assert_eq!(response.status(), 200, "{text}");
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The words of one answer, which has to be whole.
    async fn answer(&self) -> String {
        let events = timeout(Duration::from_secs(20), self.ask()).await.unwrap();
        assert_eq!(events.last().unwrap()["type"], "done", "{events:#?}");
        words(&events)
    }
}

fn words(events: &[Value]) -> String {
    let tokens = events.iter().filter(|event| event["type"] == "token");
    tokens.map(|event| event["text"].as_str().unwrap()).collect()
}

const FROM_OWN: &str = "Hello there.";
const FROM_HALL: &str = "From the hall";

#[tokio::test]
async fn whatever_an_engine_does_before_its_first_word_the_other_answers() {
    let full = r#"{"error":{"message":"full","type":"server_error","code":"queue_full"}}"#;
    let too_long = r#"{"error":{"code":400,"message":"request (900 tokens) exceeds the available context size (512 tokens)","type":"exceed_context_size_error"}}"#;
    let cases = [
        (Manner::DiesAtOnce, "went away"),
        (Manner::Hangs, "has not answered"),
        (
            Manner::Refuses("500 Oh", r#"{"error":{"message":"out of memory","type":"server_error"}}"#),
            "out of memory",
        ),
        (Manner::Refuses("500 Oh", "<html>"), "without a reason"),
        (Manner::Refuses("503 Full", full), "full"),
        (Manner::Refuses("401 No", r#"{"error":"Unauthorized"}"#), "Unauthorized"),
        (
            Manner::Refuses(
                "404 No",
                r#"{"error":{"message":"no model x","type":"NotFoundError","code":404}}"#,
            ),
            "no model x",
        ),
        // Its fault only as far as this question goes: it gets the next one.
        (Manner::Refuses("400 No", too_long), ""),
    ];
    for (manner, reason) in cases {
        let pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
        pair.hall.behave(manner);
        assert_eq!(pair.answer().await, FROM_OWN, "{manner:?}");
        assert_eq!(pair.hall.questions().len(), 1, "it was asked first: {manner:?}");
        assert_eq!(pair.own.questions().len(), 1, "{manner:?}");
        let asked_again = pair.answer().await;
        assert_eq!(asked_again, FROM_OWN, "{manner:?}");
        if !reason.is_empty() {
            let hall = pair.hall_view();
            let said = hall.reason.clone().unwrap_or_default();
            assert!(hall.state == EngineState::Trial || said.contains(reason), "{manner:?}: {hall:?}");
        }
    }
}

#[tokio::test]
async fn what_one_engine_cannot_answer_waits_for_room_in_the_other() {
    let too_long = r#"{"error":{"message":"too long","type":"exceed_context_size_error","code":400}}"#;
    for manner in
        [Manner::Refuses("400 No", too_long), Manner::Refuses("500 Oh", "<html>"), Manner::DiesAtOnce]
    {
        let pair = Arc::new(Pair::start(LLAMA_CPP, ONE_PLACE).await);
        pair.hall.behave(Manner::Waits);
        pair.own.acts.lock().unwrap().push_back(Act::SaySlowly(vec!["slow"; 20], Duration::from_millis(20)));
        let mut before = tokio::task::JoinSet::new();
        for _ in 0..2 {
            let pair = pair.clone();
            before.spawn(async move { pair.ask().await });
        }
        pair.until("both are busy", |views| views.iter().all(|view| view.in_flight == 1)).await;
        pair.hall.behave(manner);
        assert_eq!(pair.answer().await, FROM_OWN, "{manner:?}");
    }
}

#[tokio::test]
async fn an_engine_that_refuses_connections_costs_nobody_an_answer_and_is_used_again_when_it_is_back() {
    let mut pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
    assert_eq!(pair.answer().await, FROM_HALL);
    pair.hall.die().await;
    // Before anybody has looked.
    assert_eq!(pair.hall_view().state, EngineState::Ready);
    assert_eq!(pair.answer().await, FROM_OWN);
    pair.until_hall_is(EngineState::Away).await;
    assert!(pair.hall_view().reason.unwrap().contains("cannot be reached"));
    for _ in 0..3 {
        assert_eq!(pair.answer().await, FROM_OWN);
    }
    pair.hall.revive().await;
    pair.until_hall_is(EngineState::Trial).await;
    assert_eq!(pair.answer().await, FROM_HALL);
    assert_eq!(pair.hall_view().state, EngineState::Ready);
}

#[tokio::test]
async fn an_engine_that_fails_again_and_again_is_asked_less_and_less() {
    let pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
    pair.hall.behave(Manner::DiesAtOnce);
    for _ in 0..30 {
        assert_eq!(pair.answer().await, FROM_OWN);
    }
    let asked = pair.hall.questions().len();
    assert!((2..=4).contains(&asked), "asked {asked} times in 30 questions");
}

#[tokio::test]
async fn words_that_were_read_are_not_said_anew_by_another_engine() {
    let pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
    pair.hall.behave(Manner::DiesAfterAWord);
    let events = pair.ask().await;
    let last = events.last().unwrap();
    assert_eq!(
        (last["type"].as_str(), last["code"].as_str()),
        (Some("error"), Some("engine_lost")),
        "{events:#?}"
    );
    assert_eq!(words(&events), FROM_HALL);
    assert!(pair.own.questions().is_empty());
}

#[tokio::test]
async fn while_an_engine_loads_the_other_answers_and_the_reason_is_known() {
    let pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
    pair.hall.load(true);
    assert_eq!(pair.answer().await, FROM_OWN, "refused with 503, asked of the other");
    pair.until("the hall loads", |views| {
        views[1].state == EngineState::Loading && views[1].reason.as_deref() == Some("Loading model")
    })
    .await;
    pair.hall.load(false);
    pair.until("the hall is back", |views| views[1].state != EngineState::Loading).await;
    assert_eq!(pair.answer().await, FROM_HALL);
}

#[tokio::test]
async fn when_the_own_engine_is_away_the_other_goes_on() {
    let pair = Pair::start(VLLM, FOUR_PLACES).await;
    assert_eq!(pair.answer().await, FROM_OWN);
    pair.own.die();
    for _ in 0..3 {
        assert_eq!(pair.answer().await, FROM_HALL);
    }
}

#[tokio::test]
async fn the_status_page_names_who_helps_and_says_that_the_box_answers_while_anybody_does() {
    let mut pair = Pair::start(VLLM, FOUR_PLACES).await;
    let (_, page) = pair.page.get("/status").await;
    assert!(page.contains("hall: ready"), "{page}");
    pair.own.die();
    let (_, page) = pair.page.get("/status").await;
    assert!(page.contains("banner-ready"), "{page}");
    pair.hall.die().await;
    pair.until_hall_is(EngineState::Away).await;
    let (_, page) = pair.page.get("/status").await;
    assert!(page.contains("hall: away") && !page.contains("127.0.0.1"), "{page}");
}

#[tokio::test]
async fn many_questions_fill_both_engines_to_their_places_and_the_rest_wait() {
    let pair = Arc::new(Pair::start(LLAMA_CPP, FOUR_PLACES).await);
    pair.hall.behave(Manner::Waits);
    pair.own.acts.lock().unwrap().extend((0..4).map(|_| Act::SayForEver("more")));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..7 {
        let pair = pair.clone();
        asking.spawn(async move { pair.answer().await });
    }
    pair.until("six are answered", |views| (views[0].in_flight, views[1].in_flight) == (4, 2)).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!((pair.own.questions().len(), pair.hall.questions().len()), (4, 2), "the seventh waits");
    pair.hall.behave(Manner::Well);
    for _ in 0..3 {
        let answer = timeout(Duration::from_secs(5), asking.join_next()).await.unwrap().unwrap().unwrap();
        assert!(answer.starts_with(FROM_HALL), "{answer}");
    }
    assert_eq!(pair.hall.questions().len(), 3);
}

#[tokio::test]
async fn a_question_goes_out_with_the_engines_own_words_and_key() {
    for (maker, keeps_salt) in [(LLAMA_CPP, false), (VLLM, true)] {
        let key = BearerKey::new("hall-key");
        let pair = Pair::with(maker, ONE_PLACE, |spec| spec.api_key = key).await;
        pair.answer().await;
        let question = pair.hall.questions().remove(0);
        let (head, body) = question.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("authorization: bearer hall-key"), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["model"], format!("{maker}-model"));
        assert_eq!(body.get("shared_messages"), None);
        assert_eq!(body.get("cache_salt").is_some(), keeps_salt, "{maker}: {body}");
    }
}

#[tokio::test]
async fn a_member_who_stops_an_answer_stops_the_other_machine() {
    let pair = Pair::start(LLAMA_CPP, ONE_PLACE).await;
    pair.hall.behave(Manner::Waits);
    let mut response = pair.page.send(api_question("Tell me everything")).await;
    let mut text = String::new();
    while !text.contains("\"token\"") {
        let frame = http_body_util::BodyExt::frame(response.body_mut()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    let started = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let started: Value = serde_json::from_str(started).unwrap();
    let address = format!("/api/chat/{}", started["answer"].as_str().unwrap());
    let mut stop = http::Request::delete(address).body(String::new()).unwrap();
    if let Some(cookie) = response.headers().get("set-cookie") {
        stop.headers_mut()
            .insert("cookie", cookie.to_str().unwrap().split(';').next().unwrap().parse().unwrap());
    }
    pair.page.send(stop).await;
    for _ in 0..200 {
        if pair.hall.cancelled() == 1 {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the other machine computes on");
}
