//! From the engine's events to an answer, whole or as server-sent events. Chat and plain completions differ in the
//! shape of their JSON only, which is the trait [`Shape`].

use super::Refusal;
use crate::engine::{Event, EventStream, Finish, ScoredToken};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use banyan_openai::{ApiError, FinishReason, PromptTokensDetails, Usage, sse};
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokenizers::Tokenizer;

/// A comment is sent when nothing else was for so long: while a request waits its turn, proxies and phones would
/// take the silence for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What all parts of one answer carry.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
}

impl Head {
    pub(super) fn new(prefix: &str, model: &str) -> Head {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Head { id: format!("{prefix}-{:032x}", rand::random::<u128>()), created, model: model.to_owned() }
    }
}

/// The JSON of one kind of answer.
pub(super) trait Shape: Send + 'static {
    /// The first chunk of a stream, when there is one before any text.
    fn opening(&mut self) -> Option<String>;
    /// A chunk with more text.
    fn piece(&mut self, text: String, scored: Vec<ScoredToken>) -> String;
    /// The chunk that says why the answer ended.
    fn ending(&mut self, finish: FinishReason) -> String;
    /// The chunk with the usage.
    fn usage(&mut self, usage: Usage) -> String;
    /// The whole answer.
    fn whole(self, text: String, scored: Vec<ScoredToken>, finish: FinishReason, usage: Usage) -> String;
}

/// Answers with one JSON value.
pub(super) async fn whole<S: Shape>(mut events: EventStream, shape: S) -> Result<Response, Refusal> {
    let (mut text, mut all) = (String::new(), Vec::new());
    loop {
        match events.next().await {
            Some(Event::Piece { text: more, scored }) => {
                text.push_str(&more);
                all.extend(scored);
            }
            Some(Event::Done { finish, prompt_tokens, completion_tokens, cached_tokens }) => {
                let usage = usage(prompt_tokens, completion_tokens, cached_tokens);
                return Ok(json(shape.whole(text, all, reason(finish), usage)));
            }
            Some(Event::Failed(reason)) => return Err(Refusal(ApiError::internal(reason))),
            None => return Err(Refusal(broke_off())),
        }
    }
}

/// Answers with server-sent events. When the client goes away the body is dropped, with it the engine's events, and
/// that cancels the request.
pub(super) fn streamed<S: Shape>(events: EventStream, mut shape: S, with_usage: bool) -> Response {
    let queue: VecDeque<Bytes> = shape.opening().map(|json| sse::encode(&json)).into_iter().collect();
    let start = Streaming { events: Some(events), shape, queue, with_usage };
    let body = Body::from_stream(stream::unfold(start, Streaming::next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

struct Streaming<S> {
    /// `None` once the last event has come.
    events: Option<EventStream>,
    shape: S,
    queue: VecDeque<Bytes>,
    with_usage: bool,
}

impl<S: Shape> Streaming<S> {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            if let Some(bytes) = self.queue.pop_front() {
                return Some((Ok(bytes), self));
            }
            let events = self.events.as_mut()?;
            match tokio::time::timeout(KEEP_ALIVE, events.next()).await {
                Err(_) => self.queue.push_back(sse::keep_alive()),
                Ok(event) => self.take(event),
            }
        }
    }

    fn take(&mut self, event: Option<Event>) {
        match event {
            Some(Event::Piece { text, scored }) => {
                let json = self.shape.piece(text, scored);
                self.queue.push_back(sse::encode(&json));
                return;
            }
            Some(Event::Done { finish, prompt_tokens, completion_tokens, cached_tokens }) => {
                let json = self.shape.ending(reason(finish));
                self.queue.push_back(sse::encode(&json));
                if self.with_usage {
                    let json = self.shape.usage(usage(prompt_tokens, completion_tokens, cached_tokens));
                    self.queue.push_back(sse::encode(&json));
                }
                self.queue.push_back(sse::encode(sse::DONE));
            }
            Some(Event::Failed(reason)) => {
                self.queue.push_back(sse::encode(&ApiError::internal(reason).to_json()));
            }
            None => self.queue.push_back(sse::encode(&broke_off().to_json())),
        }
        self.events = None;
    }
}

/// JSON text as a response.
pub(super) fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// A value as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|e| ApiError::internal(e.to_string()).to_json())
}

fn broke_off() -> ApiError {
    ApiError::engine_unavailable("the engine stopped in the middle of this answer; ask again in a moment")
}

fn reason(finish: Finish) -> FinishReason {
    match finish {
        Finish::Stop => FinishReason::Stop,
        Finish::Length => FinishReason::Length,
    }
}

fn usage(prompt: usize, completion: usize, cached: usize) -> Usage {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let details = PromptTokensDetails { cached_tokens: count(cached) };
    Usage { prompt_tokens_details: Some(details), ..Usage::new(count(prompt), count(completion)) }
}

/// Names tokens for log probabilities.
#[derive(Clone)]
pub(super) struct TokenNames(pub(super) Arc<Tokenizer>);

impl TokenNames {
    /// The token's text, and its bytes when it is whole characters.
    pub(super) fn name(&self, token: u32) -> (String, Option<Vec<u8>>) {
        let text = self.0.decode(&[token], false).unwrap_or_default();
        let bytes = (!text.contains('\u{FFFD}')).then(|| text.clone().into_bytes());
        (text, bytes)
    }
}
