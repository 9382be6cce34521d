//! The client against a hand-made engine that misbehaves on demand.
#![allow(clippy::unwrap_used, reason = "helpers of tests; a failure here is a failed test")]

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use banyan_openai::{BearerKey, ChatMessage, ChatRequest, Client, ClientError, HealthStatus, Maker, Role};
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const CHUNK: &str = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunked(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn json(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Answers one connection with `answer` and closes it, and gives the head it was sent.
fn engine(dir: &Path, answer: String) -> (Client, oneshot::Receiver<String>) {
    let socket = dir.join("infer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        sender.send(head).ok();
    });
    (Client::new(socket), receiver)
}

fn hello() -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::new(Role::User, "Hello")]).streamed()
}

async fn stream_of(answer: String) -> Result<Vec<String>, ClientError> {
    let dir = TempDir::new().unwrap();
    let (client, _head) = engine(dir.path(), answer);
    let mut stream = client.chat_stream(&hello()).await?;
    let mut texts = Vec::new();
    while let Some(chunk) = stream.next().await {
        texts.push(chunk?.choices[0].delta.content.clone().unwrap());
    }
    Ok(texts)
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece_until_the_engine_says_done() {
    let events = format!("data: {CHUNK}\n\n: ping\n\ndata: {CHUNK}\r\n\r\ndata: [DONE]\n\n");
    let (first, second) = events.split_at(77);
    let answer = format!("{STREAM}{}{}0\r\n\r\n", chunked(first), chunked(second));
    assert_eq!(stream_of(answer).await.unwrap(), ["Hi", "Hi"]);
}

#[tokio::test]
async fn an_engine_that_dies_in_the_middle_is_told_from_one_that_is_done() {
    let piece = chunked(&format!("data: {CHUNK}\n\n"));
    for answer in [format!("{STREAM}{piece}"), format!("{STREAM}{piece}0\r\n\r\n")] {
        let error = stream_of(answer).await.unwrap_err();
        assert!(matches!(error, ClientError::GoneMidAnswer(_)), "{error:?}");
        assert!(error.is_passing() && error.to_string().contains("ask again"), "{error}");
    }
}

#[tokio::test]
async fn an_error_inside_the_stream_keeps_the_engines_words() {
    let event =
        "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let error = stream_of(format!("{STREAM}{}", chunked(event))).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused(api) if api.detail.message == "out of memory"),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_is_not_the_wire_is_called_unreadable() {
    let answers = [
        format!("{STREAM}{}", chunked("data: <html>\n\n")),
        json("200 OK", "", "{}"),
        json("500 Oh", "", "<html>"),
        "SSH-2.0-OpenSSH_9.2p1\r\n".into(),
    ];
    for answer in answers {
        let error = stream_of(answer.clone()).await.unwrap_err();
        assert!(matches!(error, ClientError::Garbled(_)), "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn each_way_of_being_away_has_its_own_words() {
    let dir = TempDir::new().unwrap();
    let absent = Client::new(dir.path().join("infer.sock"));
    let error = absent.health().await.unwrap_err();
    assert!(
        matches!(error, ClientError::NotRunning { .. }) && error.to_string().contains("banyan status"),
        "{error}"
    );

    let error = Client::new("/".repeat(108)).health().await.unwrap_err();
    assert!(error.to_string().contains("shorter --data"), "{error}");

    let error = stream_of(String::new()).await.unwrap_err();
    assert!(matches!(error, ClientError::GoneBeforeAnswer(_)), "{error:?}");

    let body = r#"{"error":{"message":"reading smollm2","type":"server_error","code":"model_loading"}}"#;
    let error = stream_of(json("503 Service Unavailable", "retry-after: 3\r\n", body)).await.unwrap_err();
    assert!(matches!(&error, ClientError::Loading(api) if api.retry_after == Some(3)), "{error:?}");
    assert!(error.to_string().contains("still loading"), "{error}");

    let body =
        r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let error = stream_of(json("400 Bad Request", "", body)).await.unwrap_err();
    assert!(matches!(&error, ClientError::Refused(api) if api.status == 400), "{error:?}");
    assert!(!error.is_passing());
}

/// Sends the beginning of a stream, then ends only when the client closes the connection.
fn engine_that_reads_on(dir: &Path) -> (Client, JoinHandle<()>) {
    let socket = dir.join("infer.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let engine = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let piece = chunked(&format!("data: {CHUNK}\n\n"));
        stream.write_all(format!("{STREAM}{piece}").as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    (Client::new(socket), engine)
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let dir = TempDir::new().unwrap();
    let (client, engine) = engine_that_reads_on(dir.path());
    let mut stream = client.chat_stream(&hello()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let ended = timeout(Duration::from_secs(2), engine).await;
    assert!(ended.is_ok(), "the engine must see the end of the connection at once");
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection_even_while_the_request_is_still_being_sent() {
    let dir = TempDir::new().unwrap();
    let (client, engine) = engine_that_reads_on(dir.path());
    let pieces = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"more"))), ()))
    });
    let request = Request::post("/v1/embeddings").body(StreamBody::new(Box::pin(pieces))).unwrap();
    drop(client.forward(request).await.unwrap());
    let ended = timeout(Duration::from_secs(2), engine).await;
    assert!(ended.is_ok(), "the engine must see the end of the connection at once");
}

