//! A program's question in the queue, and on its way to an engine.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use banyan_openai::{ApiError, Client, ClientError, EngineBody};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Frame, SizeHint};
use serde_json::{Map, Value};

use super::governed;
use super::rules::{Governed, Ruled, rule};
use super::{MAX_BODY, Refused, authorize, keep_private};
use crate::answer::seconds;
use crate::engines::Lease;
use crate::queue::{AfterFailure, Ask, Class, Member, Refusal, Turn};
use crate::visit::Visit;
use crate::{Portal, body};

/// The most bytes of an engine's refusal that are read to see whether another may do better.
const MAX_REFUSAL: usize = 64 * 1024;

pub(super) async fn take(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    request: Request<Body>,
) -> Response {
    try_take(&portal, request).await.unwrap_or_else(|refused| refused.answer(&portal, &visit))
}

async fn try_take(portal: &Portal, request: Request<Body>) -> Result<Response, Refused> {
    let name = authorize(portal, request.headers())?;
    let (mut parts, body) = request.into_parts();
    keep_private(&mut parts.headers);
    // What is passed on has another length, and is not compressed.
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = body::read(&parts.headers, body, MAX_BODY, portal.limits().body_within)
        .await
        .map_err(Refused::Body)?;
    let member = Member::key(&name);
    let mut wanted = read(&body, |own| portal.cache_salt(&member, own)).map_err(Refused::Engine)?;
    tracing::debug!(key = name, path = parts.uri.path(), "API request");
    let mut governed =
        match rule(portal, &member, parts.uri.path(), &mut wanted).await.map_err(Refused::Engine)? {
            Ruled::Ungoverned => None,
            Ruled::Asked(governed) => Some(governed),
            Ruled::Answered(answer) => return Ok(answer),
        };

    if portal.engines().capacity() == 0 {
        // Nobody to wait for: the own engine says itself how it is, or that it is not there.
        let answer = send(portal.engine(), &parts, &wanted).await.map_err(of_engine)?;
        return pass_on(portal, answer, None, governed).await;
    }
    let ask = Ask { member, class: Class::Normal, deadline: None };
    let ticket = portal.turns().enter(&ask).map_err(|refusal| Refused::Engine(in_words(refusal)))?;
    let mut turn = ticket.turn().await.ok_or_else(|| {
        let why = "its turn did not come in time; ask again in a moment";
        Refused::Engine(ApiError::engine_unavailable(why))
    })?;
    let model = wanted.get("model").and_then(Value::as_str).unwrap_or_default();
    turn.avoids(&portal.engines().without(model)).await;
    if let Some(governed) = &mut governed {
        governed.log.turn();
        // What is compressed cannot be looked at.
        parts.headers.remove(header::ACCEPT_ENCODING);
    }

    loop {
        let Some(lease) = turn.lease() else {
            return Err(Refused::Engine(ApiError::engine_unavailable(
                "no engine is ready; ask again in a moment",
            )));
        };
        let (error, refusal) = match attempt(lease, &parts, &wanted).await {
            Ok(Attempt::Answer(answer)) => {
                turn.works();
                return pass_on(portal, answer, Some(turn), governed).await;
            }
            Ok(Attempt::Refusal(error, refusal)) => (error, Some(refusal)),
            Err(error) => (error, None),
        };
        if let ClientError::Refused(refusal) = &error
            && refusal.code() == ApiError::MODEL_NOT_FOUND
            && let Some(governed) = governed.as_mut().filter(|governed| governed.names_model)
        {
            // What was decided on was removed since; the usual model answers, and the audit entry says so.
            governed.names_model = false;
            governed.log.skipped(governed.effective.missing_model());
            wanted.remove("model");
            continue;
        }
        // A program waits by asking again; it is told so at once, in the engine's own words where there are some.
        if turn.fails(&error) != AfterFailure::Moved {
            return refusal.ok_or_else(|| of_engine(error));
        }
    }
}

/// Passes an answer on as it is, or under the community's rules.
async fn pass_on(
    portal: &Portal,
    answer: Response<EngineBody>,
    turn: Option<Turn>,
    governed: Option<Box<Governed>>,
) -> Result<Response, Refused> {
    let governed = governed.filter(|_| answer.status().is_success());
    match governed {
        None => Ok(answer.map(|body| Body::new(Passed { body, _turn: turn }))),
        Some(mut governed) => {
            governed.log.turn();
            let (engine, records) = (portal.engine().clone(), portal.records().clone());
            governed::pass(answer, turn, *governed, engine, records).await.map_err(Refused::Engine)
        }
    }
}

fn of_engine(error: ClientError) -> Refused {
    match error {
        ClientError::Upload(error) => Refused::Body(body::BodyFault::of(&error)),
        error => Refused::Engine(error.to_api_error()),
    }
}

pub(super) fn in_words(refusal: Refusal) -> ApiError {
    let (status, kind, code, retry_after) = match refusal {
        Refusal::Quota { retry_after } => {
            (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", retry_after)
        }
        Refusal::Full { retry_after } => {
            (StatusCode::SERVICE_UNAVAILABLE, "server_error", ApiError::QUEUE_FULL, retry_after)
        }
        Refusal::TooLongAWait { retry_after, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "server_error", "too_long_a_wait", retry_after)
        }
    };
    ApiError::new(status, kind, Some(code), refusal.to_string()).with_retry_after(seconds(retry_after).max(1))
}

/// The request as engines may see it: which prompts are shared is the portal's to say, and under which name what was
/// computed is kept, too.
fn read(body: &[u8], salt: impl Fn(&str) -> String) -> Result<Map<String, Value>, ApiError> {
    let mut request: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid_request(format!("the request cannot be read: {error}")))?;
    request.remove("shared_messages");
    let own = match request.get("cache_salt") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(own)) => own.clone(),
        Some(_) => return Err(ApiError::invalid_param("cache_salt", "cache_salt must be a string")),
    };
    request.insert("cache_salt".into(), salt(&own).into());
    Ok(request)
}

/// What an engine made of a question.
enum Attempt {
    Answer(Response<EngineBody>),
    /// It said no: the same as an error, and its answer to pass on when no other engine knows better.
    Refusal(ClientError, Response),
}

async fn attempt(lease: &Lease, parts: &Parts, wanted: &Map<String, Value>) -> Result<Attempt, ClientError> {
    let mut wanted = wanted.clone();
    lease.fit_json(&mut wanted);
    let answer = send(lease.client(), parts, &wanted).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(Attempt::Answer(answer));
    }
    let (mut parts, body) = answer.into_parts();
    let words =
        Limited::new(body, MAX_REFUSAL).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let error = ClientError::of_refusal(status, retry_after(&parts.headers), &words);
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Attempt::Refusal(error, Response::from_parts(parts, Body::from(words))))
}

fn retry_after(headers: &HeaderMap) -> Option<u32> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

async fn send(
    engine: &Client,
    parts: &Parts,
    wanted: &Map<String, Value>,
) -> Result<Response<EngineBody>, ClientError> {
    let mut request = Request::new(Full::new(Bytes::from(Value::Object(wanted.clone()).to_string())));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    engine.forward(request).await
}

/// An engine's answer on its way to the program. The turn lasts as long as it is read.
struct Passed {
    body: EngineBody,
    _turn: Option<Turn>,
}

impl hyper::body::Body for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
