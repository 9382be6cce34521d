//! The web app's API.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use std::time::Duration;

use common::{Act, BUSY, Engine, FAILED, LOADING, READY, TestBox, api_question, whole};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::sleep;

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_answer_comes_as_tokens_and_ends_with_its_cost() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::Say(vec!["Hello", " <b>"])]);
    site.is_ready().await;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(events[0], json!({"type":"token","text":"Hello"}));
    assert_eq!(events[1], json!({"type":"token","text":" <b>"}));
    let usage = json!({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5});
    assert_eq!(events[2], json!({"type":"done","finish_reason":"stop","usage":usage}));
    assert_eq!(events.len(), 3);
    let asked = &engine.questions()[0];
    for field in ["\"stream\":true", "\"max_tokens\":1024", "\"shared_messages\":1", "\"cache_salt\":\""] {
        assert!(asked.contains(field), "{field}: {asked}");
    }
}

#[tokio::test]
async fn an_engine_that_dies_before_its_first_word_is_asked_once_more_when_it_is_back() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::Hang]);
    let asking = tokio::spawn({
        let request = api_question("Hi");
        let address = site.address;
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            whole(sender.send_request(request).await.unwrap()).await.1
        }
    });
    sleep(Duration::from_millis(30)).await;
    engine.die();
    sleep(Duration::from_millis(150)).await;
    let back = Engine::start(&site.dir.path().join("infer.sock"), [Act::Say(vec!["Back."])]);
    *back.health.lock().unwrap() = LOADING;
    sleep(Duration::from_millis(150)).await;
    *back.health.lock().unwrap() = READY;
    let text = asking.await.unwrap();
    let order =
        ["is restarting; your question is kept", "is starting. Your question is kept", "Back.", "\"done\""];
    let places: Vec<usize> =
        order.iter().map(|words| text.find(words).unwrap_or_else(|| panic!("{words}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(back.questions().len(), 1);
}

#[tokio::test]
async fn it_is_not_asked_a_third_time() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::Die, Act::Die, Act::Say(vec!["never"])]);
    site.is_ready().await;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["notice", "error"]);
    assert_eq!((&events[1]["code"], &events[1]["retry"]), (&json!("engine_unavailable"), &json!(true)));
    assert_eq!(engine.questions().len(), 2);
}

#[tokio::test]
async fn an_engine_that_stays_away_is_given_up_in_words() {
    let site = TestBox::start().await;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["notice", "error"]);
    assert_eq!(events[1]["code"], "engine_unavailable");
    assert!(events[1]["message"].as_str().unwrap().contains("Your question is kept"), "{events:?}");
}

#[tokio::test]
async fn an_engine_that_keeps_loading_or_has_failed_is_told_apart() {
    let site = TestBox::start().await;
    let loading = r#"{"error":{"message":"reading","type":"server_error","code":"model_loading"}}"#;
    let refuse = Act::Refuse("503 Service Unavailable", loading);
    let engine = site.engine([refuse.clone(), refuse]);
    *engine.health.lock().unwrap() = LOADING;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["notice", "error"]);
    assert_eq!(events[1]["code"], "model_loading");
    *engine.health.lock().unwrap() = FAILED;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["notice", "error"]);
    assert_eq!(events[1]["code"], "engine_unavailable");
}

#[tokio::test]
async fn an_engine_that_dies_after_its_first_word_is_not_asked_again() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::SayAndDie(vec!["Half"]), Act::Say(vec!["never"])]);
    site.is_ready().await;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["token", "error"]);
    assert_eq!((&events[1]["code"], &events[1]["retry"]), (&json!("engine_lost"), &json!(true)));
    assert_eq!(engine.questions().len(), 1);
}

#[tokio::test]
async fn an_engine_that_falls_silent_is_given_up() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::SaySlowly(vec!["One", "two"], Duration::from_millis(900)), Act::Hang]);
    *engine.health.lock().unwrap() = READY;
    site.is_ready().await;
    let pause_is_longer_than_patience = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&pause_is_longer_than_patience), ["token", "error"]);
    *engine.health.lock().unwrap() = "";
    let events = site.ask_by_api("Hi").await;
    assert!(!kinds(&events).contains(&"token"), "{events:?}");
    assert_eq!(events.last().unwrap()["code"], "engine_unavailable");
}

