//! `/v1`: the OpenAI API for programs with a key.
//!
//! Chat and completions wait for their turn in the same queue as members' questions, each key as one member, and go to
//! whichever engine is free; when that one fails before its first byte, to another. Everything else goes to the box's own
//! engine at once, as it is. Where a community was founded, its policy holds for programs as for members: see `rules` and
//! `governed`. Answers are streamed through; a client that goes away leaves the queue, or cancels its
//! generation. CORS is off: a key does not belong into a web page.

mod governed;
mod rules;
mod turn;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use banyan_openai::{
    ApiError, ChatRequest, ChatResponse, ClientError, CompletionRequest, CompletionResponse,
    EmbeddingRequest, EmbeddingResponse, ErrorBody, Model, ModelList, RerankRequest, RerankResponse,
};
use http::{HeaderMap, HeaderValue, Request, header};

use crate::Portal;
use crate::body::{self, BodyFault};
use crate::visit::Visit;

/// The largest request: a few thousand passages to embed at once.
pub(crate) const MAX_BODY: usize = 8 * 1024 * 1024;

/// Continue a conversation.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatRequest,
    security(("api_key" = [])),
    responses(
        (status = 200, description = "The answer; with `stream`, server-sent events of chunks", body = ChatResponse),
        (status = 401, description = "No valid API key", body = ErrorBody),
        (status = 429, description = "This key has asked for as much as it may", body = ErrorBody),
        (status = 503, description = "The engine is away, or the queue too long", body = ErrorBody),
    )
)]
pub(crate) async fn chat_completions(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    turn::take(portal, visit, request).await
}

/// Continue a text.
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "openai",
    request_body = CompletionRequest,
    security(("api_key" = [])),
    responses(
        (status = 200, description = "The continuation; with `stream`, server-sent events", body = CompletionResponse),
        (status = 401, description = "No valid API key", body = ErrorBody),
        (status = 429, description = "This key has asked for as much as it may", body = ErrorBody),
        (status = 503, description = "The engine is away, or the queue too long", body = ErrorBody),
    )
)]
pub(crate) async fn completions(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    turn::take(portal, visit, request).await
}

/// Turn texts into vectors.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "openai",
    request_body = EmbeddingRequest,
    security(("api_key" = [])),
    responses(
        (status = 200, body = EmbeddingResponse),
        (status = 401, description = "No valid API key", body = ErrorBody),
        (status = 503, description = "The engine is away or full", body = ErrorBody),
    )
)]
pub(crate) async fn embeddings(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    forward(portal, visit, request).await
}

/// Order documents by how well they fit a question, in the form of Jina and Cohere.
#[utoipa::path(
    post,
    path = "/v1/rerank",
    tag = "openai",
    request_body = RerankRequest,
    security(("api_key" = [])),
    responses(
        (status = 200, body = RerankResponse),
        (status = 401, description = "No valid API key", body = ErrorBody),
        (status = 404, description = "The box has no model for this", body = ErrorBody),
        (status = 503, description = "The engine is away or full", body = ErrorBody),
    )
)]
pub(crate) async fn rerank(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    forward(portal, visit, request).await
}

/// The models on the box.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "openai",
    security(("api_key" = [])),
    responses((status = 200, body = ModelList), (status = 401, description = "No valid API key", body = ErrorBody))
)]
pub(crate) async fn models(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    forward(portal, visit, request).await
}

/// One model on the box.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    tag = "openai",
    params(("model" = String, Path, description = "The name, as `/v1/models` lists it")),
    security(("api_key" = [])),
    responses(
        (status = 200, body = Model),
        (status = 401, description = "No valid API key", body = ErrorBody),
        (status = 404, description = "No model of this name serves", body = ErrorBody),
    )
)]
pub(crate) async fn model(
    portal: State<Portal>,
    visit: Extension<Visit>,
    request: Request<Body>,
) -> Response {
    forward(portal, visit, request).await
}

async fn forward(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    match try_forward(&portal, request).await {
        Ok(response) => response,
        Err(refused) => refused.answer(&portal, &visit),
    }
}

enum Refused {
    Key(ApiError),
    Body(BodyFault),
    Engine(ApiError),
}

impl Refused {
    fn answer(self, portal: &Portal, visit: &Visit) -> Response {
        match self {
            Self::Key(error) => {
                let mut response = error.to_response().map(Body::new);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Body(fault) => portal.refuse(visit, fault.status()),
            Self::Engine(error) => error.to_response().map(Body::new),
        }
    }
}

async fn try_forward(portal: &Portal, request: Request<Body>) -> Result<Response, Refused> {
    let name = authorize(portal, request.headers())?;
    let (mut parts, body) = request.into_parts();
    keep_private(&mut parts.headers);
    let body =
        body::bound(&parts.headers, body, MAX_BODY, portal.limits().body_within).map_err(Refused::Body)?;
    tracing::debug!(key = name, path = parts.uri.path(), "API request");
    match portal.engine().forward(Request::from_parts(parts, body)).await {
        Ok(response) => Ok(response.map(Body::new).into_response()),
        Err(ClientError::Upload(error)) => Err(Refused::Body(BodyFault::of(&error))),
        Err(error) => Err(Refused::Engine(error.to_api_error())),
    }
}

/// What is between the client and this box is not the engine's to know.
fn keep_private(headers: &mut HeaderMap) {
    for private in [header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::REFERER] {
        headers.remove(private);
    }
}

fn authorize(portal: &Portal, headers: &HeaderMap) -> Result<String, Refused> {
    let refuse = |message: &str| Refused::Key(ApiError::invalid_api_key(message));
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| {
        refuse("no API key was sent; send the header \"Authorization: Bearer bk_…\". A steward can make a key for you")
    })?;
    let presented = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| refuse("the Authorization header is not of the form \"Bearer bk_…\""))?;
    match portal.keys().check(presented) {
        Ok(Some(name)) => Ok(name),
        Ok(None) => {
            Err(refuse("this API key is not valid on this box, or was revoked; ask a steward for a new one"))
        }
        Err(error) => {
            tracing::error!(%error, "API keys cannot be read");
            Err(Refused::Engine(ApiError::internal("the box cannot read its API keys; tell a steward")))
        }
    }
}
