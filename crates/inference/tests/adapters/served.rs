//! The whole engine: adapters loaded, listed, asked for by name, and unloaded over its socket.

use crate::place::{Place, library};
use banyan_inference::{EngineConfig, serve};
use banyan_openai::{ChatMessage, ChatRequest, Client, HealthStatus, Role, Sampling};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

async fn call(socket: &Path, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-length: {}",
        body.len()
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn ask(model: &str) -> ChatRequest {
    ChatRequest {
        model: model.into(),
        sampling: Sampling { temperature: Some(0.0), max_tokens: Some(12), ..Sampling::default() },
        ..ChatRequest::new(vec![ChatMessage::new(Role::User, "hello")])
    }
}

async fn text(client: &Client, model: &str) -> (String, String) {
    let response = client.chat(&ask(model)).await.unwrap();
    (response.model, response.choices[0].message.content.clone().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_choose_an_adapter_by_model_while_others_are_loaded_and_unloaded() {
    let place = Place::new();
    let (first, second) = (place.whole(1), place.whole(2));
    let missing = place.dir.path().join("adapters/gone");
    let config = EngineConfig {
        packs: vec![place.base.dir().to_owned()],
        adapters: vec![first.dir().to_owned(), missing],
        adapter_budget: 64 << 20,
        ort_library: library(),
        threads: 1,
        slots: 4,
        kv_budget: 64 << 20,
        ..EngineConfig::default()
    };
    let socket = place.dir.path().join("infer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(serve(config, listener, std::future::pending()));
    let client = Client::new(&socket);
    let began = Instant::now();
    let health = loop {
        let health = client.health().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "it loads for ever");
        match health.status {
            HealthStatus::Ready => break health,
            HealthStatus::Failed => panic!("{:?}", health.reason),
            HealthStatus::Loading => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(health.reason.unwrap().contains("gone"), "an adapter that is not there is told and stops nobody");

    let (status, list) = call(&socket, "GET", "/v1/models", json!({})).await;
    assert_eq!(status, 200);
    let entry = list["data"].as_array().unwrap().iter().find(|m| m["id"] == "adapter-1").unwrap();
    assert_eq!((&entry["parent"], &entry["loaded"]), (&json!("tiny"), &json!(true)), "{entry}");

    let (base, plain) = text(&client, "").await;
    let (name, adapted) = text(&client, "adapter-1").await;
    assert_eq!((base.as_str(), name.as_str()), ("tiny", "adapter-1"));
    assert_ne!(plain, adapted, "the adapter changes the answer");
    let refused = client.chat(&ask("adapter-2")).await.unwrap_err().to_string();
    assert!(refused.contains("adapter-2") && refused.contains("adapter-1"), "{refused}");

    let load = json!({"lora_name": "adapter-2", "lora_path": second.dir()});
    let (status, entry) = call(&socket, "POST", "/v1/load_lora_adapter", load.clone()).await;
    assert_eq!((status, &entry["parent"]), (200, &json!("tiny")), "{entry}");
    let crowd = ["adapter-1", "", "adapter-2", "adapter-1", ""].map(|model| {
        let client = client.clone();
        async move { (model, text(&client, model).await) }
    });
    for (model, (name, text)) in futures_util::future::join_all(crowd).await {
        let own = if model.is_empty() { "tiny" } else { model };
        assert_eq!(name, own);
        // What exactly the neighbours' rounding lets it say is another test's matter.
        assert!(model.is_empty() || text != plain, "{model}");
    }
    let unload = json!({"lora_name": "adapter-2"});
    assert_eq!(call(&socket, "POST", "/v1/unload_lora_adapter", unload.clone()).await.0, 200);
    assert!(client.chat(&ask("adapter-2")).await.is_err());
    let (status, body) = call(&socket, "POST", "/v1/unload_lora_adapter", unload).await;
    assert!(status == 404 && body["error"]["message"].as_str().unwrap().contains("adapter-1"), "{body}");
    for (name, path, named) in [
        ("other", second.dir(), "…/other"),
        ("nowhere", Path::new("/nowhere"), "nowhere"),
        ("tiny", place.base.dir(), "adapter.toml"),
    ] {
        let load = json!({"lora_name": name, "lora_path": path});
        let (status, body) = call(&socket, "POST", "/v1/load_lora_adapter", load).await;
        assert!(status == 400 && body["error"]["message"].as_str().unwrap().contains(named), "{body}");
    }

    let unload = json!({"lora_name": "adapter-1"});
    assert_eq!(call(&socket, "POST", "/v1/unload_lora_adapter", unload).await.0, 200);
    assert_eq!(text(&client, "").await.1, plain, "the base model answers as before");
}
