//! The web app's API: `/api/chat`, `/api/status` and the description of all APIs.

pub(crate) mod audit;
pub(crate) mod held;
pub(crate) mod history;
mod stream;
pub(crate) mod trial;
mod types;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use banyan_assembly::Assembly;
use banyan_governance::Permission;
use banyan_governance::constitution::EmergencyPower;
use banyan_knowledge::Audience;
use banyan_openai::{ApiError, ErrorBody, HealthStatus};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};

pub(crate) use self::types::{
    ChatEvent, ChatMessage, ChatRequest, EnginePlaces, EngineState, EngineStatus, QueueStatus, Speaker,
    Status,
};
use crate::answer::{Failure, seconds};
use crate::answers::{Answer, Asked, Question};
use crate::community::now;
use crate::engines::{self, EngineView};
use crate::language::Language;
use crate::library::Patron;
use crate::pages::chat::MAX_QUESTION;
use crate::pages::conversation::Conversation;
use crate::queue::Class;
use crate::visit::Visit;
use crate::{Portal, body};

/// The largest request of the web app.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// The most tokens of one answer to a member: some three pages. Longer ones are asked on.
pub(crate) const MAX_ANSWER_TOKENS: u32 = 1024;

/// Ask, and get the answer as it is made.
///
/// Server-sent events; the data of each is one `ChatEvent` as JSON, and its id is its number. The first is `started`, the
/// last `done` or `error`. A connection that closes does not stop the answer: it can be listened to again under its
/// name, and is stopped after a minute without listeners. A question that the queue refuses is a single `error`.
#[utoipa::path(
    post,
    path = "/api/chat",
    tag = "app",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The events of the answer", content_type = "text/event-stream", body = ChatEvent),
        (status = 400, description = "The request makes no sense", body = ErrorBody),
        (status = 401, description = "Members only may ask, and nobody is signed in", body = ErrorBody),
        (status = 403, description = "Sent by another site's page, or by somebody who may not ask", body = ErrorBody),
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
    let question = match read(&body, &visit) {
        Ok(question) => question,
        Err(error) => return error.to_response().map(Body::new),
    };
    let alone = question.asked.conversation.is_empty();
    match portal.begin(&visit, question).await {
        Ok(answer) => stream::events(portal.clone(), visit, &answer, None),
        Err(failure) if failure.is_about_rights() => stream::barred(&failure).to_response().map(Body::new),
        Err(failure) => stream::refusal(&visit, failure, alone),
    }
}

/// Listen to an answer again.
///
/// Only for the member who asked. The events after the one in `Last-Event-ID` (or `?after=`) come at once, the rest as
/// they are made; without either, all of them. An answer is kept for ten minutes after its end.
#[utoipa::path(
    get,
    path = "/api/chat/{answer}",
    tag = "app",
    params(
        ("answer" = String, Path, description = "Its name, as the event `started` gave it"),
        ("after" = Option<usize>, Query, description = "The number of the last event that is there"),
        ("Last-Event-ID" = Option<usize>, Header, description = "The same; it wins where both are given"),
    ),
    responses(
        (status = 200, description = "The events of the answer", content_type = "text/event-stream", body = ChatEvent),
        (status = 404, description = "There is no such answer of this member, or not any more", body = ErrorBody),
    )
)]
pub(crate) async fn resume(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Path(answer): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(answer) = portal.answers().find(&answer, &visit.member) else { return gone() };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let after = || {
        let query = uri.query()?.as_bytes();
        form_urlencoded::parse(query).find(|(name, _)| name == "after")?.1.parse::<usize>().ok()
    };
    stream::events(portal, visit, &answer, last.or_else(after))
}

/// Stop an answer. Who listens gets a last event `done` with `stopped`.
#[utoipa::path(
    delete,
    path = "/api/chat/{answer}",
    tag = "app",
    params(("answer" = String, Path, description = "Its name, as the event `started` gave it")),
    responses(
        (status = 204, description = "It is stopped, or was over already"),
        (status = 404, description = "There is no such answer of this member, or not any more", body = ErrorBody),
    )
)]
pub(crate) async fn stop(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    Path(answer): Path<String>,
) -> Response {
    let Some(answer) = portal.answers().find(&answer, &visit.member) else { return gone() };
    answer.stop();
    StatusCode::NO_CONTENT.into_response()
}

