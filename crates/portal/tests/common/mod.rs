//! A portal on a real port, and a hand-made engine behind it that fails on demand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; a failure here is a failed test")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banyan_portal::{Patience, Portal, PortalConfig, serve};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// What the engine does with one question.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers with these words, to the end.
    Say(Vec<&'static str>),
    /// The same, with a pause before each word.
    SaySlowly(Vec<&'static str>, Duration),
    /// Says these words and dies.
    SayAndDie(Vec<&'static str>),
    /// Takes the question and dies.
    Die,
    /// Takes the question and says nothing, ever.
    Hang,
    /// Says this word for ever.
    SayForEver(&'static str),
    /// Sends these bytes.
    Send(&'static str),
    /// Refuses: status line, body.
    Refuse(&'static str, &'static str),
}

pub const READY: &str = r#"{"status":"ready","model":"smol","embedding_model":"mini","context_length":2048,"slots":4,"running":1,"waiting":0,"providers":[{"name":"CPU","tried":true,"works":true,"detail":""}],"version":"0"}"#;
/// Ready, with one place.
pub const ALONE: &str = r#"{"status":"ready","model":"smol","context_length":2048,"slots":1,"version":"0"}"#;
pub const BUSY: &str = r#"{"status":"ready","model":"smol","slots":4,"running":4,"waiting":7,"version":"0"}"#;
pub const LOADING: &str = r#"{"status":"loading","reason":"reading weights","version":"0"}"#;
pub const FAILED: &str = r#"{"status":"failed","reason":"libonnxruntime.so is missing <b>","version":"0"}"#;
pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[derive(Debug, Default)]
pub struct Seen {
    /// Head and body of each question.
    pub questions: Vec<String>,
    /// Questions whose connection was closed from the other side before the answer's end.
    pub cancelled: usize,
}

/// The engine, while it lives.
pub struct Engine {
    pub acts: Arc<Mutex<VecDeque<Act>>>,
    /// What `/health` says; empty: nothing, ever.
    pub health: Arc<Mutex<&'static str>>,
    pub seen: Arc<Mutex<Seen>>,
    /// Whether it has a model for embeddings.
    pub encodes: Arc<Mutex<bool>>,
    socket: PathBuf,
    accepting: JoinHandle<()>,
}

impl Engine {
    pub fn start(socket: &Path, acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<Act>>()));
        let health = Arc::new(Mutex::new(READY));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let encodes = Arc::new(Mutex::new(false));
        let (of_acts, of_health, of_seen) = (acts.clone(), health.clone(), seen.clone());
        let of_encoding = encodes.clone();
        let accepting = tokio::spawn(async move {
            // Dies with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let encodes = *of_encoding.lock().unwrap();
                connections.spawn(converse(
                    stream,
                    of_acts.clone(),
                    of_health.clone(),
                    of_seen.clone(),
                    encodes,
                ));
            }
        });
        Self { acts, health, seen, encodes, socket: socket.to_owned(), accepting }
    }

    pub fn die(&self) {
        self.accepting.abort();
        std::fs::remove_file(&self.socket).unwrap();
    }

    pub fn questions(&self) -> Vec<String> {
        self.seen.lock().unwrap().questions.clone()
    }

    pub async fn wait_for_cancellation(&self) {
        for _ in 0..200 {
            if self.seen.lock().unwrap().cancelled > 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the engine's connection was not closed");
    }
}

async fn converse(
    mut stream: UnixStream,
    acts: Arc<Mutex<VecDeque<Act>>>,
    health: Arc<Mutex<&'static str>>,
    seen: Arc<Mutex<Seen>>,
    encodes: bool,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    if request.starts_with("GET /health") {
        let body = *health.lock().unwrap();
        if body.is_empty() {
            sleep(Duration::from_secs(60)).await;
        }
        let status = if body.contains("\"ready\"") { "200 OK" } else { "503 Service Unavailable" };
        stream.write_all(json(status, body).as_bytes()).await.ok();
        return;
    }
    if request.starts_with("POST /v1/embeddings") {
        let answer = if encodes { encoded(&request) } else { json("404 Not Found", NO_ENCODER) };
        stream.write_all(answer.as_bytes()).await.ok();
        return;
    }
    seen.lock().unwrap().questions.push(request);
    let act = acts.lock().unwrap().pop_front().unwrap_or(Act::Say(vec!["Hello", " there."]));
    if perform(&mut stream, act).await.is_err() {
        seen.lock().unwrap().cancelled += 1;
    }
}

const NO_ENCODER: &str = r#"{"error":{"message":"there is no model for embeddings","type":"invalid_request_error","code":"model_not_found"}}"#;

/// What a text means, to a very simple mind: whether it is about weapons, or about bread.
fn encoded(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let asked: serde_json::Value = serde_json::from_str(body).unwrap();
    let vector = |text: &str| {
        let has = |words: [&str; 3]| f32::from(u8::from(words.iter().any(|word| text.contains(word))));
        [has(["gun", "rifle", "pistol"]), has(["bread", "loaf", "bake"]), 0.01]
    };
    let texts = asked["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    let data: Vec<serde_json::Value> = texts
        .enumerate()
        .map(|(index, text)| serde_json::json!({ "object": "embedding", "index": index, "embedding": vector(text) }))
        .collect();
    let usage = serde_json::json!({ "prompt_tokens": 1, "total_tokens": 1 });
    let answer = serde_json::json!({ "object": "list", "data": data, "model": "mini", "usage": usage });
    json("200 OK", &answer.to_string())
}

/// An error means that the other side closed the connection.
async fn perform(stream: &mut UnixStream, act: Act) -> std::io::Result<()> {
    match act {
        Act::Say(words) => say(stream, &words, Duration::ZERO, true).await,
        Act::SaySlowly(words, pause) => say(stream, &words, pause, true).await,
        Act::SayAndDie(words) => say(stream, &words, Duration::ZERO, false).await,
        Act::Die => Ok(()),
        Act::Hang => {
            stream.read_u8().await?;
            Ok(())
        }
        Act::SayForEver(word) => {
            stream.write_all(STREAM.as_bytes()).await?;
            loop {
                stream.write_all(chunk(word).as_bytes()).await?;
                sleep(Duration::from_millis(5)).await;
            }
        }
        Act::Send(bytes) => stream.write_all(bytes.as_bytes()).await,
        Act::Refuse(status, body) => stream.write_all(json(status, body).as_bytes()).await,
    }
}

async fn say(stream: &mut UnixStream, words: &[&str], pause: Duration, whole: bool) -> std::io::Result<()> {
    stream.write_all(STREAM.as_bytes()).await?;
    for word in words {
        sleep(pause).await;
        stream.write_all(chunk(word).as_bytes()).await?;
    }
    if whole {
        let last = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"smol","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        let usage = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"smol","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
        for data in [last, usage, "[DONE]"] {
            stream.write_all(framed(&format!("data: {data}\n\n")).as_bytes()).await?;
        }
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

pub fn chunk(word: &str) -> String {
    let word = serde_json::to_string(word).unwrap();
    framed(&format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"smol\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{word}}},\"finish_reason\":null}}]}}\n\n"
    ))
}

fn framed(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn json(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Head and body, once both are whole.
async fn read_request(stream: &mut UnixStream) -> Option<String> {
    let mut request = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let is_whole = if head.contains("transfer-encoding: chunked") {
            request.ends_with(b"\r\n0\r\n\r\n")
        } else {
            request.len() - end - 4 >= length.map_or(0, |length| length.parse().unwrap())
        };
        if is_whole {
            return Some(String::from_utf8(request).unwrap());
        }
    }
}

/// Quick, so that a test of a wait does not wait.
pub fn impatient() -> Patience {
    Patience {
        engine_back: Duration::from_millis(1500),
        look: Duration::from_millis(20),
        sign_of_life: Duration::from_millis(150),
        quiet: Duration::from_millis(80),
        between_words: Duration::from_millis(600),
        keep_alive: Duration::from_millis(100),
        nobody_listens: Duration::from_millis(250),
        kept_answer: Duration::from_millis(1500),
    }
}

/// A portal on a real port.
pub struct TestBox {
    pub dir: TempDir,
    pub address: SocketAddr,
    pub stop: Option<oneshot::Sender<()>>,
    pub serving: JoinHandle<()>,
}

impl TestBox {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut PortalConfig)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = PortalConfig::new(dir.path().join("infer.sock"), dir.path());
        config.community_name = "Riverside <co-op> & friends".into();
        config.patience = impatient();
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, Portal::new(config), async {
            stopped.await.ok();
        }));
        Self { dir, address, stop: Some(stop), serving }
    }

    pub fn engine(&self, acts: impl IntoIterator<Item = Act>) -> Engine {
        Engine::start(&self.dir.path().join("infer.sock"), acts)
    }

    pub async fn send(&self, request: Request<String>) -> Response<Incoming> {
        send_to(self.address, request).await
    }

    pub async fn get(&self, path: &str) -> (Response<()>, String) {
        whole(self.send(Request::get(path).body(String::new()).unwrap()).await).await
    }

    /// Waits until the portal has seen an engine.
    pub async fn is_ready(&self) {
        for _ in 0..200 {
            if !self.get("/api/status").await.1.contains("\"places\":0") {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the portal sees no engine");
    }

    /// The page of the answer, as a browser comes to it.
    pub async fn ask_on_page(&self, question: &str, history: &str) -> (Response<()>, String) {
        whole(self.ask_by_form(form(question, history)).await).await
    }

    /// Sends a form and goes where it leads.
    pub async fn ask_by_form(&self, form: Request<String>) -> Response<Incoming> {
        let response = self.send(form).await;
        match response.headers().get("location") {
            Some(page) => {
                assert_eq!(response.status(), 303);
                self.send(Request::get(page.to_str().unwrap()).body(String::new()).unwrap()).await
            }
            None => response,
        }
    }

    /// The events of `POST /api/chat` behind those of the queue, as JSON.
    pub async fn ask_by_api(&self, question: &str) -> Vec<serde_json::Value> {
        let (response, text) = whole(self.send(api_question(question)).await).await;
        assert_eq!(response.status(), 200, "{text}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let events = events(&text);
        assert_eq!((&events[0].1["type"], &events[1].1["type"]), (&"started".into(), &"queued".into()));
        events.into_iter().map(|(_, event)| event).filter(|event| !is_of_the_queue(event)).collect()
    }

    /// Sends bytes as they are, and reads until the box closes the connection.
    pub async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// One request on a connection of its own. The connection closes when this is dropped before the answer, or the
/// answer's body is.
pub async fn send_to(address: SocketAddr, mut request: Request<String>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let host = address.to_string().parse().unwrap();
    request.headers_mut().entry("host").or_insert(host);
    sender.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.unwrap()
}

/// Numbers and data of server-sent events.
pub fn events(text: &str) -> Vec<(usize, serde_json::Value)> {
    let event = |event: &str| {
        let (id, data) = event.strip_prefix("id: ")?.split_once("\ndata: ")?;
        Some((id.parse().unwrap(), serde_json::from_str(data).unwrap()))
    };
    text.split("\n\n").filter_map(event).collect()
}

pub fn is_of_the_queue(event: &serde_json::Value) -> bool {
    event["type"] == "started" || event["type"] == "queued"
}

/// The cookie of the member with this number.
pub fn cookie(member: u32) -> String {
    format!("banyan_member={member:032x}")
}

/// The same request, sent by this member.
pub fn by(member: u32, mut request: Request<String>) -> Request<String> {
    request.headers_mut().insert("cookie", cookie(member).parse().unwrap());
    request
}

pub fn form(question: &str, history: &str) -> Request<String> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("question", question)
        .append_pair("history", history)
        .finish();
    Request::post("/chat").header("content-type", "application/x-www-form-urlencoded").body(body).unwrap()
}

pub fn api_question(question: &str) -> Request<String> {
    let body = serde_json::json!({ "messages": [{ "role": "user", "content": question }] });
    Request::post("/api/chat").header("content-type", "application/json").body(body.to_string()).unwrap()
}

pub async fn whole(response: Response<Incoming>) -> (Response<()>, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

/// The value of the first hidden history field after `mark` in a page, unescaped.
pub fn hidden_history(page: &str) -> String {
    let field = page.rsplit("name=\"history\" value=\"").next().unwrap().split('"').next().unwrap();
    field
        .replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
