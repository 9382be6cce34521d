//! The library over HTTP, as the web app and a phone without JavaScript use it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;
#[path = "library/giving.rs"]
mod giving;
#[path = "library/pages.rs"]
mod pages;
#[path = "library/reading.rs"]
mod reading;
#[path = "authorisation/shelf.rs"]
mod shelf;
#[path = "authorisation/village.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod village;

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::Value;

use self::village::Village;

impl Village {
    /// A request by somebody; what came back.
    async fn send(&self, who: &str, method: &str, path: &str, body: &str) -> (Response<()>, String) {
        let kind =
            if path.starts_with("/api/") { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut request = Request::builder().method(method).uri(path).header("content-type", kind);
        if let Some((header, value)) = self.credential(who) {
            request = request.header(header, value);
        }
        let response = self.web.send(request.body(body.to_owned()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn json(&self, who: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (response, text) = self.send(who, method, path, body).await;
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    async fn status(&self, who: &str, path: &str) -> u16 {
        self.send(who, "GET", path, "").await.0.status().as_u16()
    }

    /// The titles that somebody finds.
    async fn finds(&self, who: &str, words: &str) -> Vec<String> {
        let (status, found) = self.json(who, "GET", &format!("/api/library/search?q={words}"), "").await;
        assert_eq!(status, 200, "{found}");
        let hits = found["hits"].as_array().unwrap().iter();
        hits.map(|hit| hit["title"].as_str().unwrap().to_owned()).collect()
    }

    /// Gives a file; how that ended.
    async fn give(&self, who: &str, query: &str, bytes: &str) -> Value {
        let (status, taken) = self.json(who, "POST", &format!("/api/library/documents?{query}"), bytes).await;
        assert_eq!(status, 202, "{taken}");
        let path = format!("/api/library/uploads/{}", taken["upload"].as_str().unwrap());
        for _ in 0..500 {
            let (status, view) = self.json(who, "GET", &path, "").await;
            assert_eq!(status, 200, "{view}");
            if view["state"] == "done" || view["state"] == "refused" {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the upload came to no end");
    }
}
