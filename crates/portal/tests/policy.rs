//! What the community decided holds for the next answer, in the app, on the page without JavaScript, and for programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;
#[path = "common/community.rs"]
mod community;

use std::time::Duration;

use banyan_governance::Decision;
use banyan_governance::constitution::EmergencyPower;
use banyan_governance::policy::{
    Disclaimer, ModerationAction, ModerationRule, ModerationSide, Pattern, TopicAction, TopicRule,
};
use common::{Act, TestBox, api_question, by, form, whole};
use community::{Community, answer, read};
use http::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

fn words(name: &str, words: &[&str], on: ModerationSide, action: ModerationAction) -> ModerationRule {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    ModerationRule { name: name.into(), pattern: Pattern::Words { words }, on, action }
}

fn topic(name: &str, word: &str, action: TopicAction, message: &str) -> TopicRule {
    TopicRule { name: name.into(), words: vec![word.into()], action, message: message.into() }
}

fn shown(events: &[Value]) -> String {
    events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_next_answer_obeys_what_was_decided_and_says_by_which_version() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["Boil it."]), Act::Say(vec!["Boil it."])]);
    site.is_ready().await;
    let before = community.ask(&site, "How do I clean water?").await;
    assert_eq!(read(&before), "Boil it.");
    assert_eq!(community.audit(&site, &before).await["policy_version"], 1);

    community
        .set_policy(|policy| {
            policy.closing = "Go well, neighbour!".into();
            policy.persona = "Mzee".into();
            policy.max_answer_tokens = Some(77);
        })
        .await;
    let after = community.ask(&site, "How do I clean water?").await;
    assert_eq!(read(&after), "Boil it.\n\nGo well, neighbour!");
    let audit = community.audit(&site, &after).await;
    assert_eq!(
        (&audit["policy_version"], &audit["action"], &audit["model"]),
        (&json!(2), &json!("answered"), &json!("smol"))
    );
    assert_eq!(audit["policy_entry"], community.assembly.in_force().policy_entry);
    assert_eq!(audit["rules"], json!(["closing"]));
    let text = audit.to_string();
    assert!(
        !text.contains("water")
            && !text.contains("Boil")
            && !text.contains(community.founder.member.as_str())
    );
    let asked = &engine.questions()[1];
    assert!(asked.contains("Mzee") && asked.contains("\"max_tokens\":77"), "{asked}");
    assert!(asked.contains("\"shared_messages\":1"), "{asked}");
}

#[tokio::test]
async fn a_closing_that_the_model_says_itself_stands_there_once() {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            policy.closing = "Go well!".into();
            policy.disclaimers =
                vec![Disclaimer { words: vec!["fever".into()], text: "Ask a nurse too.".into() }];
        })
        .await;
    let site = community.portal().await;
    let _engine = site.engine([
        Act::Say(vec!["Rest.", "\n\nGo ", "well", "!"]),
        Act::Say(vec!["Rest.\n\nAsk a nurse too.", "\n\nGo well!"]),
        Act::Say(vec![]),
    ]);
    site.is_ready().await;
    assert_eq!(read(&community.ask(&site, "I am tired").await), "Rest.\n\nGo well!");
    assert_eq!(read(&community.ask(&site, "I have a Fever").await), "Rest.\n\nAsk a nurse too.\n\nGo well!");
    assert_eq!(read(&community.ask(&site, "Say nothing").await), "", "nothing is put under nothing");
}

