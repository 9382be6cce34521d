//! An engine of another maker behind a TCP port, which fails on demand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use banyan_portal::EngineSpec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::common::{STREAM, chunk};

/// What it does with questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers.
    Well,
    /// Closes the connection before the first word.
    DiesAtOnce,
    /// Says a word and closes the connection.
    DiesAfterAWord,
    /// Takes connections, and says nothing to anybody.
    Hangs,
    /// Says a word, and goes on only when it is told to do [`Manner::Well`].
    Waits,
    /// Refuses with this status and body.
    Refuses(&'static str, &'static str),
}

pub(crate) const LLAMA_CPP: &str = "llamacpp";
pub(crate) const VLLM: &str = "vllm";

#[derive(Debug)]
struct State {
    maker: &'static str,
    manner: Manner,
    loading: bool,
    questions: Vec<String>,
    cancelled: usize,
}

/// The engine, while it lives.
pub(crate) struct Foreign {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Foreign {
    pub(crate) async fn start(maker: &'static str) -> Self {
        let state =
            State { maker, manner: Manner::Well, loading: false, questions: Vec::new(), cancelled: 0 };
        Self::listen("127.0.0.1:0".parse().unwrap(), Arc::new(Mutex::new(state))).await
    }

    async fn listen(address: SocketAddr, state: Arc<Mutex<State>>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let of_connections = state.clone();
        let accepting = tokio::spawn(async move {
            // Dies with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, of_connections.clone()));
            }
        });
        Self { address, state, accepting }
    }

    /// Nobody listens any more, and every connection is closed.
    pub(crate) async fn die(&mut self) {
        self.accepting.abort();
        (&mut self.accepting).await.ok();
    }

    /// Listens again where it did.
    pub(crate) async fn revive(&mut self) {
        *self = Self::listen(self.address, self.state.clone()).await;
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    pub(crate) fn load(&self, loading: bool) {
        self.state.lock().unwrap().loading = loading;
    }

    /// Head and body of each question.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.state.lock().unwrap().questions.clone()
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.state.lock().unwrap().cancelled
    }

    /// As the settings name it.
    pub(crate) fn spec(&self) -> EngineSpec {
        let address: banyan_openai::HttpAddress = format!("http://{}", self.address).parse().unwrap();
        EngineSpec {
            name: "hall".into(),
            address: address.into(),
            api_key: None,
            slots: Some(2),
            model: None,
        }
    }
}

async fn converse(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let (maker, manner, loading) = {
        let state = state.lock().unwrap();
        (state.maker, state.manner, state.loading)
    };
    if manner == Manner::Hangs {
        if request.starts_with("POST") {
            state.lock().unwrap().questions.push(request);
        }
        sleep(Duration::from_secs(60)).await;
    } else if loading {
        let body = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
        answer(&mut stream, "503 Service Unavailable", body).await;
    } else if request.starts_with("GET /health") {
        answer(&mut stream, "200 OK", if maker == LLAMA_CPP { r#"{"status":"ok"}"# } else { "" }).await;
    } else if request.starts_with("GET /v1/models") {
        let body = format!(
            r#"{{"object":"list","data":[{{"id":"{maker}-model","object":"model","created":1,"owned_by":"{maker}"}}]}}"#
        );
        answer(&mut stream, "200 OK", &body).await;
    } else if request.starts_with("GET /props") {
        answer(&mut stream, "200 OK", r#"{"total_slots":2,"model_path":"m.gguf"}"#).await;
    } else {
        state.lock().unwrap().questions.push(request);
        if question(&mut stream, manner, &state).await.is_err() {
            state.lock().unwrap().cancelled += 1;
        }
    }
}

/// An error means that the other side closed the connection.
async fn question(stream: &mut TcpStream, manner: Manner, state: &Mutex<State>) -> std::io::Result<()> {
    match manner {
        Manner::DiesAtOnce | Manner::Hangs => return Ok(()),
        Manner::Refuses(status, body) => {
            answer(stream, status, body).await;
            return Ok(());
        }
        _ => {}
    }
    stream.write_all(STREAM.as_bytes()).await?;
    stream.write_all(chunk("From the hall").as_bytes()).await?;
    if manner == Manner::DiesAfterAWord {
        return Ok(());
    }
    let waits = || state.lock().unwrap().manner == Manner::Waits;
    while waits() {
        stream.write_all(chunk("…").as_bytes()).await?;
        sleep(Duration::from_millis(5)).await;
    }
    let end = "data: [DONE]\n\n";
    stream.write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes()).await
}

async fn answer(stream: &mut TcpStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.ok();
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        if request.len() - end - 4 >= length.map_or(0, |length| length.parse().unwrap()) {
            return String::from_utf8(request).ok();
        }
    }
}