fn gone() -> Response {
    let message =
        "there is no such answer, or not any more: it is kept for ten minutes after its end; ask again";
    let mut error = ApiError::not_found(message);
    error.detail.code = Some("answer_gone".into());
    error.to_response().map(Body::new)
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
    let overview = portal.turns().overview();
    let queue = QueueStatus {
        waiting: overview.waiting,
        running: overview.running,
        places: overview.places,
        expected_s: overview.expected.map(seconds),
        urgent_allowed: portal.turns().members_may_urge(),
    };
    let engines = portal.engines().views().into_iter().map(places).collect();
    let languages = Language::ALL.iter().map(|language| language.code().to_owned()).collect();
    Json(Status { engine, engines, queue, version: env!("CARGO_PKG_VERSION").to_owned(), languages })
}

fn places(view: EngineView) -> EnginePlaces {
    let state = match view.state {
        engines::EngineState::Ready | engines::EngineState::Trial => EngineState::Ready,
        engines::EngineState::Loading => EngineState::Loading,
        engines::EngineState::Unseen | engines::EngineState::Away => EngineState::Down,
    };
    let EngineView { name, slots, in_flight, reason, .. } = view;
    EnginePlaces { name, state, slots, in_flight, reason }
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, crate::portal::openapi_json()).into_response()
}

impl Portal {
    /// Takes a member's question into the queue, or says at once what the community's rules make of it.
    pub(crate) async fn begin(&self, visit: &Visit, mut question: Question) -> Result<Arc<Answer>, Failure> {
        self.may_ask(visit)?;
        question.reader = question.reader.and(Patron::of(self, visit).ok()).map(|patron| patron.reader);
        question.request.cache_salt = Some(self.cache_salt(question.owners.counted(), ""));
        let effective = self.effectives().now()?;
        self.answers().begin(question, effective).await
    }

    /// Whether the community lets this visitor ask, at this moment.
    pub(crate) fn may_ask(&self, visit: &Visit) -> Result<(), Failure> {
        let in_force = match self.maybe_assembly().map(Assembly::in_force) {
            Some(in_force) if in_force.is_founded() => in_force,
            _ => return Ok(()),
        };
        if in_force.has_power(EmergencyPower::PauseAnswers, now()) {
            return Err(Failure::barred(Failure::PAUSED));
        }
        let guests =
            in_force.constitution.as_ref().is_none_or(|constitution| constitution.joining.guests_ask);
        match &visit.caller {
            Some(caller) if caller.may(Permission::Ask) => Ok(()),
            Some(_) => Err(Failure::barred(Failure::NOT_ALLOWED)),
            None if guests && !in_force.has_power(EmergencyPower::CloseToGuests, now()) => Ok(()),
            None => Err(Failure::barred(Failure::SIGNED_OUT)),
        }
    }
}

fn read(body: &[u8], visit: &Visit) -> Result<Question, ApiError> {
    let request: ChatRequest = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_request(format!("the request cannot be read: {error}")))?;
    let question = match request.messages.last() {
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
        Some(last) => last.content.clone(),
    };
    let deadline = match request.deadline_s {
        None => None,
        Some(seconds) => Some(Duration::try_from_secs_f64(seconds).map_err(|_| {
            ApiError::invalid_param("deadline_s", "a deadline is a number of seconds from now on, 0 or more")
        })?),
    };
    let class = if request.urgent == Some(true) { Class::Crisis } else { Class::Normal };
    let earlier = &request.messages[..request.messages.len() - 1];
    let asked = Asked { conversation: Conversation::from_messages(earlier), question };
    let mut wanted =
        banyan_openai::ChatRequest::new(request.messages.into_iter().map(Into::into).collect()).streamed();
    wanted.sampling.temperature = request.temperature;
    wanted.sampling.max_tokens = Some(request.max_tokens.unwrap_or(MAX_ANSWER_TOKENS).min(MAX_ANSWER_TOKENS));
    let reader = request.library.then(|| Audience::Guests.into());
    Ok(Question { owners: visit.owners(), asked, request: wanted, class, deadline, reader })
}
