//! `/v1`, as a program with a key meets it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use std::time::Duration;

use banyan_portal::{ApiKeys, Quota};
use common::{ALONE, Act, TestBox, api_question, send_to, whole};
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{sleep, timeout};

const QUESTION: &str = r#"{"model":"smol","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;

fn chat(key: &str, body: &str) -> Request<String> {
    Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .header("cookie", "lang=sw")
        .header("origin", "http://elsewhere.example")
        .body(body.to_owned())
        .unwrap()
}

fn key(site: &TestBox) -> String {
    ApiKeys::new(site.dir.path()).add("till").unwrap()
}

#[tokio::test]
async fn a_stream_is_passed_through_as_the_engine_sends_it() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::Say(vec!["Hello", " there."])]);
    let key = key(&site);
    let (response, text) = whole(site.send(chat(&key, QUESTION)).await).await;
    assert_eq!(response.status(), 200, "{text}");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(text.contains("\"content\":\"Hello\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let asked = &engine.questions()[0];
    assert!(asked.starts_with("POST /v1/chat/completions"), "{asked}");
    let sent: Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut expected: Value = serde_json::from_str(QUESTION).unwrap();
    expected["cache_salt"] = sent["cache_salt"].clone();
    assert_eq!(sent, expected);
    for private in [key.as_str(), "authorization", "cookie", "elsewhere.example"] {
        assert!(!asked.contains(private), "{private}: {asked}");
    }
}

#[tokio::test]
async fn without_a_valid_key_there_is_openais_401() {
    let site = TestBox::start().await;
    let engine = site.engine([]);
    let key = key(&site);
    let without = Request::get("/v1/models").body(String::new()).unwrap();
    let basic = Request::get("/v1/models").header("authorization", "Basic dTpw").body(String::new()).unwrap();
    for (request, words) in [
        (without, "no API key was sent"),
        (basic, "not of the form"),
        (chat("bk_wrong", QUESTION), "not valid on this box"),
        (chat(&key[..40], QUESTION), "not valid on this box"),
    ] {
        let (response, text) = whole(site.send(request).await).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"]["code"], "invalid_api_key");
        assert!(error["error"]["message"].as_str().unwrap().contains(words), "{text}");
    }
    ApiKeys::new(site.dir.path()).revoke("till").unwrap();
    assert_eq!(site.send(chat(&key, QUESTION)).await.status(), 401);
    assert!(engine.questions().is_empty());
}

#[tokio::test]
async fn what_the_engine_refuses_is_refused_in_its_words_and_an_absent_engine_in_ours() {
    let site = TestBox::start().await;
    let key = key(&site);
    let (response, text) = whole(site.send(chat(&key, QUESTION)).await).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    assert!(text.contains("engine_unavailable") && text.contains("not running"), "{text}");

    let full = r#"{"error":{"message":"full","type":"server_error","code":"queue_full","param":null}}"#;
    let _engine = site.engine([Act::Refuse("503 Service Unavailable", full), Act::Die]);
    let (response, text) = whole(site.send(chat(&key, QUESTION)).await).await;
    assert_eq!((response.status().as_u16(), text.as_str()), (503, full));
    let (response, text) = whole(site.send(chat(&key, QUESTION)).await).await;
    assert_eq!(response.status(), 503);
    assert!(text.contains("went away before it answered"), "{text}");
}

#[tokio::test]
async fn a_program_waits_for_its_turn_beside_members_and_is_refused_with_when_to_come_back() {
    let site = TestBox::with(|config| {
        config.queue.quotas.programs = Quota { waiting: 1, running: 9, per_hour: None };
        config.queue.admission.length = 2;
    })
    .await;
    let engine = site.engine([Act::SaySlowly(vec!["a", "b"], Duration::from_millis(150))]);
    *engine.health.lock().unwrap() = ALONE;
    site.is_ready().await;
    let (till, clinic) = (key(&site), ApiKeys::new(site.dir.path()).add("clinic").unwrap());
    let _member = site.send(api_question("Hi")).await;
    let waits = |key: String| {
        let address = site.address;
        tokio::spawn(async move { whole(send_to(address, chat(&key, QUESTION)).await).await })
    };
    let first = waits(till.clone());
    sleep(Duration::from_millis(50)).await;
    let (response, text) = whole(site.send(chat(&till, QUESTION)).await).await;
    assert_eq!(response.status(), 429, "{text}");
    assert!(text.contains("rate_limit_exceeded") && response.headers().contains_key("retry-after"), "{text}");
    let second = waits(clinic);
    sleep(Duration::from_millis(50)).await;
    let third = ApiKeys::new(site.dir.path()).add("third").unwrap();
    let (response, text) = whole(site.send(chat(&third, QUESTION)).await).await;
    assert_eq!(response.status(), 503, "{text}");
    assert!(text.contains("queue_full") && response.headers().contains_key("retry-after"), "{text}");
    for waited in [first, second] {
        let (response, text) = waited.await.unwrap();
        assert!(response.status() == 200 && text.ends_with("data: [DONE]\n\n"), "{text}");
    }
}

#[tokio::test]
async fn a_program_that_goes_away_while_it_waits_has_left_the_queue() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::SaySlowly(vec!["a", "b"], Duration::from_millis(200))]);
    *engine.health.lock().unwrap() = ALONE;
    site.is_ready().await;
    let key = key(&site);
    let _member = site.send(api_question("Hi")).await;
    let waiting = async { site.send(chat(&key, QUESTION)).await };
    assert!(timeout(Duration::from_millis(100), waiting).await.is_err(), "it waits");
    for _ in 0..50 {
        if site.get("/api/status").await.1.contains("\"waiting\":0") {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still in the queue");
}

#[tokio::test]
async fn which_prompts_are_shared_is_not_a_programs_to_say() {
    let site = TestBox::start().await;
    let engine = site.engine([]);
    let (till, clinic) = (key(&site), ApiKeys::new(site.dir.path()).add("clinic").unwrap());
    let mut salts = Vec::new();
    for (key, more) in [
        (&till, r#""shared_messages":5"#),
        (&till, r#""cache_salt":"mine""#),
        (&clinic, r#""cache_salt":"mine""#),
    ] {
        let body =
            format!("{{{more},\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\"stream\":true}}");
        whole(site.send(chat(key, &body)).await).await;
        let asked = engine.questions().pop().unwrap();
        assert!(!asked.contains("shared_messages") && !asked.contains("mine"), "{asked}");
        salts.push(asked.split("\"cache_salt\":\"").nth(1).unwrap()[..32].to_owned());
    }
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 3);
    for (body, words) in [("nonsense", "cannot be read"), (r#"{"cache_salt":7}"#, "must be a string")] {
        let (response, text) = whole(site.send(chat(&till, body)).await).await;
        assert_eq!(response.status(), 400);
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn a_program_that_goes_away_stops_the_generation() {
    let site = TestBox::start().await;
    let engine = site.engine([Act::SayForEver("word ")]);
    let mut body = site.send(chat(&key(&site), QUESTION)).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    engine.wait_for_cancellation().await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_by_its_announcement_or_on_the_way() {
    let site = TestBox::start().await;
    let engine = site.engine([]);
    let key = key(&site);
    let head = format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: box\r\nconnection: close\r\nauthorization: Bearer {key}\r\n"
    );
    let answer = site.raw(&format!("{head}content-length: 9000000\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("larger than 8192 KiB"), "{answer}");

    let piece = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    let answer = site.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n{}", piece.repeat(9))).await;
    assert!(answer.starts_with("HTTP/1.1 413") || answer.is_empty(), "{answer}");
    assert!(engine.questions().is_empty());
}

#[tokio::test]
async fn other_addresses_and_methods_get_an_error_that_a_program_can_read() {
    let site = TestBox::start().await;
    let _engine = site.engine([]);
    for (method, path, status) in
        [("GET", "/v1/nowhere", 404), ("GET", "/v1/embeddings", 405), ("OPTIONS", "/v1/models", 405)]
    {
        let request = Request::builder().method(method).uri(path).body(String::new()).unwrap();
        let (response, text) = whole(site.send(request).await).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert!(serde_json::from_str::<Value>(&text).unwrap()["error"]["message"].is_string(), "{text}");
    }
}
