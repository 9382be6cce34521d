//! `POST /v1/embeddings`.

use super::answer::{json, to_json};
use super::{App, Refusal, body, off_thread, request};
use crate::embed::{EmbedInput, Embedder};
use crate::error::EngineError;
use crate::load::EmbeddingModel;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{ApiError, EmbeddingRequest, EmbeddingResponse, Input};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Texts of one request, OpenAI's own limit.
const MAX_TEXTS: usize = 2048;

/// Seconds until a full queue of embeddings may have room: one request takes a second or two.
const RETRY_AFTER_S: u32 = 2;

/// An embedding model and the queue before it: one request computes at a time, in the order of arrival.
pub(super) struct EmbeddingService {
    pub(super) name: String,
    pub(super) created: u64,
    embedder: Arc<Mutex<Embedder>>,
    turn: Semaphore,
    in_flight: AtomicUsize,
    max_waiting: usize,
}

impl EmbeddingService {
    pub(super) fn new(model: EmbeddingModel, max_waiting: usize) -> EmbeddingService {
        EmbeddingService {
            name: model.name,
            created: model.created,
            embedder: Arc::new(Mutex::new(model.embedder)),
            turn: Semaphore::new(1),
            in_flight: AtomicUsize::new(0),
            max_waiting,
        }
    }
}

/// Counts a request as long as it lives.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says on its way out that nobody waits for the result any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) async fn embeddings(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let models = app.models()?;
    let (embedding, _) = request::parse::<EmbeddingRequest>(&bytes)?;
    let service = models.embedding.as_ref().ok_or_else(|| {
        ApiError::model_not_found(
            "embeddings",
            "no model that makes embeddings; import one with `banyan model import`",
        )
    })?;
    request::check_model(&embedding.model, &service.name)?;
    if embedding.dimensions.is_some() {
        return Err(Refusal(ApiError::invalid_param(
            "dimensions",
            format!(
                "the vectors of {} have one size and cannot be shortened; leave `dimensions` out",
                service.name
            ),
        )));
    }
    let inputs = inputs(embedding.input)?;
    let before = service.in_flight.fetch_add(1, Ordering::Relaxed);
    let _place = Place(&service.in_flight);
    if before > service.max_waiting {
        app.metrics.refused.inc();
        let words = format!("{before} requests for embeddings are waiting already; try again in a moment");
        return Err(Refusal(ApiError::queue_full(words, RETRY_AFTER_S)));
    }
    let _turn = service.turn.acquire().await.map_err(|_| ApiError::engine_unavailable("the engine stops"))?;
    let stop = StopOnDrop(Arc::default());
    let (stopped, embedder) = (Arc::clone(&stop.0), Arc::clone(&service.embedder));
    let count = inputs.len() as u64;
    let embedded = off_thread(move || {
        let mut embedder = embedder.lock().unwrap_or_else(PoisonError::into_inner);
        embedder.embed(&inputs, &mut || !stopped.load(Ordering::Relaxed))
    })
    .await?;
    let embedded = embedded
        .map_err(|e| match e {
            EngineError::Tokenizer(words) => ApiError::invalid_param("input", words),
            other => ApiError::internal(other.to_string()),
        })?
        .ok_or_else(|| ApiError::internal("the request was given up"))?;
    app.metrics.embedded.inc_by(count);
    let format = embedding.encoding_format.unwrap_or_default();
    let tokens = u32::try_from(embedded.tokens).unwrap_or(u32::MAX);
    let response = EmbeddingResponse::new(service.name.as_str(), embedded.vectors, format, tokens);
    Ok(json(to_json(&response)))
}

fn inputs(input: Input) -> Result<Vec<EmbedInput>, Refusal> {
    if input.is_empty() || input.len() > MAX_TEXTS {
        return Err(Refusal(ApiError::invalid_param(
            "input",
            format!("`input` takes 1 to {MAX_TEXTS} texts, not {}", input.len()),
        )));
    }
    let inputs: Vec<EmbedInput> = match input {
        Input::Text(text) => vec![EmbedInput::Text(text)],
        Input::Texts(texts) => texts.into_iter().map(EmbedInput::Text).collect(),
        Input::Tokens(tokens) => vec![EmbedInput::Tokens(tokens)],
        Input::TokenLists(lists) => lists.into_iter().map(EmbedInput::Tokens).collect(),
    };
    let empty = |input: &EmbedInput| match input {
        EmbedInput::Text(text) => text.is_empty(),
        EmbedInput::Tokens(tokens) => tokens.is_empty(),
    };
    if let Some(at) = inputs.iter().position(empty) {
        return Err(Refusal(ApiError::invalid_param("input", format!("text {at} of `input` is empty"))));
    }
    Ok(inputs)
}
