//! A program's answer under the community's rules: the same wire, filtered.
//!
//! What was passed on cannot be taken back on this wire. A withheld answer ends with `content_filter`, and the field
//! `banyan.replaced` says in words that what came before is withdrawn. `banyan.audit` is the ledger entry.

use std::collections::{BTreeMap, VecDeque};

use axum::body::Body;
use axum::response::Response;
use banyan_assembly::answers::AnswerAction;
use banyan_governance::policy::ModerationAction;
use banyan_openai::{ApiError, Client, EngineBody, sse};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::rules::Governed;
use crate::answer::{Records, Saying};
use crate::language::Language;
use crate::moderation::{Filter, Passed};
use crate::pages::policy::saying_in;
use crate::queue::Turn;

/// The most bytes of an answer that comes at once.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

const FINISH: &str = "finish_reason";

/// Passes an engine's answer on.
pub(super) async fn pass(
    answer: Response<EngineBody>,
    turn: Option<Turn>,
    governed: Governed,
    engine: Client,
    records: Records,
) -> Result<Response, ApiError> {
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let streams = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let mut passing = Passing {
        unfinished: governed.answers,
        governed,
        engine,
        records,
        filters: BTreeMap::new(),
        calls: BTreeMap::new(),
        is_written_down: false,
    };
    if streams {
        let state = Streamed {
            body,
            parser: sse::Parser::new(),
            _turn: turn,
            passing,
            out: VecDeque::new(),
            is_over: false,
        };
        let body = stream::unfold(state, |mut state| async move { Some((state.next().await?, state)) });
        return Ok(Response::from_parts(parts, Body::from_stream(body)));
    }
    let unreadable = |_| ApiError::internal("the engine's answer is too large, or broke off; ask again");
    let whole = Limited::new(body, MAX_ANSWER).collect().await.map_err(unreadable)?.to_bytes();
    drop(turn);
    let mut whole: Value = serde_json::from_slice(&whole)
        .map_err(|error| ApiError::internal(format!("the engine's answer cannot be read: {error}")))?;
    passing.take(&mut whole, true).await;
    let body = Body::from(whole.to_string());
    Ok(Response::from_parts(parts, body))
}

/// What the rules need to know while an answer passes.
struct Passing {
    governed: Governed,
    engine: Client,
    records: Records,
    /// By choice; none once it was withheld.
    filters: BTreeMap<u64, Option<Filter>>,
    /// By choice, what calls of the program's functions say.
    calls: BTreeMap<u64, String>,
    /// Choices that have not come to their end.
    unfinished: u64,
    is_written_down: bool,
}

impl Passing {
    /// Filters one object of the wire in place; `whole`: it is the whole answer. Says whether something is left of it.
    async fn take(&mut self, object: &mut Value, whole: bool) -> bool {
        if let Some(model) = object["model"].as_str() {
            self.governed.log.answers_as(model.to_owned());
        }
        let mut choices = match object.get_mut("choices").map(Value::take) {
            Some(Value::Array(choices)) => choices,
            _ => return true,
        };
        let had_choices = !choices.is_empty();
        let mut kept = Vec::with_capacity(choices.len());
        let mut replaced = None;
        for mut choice in choices.drain(..) {
            if self.choice(&mut choice, whole, &mut replaced).await {
                kept.push(choice);
            }
        }
        let is_left =
            !kept.is_empty() || !had_choices || object.get("usage").is_some_and(|usage| !usage.is_null());
        object["choices"] = Value::Array(kept);
        if let Some(saying) = &replaced {
            object["banyan"]["replaced"] = saying_in(saying, Language::English).into();
        }
        if had_choices && self.unfinished == 0 && !self.is_written_down {
            object["banyan"]["audit"] = json!(self.write_down().await);
        }
        is_left
    }

