//! The committed description of the APIs, from which the web app's types are made.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::{env, fs};

use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_description_is_what_the_code_says() {
    let fresh = banyan_portal::openapi_json();
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(FILE, fresh).unwrap();
    }
    let committed = fs::read_to_string(FILE).unwrap_or_default();
    // As values, not as text: in which order maps are written depends on what else is built with us.
    let [committed, fresh] =
        [&*committed, fresh].map(|text| serde_json::from_str(text).unwrap_or(Value::Null));
    assert!(
        committed == fresh && fresh.is_object(),
        "openapi.json is stale: run this test with UPDATE_OPENAPI=1, then `npm run api` in web/"
    );
}

#[test]
fn every_address_and_every_type_that_is_named_is_described() {
    let description: Value = serde_json::from_str(banyan_portal::openapi_json()).unwrap();
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    for path in [
        "/api/chat",
        "/api/chat/{answer}",
        "/api/status",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/rerank",
        "/v1/models",
    ] {
        assert!(paths.iter().any(|one| *one == path), "{path}");
    }
    let schemas = description["components"]["schemas"].as_object().unwrap();
    for reference in banyan_portal::openapi_json().split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is named but not described");
    }
    assert!(schemas["ChatRequest"]["properties"]["max_tokens"].is_object());
    assert!(schemas["OpenAiChatRequest"].is_object());
}
