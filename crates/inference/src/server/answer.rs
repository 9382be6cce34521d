//! From the engine's events to an answer, whole or as server-sent events. Chat and plain completions differ in the
//! shape of their JSON only, which is the trait [`Shape`].

use super::Refusal;
use crate::engine::{Event, EventStream, Finish, ScoredToken};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use banyan_openai::{ApiError, FinishReason, PromptTokensDetails, Usage, sse};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream, SelectAll, select_all};
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

/// The JSON of one kind of answer. A request may ask for several answers; `index` says which one is meant.
pub(super) trait Shape: Send + 'static {
    /// The first chunk of a stream, when there is one before any text.
    fn opening(&mut self, index: usize) -> Option<String>;
    /// Chunks with more text; none when it is held back.
    fn piece(&mut self, index: usize, text: String, scored: Vec<ScoredToken>) -> Vec<String>;
    /// What was held back, and the chunk that says why the answer ended.
    fn ending(&mut self, index: usize, finish: FinishReason) -> Vec<String>;
    /// The chunk with the usage.
    fn usage(&mut self, usage: Usage) -> String;
    /// The whole answers.
    fn whole(self, answers: Vec<Answer>, usage: Usage) -> String;
}

/// One whole answer.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) scored: Vec<ScoredToken>,
    pub(super) finish: FinishReason,
}

/// What all answers of a request cost together. Their prompt is the same one and counts once.
#[derive(Default)]
struct Cost {
    prompt: usize,
    completion: usize,
    cached: usize,
}

impl Cost {
    fn add(&mut self, prompt: usize, completion: usize, cached: usize) {
        self.prompt = prompt;
        self.completion += completion;
        self.cached = self.cached.max(cached);
    }

    fn usage(&self) -> Usage {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let details = PromptTokensDetails { cached_tokens: count(self.cached) };
        Usage {
            prompt_tokens_details: Some(details),
            ..Usage::new(count(self.prompt), count(self.completion))
        }
    }
}

/// Answers with one JSON value.
pub(super) async fn whole<S: Shape>(streams: Vec<EventStream>, shape: S) -> Result<Response, Refusal> {
    let (mut answers, mut cost) = (Vec::with_capacity(streams.len()), Cost::default());
    // One after the other: the engine keeps and joins what is not read yet.
    for mut events in streams {
        let (mut text, mut all) = (String::new(), Vec::new());
        let finish = loop {
            match events.next().await {
                Some(Event::Piece { text: more, scored }) => {
                    text.push_str(&more);
                    all.extend(scored);
                }
                Some(Event::Done { finish, prompt_tokens, completion_tokens, cached_tokens }) => {
                    cost.add(prompt_tokens, completion_tokens, cached_tokens);
                    break reason(finish);
                }
                Some(Event::Failed(reason)) => return Err(Refusal(ApiError::internal(reason))),
                None => return Err(Refusal(broke_off())),
            }
        };
        answers.push(Answer { text, scored: all, finish });
    }
    Ok(json(shape.whole(answers, cost.usage())))
}

/// Answers with server-sent events. When the client goes away the body is dropped, with it the engine's events, and
/// that cancels the request.
pub(super) fn streamed<S: Shape>(streams: Vec<EventStream>, mut shape: S, with_usage: bool) -> Response {
    let opening = (0..streams.len()).filter_map(|index| shape.opening(index));
    let queue: VecDeque<Bytes> = opening.map(|json| sse::encode(&json)).collect();
    let open = streams.len();
    let events = select_all(streams.into_iter().enumerate().map(|(index, events)| numbered(index, events)));
    let start = Streaming { events: Some(events), open, cost: Cost::default(), shape, queue, with_usage };
    let body = Body::from_stream(stream::unfold(start, Streaming::next));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Events with the number of their answer; `None` when the engine broke off.
type Numbered = BoxStream<'static, (usize, Option<Event>)>;

fn numbered(index: usize, events: EventStream) -> Numbered {
    let next = move |events: Option<EventStream>| async move {
        let mut events = events?;
        let event = events.next().await;
        let more = matches!(event, Some(Event::Piece { .. }));
        Some(((index, event), more.then_some(events)))
    };
    stream::unfold(Some(events), next).boxed()
}

struct Streaming<S> {
    /// `None` once the last event has come.
    events: Option<SelectAll<Numbered>>,
    /// Answers that have not ended.
    open: usize,
    cost: Cost,
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
                Ok(event) => {
                    let (index, event) = event?;
                    self.take(index, event);
                }
            }
        }
    }

    fn take(&mut self, index: usize, event: Option<Event>) {
        match event {
            Some(Event::Piece { text, scored }) => {
                let chunks = self.shape.piece(index, text, scored);
                self.queue.extend(chunks.iter().map(|json| sse::encode(json)));
            }
            Some(Event::Done { finish, prompt_tokens, completion_tokens, cached_tokens }) => {
                let chunks = self.shape.ending(index, reason(finish));
                self.queue.extend(chunks.iter().map(|json| sse::encode(json)));
                self.cost.add(prompt_tokens, completion_tokens, cached_tokens);
                self.open -= 1;
                if self.open == 0 {
                    self.end();
                }
            }
            // An answer that fails takes its siblings with it: the stream has one end.
            Some(Event::Failed(reason)) => self.fail(&ApiError::internal(reason)),
            None => self.fail(&broke_off()),
        }
    }

    fn end(&mut self) {
        if self.with_usage {
            let json = self.shape.usage(self.cost.usage());
            self.queue.push_back(sse::encode(&json));
        }
        self.queue.push_back(sse::encode(sse::DONE));
        self.events = None;
    }

    fn fail(&mut self, error: &ApiError) {
        self.queue.push_back(sse::encode(&error.to_json()));
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