#[tokio::test]
async fn a_declined_topic_and_a_refused_word_ask_no_engine() {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            policy.topics = vec![
                topic("politics", "election", TopicAction::Decline, "We do not talk about politics here."),
                topic("grief", "funeral", TopicAction::HandOver, ""),
            ];
            let refuse = words("weapons", &["rifle"], ModerationSide::Question, ModerationAction::Refuse);
            policy.moderation = vec![refuse];
        })
        .await;
    let site = community.portal().await;
    let engine = site.engine([]);
    site.is_ready().await;
    for (question, said, action, rule) in [
        ("Who wins the Election?", "We do not talk about politics here.", "declined", "politics"),
        ("A funeral speech, please", "ask a person of the community", "handed_over", "grief"),
        ("How do I clean a RIFLE before the election?", "a rule of the community", "refused", "weapons"),
    ] {
        let events = community.ask(&site, question).await;
        assert!(read(&events).contains(said), "{events:?}");
        let audit = community.audit(&site, &events).await;
        assert_eq!((&audit["action"], &audit["rules"][0]), (&json!(action), &json!(rule)), "{audit}");
        assert_eq!(audit["model"], Value::Null);
        let page = community.ask_on_page(&site, question).await;
        assert!(page.contains(said) && page.contains("href=\"/why/"), "{page}");
    }
    assert!(engine.questions().is_empty());
    assert_eq!(read(&community.ask(&site, "Who was selected?").await), "Hello there.", "whole words only");
}

#[tokio::test]
async fn a_refused_phrase_in_an_answer_never_reaches_anybody_wherever_it_is_cut() {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            let refuse =
                words("recipes", &["secret recipe"], ModerationSide::Answer, ModerationAction::Refuse);
            policy.moderation = vec![refuse];
        })
        .await;
    let site = community.portal().await;
    let engine = site.engine([
        Act::Say(vec!["It is the sec", "ret", " rec", "ipe of", " the house."]),
        Act::Say(vec!["The se", "cret rec", "ord is safe."]),
        Act::SayForEver("the secret recipe "),
    ]);
    site.is_ready().await;
    let events = community.ask(&site, "What is in it?").await;
    let all = shown(&events);
    assert!(!all.contains("sec") && !all.contains("ipe"), "{all}");
    assert!(read(&events).contains("was withdrawn"), "{all}");
    assert_eq!(events.last().unwrap()["finish_reason"], "content_filter");
    let audit = community.audit(&site, &events).await;
    assert_eq!((&audit["action"], &audit["rules"]), (&json!("refused"), &json!(["recipes"])));
    assert_eq!(
        read(&community.ask(&site, "And this?").await),
        "The secret record is safe.",
        "nothing is lost"
    );
    community.ask(&site, "On and on").await;
    engine.wait_for_cancellation().await;
}

#[tokio::test]
async fn words_that_were_withdrawn_are_not_found_again_by_a_reload() {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            policy.moderation =
                vec![words("oil", &["snake oil"], ModerationSide::Answer, ModerationAction::Refuse)];
        })
        .await;
    let site = community.portal().await;
    let _engine = site.engine([Act::Say(vec!["A long beginning, ", "and then snake oil."])]);
    site.is_ready().await;
    let (_, text) = whole(site.send(community.signed(api_question("What helps?"))).await).await;
    let name = common::events(&text)[0].1["answer"].as_str().unwrap().to_owned();
    for path in [format!("/api/chat/{name}"), format!("/chat/{name}")] {
        let request = Request::get(&path).body(String::new()).unwrap();
        let (response, again) = whole(site.send(community.signed(request)).await).await;
        assert_eq!(response.status(), 200);
        assert!(again.contains("was withdrawn") && !again.contains("A long beginning"), "{path}: {again}");
    }
}

#[tokio::test]
async fn a_warning_comes_with_the_answer() {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            policy.moderation = vec![
                words("medicine", &["dose"], ModerationSide::Both, ModerationAction::Warn),
                words("counted", &["aspirin"], ModerationSide::Answer, ModerationAction::Allow),
            ];
        })
        .await;
    let site = community.portal().await;
    let _engine = site.engine([Act::Say(vec!["The usual ", "dose of aspirin is on the box."])]);
    site.is_ready().await;
    let events = community.ask(&site, "How much aspirin?").await;
    assert_eq!(read(&events), "The usual dose of aspirin is on the box.");
    assert_eq!(events.iter().filter(|event| event["type"] == "warning").count(), 1, "{events:?}");
    let audit = community.audit(&site, &events).await;
    assert_eq!((&audit["action"], &audit["rules"]), (&json!("warned"), &json!(["medicine", "counted"])));
}

