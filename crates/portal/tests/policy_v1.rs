//! Programs with a key go by the community's policy too.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;
#[path = "common/community.rs"]
mod community;

use std::sync::atomic::{AtomicU64, Ordering};

use banyan_governance::policy::{
    ModerationAction, ModerationRule, ModerationSide, Pattern, TopicAction, TopicRule,
};
use banyan_portal::ApiKeys;
use common::{Act, TestBox, whole};
use community::Community;
use http::Request;
use serde_json::{Value, json};

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"smol\",\"choices\":[{\"index\":0,\"message\":\
    {\"role\":\"assistant\",\"content\":\"It is the secret recipe.\"},\"finish_reason\":\"stop\"}]}";

const CALL: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"smol\",\"choices\":[{\"index\":0,\"message\":\
    {\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":\
    {\"name\":\"look_up\",\"arguments\":\"{\\\"what\\\":\\\"secret recipe\\\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}";

const OTHER_CALL: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"smol\",\"choices\":[{\"index\":0,\"message\":\
    {\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"thinking aloud\",\"tool_calls\":[{\"id\":\"1\",\
    \"type\":\"function\",\"function\":{\"name\":\"look_up\",\"arguments\":\"{\\\"what\\\":\\\"rye bread\\\"}\"}}]},\
    \"finish_reason\":\"tool_calls\"}]}";

async fn ask(site: &TestBox, path: &str, body: Value) -> (u16, String) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("till-{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let key = ApiKeys::new(site.dir.path()).add(&name).unwrap();
    let request = Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .unwrap();
    let (response, text) = whole(site.send(request).await).await;
    (response.status().as_u16(), text)
}

fn chat(question: &str, stream: bool) -> Value {
    json!({ "stream": stream, "messages": [
        { "role": "system", "content": "You sell bread." }, { "role": "user", "content": question }] })
}

/// Content of all chunks, the last reason, and the last `banyan` field.
fn streamed(text: &str) -> (String, String, Value) {
    assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
    let mut all = (String::new(), String::new(), Value::Null);
    for chunk in text.split("data: ").filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
        for choice in chunk["choices"].as_array().unwrap() {
            all.0 += choice["delta"]["content"].as_str().unwrap_or_default();
            all.1 = choice["finish_reason"].as_str().map_or(all.1, str::to_owned);
        }
        if !chunk["banyan"].is_null() {
            all.2 = chunk["banyan"].clone();
        }
    }
    all
}

async fn with_rules() -> Community {
    let community = Community::found("circle").await;
    community
        .set_policy(|policy| {
            policy.closing = "Go well!".into();
            policy.style = "Short.".into();
            policy.max_answer_tokens = Some(50);
            policy.topics = vec![TopicRule {
                name: "politics".into(),
                words: vec!["election".into()],
                action: TopicAction::Decline,
                message: "Not here.".into(),
            }];
            policy.moderation = vec![ModerationRule {
                name: "recipes".into(),
                pattern: Pattern::Words { words: vec!["secret recipe".into()] },
                on: ModerationSide::Answer,
                action: ModerationAction::Refuse,
            }];
        })
        .await;
    community
}

#[tokio::test]
async fn a_programs_answer_is_written_under_the_policy_and_audited() {
    let community = with_rules().await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["Rye", " or wheat."])]);
    site.is_ready().await;
    let (status, text) = ask(&site, "/v1/chat/completions", chat("Which bread?", true)).await;
    assert_eq!(status, 200, "{text}");
    let (said, reason, banyan) = streamed(&text);
    assert_eq!((said.as_str(), reason.as_str()), ("Rye or wheat.\n\nGo well!", "stop"));
    let entry = banyan["audit"].as_u64().unwrap();
    let audit = community.assembly.audit(entry).await.unwrap().record;
    assert_eq!((audit.policy_version, audit.rules), (2, vec!["closing".to_owned()]));
    let asked = &engine.questions()[0];
    let (policy, own) = (asked.find("Style: Short.").unwrap(), asked.find("You sell bread.").unwrap());
    assert!(policy < own && asked.matches("\"system\"").count() == 1, "{asked}");
    assert!(asked.contains("\"max_tokens\":50") && !asked.contains("shared_messages"), "{asked}");
}

#[tokio::test]
async fn what_is_declined_or_refused_is_so_for_programs() {
    let community = with_rules().await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["It is the sec", "ret rec", "ipe."]), Act::Send(WHOLE)]);
    site.is_ready().await;
    let (_, text) = ask(&site, "/v1/chat/completions", chat("Who wins the election?", false)).await;
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Not here.");
    assert!(body["banyan"]["audit"].is_u64());
    let (said, reason, _) =
        streamed(&ask(&site, "/v1/chat/completions", chat("Who wins the election, then?", true)).await.1);
    assert_eq!((said.as_str(), reason.as_str()), ("Not here.", "content_filter"));
    assert!(engine.questions().is_empty());

    let (said, reason, banyan) =
        streamed(&ask(&site, "/v1/chat/completions", chat("What is in it?", true)).await.1);
    assert!(!said.contains("sec") && reason == "content_filter", "{said}");
    assert!(
        banyan["replaced"].as_str().unwrap().contains("withdrawn") && banyan["audit"].is_u64(),
        "{banyan}"
    );
    let (_, text) = ask(&site, "/v1/chat/completions", chat("And what else is in it?", false)).await;
    assert!(!text.contains("recipe") && text.contains("content_filter"), "{text}");
}

#[tokio::test]
async fn what_is_read_as_data_gets_no_closing_and_a_text_is_looked_at_too() {
    let community = with_rules().await;
    let site = community.portal().await;
    let engine = site.engine([Act::Say(vec!["{\"bread\":", "\"rye\"}"])]);
    site.is_ready().await;
    let mut wanted = chat("As JSON", true);
    wanted["response_format"] = json!({ "type": "json_object" });
    let (said, ..) = streamed(&ask(&site, "/v1/chat/completions", wanted).await.1);
    assert_eq!(said, "{\"bread\":\"rye\"}");
    let (_, text) = ask(&site, "/v1/completions", json!({ "prompt": "The election is" })).await;
    assert!(text.contains("Not here."), "{text}");
    let (status, text) = ask(&site, "/v1/completions", json!({ "prompt": [1, 2, 3] })).await;
    assert!(status == 400 && text.contains("as text"), "{text}");
    assert_eq!(engine.questions().len(), 1);
}

#[tokio::test]
async fn what_a_model_writes_into_a_call_is_looked_at() {
    let community = with_rules().await;
    let site = community.portal().await;
    let _engine = site.engine([Act::Send(CALL), Act::Send(OTHER_CALL)]);
    site.is_ready().await;
    let mut wanted = chat("Look it up", false);
    wanted["tools"] = json!([{ "type": "function", "function": { "name": "look_up", "parameters": {} } }]);
    let (_, text) = ask(&site, "/v1/chat/completions", wanted.clone()).await;
    assert!(!text.contains("recipe") && text.contains("content_filter"), "{text}");
    let (_, text) = ask(&site, "/v1/chat/completions", wanted).await;
    assert!(text.contains("rye bread") && text.contains("\"finish_reason\":\"tool_calls\""), "{text}");
    assert!(!text.contains("thinking aloud"), "{text}");
}
