//! `POST /v1/embeddings`.

use super::answer::{json, to_json};
use super::{App, Refusal, body, not_done, request};
use crate::embed::EmbedInput;
use crate::error::EngineError;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{ApiError, EmbeddingRequest, EmbeddingResponse, Input};
use std::sync::Arc;

/// Texts of one request, OpenAI's own limit.
const MAX_TEXTS: usize = 2048;

pub(super) async fn embeddings(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let models = app.models()?;
    let (embedding, _) = request::parse::<EmbeddingRequest>(&bytes)?;
    let service = models.registry.embedding(&embedding.model).await?;
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
    let count = inputs.len() as u64;
    let embedded = service.work(move |embedder, go_on| embedder.embed(&inputs, go_on)).await;
    let embedded = embedded
        .map_err(|e| not_done(&app, "embeddings", e))?
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
