//! The web app's API: `/api/chat`, `/api/status` and the description of all APIs.

mod types;

use std::convert::Infallible;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use banyan_openai::{ApiError, ErrorBody, HealthStatus, sse};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Request, header};
use tokio::time::timeout;

pub(crate) use self::types::{ChatEvent, ChatRequest, EngineState, EngineStatus, Speaker, Status};
use crate::answer::{AnswerEvent, Failure, answer};
use crate::language::Language;
use crate::pages::chat::{MAX_QUESTION, notice_text};
use crate::pages::failure::wording;
use crate::visit::Visit;
use crate::{Portal, body};

/// The largest request of the web app.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// The most tokens of one answer to a member: some three pages. Longer ones are asked on.
pub(crate) const MAX_ANSWER_TOKENS: u32 = 1024;

/// Ask, and get the answer as it is made.
///
/// Server-sent events; the data of each is one `ChatEvent` as JSON. The last is `done` or `error`. Closing the
/// connection stops the answer.
#[utoipa::path(
    post,
    path = "/api/chat",
    tag = "app",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The events of the answer", content_type = "text/event-stream", body = ChatEvent),
        (status = 400, description = "The request makes no sense", body = ErrorBody),
        (status = 403, description = "Sent by another site's page", body = ErrorBody),
        (status = 413, description = "The request is too large", body = ErrorBody),
    )
)]
pub(crate) async fn chat(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read(&parts.headers, body, MAX_BODY, portal.limits().body_within).await {
        Ok(body) => body,
        Err(fault) => return portal.refuse(&visit, fault.status()),
    };
    let request = match read(&body) {
        Ok(request) => request,
        Err(error) => return error.to_response().map(Body::new),
    };
    let alone = request.messages.len() == 1;
    let stream = EventStream {
        events: Box::pin(answer(portal.engine().clone(), request, portal.patience().clone())),
        portal,
        visit,
        alone,
    };
    let body = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (headers, Body::from_stream(body)).into_response()
}

/// How the box is, for the web app.
#[utoipa::path(get, path = "/api/status", tag = "app", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(portal): State<Portal>) -> Json<Status> {
    let engine = match portal.engine().health().await {
        Ok(health) => EngineStatus {
            state: match health.status {
                HealthStatus::Ready => EngineState::Ready,
                HealthStatus::Loading => EngineState::Loading,
                HealthStatus::Failed => EngineState::Failed,
            },
            model: health.model,
            reason: health.reason,
        },
        Err(error) => EngineStatus { state: EngineState::Down, model: None, reason: Some(error.to_string()) },
    };
    let languages = Language::ALL.iter().map(|language| language.code().to_owned()).collect();
    Json(Status { engine, version: env!("CARGO_PKG_VERSION").to_owned(), languages })
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, crate::portal::openapi_json()).into_response()
}

fn read(body: &[u8]) -> Result<banyan_openai::ChatRequest, ApiError> {
    let request: ChatRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_request(format!("the request cannot be read: {error}")))?;
    match request.messages.last() {
        None => {
            return Err(ApiError::invalid_param(
                "messages",
                "there is no message; send at least the question",
            ));
        }
        Some(last) if last.role != Speaker::User => {
            return Err(ApiError::invalid_param(
                "messages",
                "the last message must be the member's (role \"user\")",
            ));
        }
        Some(last) if last.content.trim().is_empty() => {
            return Err(ApiError::invalid_param(
                "messages",
                "the last message is empty; there is nothing to answer",
            ));
        }
        Some(last) if last.content.chars().count() > MAX_QUESTION => {
            let mut error = ApiError::invalid_param(
                "messages",
                format!("the question is longer than {MAX_QUESTION} characters; ask in several steps"),
            );
            error.detail.code = Some(Failure::QUESTION_TOO_LONG.into());
            return Err(error);
        }
        Some(_) => {}
    }
    let mut wanted =
        banyan_openai::ChatRequest::new(request.messages.into_iter().map(Into::into).collect()).streamed();
    wanted.sampling.temperature = request.temperature;
    wanted.sampling.max_tokens = Some(request.max_tokens.unwrap_or(MAX_ANSWER_TOKENS).min(MAX_ANSWER_TOKENS));
    Ok(wanted)
}

/// The events on the wire. Dropping it (the phone went away) cancels the generation.
struct EventStream {
    events: Pin<Box<dyn Stream<Item = AnswerEvent> + Send>>,
    portal: Portal,
    visit: Visit,
    alone: bool,
}

impl EventStream {
    async fn next(&mut self) -> Option<Bytes> {
        let Ok(event) = timeout(self.portal.patience().keep_alive, self.events.next()).await else {
            return Some(sse::keep_alive());
        };
        let event = match event? {
            AnswerEvent::Words(text) => ChatEvent::Token { text },
            AnswerEvent::Notice(notice) => ChatEvent::Notice { text: notice_text(notice, &self.visit) },
            AnswerEvent::Done { finish_reason, usage } => ChatEvent::Done { finish_reason, usage },
            AnswerEvent::Failed(failure) => self.failed(failure),
        };
        Some(sse::encode(&serde_json::to_string(&event).unwrap_or_default()))
    }

    fn failed(&self, failure: Failure) -> ChatEvent {
        let wording = wording(&failure, self.alone);
        let language = self.visit.language;
        let mut message = format!("{} {}", language.text(wording.what), language.text(wording.todo));
        if wording.shows_detail {
            message = format!("{message} {}", failure.detail);
        }
        ChatEvent::Error { code: failure.code, message, retry: failure.retry }
    }
}
