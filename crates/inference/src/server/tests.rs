use super::*;
use crate::adapters::AdapterLease;
use crate::engine::{Engine, EngineOptions};
use crate::load::ChatModel;
use crate::models::registry::{Known, Loaded};
use crate::models::residency::Cost;
use crate::prompt::Prompter;
use crate::scheduler::Limits;
use crate::testing::{EOS, ScriptedModel, byte_tokenizer};
use banyan_modelpack::manifest::TokenizerInfo;
use banyan_modelpack::{ChatTemplate, Kind};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

mod forms;

const LIMITS: Limits = Limits {
    slots: 2,
    capacity: 256,
    row_tokens: 512,
    max_waiting: 2,
    chunk: 64,
    longest_stall: 400_000,
    compact: true,
};

/// A model that plays its script.
fn paper_model(name: &str, step_time: Duration, metrics: Arc<Metrics>) -> ChatModel {
    let script = [("user:hello", "Good day, <b>friend</b> 🌳"), ("count", "one two three four")];
    let mut model = ScriptedModel::new(LIMITS.slots, LIMITS.capacity, &script);
    model.step_time = step_time;
    let tokenizer = byte_tokenizer();
    let options = EngineOptions {
        limits: LIMITS,
        tokenizer: Arc::clone(&tokenizer),
        eos: vec![EOS],
        blocks: 32,
        metrics,
    };
    // The paper model answers what stands on the last line.
    let source =
        "{% for m in messages %}{{ m.role }}:{{ m.content }}{% if not loop.last %}\n{% endif %}{% endfor %}";
    let template = ChatTemplate::parse(source, "", "").unwrap();
    ChatModel {
        adapters: None,
        name: name.into(),
        engine: Engine::start(Box::new(model), options).unwrap(),
        prompter: Prompter::new(tokenizer, Some(template), &TokenizerInfo::default()),
    }
}

fn known(name: &str, pinned: bool) -> Known {
    let cost = Cost { memory: 10 << 20, kv: 0 };
    Known { name: name.into(), kind: Kind::Decoder, created: 7, context: 256, cost, pinned }
}

/// An engine whose first model is loaded and stays; there is room for one more.
fn app_with(known: Vec<Known>, load: impl Fn(usize) -> ChatModel + Send + Sync + 'static) -> App {
    let budget = Cost { memory: 25 << 20, kv: 0 };
    let load = move |i| Ok(Loaded::Chat(Arc::new(load(i))));
    let registry = Registry::new(budget, known, Box::new(load), 8);
    registry.settle();
    let app = App::default();
    app.enter(Phase::Ready(Arc::new(Models { registry, problems: Vec::new() })));
    app
}

/// A served engine on paper.
struct Served {
    socket: PathBuf,
    app: Arc<App>,
    _dir: tempfile::TempDir,
}

fn serve_app(app: App) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("infer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let app = Arc::new(app);
    tokio::spawn(run(Arc::clone(&app), listener, std::future::pending()));
    Served { socket, app, _dir: dir }
}

fn served(step_time: Duration) -> Served {
    let metrics = Arc::new(Metrics::default());
    let counted = Arc::clone(&metrics);
    let mut app =
        app_with(vec![known("paper", true)], move |_| paper_model("paper", step_time, Arc::clone(&counted)));
    app.metrics = metrics;
    serve_app(app)
}

impl Served {
    async fn send(&self, method: &str, path: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// The status line with the headers in lower case, and the body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = self.send(method, path, body).await;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { dechunk(body) } else { body.to_owned() };
        (head, body)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (head, body) = self.ask("POST", path, &body.to_string()).await;
        (status_of(&head), serde_json::from_str(&body).unwrap())
    }

    fn engine(&self) -> Engine {
        self.app.models().unwrap().registry.default_chat().unwrap().engine.clone()
    }