    /// Filters one choice; false when nothing is left of it.
    async fn choice(&mut self, choice: &mut Value, whole: bool, replaced: &mut Option<Saying>) -> bool {
        let index = choice["index"].as_u64().unwrap_or(0);
        let is_chat = self.governed.is_chat;
        let field = match (is_chat, whole) {
            (true, true) => "/message/content",
            (true, false) => "/delta/content",
            (false, _) => "/text",
        };
        let text = choice.pointer(field).and_then(Value::as_str).map(str::to_owned);
        let ends = whole || choice[FINISH].as_str().is_some();
        if !self.filters.contains_key(&index) {
            let filter = Filter::new(self.governed.effective.clone(), self.engine.clone());
            self.filters.insert(index, Some(filter));
        }
        let Some(Some(filter)) = self.filters.get_mut(&index) else { return false };
        let log = &mut self.governed.log;
        if text.as_ref().is_some_and(|text| !text.is_empty()) {
            log.words();
        }
        let mut passed = filter.push(text.as_deref().unwrap_or_default(), log).await;
        if ends && !is_withheld(&passed) {
            let rest = filter.finish(log).await;
            passed = Passed { text: passed.text + &rest.text, action: passed.action.max(rest.action) };
        }
        if !self.governed.effective.policy().moderation.is_empty() {
            let calls = self.calls.entry(index).or_default();
            let said = choice.get_mut(if whole { "message" } else { "delta" });
            if said.is_some_and(|said| look_at_calls(said, calls)) {
                let ruling = self.governed.effective.rules().answer(calls);
                log.applied(ruling.fired.iter().map(String::as_str));
                passed.action = passed.action.max(Some(ruling.action));
            }
            // They would tell the words that are held back.
            if let Some(choice) = choice.as_object_mut() {
                choice.remove("logprobs");
            }
        }
        if is_withheld(&passed) {
            let saying = Saying::Withdrawn;
            let words = if whole { saying_in(&saying, Language::English) } else { String::new() };
            put(choice, field, words);
            if let Some(said) =
                choice.get_mut(if whole { "message" } else { "delta" }).and_then(Value::as_object_mut)
            {
                said.remove("tool_calls");
            }
            choice[FINISH] = "content_filter".into();
            *replaced = Some(saying);
            log.came_to(AnswerAction::Refused);
            self.filters.insert(index, None);
            self.unfinished = self.unfinished.saturating_sub(1);
            return true;
        }
        if passed.action == Some(ModerationAction::Warn) {
            log.came_to(AnswerAction::Warned);
        }
        if ends {
            let says_it_itself = matches!(choice[FINISH].as_str(), Some("stop" | "length"));
            if self.governed.is_prose && says_it_itself {
                passed.text.push_str(&filter.ending(&self.governed.question, log));
            }
            self.unfinished = self.unfinished.saturating_sub(1);
        }
        let is_more = passed.text != text.clone().unwrap_or_default();
        if is_more || text.is_some() {
            put(choice, field, passed.text.clone());
        }
        ends || !passed.text.is_empty() || text.as_deref().is_none_or(str::is_empty)
    }

    async fn write_down(&mut self) -> Option<u64> {
        self.is_written_down = true;
        self.records.write_down(&self.governed.log, &self.governed.effective).await
    }
}

/// Adds what calls say to what they said so far; true when there is more. What a model thinks aloud in a field of its
/// own is left out: no rule looks at it.
fn look_at_calls(said: &mut Value, so_far: &mut String) -> bool {
    if let Some(said) = said.as_object_mut() {
        said.remove("reasoning_content");
        said.remove("reasoning");
    }
    let before = so_far.len();
    for call in said["tool_calls"].as_array().into_iter().flatten() {
        so_far.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
    so_far.len() > before
}

fn is_withheld(passed: &Passed) -> bool {
    passed.action >= Some(ModerationAction::Hold)
}

/// Puts a text where the wire has it.
fn put(choice: &mut Value, field: &str, text: String) {
    match field {
        "/text" => choice["text"] = text.into(),
        "/message/content" => choice["message"]["content"] = text.into(),
        _ => choice["delta"]["content"] = text.into(),
    }
}

/// A streamed answer. The turn lasts as long as it is read.
struct Streamed {
    body: EngineBody,
    parser: sse::Parser,
    _turn: Option<Turn>,
    passing: Passing,
    out: VecDeque<Bytes>,
    is_over: bool,
}

impl Streamed {
    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        loop {
            if let Some(bytes) = self.out.pop_front() {
                return Some(Ok(bytes));
            }
            if self.is_over {
                return None;
            }
            if let Some(event) = self.parser.next_event() {
                self.take(&event.data).await;
                continue;
            }
            let broken = match self.body.frame().await {
                Some(Ok(frame)) => match frame.data_ref().map(|bytes| self.parser.push(bytes)) {
                    None | Some(Ok(())) => continue,
                    Some(Err(error)) => error.to_string(),
                },
                Some(Err(error)) => error.to_string(),
                None => "the engine went away in the middle of its answer".into(),
            };
            self.is_over = true;
            self.passing.governed.log.came_to(AnswerAction::Failed);
            self.passing.write_down().await;
            return Some(Err(std::io::Error::other(broken)));
        }
    }

    async fn take(&mut self, data: &str) {
        if data == sse::DONE {
            self.end();
            return;
        }
        let Ok(mut object) = serde_json::from_str::<Value>(data) else {
            // What cannot be looked at is not passed on.
            self.is_over = true;
            return;
        };
        if self.passing.take(&mut object, false).await {
            self.out.push_back(sse::encode(&object.to_string()));
        }
        let all_withheld =
            !self.passing.filters.is_empty() && self.passing.filters.values().all(Option::is_none);
        if all_withheld && self.passing.unfinished == 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        self.out.push_back(sse::encode(sse::DONE));
        self.is_over = true;
    }
}

impl Drop for Passing {
    /// A program that went away has read what came so far.
    fn drop(&mut self) {
        if self.is_written_down || !self.governed.log.has_words() {
            return;
        }
        let (mut log, effective, records) =
            (self.governed.log.clone(), self.governed.effective.clone(), self.records.clone());
        log.came_to(AnswerAction::Stopped);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { records.write_down(&log, &effective).await });
        }
    }
}