#[tokio::test]
async fn health_is_read_while_the_engine_loads() {
    let dir = TempDir::new().unwrap();
    let body = r#"{"status":"loading","reason":"reading weights","model":null,"slots":4}"#;
    let (client, _head) = engine(dir.path(), json("503 Service Unavailable", "", body));
    let health = client.health().await.unwrap();
    assert_eq!((health.status, health.slots), (HealthStatus::Loading, 4));
}

#[tokio::test]
async fn forwarding_keeps_the_request_and_leaves_out_what_belongs_to_the_connection() {
    let dir = TempDir::new().unwrap();
    let (client, head) =
        engine(dir.path(), json("201 Created", "keep-alive: timeout=5\r\nx-own: 1\r\n", "{\"a\":1}"));
    let request = Request::post("http://box:8080/v1/embeddings?a=b")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("x-mine", "2")
        .body(Full::new(Bytes::from("{}")))
        .unwrap();
    let response = client.forward(request).await.unwrap();
    assert_eq!(response.status(), 201);
    assert!(response.headers().contains_key("x-own") && !response.headers().contains_key("keep-alive"));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "{\"a\":1}");
    let head = head.await.unwrap();
    assert!(head.starts_with("POST /v1/embeddings?a=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-mine: 2") && !head.contains("x-hop") && !head.contains("box:8080"), "{head}");
}

/// The same over TCP: answers one connection after another with `answers`, and gives the heads it was sent.
async fn far_engine(base: &str, answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}{base}", listener.local_addr().unwrap());
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.push(read_head(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        heads
    });
    (Client::http(address.parse().unwrap(), BearerKey::new("secret")), heads)
}

#[tokio::test]
async fn an_engine_on_another_machine_gets_its_key_its_name_and_the_base_of_its_address() {
    let events = format!("data: {CHUNK}\n\ndata: [DONE]\n\n");
    let (client, heads) = far_engine("/llm/v1", vec![format!("{STREAM}{}0\r\n\r\n", chunked(&events))]).await;
    let mut stream = client.chat_stream(&hello()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().choices[0].delta.content.as_deref(), Some("Hi"));
    assert!(stream.next().await.is_none());
    let head = heads.await.unwrap().remove(0);
    assert!(head.starts_with("POST /llm/v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer secret\r\n"), "{head}");
    let host = client.address().to_string().replace("http://", "").replace("/llm", "");
    assert!(head.contains(&format!("host: {host}\r\n")), "{head}");
}

#[tokio::test]
async fn dropping_the_stream_closes_a_tcp_connection_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let engine = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let piece = chunked(&format!("data: {CHUNK}\n\n"));
        stream.write_all(format!("{STREAM}{piece}").as_bytes()).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let mut stream = Client::http(address.parse().unwrap(), None).chat_stream(&hello()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    assert!(timeout(Duration::from_secs(2), engine).await.is_ok(), "the engine must see the end at once");
}

#[tokio::test]
async fn nobody_at_the_other_end_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::http(address.parse().unwrap(), None).models().await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    assert!(error.to_string().contains(&address) && error.to_string().contains("is it running"), "{error}");

    // Takes no connection: a queue of one is full.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let at = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(timeout(Duration::from_millis(50), TcpStream::connect(at)).await);
    }
    let patient = Client::http(format!("http://{at}").parse().unwrap(), None);
    let error = patient.with_patience(Duration::from_millis(200)).models().await.unwrap_err();
    assert!(matches!(error, ClientError::Silent(_)), "{error:?}");
}