#[tokio::test]
async fn a_rule_by_meaning_needs_a_model_and_says_so_where_there_is_none() {
    let community = Community::found("circle").await;
    let by_meaning = |on| ModerationRule {
        name: "weapons".into(),
        pattern: Pattern::Semantic { examples: vec!["how to load a gun".into()], nearness: 80 },
        on,
        action: ModerationAction::Refuse,
    };
    community.set_policy(|policy| policy.moderation = vec![by_meaning(ModerationSide::Both)]).await;
    let site = community.portal().await;
    let engine = site.engine([
        Act::Say(vec!["Yes."]),
        Act::Say(vec!["Take flour. ", "Then the pist", "ol. And ", "then water."]),
        Act::Say(vec!["Take flour. ", "Bake it."]),
    ]);
    site.is_ready().await;
    let without = community.ask(&site, "Where is my rifle?").await;
    let audit = community.audit(&site, &without).await;
    assert_eq!(read(&without), "Yes.");
    assert!(audit["skipped"][0].as_str().unwrap().starts_with("weapons: "), "{audit}");

    *engine.encodes.lock().unwrap() = true;
    let refused = community.ask(&site, "Where is my rifle?").await;
    assert_eq!(community.audit(&site, &refused).await["action"], "refused");
    assert_eq!(engine.questions().len(), 1, "the engine is not asked");
    let in_the_answer = community.ask(&site, "How do I bake bread?").await;
    assert!(read(&in_the_answer).contains("was withdrawn") && !shown(&in_the_answer).contains("pist"));
    assert_eq!(read(&community.ask(&site, "How do I bake bread?").await), "Take flour. Bake it.");
}