#[tokio::test]
async fn garbage_is_an_error_in_words_and_not_an_answer() {
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    let events =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: <html>\n\n";
    for garbage in ["SSH-2.0\r\n\r\n", html, events] {
        let site = TestBox::start().await;
        let _engine = site.engine([Act::Send(garbage)]);
        site.is_ready().await;
        let events = site.ask_by_api("Hi").await;
        assert_eq!(kinds(&events), ["error"], "{garbage}");
        assert!(events[0]["message"].as_str().unwrap().contains("tell a steward"), "{events:?}");
    }
}

#[tokio::test]
async fn whoever_waits_is_told_how_many_wait_once() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::SaySlowly(vec!["At last."], Duration::from_millis(450))]);
    *engine.health.lock().unwrap() = BUSY;
    site.is_ready().await;
    let events = site.ask_by_api("Hi").await;
    assert_eq!(kinds(&events), ["notice", "token", "done"]);
    assert!(events[0]["text"].as_str().unwrap().contains("waiting: 7"), "{events:?}");
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let site = TestBox::start().await;
    let _engine = site.engine([Act::Hang]);
    let mut body = site.send(api_question("Hi")).await.into_body();
    for _ in 0..10 {
        if body.frame().await.unwrap().unwrap().into_data().unwrap() == ": still here\n\n" {
            return;
        }
    }
    panic!("no sign of life");
}

#[tokio::test]
async fn words_come_in_the_apps_language() {
    let site = TestBox::start().await;
    let _engine = site.engine([Act::SayAndDie(vec!["Nusu"])]);
    let mut request = api_question("Habari");
    request.headers_mut().insert("accept-language", "sw".parse().unwrap());
    let (_, text) = whole(site.send(request).await).await;
    assert!(text.contains("Msaidizi alisimama katikati ya jibu hili"), "{text}");
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_in_words() {
    let site = TestBox::start().await;
    let engine = site.engine([]);
    let long = "x".repeat(8_001);
    let cases = [
        ("nonsense".to_owned(), 400, "cannot be read"),
        (json!({"messages":[]}).to_string(), 400, "there is no message"),
        (json!({"messages":[{"role":"assistant","content":"x"}]}).to_string(), 400, "must be the member's"),
        (json!({"messages":[{"role":"user","content":" \n"}]}).to_string(), 400, "is empty"),
        (json!({"messages":[{"role":"wizard","content":"x"}]}).to_string(), 400, "wizard"),
        (json!({"messages":[{"role":"user","content":long}]}).to_string(), 400, "question_too_long"),
        ("x".repeat(300_000), 413, "larger than 256 KiB"),
    ];
    for (body, status, words) in cases {
        let request =
            Request::post("/api/chat").header("content-type", "application/json").body(body).unwrap();
        let (response, text) = whole(site.send(request).await).await;
        assert_eq!(response.status(), status, "{text}");
        assert!(text.starts_with("{\"error\":{") && text.contains(words), "{text}");
    }
    assert!(engine.questions().is_empty());
    for (path, status) in [("/api/nowhere", 404), ("/api/chat", 405)] {
        let (response, text) = site.get(path).await;
        assert_eq!(response.status(), status);
        assert!(text.contains("/api/openapi.json"), "{text}");
    }
}

#[tokio::test]
async fn the_status_says_how_the_engine_is() {
    let site = TestBox::start().await;
    let (_, text) = site.get("/api/status").await;
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status["engine"]["state"], "down");
    assert_eq!(status["languages"], json!(["en", "es", "sw", "ar"]));
    let engine = site.engine([]);
    for (health, state) in [(READY, "ready"), (LOADING, "loading"), (FAILED, "failed")] {
        *engine.health.lock().unwrap() = health;
        let (response, text) = site.get("/api/status").await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(text.contains(&format!("\"state\":\"{state}\"")), "{text}");
    }
}

#[tokio::test]
async fn the_page_and_the_app_tell_the_model_how_to_behave_before_the_member_speaks() {
    let portal = TestBox::start().await;
    let engine = portal.engine([Act::Say(vec!["Yes."]), Act::Say(vec!["Yes."])]);
    portal.ask_by_api("Is it so?").await;
    portal.ask_on_page("Is it so?", "").await;
    let questions = engine.questions();
    assert_eq!(questions.len(), 2);
    for question in questions {
        let system = question.find(r#""role":"system""#).expect("a system message");
        let user = question.find(r#""role":"user""#).expect("the member's message");
        assert!(system < user, "{question}");
    }
}