#[tokio::test]
async fn engines_of_every_maker_introduce_themselves() {
    let models = |maker: &str| {
        let body = format!(
            r#"{{"object":"list","data":[{{"id":"{maker}-model","owned_by":"{maker}","max_model_len":4096}}]}}"#
        );
        json("200 OK", "", &body)
    };
    let ok = |body: &str| json("200 OK", "", body);
    let absent = || json("404 Not Found", "", r#"{"error":{"message":"no such page"}}"#);
    let cases = [
        (vec![ok(r#"{"status":"ok"}"#), models("llamacpp"), ok(r#"{"total_slots":3}"#)], Maker::LlamaCpp, 3),
        (vec![ok(""), models("vllm")], Maker::Vllm, 64),
        (
            vec![absent(), models("banyan"), ok(r#"{"engine":{"model":"m"},"queue":{"places":9}}"#)],
            Maker::Banyan,
            9,
        ),
        (vec![absent(), models("banyan"), absent()], Maker::Banyan, 0),
        (vec![absent(), models("somebody")], Maker::Other, 0),
        (vec![ok(r#"{"status":"ready","model":"m","slots":8}"#)], Maker::Banyan, 8),
    ];
    for (answers, maker, slots) in cases {
        let (client, _heads) = far_engine("", answers).await;
        let introduction = client.introduction().await.unwrap();
        assert_eq!((introduction.maker, introduction.health.slots), (maker, slots));
        assert_eq!(introduction.health.status, HealthStatus::Ready, "{maker:?}");
        assert!(introduction.health.model.is_some(), "{maker:?}");
    }
}

#[tokio::test]
async fn the_model_that_answers_is_found_among_those_that_do_something_else() {
    let list = |data: &str| json("200 OK", "", &format!(r#"{{"object":"list","data":[{data}]}}"#));
    let embeds = r#"{"id":"mini","kind":"embedding","loaded":true,"owned_by":"banyan"}"#;
    let adapter = r#"{"id":"adapter","parent":"smol","owned_by":"banyan"}"#;
    let chats = r#"{"id":"big","kind":"chat","loaded":false},{"id":"smol","kind":"chat","loaded":true}"#;
    let cases = [
        (format!("{embeds},{adapter},{chats}"), None, Some("smol")),
        (format!("{embeds},{adapter},{chats}"), Some("big"), Some("big")),
        (format!("{embeds},{adapter}"), None, None),
    ];
    for (models, chosen, expected) in cases {
        let status = match chosen {
            Some(name) => format!(r#"{{"engine":{{"model":"{name}"}},"queue":{{"places":2}}}}"#),
            None => "{}".into(),
        };
        let answers = vec![json("404 No", "", "{}"), list(&models), json("200 OK", "", &status)];
        let (client, _heads) = far_engine("", answers).await;
        let health = client.introduction().await.unwrap().health;
        assert_eq!(health.model.as_deref(), expected, "{models}");
        let status = if expected.is_some() { HealthStatus::Ready } else { HealthStatus::Failed };
        assert_eq!(health.status, status, "{models}");
    }
}

#[tokio::test]
async fn what_keeps_an_engine_of_another_maker_from_answering_is_told_apart() {
    let loading = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
    let (client, _heads) = far_engine("", vec![json("503 Service Unavailable", "", loading)]).await;
    let error = client.introduction().await.unwrap_err();
    assert!(matches!(error, ClientError::Loading(_)), "llama.cpp's server: {error:?}");

    let loading = r#"{"error":{"message":"reading","type":"server_error","code":"model_loading"}}"#;
    let answers = vec![json("404 No", "", "{}"), json("503 Service Unavailable", "", loading)];
    let (client, _heads) = far_engine("", answers).await;
    assert_eq!(client.introduction().await.unwrap().health.status, HealthStatus::Loading, "another box");

    let no_key = [r#"{"error":"Unauthorized"}"#, "", r#"{"detail":"bad key"}"#];
    for body in no_key {
        let (client, _heads) = far_engine("", vec![json("200 OK", "", ""), json("401 No", "", body)]).await;
        let error = client.introduction().await.unwrap_err();
        assert!(matches!(&error, ClientError::Refused(api) if api.status == 401), "{body}: {error:?}");
    }

    let (client, _heads) = far_engine("", vec![json("503 Service Unavailable", "", "")]).await;
    let error = client.introduction().await.unwrap_err();
    assert!(error.to_string().contains("503"), "vLLM whose engine died: {error}");
}

#[tokio::test]
async fn errors_of_other_makers_keep_their_words() {
    let cases = [
        r#"{"error":{"code":400,"message":"the context is too small","type":"exceed_context_size_error"}}"#,
        r#"{"object":"error","message":"the context is too small","type":"BadRequestError","code":400}"#,
        r#"{"detail":"the context is too small"}"#,
    ];
    for body in cases {
        let (client, _heads) = far_engine("", vec![json("400 Bad Request", "", body)]).await;
        let error = client.chat(&hello()).await.unwrap_err();
        assert!(matches!(error, ClientError::Refused(_)), "{error:?}");
        assert_eq!(error.to_string(), "the context is too small");
    }
}
