//! The events of an answer on the wire.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use banyan_openai::{ApiError, FinishReason, sse};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use tokio::time::timeout;

use super::ChatEvent;
use crate::Portal;
use crate::answer::{AnswerEvent, Failure};
use crate::answers::{Answer, Listener};
use crate::pages::chat::notice_text;
use crate::pages::failure::wording;
use crate::pages::policy::{saying_text, warning_text};
use crate::visit::Visit;

/// The events after the one with this number; without one, all of them.
pub(super) fn events(portal: Portal, visit: Visit, answer: &Arc<Answer>, after: Option<usize>) -> Response {
    // `started` is number 0 here, so event n of the answer is number n + 1.
    let next = after.map_or(0, |after| after.saturating_add(1));
    let listener = answer.listen(next.saturating_sub(1));
    let events = EventStream { listener, portal, visit, told_start: next > 0 };
    let body = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    (event_stream(), Body::from_stream(body)).into_response()
}

/// A question of somebody who may not ask.
pub(super) fn barred(failure: &Failure) -> ApiError {
    ApiError::new(failure.status(), "invalid_request_error", Some(&failure.code), failure.detail.as_str())
}

/// A question that the queue refused.
pub(super) fn refusal(visit: &Visit, failure: Failure, alone: bool) -> Response {
    (event_stream(), Body::from(encode(0, &failed(visit, failure, alone)))).into_response()
}

fn event_stream() -> [(header::HeaderName, HeaderValue); 1] {
    [(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))]
}

fn encode(number: usize, event: &ChatEvent) -> Bytes {
    let data = sse::encode(&serde_json::to_string(event).unwrap_or_default());
    [format!("id: {number}\n").as_bytes(), &data].concat().into()
}

fn failed(visit: &Visit, failure: Failure, alone: bool) -> ChatEvent {
    let wording = wording(&failure, alone);
    let mut message = format!("{} {}", wording.what(visit.language), wording.todo(visit.language));
    if wording.shows_detail {
        message = format!("{message} {}", failure.detail);
    }
    let Failure { code, retry, retry_after_s, .. } = failure;
    ChatEvent::Error { code, message, retry, retry_after_s }
}

/// One listener's events, in its own language.
struct EventStream {
    listener: Listener,
    portal: Portal,
    visit: Visit,
    told_start: bool,
}

impl EventStream {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.told_start, true) {
            let answer = self.listener.answer().id().to_owned();
            return Some(encode(0, &ChatEvent::Started { answer }));
        }
        let Ok(event) = timeout(self.portal.patience().keep_alive, self.listener.next()).await else {
            return Some(sse::keep_alive());
        };
        let (number, event) = event?;
        let event = match event {
            AnswerEvent::Queued { place, expected_s } => ChatEvent::Queued { place, expected_s },
            AnswerEvent::Words(text) => ChatEvent::Token { text },
            AnswerEvent::Passages(passages) => ChatEvent::Passages(Arc::unwrap_or_clone(passages)),
            AnswerEvent::Rests(rests) => ChatEvent::Cites(rests),
            AnswerEvent::Notice(notice) => ChatEvent::Notice { text: notice_text(notice, &self.visit) },
            AnswerEvent::Said(saying) => ChatEvent::Token { text: saying_text(&saying, &self.visit) },
            AnswerEvent::Replaced(saying) => ChatEvent::Replaced { text: saying_text(&saying, &self.visit) },
            AnswerEvent::Warning => ChatEvent::Warning { text: warning_text(&self.visit) },
            AnswerEvent::Done { finish_reason, usage, audit } => {
                ChatEvent::Done { finish_reason, usage, stopped: false, audit }
            }
            AnswerEvent::Stopped { audit } => {
                ChatEvent::Done { finish_reason: FinishReason::Other, usage: None, stopped: true, audit }
            }
            AnswerEvent::Failed(failure) => {
                let alone = self.listener.answer().asked().conversation.is_empty();
                failed(&self.visit, failure, alone)
            }
        };
        Some(encode(number + 1, &event))
    }
}