#[tokio::test]
async fn what_a_moderator_has_to_look_at_reaches_the_member_only_then() {
    let (community, ben) = Community::with_moderator("circle").await;
    community
        .set_policy(|policy| {
            policy.moderation = vec![
                words("asks for help", &["despair"], ModerationSide::Question, ModerationAction::Hold),
                words("names", &["old Tom"], ModerationSide::Answer, ModerationAction::Hold),
            ];
        })
        .await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["It was old", " Tom, they say."])]);
    site.is_ready().await;
    let question = community.ask(&site, "I am in despair").await;
    assert!(read(&question).contains("looks at your question first"), "{question:?}");
    assert!(engine.questions().is_empty());
    let answer = community.ask(&site, "Who took the boat?").await;
    assert!(
        read(&answer).contains("looks at this answer first") && !shown(&answer).contains("old"),
        "{answer:?}"
    );
    assert_eq!(community.audit(&site, &answer).await["action"], "held");

    let (_, own) = community.send(&site, "GET", "/api/held", None).await;
    assert_eq!((own[0]["state"].as_str(), &own[0]["answer"]), (Some("waiting"), &Value::Null), "{own}");
    assert_eq!(own.as_array().unwrap().len(), 2);
    // Nobody who is not a moderator settles it, and others see nothing of it.
    let id = own[0]["id"].as_i64().unwrap();
    let (status, _) =
        community.send(&site, "POST", &format!("/api/held/{id}"), Some(json!({ "allow": true }))).await;
    assert_eq!(status, 403);
    let (_, others) = site.get("/api/held").await;
    assert_eq!(others, "[]");

    let allow = |id: i64| {
        let request = Request::post(format!("/api/held/{id}")).header("content-type", "application/json");
        request.header("cookie", &ben).body(r#"{"allow":true}"#.into()).unwrap()
    };
    for held in own.as_array().unwrap() {
        assert_eq!(site.send(allow(held["id"].as_i64().unwrap())).await.status(), 204);
    }
    for _ in 0..100 {
        let (_, own) = community.send(&site, "GET", "/api/held", None).await;
        if own[1]["state"] == "answered" {
            assert_eq!(
                (&own[0]["answer"], &own[1]["answer"]),
                (&json!("It was old Tom, they say."), &json!("Hello there."))
            );
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the allowed question was not answered");
}

#[tokio::test]
async fn quotas_hold_at_once_and_for_stewards_as_for_everybody() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let _engine = site.engine([]);
    site.is_ready().await;
    assert_eq!(read(&community.ask(&site, "One").await), "Hello there.");
    community.set_policy(|policy| policy.quotas.members_per_hour = Some(1)).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(read(&community.ask(&site, "Two").await), "Hello there.");
    let third = community.ask(&site, "Three").await;
    assert_eq!(third[0]["code"], "quota", "{third:?}");
    community.set_policy(|policy| policy.quotas.members_per_hour = None).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(read(&community.ask(&site, "Four").await), "Hello there.");
}

#[tokio::test]
async fn guests_ask_where_the_community_lets_them() {
    for (kit, status) in [("circle", 401), ("commons", 200)] {
        let community = Community::found(kit).await;
        let site = community.portal().await;
        let _engine = site.engine([]);
        site.is_ready().await;
        let (response, text) = whole(site.send(by(7, api_question("Hello?"))).await).await;
        assert_eq!(response.status(), status, "{kit}: {text}");
        let (response, page) = whole(site.ask_by_form(by(7, form("Hello?", ""))).await).await;
        assert_eq!(page.contains("members of the community can ask"), status == 401, "{kit}: {page}");
        assert_eq!(response.status() == 401, status == 401);
    }
}

#[tokio::test]
async fn an_emergency_stops_answers_or_closes_the_box_to_guests() {
    let community = Community::found("commons").await;
    let site = community.portal().await;
    let engine = site.engine([Act::SayForEver("word ")]);
    site.is_ready().await;
    community.emergency(EmergencyPower::CloseToGuests).await;
    let (response, _) = whole(site.send(by(7, api_question("Hello?"))).await).await;
    assert_eq!(response.status(), 401);
    let running = site.send(community.signed(api_question("Go on"))).await;
    let paused = async {
        sleep(Duration::from_millis(200)).await;
        community.emergency(EmergencyPower::PauseAnswers).await;
    };
    let ((_, text), ()) = tokio::join!(whole(running), paused);
    assert!(text.contains("\"stopped\":true"), "what was being written is stopped: {text}");
    engine.wait_for_cancellation().await;
    let events = community.ask(&site, "Hello?").await;
    assert_eq!(events[0]["code"], "paused", "{events:?}");
}

#[tokio::test]
async fn a_conversation_is_kept_only_where_the_policy_says_so() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let words = json!({ "turns": ["a", "b"] });
    let (status, body) = community.send(&site, "PUT", "/api/history/one", Some(words.clone())).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("history_off")));
    community.set_policy(|policy| policy.keeping.conversations = true).await;
    assert_eq!(community.send(&site, "PUT", "/api/history/one", Some(words.clone())).await.0, 204);
    assert_eq!(community.send(&site, "GET", "/api/history/one", None).await, (200, words));
    let (_, list) = community.send(&site, "GET", "/api/history", None).await;
    assert_eq!((&list["kept"], list["conversations"][0]["id"].as_str()), (&json!(true), Some("one")));
    assert_eq!(community.send(&site, "PUT", "/api/history/a%20b", Some(json!(1))).await.0, 400);
    assert_eq!(site.get("/api/history").await.0.status(), 401);
    assert_eq!(community.send(&site, "DELETE", "/api/history/one", None).await.0, 204);
    assert_eq!(community.send(&site, "GET", "/api/history/one", None).await.0, 404);
}