    async fn wait_until_idle(&self) {
        let engine = self.engine();
        let start = Instant::now();
        while engine.running() + engine.waiting() > 0 {
            assert!(start.elapsed() < Duration::from_secs(5), "the engine still computes for nobody");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn status_of(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn dechunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        out.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    out
}

fn hello() -> Value {
    json!({"model": "paper", "temperature": 0, "messages": [{"role": "user", "content": "hello"}]})
}

fn with(mut base: Value, field: &str, value: Value) -> Value {
    base[field] = value;
    base
}

#[tokio::test]
async fn a_chat_is_answered_whole() {
    let (status, body) = served(Duration::ZERO).post("/v1/chat/completions", hello()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["choices"][0]["message"]["content"], "Good day, <b>friend</b> 🌳");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["usage"]["prompt_tokens"], 10);
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
}

#[tokio::test]
async fn a_chat_streams_in_openais_events_with_usage_when_asked() {
    let request =
        with(with(hello(), "stream", json!(true)), "stream_options", json!({"include_usage": true}));
    let (head, body) = served(Duration::ZERO).ask("POST", "/v1/chat/completions", &request.to_string()).await;
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    let events: Vec<&str> = body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(*events.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "Good day, <b>friend</b> 🌳");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[chunks.len() - 1]["usage"]["prompt_tokens"], 10);
    assert!(chunks.iter().all(|c| c["id"] == chunks[0]["id"]));
}

#[tokio::test]
async fn a_text_is_continued_with_echo_stop_and_log_probabilities() {
    let served = served(Duration::ZERO);
    let base = json!({"prompt": "count", "temperature": 0, "max_tokens": 40});
    let (status, body) = served.post("/v1/completions", with(base.clone(), "echo", json!(true))).await;
    assert_eq!((status, &body["choices"][0]["text"]), (200, &json!("countone two three four")));
    let (_, body) = served.post("/v1/completions", with(base.clone(), "stop", json!(["three", "x"]))).await;
    assert_eq!(body["choices"][0]["text"], "one two ");
    let (_, body) = served.post("/v1/completions", with(base.clone(), "logprobs", json!(1))).await;
    let logprobs = &body["choices"][0]["logprobs"];
    assert_eq!(logprobs["tokens"][0], "o");
    assert_eq!(logprobs["text_offset"][2], 2);
    let (_, body) =
        served.post("/v1/completions", with(base, "prompt", json!([[99, 111, 117, 110, 116]]))).await;
    assert_eq!(body["choices"][0]["text"], "one two three four");
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_name_and_the_unknown_is_passed_over() {
    let served = served(Duration::ZERO);
    let cases = [
        ("functions", json!([{"name": "f"}])),
        ("audio", json!({"voice": "x"})),
        ("n", json!(99)),
        ("temperature", json!(9)),
        ("top_logprobs", json!(50)),
        ("max_tokens", json!(0)),
        ("stop", json!(vec!["x"; 40])),
        ("logit_bias", json!({"banana": 1})),
        ("model", json!("gpt-9")),
        ("messages", json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])),
    ];
    for (field, value) in cases {
        let request = with(with(hello(), "logprobs", json!(true)), field, value);
        let (status, body) = served.post("/v1/chat/completions", request).await;
        assert!(matches!(status, 400 | 404), "{field}: {status} {body}");
        assert_eq!(body["error"]["param"], field, "{body}");
    }
    let harmless = [
        ("reasoning_effort", json!("low")),
        ("tools", json!([])),
        ("tool_choice", json!("auto")),
        ("response_format", json!({"type": "text"})),
        ("logit_bias", json!({"5": -1})),
        ("n", json!(1)),
    ];
    for (field, value) in harmless {
        let (status, body) = served.post("/v1/chat/completions", with(hello(), field, value)).await;
        assert_eq!(status, 200, "{field}: {body}");
    }
    for garbage in ["", "{", "[]", "{\"messages\": 5}", "{}"] {
        let (head, body) = served.ask("POST", "/v1/chat/completions", garbage).await;
        assert_eq!(status_of(&head), 400, "{garbage}: {body}");
        assert!(body.contains("invalid_request_error"));
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_refused_in_words() {
    let request = with(hello(), "messages", json!([{"role": "user", "content": "x".repeat(300)}]));
    let (status, body) = served(Duration::ZERO).post("/v1/chat/completions", request).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("context_length_exceeded")));
    assert!(body["error"]["message"].as_str().unwrap().contains("new conversation"), "{body}");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_engine_streaming_or_not() {
    let served = served(Duration::from_millis(3));
    for stream in [true, false] {
        let request = json!({"prompt": "endless", "max_tokens": 200, "temperature": 0, "stream": stream});
        let mut connection = served.send("POST", "/v1/completions", &request.to_string()).await;
        let engine = served.engine();
        let began = Instant::now();
        while engine.running() == 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "it never began");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if stream {
            let mut some = [0; 64];
            assert!(connection.read(&mut some).await.unwrap() > 0);
        }
        let left = Instant::now();
        drop(connection);
        served.wait_until_idle().await;
        assert!(left.elapsed() < Duration::from_millis(300), "200 tokens would take 600 ms");
    }
    assert!(served.app.metrics.to_text().contains("banyan_engine_cancelled_total 2"));
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let served = served(Duration::from_millis(5));
    let request =
        json!({"prompt": "endless", "max_tokens": 200, "temperature": 0, "stream": true}).to_string();
    let mut held = Vec::new();
    for _ in 0..LIMITS.slots + LIMITS.max_waiting {
        let mut connection = served.send("POST", "/v1/completions", &request).await;
        let mut head = [0; 12];
        connection.read_exact(&mut head).await.unwrap();
        held.push(connection);
    }
    let (head, body) = served.ask("POST", "/v1/completions", &request).await;
    assert_eq!(status_of(&head), 503, "{body}");
    assert!(head.contains("retry-after: "), "{head}");
    assert!(body.contains("queue_full"));
}

