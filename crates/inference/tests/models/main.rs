//! Models beside each other on the real runtime: loaded by name, unloaded again, and their memory given back.
//!
//! A test program of its own with one test: memory is the process', and nobody else may take any meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests stand outside the test functions")]

use banyan_inference::models::memory;
use banyan_inference::{EngineConfig, serve};
use banyan_modelpack::import::{ImportOptions, import};
use banyan_modelpack::source::DType;
use banyan_modelpack::testing::Tiny;
use banyan_modelpack::{Store, manifest};
use banyan_openai::{ChatMessage, ChatRequest, Client, HealthStatus, Role, Sampling};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

const CHAT: &str = "smollm2-135m-instruct";
const EMBEDDING: &str = "all-minilm-l6-v2";
const SECOND: &str = "second";
const RERANKER: &str = "tiny-reranker";

fn from_environment(name: &str) -> PathBuf {
    let Some(value) = std::env::var_os(name) else {
        panic!("{name} is not set. Run `cargo xtask test`, which fetches everything and sets it");
    };
    PathBuf::from(value)
}

/// The starter model under a second name.
fn second(store: &Path) -> PathBuf {
    let (from, to) = (from_environment("BANYAN_TEST_PACKS").join(CHAT), store.join(SECOND));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(&from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let path = to.join(manifest::FILE_NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text.replace(&format!("name = \"{CHAT}\""), &format!("name = \"{SECOND}\"")))
        .unwrap();
    to
}

/// A cross-encoder of random weights: it knows nothing, and its way through the engine is the same.
fn reranker(store: &Path) -> PathBuf {
    let source = store.join(".source").join(RERANKER);
    Tiny::reranker(9).write_folder(&source, DType::F32).unwrap();
    import(&source, &Store::new(store), &ImportOptions::default(), &mut |_| ()).unwrap().dir().to_owned()
}

async fn post(socket: &Path, path: &str, body: Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn ask(model: &str) -> ChatRequest {
    // Long enough to touch key/value memory.
    let question = "Tell me about the banyan tree. ".repeat(60);
    ChatRequest {
        model: model.into(),
        sampling: Sampling { temperature: Some(0.0), max_tokens: Some(8), ..Sampling::default() },
        ..ChatRequest::new(vec![ChatMessage::new(Role::User, question)])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_model_answers_beside_the_first_and_leaves_nothing_behind_when_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("infer.sock");
    let packs = from_environment("BANYAN_TEST_PACKS");
    let config = EngineConfig {
        packs: vec![packs.join(CHAT), packs.join(EMBEDDING), second(dir.path()), reranker(dir.path())],
        ort_library: from_environment("BANYAN_ORT_LIB"),
        threads: 1,
        slots: 4,
        capacity: 2048,
        kv_budget: 512 << 20,
        memory_budget: 3 << 30,
        ..EngineConfig::default()
    };
    tokio::spawn(serve(config, UnixListener::bind(&socket).unwrap(), std::future::pending()));
    let client = Client::new(&socket);
    while client.health().await.unwrap().status == HealthStatus::Loading {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    client.chat(&ask("")).await.unwrap();
    let health = client.health().await.unwrap();
    let states: Vec<&str> = health.models.iter().map(|model| model.state.as_str()).collect();
    assert_eq!(states, ["ready", "ready", "unloaded", "unloaded"], "{health:?}");
    assert!(health.memory_used_mib > 500 && health.memory_budget_mib == 3072, "{health:?}");

    let mib = |bytes: u64| bytes >> 20;
    let alone = memory::resident();
    let mut left = Vec::new();
    let mut most = 0;
    for round in 0..4 {
        let questions = [ask(SECOND), ask(CHAT)];
        let answers = questions.iter().map(|question| client.chat(question));
        for answer in futures_util::future::join_all(answers).await {
            assert!(!answer.unwrap().choices.is_empty());
        }
        let both = memory::resident();
        let (status, body) = post(&socket, &format!("/v1/models/{SECOND}/unload"), json!({})).await;
        assert_eq!((status, &body["loaded"]), (200, &json!(false)), "{body}");
        let after = memory::resident();
        println!(
            "round {round}: {} MiB alone, {} with the second, {} after it went",
            mib(alone),
            mib(both),
            mib(after)
        );
        most = most.max(both);
        left.push(after);
    }
    let taken = most - alone;
    assert!(mib(taken) > 80, "the second model takes {} MiB", mib(taken));
    // On a busy machine one look may catch memory that is on its way back; what leaks is there in both.
    let last = left[2].min(left[3]);
    let stays = last.saturating_sub(alone);
    assert!(stays < taken / 5, "{} of {} MiB stay after unloading", mib(stays), mib(taken));
    assert!(last < left[0] + (taken / 10), "each round leaves more behind: {left:?}");

    let request = json!({"query": "who are you", "documents": ["abc", {"text": "a much longer text"}, "abc"],
        "return_documents": true});
    let (status, body) = post(&socket, "/v1/rerank", request).await;
    assert_eq!(status, 200, "{body}");
    let results = body["results"].as_array().unwrap();
    assert_eq!((results.len(), &body["model"]), (3, &json!(RERANKER)));
    let score = |index: u64| {
        let result = results.iter().find(|result| result["index"] == index).unwrap();
        result["relevance_score"].as_f64().unwrap()
    };
    assert!((score(0) - score(2)).abs() < 1e-4, "the same document scores the same beside others: {body}");
    assert!((score(0) - score(1)).abs() > 1e-4 && (0.0..=1.0).contains(&score(1)), "{body}");
    assert!(results[0]["relevance_score"].as_f64() >= results[2]["relevance_score"].as_f64());
    assert!(body["usage"]["total_tokens"].as_u64().unwrap() > 20, "{body}");
}