#[tokio::test]
async fn a_policy_is_tried_beside_the_one_in_force() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["Rest."]), Act::Say(vec!["Rest."])]);
    site.is_ready().await;
    let mut policy = community.assembly.in_force().policy.clone();
    policy.closing = "Go well!".into();
    let entries = community.assembly.in_force().entry;
    let body = json!({ "policy": policy, "question": "I am tired" });
    let (status, both) = community.send(&site, "POST", "/api/try", Some(body)).await;
    assert_eq!(status, 200, "{both}");
    assert_eq!((&both["before"], &both["after"]), (&json!("Rest."), &json!("Rest.\n\nGo well!")));
    assert_eq!(both["after_rules"], json!(["closing"]));
    assert_eq!(engine.questions().len(), 2);
    assert_eq!(community.assembly.in_force().entry, entries);
    assert_eq!(site.get("/api/audit/999").await.0.status(), 404);
    policy.topics = vec![topic("tiredness", "tired", TopicAction::Decline, "Not here.")];
    let body = json!({ "policy": policy, "question": "I am tired" });
    let (_, both) = community.send(&site, "POST", "/api/try", Some(body)).await;
    assert_eq!(both["after"], "Not here.", "{both}");
    let body = json!({ "policy": { "languages": ["not a language"] }, "question": "I" });
    assert_eq!(community.send(&site, "POST", "/api/try", Some(body)).await.0, 400);
}

#[tokio::test]
async fn the_page_links_to_why() {
    let community = Community::found("commons").await;
    let site = community.portal().await;
    let _engine = site.engine([]);
    site.is_ready().await;
    let sent = site.send(by(7, form("Hello?", ""))).await;
    let page = sent.headers()["location"].to_str().unwrap().to_owned();
    let (_, html) = whole(site.send(by(7, Request::get(&page).body(String::new()).unwrap())).await).await;
    let why = html.split("href=\"/why/").nth(1).unwrap().split('"').next().unwrap();
    let (response, html) = site.get(&format!("/why/{why}")).await;
    assert_eq!(response.status(), 200);
    for words in ["Why this answer?", "version 1, entry", "smol", "Riverside"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("co-op"), "the name that was decided on, not the box's own");
    assert_eq!(site.get("/why/1").await.0.status(), 404, "not an answer's entry");
}

#[tokio::test]
async fn the_model_that_was_decided_on_is_asked_for_and_one_that_is_gone_is_noted() {
    let community = Community::found("circle").await;
    community.decide(Decision::ActivateModel { model: "qwen3-4b".into() }).await;
    let site = community.portal().await;
    let gone =
        r#"{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}"#;
    let engine =
        site.engine([Act::Say(vec!["Yes."]), Act::Refuse("404 Not Found", gone), Act::Say(vec!["Yes."])]);
    site.is_ready().await;
    community.ask(&site, "Is it so?").await;
    assert!(engine.questions()[0].contains("\"model\":\"qwen3-4b\""));
    let without = community.ask(&site, "Is it so?").await;
    assert_eq!(read(&without), "Yes.");
    assert!(!engine.questions()[2].contains("qwen3-4b"));
    let audit = community.audit(&site, &without).await;
    assert!(audit["skipped"][0].as_str().unwrap().contains("qwen3-4b was decided on"), "{audit}");
}

#[tokio::test]
async fn many_answers_at_once_share_their_way_into_the_ledger() {
    let community = Community::found("commons").await;
    let site = std::sync::Arc::new(community.portal().await);
    let _engine = site.engine([]);
    site.is_ready().await;
    let asking = (0..24).map(|guest| {
        let site = site.clone();
        tokio::spawn(async move { answer(&site, by(guest, api_question("Hello?"))).await })
    });
    let mut entries = Vec::new();
    for one in asking.collect::<Vec<_>>() {
        let events = one.await.unwrap();
        entries.push(events.last().unwrap()["audit"].as_u64().unwrap());
    }
    entries.sort_unstable();
    entries.dedup();
    assert_eq!(entries.len(), 24, "each has its own entry");
}

#[tokio::test]
async fn without_its_store_the_box_answers_nobody_and_says_why() {
    let site =
        TestBox::with(|config| config.trouble = Some("the key does not open <banyan.db>".into())).await;
    let engine = site.engine([]);
    let (response, page) = site.get("/").await;
    assert_eq!(response.status(), 503);
    assert!(page.contains("does not open &lt;banyan.db&gt;"), "{page}");
    let (response, text) = whole(site.send(api_question("Hello?")).await).await;
    assert!(response.status() == 503 && text.contains("store_unusable"), "{text}");
    assert_eq!(site.get("/healthz").await.0.status(), 200);
    assert!(engine.questions().is_empty());
}