#[tokio::test]
async fn health_answers_while_the_model_loads_and_says_what_failed() {
    let served = serve_app(App::default());
    let (head, body) = served.ask("GET", "/health", "").await;
    assert_eq!(status_of(&head), 503);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["status"], "loading");
    let (head, body) = served.ask("POST", "/v1/chat/completions", &hello().to_string()).await;
    assert_eq!(status_of(&head), 503);
    assert!(body.contains("model_loading") && head.contains("retry-after"), "{head} {body}");
    served.app.load(&EngineConfig::default());
    let (head, body) = served.ask("GET", "/health", "").await;
    assert_eq!(status_of(&head), 503);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["status"], "failed");
    assert!(health["reason"].as_str().unwrap().contains("banyan model import"), "{body}");
}

#[tokio::test]
async fn a_ready_engine_lists_its_model_its_sizes_and_its_counts() {
    let served = served(Duration::ZERO);
    served.post("/v1/chat/completions", hello()).await;
    let (head, body) = served.ask("GET", "/health", "").await;
    assert_eq!(status_of(&head), 200);
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&health["model"], &health["slots"], &health["context_length"]),
        (&json!("paper"), &json!(2), &json!(256))
    );
    let (_, body) = served.ask("GET", "/v1/models", "").await;
    let models: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&models["data"][0]["id"], &models["data"][0]["created"]), (&json!("paper"), &json!(7)));
    let (head, _) = served.ask("GET", "/v1/models/paper", "").await;
    assert_eq!(status_of(&head), 200);
    let (head, _) = served.ask("GET", "/v1/models/other", "").await;
    assert_eq!(status_of(&head), 404);
    let (_, text) = served.ask("GET", "/metrics", "").await;
    assert!(
        text.contains("banyan_engine_requests_total 1") && text.contains("first_token_seconds_bucket"),
        "{text}"
    );
}

