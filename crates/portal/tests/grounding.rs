//! Answers rest on the library: what is found comes before the first word, what the words rest on behind the last; and what
//! may not be used is in neither, nor in the prompt.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;
#[path = "common/community.rs"]
mod community;
#[path = "grounding/shelf.rs"]
mod shelf;

use std::time::{Duration, Instant};

use banyan_governance::Decision;
use banyan_governance::decision::SourceUse;
use banyan_governance::policy::{ModerationAction, ModerationRule, ModerationSide, Pattern};
use banyan_knowledge::Audience;
use common::{Act, TestBox, api_question, by, events, form, hidden_history, whole};
use community::{Community, answer};
use http::Request;
use serde_json::{Value, json};
use shelf::{BOIL, Hanging, Shelf};
use tokio::time::sleep;

const QUESTION: &str = "How long must I boil water?";

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// The last message of a question that an engine got.
fn prompt(question: &str) -> String {
    let body: Value = serde_json::from_str(question.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn passages_come_before_the_queue_and_citations_behind_the_last_word() {
    let shelf = Shelf::new(Audience::Guests).await;
    let document = shelf.add("Clean water", BOIL).await;
    let site = shelf.site().await;
    let engine =
        site.engine([Act::Say(vec!["🌧 Boil it for one", " minute [1]. Elephants", " live in large herds."])]);
    site.is_ready().await;
    let (response, text) = whole(site.send(api_question(QUESTION)).await).await;
    assert_eq!(response.status(), 200);
    let events: Vec<Value> = events(&text).into_iter().map(|(_, event)| event).collect();
    assert_eq!(kinds(&events)[..3], ["started", "passages", "queued"]);
    let found = &events[1];
    assert_eq!(found["covered"], true);
    let passage = &found["passages"][0];
    assert_eq!((&passage["number"], &passage["title"]), (&json!(1), &json!("Clean water")));
    assert_eq!((&passage["collection_name"], &passage["licence"]), (&json!("Water"), &json!("CC-BY-4.0")));
    let href = passage["href"].as_str().unwrap();
    assert!(href.starts_with(&format!("/library/d/{document}?v=1&from=0&to=")), "{href}");
    let kinds = kinds(&events);
    assert_eq!(kinds[kinds.len() - 2..], ["cites", "done"]);
    let cites = &events[kinds.len() - 2];
    assert_eq!(cites["cited"], json!([1]));
    let sentence = &cites["sentences"][0];
    assert_eq!(
        (&sentence["start"], &sentence["support"], &sentence["by"]),
        (&json!(0), &json!("supported"), &json!([1]))
    );
    assert_eq!(sentence["end"], "🌧 Boil it for one minute [1].".encode_utf16().count());
    assert_eq!(cites["sentences"][1]["support"], "unsupported");
    let asked = &engine.questions()[0];
    let prompt = prompt(asked);
    assert!(prompt.starts_with("[1] Clean water: Bring the water"), "{prompt}");
    assert!(prompt.ends_with(&format!("Question: {QUESTION}")), "{prompt}");
    assert!(asked.contains("\"shared_messages\":1"), "the community's part stays the same for everybody");
    assert!(asked.contains("\"temperature\":0.3"), "what rests on passages keeps close to them: {asked}");
    shelf.is_counted(1, 0).await;
}

#[tokio::test]
async fn what_the_library_does_not_cover_is_said_and_not_put_into_the_prompt() {
    let shelf = Shelf::new(Audience::Guests).await;
    shelf.add("Clean water", BOIL).await;
    let site = shelf.site().await;
    let engine = site.engine([]);
    site.is_ready().await;
    let events = site.send(api_question("Who repairs water pumps and bicycles here?")).await;
    let events: Vec<Value> =
        common::events(&whole(events).await.1).into_iter().map(|(_, event)| event).collect();
    assert_eq!(of_kind(&events, "passages")[0]["covered"], false);
    assert!(of_kind(&events, "cites").is_empty(), "{events:?}");
    assert_eq!(prompt(&engine.questions()[0]), "Who repairs water pumps and bicycles here?");
    shelf.is_counted(0, 1).await;
}

#[tokio::test]
async fn nothing_is_looked_for_where_nothing_is_asked_for_or_wanted_or_there() {
    let shelf = Shelf::new(Audience::Guests).await;
    let site = shelf.site().await;
    let engine = site.engine([]);
    site.is_ready().await;
    let empty = site.ask_by_api(QUESTION).await;
    assert_eq!(kinds(&empty), ["token", "token", "done"], "an empty library says nothing");
    shelf.add("Clean water", BOIL).await;
    assert_eq!(kinds(&site.ask_by_api("Hello there!").await), ["token", "token", "done"]);
    let body = json!({ "messages": [{ "role": "user", "content": QUESTION }], "library": false });
    let request = Request::post("/api/chat").header("content-type", "application/json");
    let without = answer(&site, request.body(body.to_string()).unwrap()).await;
    assert_eq!(kinds(&without), ["token", "token", "done"]);
    assert!(engine.questions().iter().all(|question| !question.contains("Using only the text above")));
    shelf.is_counted(0, 0).await;
}

#[tokio::test]
async fn a_guest_gets_nothing_of_what_is_open_to_members() {
    let shelf = Shelf::new(Audience::Members).await;
    shelf.add("Clean water", BOIL).await;
    let community = Community::found("commons").await;
    shelf.approve(&community).await;
    let site = shelf.site_of(&community).await;
    let engine = site.engine([]);
    site.is_ready().await;
    let guest = answer(&site, by(7, api_question(QUESTION))).await;
    assert!(of_kind(&guest, "passages").is_empty(), "{guest:?}");
    assert!(!engine.questions()[0].contains("rolling boil"));
    let member = community.ask(&site, QUESTION).await;
    assert_eq!(of_kind(&member, "passages")[0]["passages"][0]["title"], "Clean water");
    assert!(engine.questions()[1].contains("rolling boil"));
}

#[tokio::test]
async fn only_approved_sources_ground_and_of_those_only_what_the_policy_names() {
    let shelf = Shelf::new(Audience::Members).await;
    shelf.add("Clean water", BOIL).await;
    let community = Community::found("circle").await;
    let site = shelf.site_of(&community).await;
    let _engine = site.engine(std::iter::repeat_n(Act::Say(vec!["Boil it for one minute."]), 4));
    site.is_ready().await;
    let is_grounded = async || !of_kind(&community.ask(&site, QUESTION).await, "passages").is_empty();
    assert!(!is_grounded().await, "nobody has approved it");
    shelf.approve(&community).await;
    let events = community.ask(&site, QUESTION).await;
    assert_eq!(of_kind(&events, "cites")[0]["cited"], json!([1]));
    let source = community.audit(&site, &events).await["sources"][0].as_str().unwrap().to_owned();
    assert!(source.starts_with(&format!("{}/d-", shelf.collection)), "{source}");
    let page = site.get(&format!("/why/{}", events.last().unwrap()["audit"])).await.1;
    assert!(
        page.contains("a document that was withdrawn, or is not open to you"),
        "a guest reads no title: {page}"
    );
    community.set_policy(|policy| policy.sources = Some([String::from("k-0000000000")].into())).await;
    assert!(!is_grounded().await, "the policy names another");
    community.set_policy(|policy| policy.sources = None).await;
    let r#use = SourceUse::Grounding;
    community.decide(Decision::WithdrawSource { source: shelf.collection.to_string(), r#use }).await;
    assert!(!is_grounded().await, "the approval was taken back");
}

#[tokio::test]
async fn a_document_that_is_withdrawn_while_the_question_waits_is_in_no_prompt() {
    let shelf = Shelf::new(Audience::Guests).await;
    let document = shelf.add("Clean water", BOIL).await;
    let site = shelf.site().await;
    let engine = site.engine([
        Act::SaySlowly(vec!["A ", "long ", "answer."], Duration::from_millis(150)),
        Act::Say(vec!["Boil it for one minute [1]."]),
    ]);
    *engine.health.lock().unwrap() = common::ALONE;
    site.is_ready().await;
    let (first, second, ()) = tokio::join!(
        answer(&site, by(1, api_question("Tell me about trees and their roots?"))),
        async {
            sleep(Duration::from_millis(50)).await;
            answer(&site, by(2, api_question(QUESTION))).await
        },
        async {
            sleep(Duration::from_millis(250)).await;
            shelf.withdraw(&document).await;
        }
    );
    assert!(of_kind(&first, "token").len() == 3);
    assert_eq!(of_kind(&second, "passages")[0]["passages"].as_array().unwrap().len(), 1, "it was found");
    assert_eq!(prompt(&engine.questions()[1]), QUESTION);
    assert!(of_kind(&second, "cites").is_empty());
}

#[tokio::test]
async fn a_document_that_is_withdrawn_while_the_answer_is_written_is_not_cited_nor_shown_again() {
    let shelf = Shelf::new(Audience::Guests).await;
    let document = shelf.add("Clean water", BOIL).await;
    let site = shelf.site().await;
    let _engine = site
        .engine([Act::SaySlowly(vec!["Boil it ", "for one ", "minute [1]."], Duration::from_millis(150))]);
    site.is_ready().await;
    let ((_, text), ()) =
        tokio::join!(async { whole(site.send(by(1, api_question(QUESTION))).await).await }, async {
            sleep(Duration::from_millis(250)).await;
            shelf.withdraw(&document).await;
        });
    let all: Vec<Value> = events(&text).into_iter().map(|(_, event)| event).collect();
    let cites = of_kind(&all, "cites")[0];
    assert_eq!((&cites["cited"], &cites["withdrawn"]), (&json!([]), &json!([1])));
    let again = Request::get(format!("/api/chat/{}", all[0]["answer"].as_str().unwrap()))
        .body(String::new())
        .unwrap();
    let (_, again) = whole(site.send(by(1, again)).await).await;
    assert!(!again.contains("rolling boil"), "{again}");
}

#[tokio::test]
async fn an_embedding_model_that_hangs_delays_no_answer() {
    let shelf = Shelf::new(Audience::Guests).await;
    shelf.add("Clean water", BOIL).await;
    let site = shelf.site_with(|config| config.embedder = Some(std::sync::Arc::new(Hanging))).await;
    let _engine = site.engine([Act::Say(vec!["Boil it for one minute."])]);
    site.is_ready().await;
    let begun = Instant::now();
    let events = answer(&site, api_question(QUESTION)).await;
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!(of_kind(&events, "cites")[0]["cited"], json!([1]));
}

#[tokio::test]
async fn rules_come_before_the_library_and_a_withdrawn_answer_rests_on_nothing() {
    let shelf = Shelf::new(Audience::Members).await;
    shelf.add("Clean water", BOIL).await;
    let community = Community::found("circle").await;
    shelf.approve(&community).await;
    community
        .set_policy(|policy| {
            let rule = |name: &str, word: &str, on, action| ModerationRule {
                name: name.into(),
                pattern: Pattern::Words { words: vec![word.into()] },
                on,
                action,
            };
            policy.moderation = vec![
                rule("pond", "pond", ModerationSide::Question, ModerationAction::Refuse),
                rule("minutes", "minute", ModerationSide::Answer, ModerationAction::Refuse),
            ];
        })
        .await;
    let site = shelf.site_of(&community).await;
    let engine = site.engine([Act::Say(vec!["Boil it for one minute [1]. ", "And then wait."])]);
    site.is_ready().await;
    let refused = community.ask(&site, "How long must I boil water of the pond?").await;
    assert_eq!(kinds(&refused), ["token", "done"], "{refused:?}");
    assert!(engine.questions().is_empty());
    let replaced = community.ask(&site, QUESTION).await;
    assert!(
        !of_kind(&replaced, "replaced").is_empty() && of_kind(&replaced, "cites").is_empty(),
        "{replaced:?}"
    );
    assert_eq!(community.audit(&site, &replaced).await["sources"], json!([]));
}

#[tokio::test]
async fn the_plain_page_has_the_passages_first_and_citations_as_links() {
    let shelf = Shelf::new(Audience::Guests).await;
    let document = shelf.add("Clean <water>", BOIL).await;
    let site = shelf.site().await;
    let engine = site.engine([
        Act::Say(vec!["Boil it for one minute [", "1]. More [9]", "."]),
        Act::Say(vec!["Above 2,000 metres boil it for three minutes."]),
    ]);
    site.is_ready().await;
    let (_, page) = site.ask_on_page(QUESTION, "").await;
    let link = format!("href=\"/library/d/{document}?v=1&amp;from=0&amp;to=");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("From our library") < place("Boil it for one minute"), "{page}");
    assert!(place("Boil it for one minute <sup class=\"cite\">[<a ") < place("This answer rests on"));
    assert!(page.contains(&link) || page.contains(&link.replace('/', "&#x2f;")), "{page}");
    assert!(page.contains("More [9]") && page.contains("Clean &lt;water&gt;"), "{page}");

    // The conversation goes on in the words that were said, and what is short is looked for with them.
    let history = hidden_history(&page);
    let (_, page) = site.ask_on_page("And in the mountains?", &history).await;
    assert!(page.contains("From our library") && page.contains("This answer rests on"), "{page}");
    assert!(prompt(&engine.questions()[1]).ends_with("Question: And in the mountains?"));
}

#[tokio::test]
async fn a_page_without_an_answer_in_the_library_offers_to_ask_the_members() {
    let shelf = Shelf::new(Audience::Members).await;
    shelf.add("Clean water", BOIL).await;
    let community = Community::found("circle").await;
    shelf.approve(&community).await;
    let site = shelf.site_of(&community).await;
    let _engine = site.engine([]);
    site.is_ready().await;
    let page = community.ask_on_page(&site, "Who repairs bicycles & carts here?").await;
    assert!(page.contains("Our library does not cover this"), "{page}");
    assert!(page.contains("library&#x2f;questions?text=Who+repairs+bicycles+%26+carts+here%3F"), "{page}");
    let guest = whole(site.ask_by_form(by(3, form("Who repairs bicycles?", ""))).await).await.1;
    assert!(!guest.contains("questions?text="), "{guest}");
}

#[tokio::test]
async fn a_founding_approves_what_answers_rested_on_until_then() {
    let shelf = Shelf::new(Audience::Members).await;
    let (site, assembly) = shelf.unfounded().await;
    shelf.closed_collection("Minutes").await;
    let code = banyan_assembly::people::SetupCode::of_box(site.dir.path()).load_or_create().unwrap();
    let founding = json!({ "setup_code": code, "community": "Riverside", "kit": "circle", "name": "Amina",
        "secret": "mango tree shade river" });
    let request = Request::post("/api/founding").header("content-type", "application/json");
    let (response, text) = whole(site.send(request.body(founding.to_string()).unwrap()).await).await;
    assert_eq!(response.status(), 201, "{text}");
    let sources = assembly.in_force().sources.clone();
    assert_eq!(
        sources.keys().collect::<Vec<_>>(),
        [shelf.collection.as_str()],
        "not what has no consent for it"
    );
    assert!(sources[shelf.collection.as_str()].contains(&SourceUse::Grounding));
}

#[tokio::test]
async fn a_site_without_a_library_answers_as_ever() {
    let site = TestBox::start().await;
    let _engine = site.engine([]);
    site.is_ready().await;
    assert_eq!(kinds(&site.ask_by_api(QUESTION).await), ["token", "token", "done"]);
}
