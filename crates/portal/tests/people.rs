//! Founding, joining, signing in and out over HTTP, as a browser does it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use banyan_assembly::people::SetupCode;
use banyan_assembly::{Assembly, rooms};
use banyan_identity::SigningKey;
use banyan_store::{KeySource, Store};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::common::{TestBox, whole};

/// A box with a store, not founded.
async fn web() -> TestBox {
    TestBox::with(|config| {
        let key = KeySource::of_box(&config.data_dir).load_or_create(false).unwrap();
        let store = Store::open(&config.data_dir, &key, &rooms()).unwrap();
        let box_key = SigningKey::from_bytes(&[7; 32]);
        config.assembly = Some(Assembly::open(store, box_key).unwrap());
    })
    .await
}

/// Sends JSON with this cookie; gives the answer and its JSON.
async fn post(web: &TestBox, path: &str, cookie: &str, body: &Value) -> (Response<()>, Value) {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("cookie", cookie)
        .body(body.to_string())
        .unwrap();
    let (response, text) = whole(web.send(request).await).await;
    (response, serde_json::from_str(&text).unwrap_or_default())
}

async fn me(web: &TestBox, cookie: &str) -> Value {
    let request = Request::get("/api/me").header("cookie", cookie).body(String::new()).unwrap();
    serde_json::from_str(&whole(web.send(request).await).await.1).unwrap()
}

/// The session's cookie as the browser sends it back, and as it was set.
fn session(response: &Response<()>) -> (String, String) {
    let mut set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let set = set.rfind(|cookie| cookie.starts_with("banyan_session=")).unwrap();
    (set.split(';').next().unwrap().to_owned(), set.to_owned())
}

async fn found(web: &TestBox) -> (Response<()>, Value) {
    let setup_code = SetupCode::of_box(web.dir.path()).load_or_create().unwrap();
    let body = json!({
        "setup_code": setup_code, "community": "Riverside", "kit": "circle", "name": "Ada", "secret": "2580",
        "shares": { "needed": 2, "of": 3 }, "policy_greeting": "Peace be with you.",
    });
    post(web, "/api/founding", "", &body).await
}

#[tokio::test]
async fn a_community_is_founded_joined_and_left_again_for_the_night() {
    let web = web().await;
    assert_eq!(me(&web, "").await["setup_code_needed"], true);
    let (response, founded) = found(&web).await;
    assert_eq!(response.status(), 201, "{founded}");
    assert_eq!(founded["me"]["member"]["name"], "Ada");
    assert_eq!(founded["shares"].as_array().unwrap().len(), 3);
    let (ada, set) = session(&response);
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(flag), "{set}");
    }
    assert_eq!(me(&web, &ada).await["community"], "Riverside");

    let code = founded["invitation"]["code"].as_str().unwrap();
    let url = founded["invitation"]["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/#/join?code={code}")) && url.starts_with("http://127.0.0.1:"), "{url}");
    assert!(founded["invitation"]["qr_svg"].as_str().unwrap().starts_with("<svg"));
    let (response, joined) =
        post(&web, "/api/join", "", &json!({"code": code, "name": "Ben", "secret": "8246"})).await;
    assert_eq!((response.status().as_u16(), &joined["member"]["name"]), (201, &json!("Ben")));
    let (ben, _) = session(&response);

    let (response, _) = post(&web, "/api/sign-out", &ben, &json!({})).await;
    assert_eq!(response.status(), 204);
    assert!(session(&response).1.contains("Max-Age=0"));
    assert_eq!(me(&web, &ben).await["member"], Value::Null);
    assert_eq!(me(&web, &ada).await["member"]["name"], "Ada");
    let (response, _) = post(&web, "/api/sign-in", "", &json!({"name": " BEN", "secret": "8246"})).await;
    assert_eq!(me(&web, &session(&response).0).await["member"]["name"], "Ben");
}

#[tokio::test]
async fn a_refusal_names_the_field_and_what_a_program_can_test() {
    let web = web().await;
    found(&web).await;
    let (response, error) = post(&web, "/api/join", "", &json!({"name": "Ben", "secret": "8246"})).await;
    assert_eq!(response.status(), 400);
    assert_eq!((&error["error"]["param"], &error["error"]["code"]), (&json!("code"), &json!("code_needed")));
    let (response, error) = post(&web, "/api/join", "", &json!({"name": "Ben", "pin": "8246"})).await;
    assert_eq!(response.status(), 400);
    assert!(error["error"]["message"].as_str().unwrap().contains("unknown field"), "{error}");
    let (response, _) = found(&web).await;
    assert_eq!(response.status(), 409);
}

#[tokio::test]
async fn whoever_guesses_is_told_when_to_come_back() {
    let web = web().await;
    found(&web).await;
    let guess = json!({"name": "Ada", "secret": "9713"});
    for _ in 0..5 {
        assert_eq!(post(&web, "/api/sign-in", "", &guess).await.0.status(), 400);
    }
    let (response, error) = post(&web, "/api/sign-in", "", &guess).await;
    assert_eq!((response.status().as_u16(), &error["error"]["code"]), (429, &json!("too_often")));
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((25..=30).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_box_without_a_community_says_so() {
    let web = TestBox::start().await;
    let alone = me(&web, "banyan_session=0").await;
    assert_eq!(
        (&alone["founded"], &alone["may_ask"], &alone["setup_code_needed"]),
        (&json!(false), &json!(true), &json!(false))
    );
    for path in ["/api/founding", "/api/members", "/api/policy"] {
        let (response, text) = web.get(path).await;
        assert_eq!(response.status(), 503, "{path}");
        assert!(text.contains("no_community"), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_session_carries_no_form_of_another_site() {
    let web = web().await;
    let (response, _) = found(&web).await;
    let (ada, _) = session(&response);
    let foreign = Request::post("/api/sign-out")
        .header("cookie", &ada)
        .header("sec-fetch-site", "cross-site")
        .body("{}".to_owned())
        .unwrap();
    assert_eq!(web.send(foreign).await.status(), 403);
    assert_eq!(me(&web, &ada).await["member"]["name"], "Ada");
}