#[tokio::test]
async fn addresses_methods_and_sizes_that_are_wrong_get_openais_error_body() {
    let served = served(Duration::ZERO);
    let large = "x".repeat(MAX_BODY + 1);
    for (method, path, body, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/v1/chat/completions", "", 405),
        ("POST", "/v1/chat/completions", large.as_str(), 413),
        ("POST", "/v1/embeddings", r#"{"input": "x"}"#, 404),
    ] {
        let (head, answer) = served.ask(method, path, body).await;
        assert_eq!(status_of(&head), status, "{method} {path}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn an_engine_that_breaks_ends_the_server_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("infer.sock")).unwrap();
    let options = EngineOptions {
        limits: LIMITS,
        tokenizer: byte_tokenizer(),
        eos: vec![EOS],
        blocks: 32,
        metrics: Arc::default(),
    };
    // Rows of 4 tokens where the engine believes in 256: the model panics on a longer prompt.
    let engine = Engine::start(Box::new(ScriptedModel::new(2, 4, &[])), options).unwrap();
    let request = crate::engine::Request {
        prompt: vec![97; 10],
        max_tokens: None,
        sampling: crate::sampler::Settings::default(),
        stop: Vec::new(),
        adapter: AdapterLease::default(),
        constraint: None,
        scope: crate::engine::CacheScope::default(),
    };
    let _stream = engine.submit(request).unwrap();
    let prompter = Prompter::new(byte_tokenizer(), None, &TokenizerInfo::default());
    let model = Mutex::new(Some(ChatModel { name: "paper".into(), engine, adapters: None, prompter }));
    let app = Arc::new(app_with(vec![known("paper", true)], move |_| model.lock().unwrap().take().unwrap()));
    let ended =
        tokio::time::timeout(Duration::from_secs(5), run(app, listener, std::future::pending())).await;
    assert!(matches!(ended, Ok(Err(EngineError::Broken(reason))) if reason.contains("panicked")));
}

/// "first" stays, and of "second" and "third" one has room; each knows the other's name from its answer's `model`.
fn three_models() -> (Served, Arc<Mutex<Vec<&'static str>>>) {
    let names = ["first", "second", "third"];
    let loads: Arc<Mutex<Vec<&str>>> = Arc::default();
    let seen = Arc::clone(&loads);
    let known = names.iter().map(|name| known(name, *name == "first")).collect();
    let app = app_with(known, move |i| {
        seen.lock().unwrap().push(names[i]);
        paper_model(names[i], Duration::from_millis(3), Arc::default())
    });
    let served = serve_app(app);
    let Phase::Ready(models) = served.app.phase() else { unreachable!() };
    std::thread::spawn(move || models.registry.keep());
    (served, loads)
}

fn to(model: &str) -> Value {
    with(hello(), "model", json!(model))
}

#[tokio::test]
async fn a_request_names_its_model_and_waits_while_it_is_loaded() {
    let (served, loads) = three_models();
    for name in ["second", "first", "second", ""] {
        let (status, body) = served.post("/v1/chat/completions", to(name)).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["model"], if name.is_empty() { "first" } else { name });
    }
    assert_eq!(*loads.lock().unwrap(), ["first", "second"], "what is there is not loaded again");
    let (status, body) = served.post("/v1/chat/completions", to("third")).await;
    assert_eq!((status, &body["model"]), (200, &json!("third")));
    let (_, body) = served.ask("GET", "/v1/models", "").await;
    let models: Value = serde_json::from_str(&body).unwrap();
    let loaded: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|m| &m["loaded"]).collect();
    assert_eq!(loaded, [&json!(true), &json!(false), &json!(true)], "the second made room");
    assert_eq!(models["data"][2]["kind"], "chat");
    let (status, body) = served.post("/v1/chat/completions", to("fourth")).await;
    assert_eq!(status, 404);
    assert!(body["error"]["message"].as_str().unwrap().contains("first, second, third"), "{body}");
}

#[tokio::test]
async fn a_running_answer_is_never_cut_off_for_another_model() {
    let (served, _) = three_models();
    let long = json!({"model": "second", "prompt": "endless", "max_tokens": 150, "temperature": 0});
    let answer = served.post("/v1/completions", long);
    let other = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let health = served.ask("GET", "/health", "").await.1;
        let (status, _) = served.post("/v1/chat/completions", to("third")).await;
        (status, serde_json::from_str::<Value>(&health).unwrap())
    };
    let ((status, body), (other, health)) = tokio::join!(answer, other);
    assert_eq!((status, other), (200, 200));
    assert_eq!(body["usage"]["completion_tokens"], 150, "{body}");
    assert_eq!(health["models"][1]["state"], "ready");
    assert_eq!((&health["memory_budget_mib"], &health["memory_used_mib"]), (&json!(25), &json!(20)));
    assert_eq!((&health["models"][0]["stays"], &health["models"][1]["stays"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_steward_loads_and_unloads_by_name_but_not_what_stays() {
    let (served, _) = three_models();
    let (status, body) = served.post("/v1/models/second/load", json!({})).await;
    assert_eq!((status, &body["loaded"]), (200, &json!(true)));
    let (status, body) = served.post("/v1/models/second/unload", json!({})).await;
    assert_eq!((status, &body["loaded"]), (200, &json!(false)));
    let (status, body) = served.post("/v1/models/first/unload", json!({})).await;
    assert_eq!(status, 400);
    assert!(body["error"]["message"].as_str().unwrap().contains("stays loaded"), "{body}");
    let (status, _) = served.post("/v1/models/none/load", json!({})).await;
    assert_eq!(status, 404);
}
