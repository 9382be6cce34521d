//! A program's question and the community's rules: what is looked at before it waits for its turn, and what the box says
//! where the rules give the answer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use banyan_assembly::Assembly;
use banyan_assembly::answers::AnswerAction;
use banyan_governance::constitution::EmergencyPower;
use banyan_openai::{ApiError, sse};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::Portal;
use crate::answer::{AnswerLog, Failure, Saying, seconds};
use crate::community::now;
use crate::language::Language;
use crate::moderation::{Effective, Verdict};
use crate::pages::policy::saying_in;
use crate::queue::Member;

/// A program's question on its way, with what is written down of it.
pub(super) struct Governed {
    pub(super) effective: Arc<Effective>,
    pub(super) log: AnswerLog,
    /// What the program asked, for disclaimers.
    pub(super) question: String,
    /// Whether the box puts its own words under the answer: not where the program reads it as data.
    pub(super) is_prose: bool,
    /// Whether the policy, and not the program, named the model.
    pub(super) names_model: bool,
    /// How many answers are asked for.
    pub(super) answers: u64,
    pub(super) is_chat: bool,
}

/// What the rules make of a program's question.
pub(super) enum Ruled {
    /// There is no community: it goes its way as it is.
    Ungoverned,
    Asked(Box<Governed>),
    /// The box answers itself.
    Answered(Response),
}

/// Looks at a program's request, and makes it one that the policy wants.
pub(super) async fn rule(
    portal: &Portal,
    member: &Member,
    path: &str,
    wanted: &mut Map<String, Value>,
) -> Result<Ruled, ApiError> {
    let in_force = portal.maybe_assembly().map(Assembly::in_force);
    if in_force.is_some_and(|in_force| in_force.has_power(EmergencyPower::PauseAnswers, now())) {
        return Err(of_failure(&Failure::barred(Failure::PAUSED)));
    }
    let effective = portal.effectives().now().map_err(|failure| of_failure(&failure))?;
    if !effective.is_decided() {
        return Ok(Ruled::Ungoverned);
    }
    let is_chat = path.ends_with("/chat/completions");
    let question = if is_chat { asked_last(wanted) } else { prompt(wanted, &effective)? };
    let mut log = AnswerLog::new();
    let (saying, action) = match effective.judge(&question, portal.engine(), &mut log).await {
        Verdict::Ask { warn } => {
            if warn {
                log.came_to(AnswerAction::Warned);
            }
            let names_model = wanted.get("model").and_then(Value::as_str).is_none_or(str::is_empty);
            effective.prepare_json(wanted);
            let governed = Governed {
                log,
                question,
                is_prose: is_chat && !wanted.contains_key("response_format") && !wanted.contains_key("tools"),
                names_model,
                answers: answers(wanted),
                is_chat,
                effective,
            };
            return Ok(Ruled::Asked(Box::new(governed)));
        }
        Verdict::Say(saying, action) => (saying, action),
        // Nobody comes back for a program's held answer.
        Verdict::Hold => (Saying::Refused, AnswerAction::Refused),
    };
    portal.turns().charge(member).map_err(super::turn::in_words)?;
    log.came_to(action);
    let audit = portal.records().write_down(&log, &effective).await;
    Ok(Ruled::Answered(said(wanted, is_chat, &saying_in(&saying, Language::English), audit)))
}

/// How many answers are asked for: so many to each text.
fn answers(wanted: &Map<String, Value>) -> u64 {
    let each = wanted.get("n").and_then(Value::as_u64).unwrap_or(1).max(1);
    let texts = match wanted.get("prompt") {
        Some(Value::Array(texts)) if texts.iter().any(|text| !text.is_number()) => texts.len() as u64,
        _ => 1,
    };
    each.saturating_mul(texts.max(1))
}

fn of_failure(failure: &Failure) -> ApiError {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let error = ApiError::new(status, "server_error", Some(&failure.code), failure.detail.as_str());
    error.with_retry_after(failure.retry_after_s.unwrap_or(seconds(std::time::Duration::from_secs(60))))
}

/// The newest message of a user: what came before was looked at when it was new.
fn asked_last(wanted: &Map<String, Value>) -> String {
    let messages = wanted.get("messages").and_then(Value::as_array);
    let last = messages.and_then(|all| all.iter().rev().find(|message| message["role"] == "user"));
    match last.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The text that is to be continued. Numbers of tokens cannot be looked at.
fn prompt(wanted: &Map<String, Value>, effective: &Effective) -> Result<String, ApiError> {
    let policy = effective.policy();
    match wanted.get("prompt") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(texts)) if texts.iter().all(Value::is_string) => {
            Ok(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
        }
        Some(_) if !policy.topics.is_empty() || !policy.moderation.is_empty() => {
            Err(ApiError::invalid_param(
                "prompt",
                "the community's rules look at texts; send the prompt as text instead of numbers of tokens",
            ))
        }
        _ => Ok(String::new()),
    }
}

/// An answer that the box gives itself, in the form that was asked for.
fn said(wanted: &Map<String, Value>, is_chat: bool, text: &str, audit: Option<u64>) -> Response {
    let streams = wanted.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let model = wanted.get("model").and_then(Value::as_str).unwrap_or_default();
    let object = match (is_chat, streams) {
        (true, false) => "chat.completion",
        (true, true) => "chat.completion.chunk",
        (false, _) => "text_completion",
    };
    let created = now().0;
    let whole = |choice: Value| {
        json!({
            "id": format!("banyan-{}", audit.unwrap_or_default()),
            "object": object,
            "created": created,
            "model": model,
            "choices": [choice],
            "banyan": { "audit": audit },
        })
    };
    let choice = |text: &str, reason: Option<&str>| {
        if !is_chat {
            json!({ "index": 0, "text": text, "logprobs": null, "finish_reason": reason })
        } else if streams {
            json!({ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": reason })
        } else {
            json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": reason })
        }
    };
    if !streams {
        let mut body = whole(choice(text, Some("content_filter")));
        body["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
        return Json(body).into_response();
    }
    let events = [
        sse::encode(&whole(choice(text, None)).to_string()),
        sse::encode(&whole(choice("", Some("content_filter"))).to_string()),
        sse::encode(sse::DONE),
    ];
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (headers, Body::from(events.concat())).into_response()
}
