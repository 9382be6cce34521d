//! `POST /v1/chat/completions`.

use super::adapters::Answering;
use super::answer::{Answer, Head, Shape, TokenNames, streamed, to_json, whole};
use super::{App, Refusal, body, model_name, off_thread, request, tools};
use crate::calls::{CallReader, Part};
use crate::engine::{Request, ScoredToken};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatLogprobs, ChatReply, ChatRequest, ChatResponse, Delta,
    FinishReason, Role, TokenLogprob, ToolCall, ToolCallDelta, TopLogprob, Usage,
};
use std::sync::Arc;

pub(super) async fn chat(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let Answering { model, adapter, name } = app.answering(&model_name(&bytes)?).await?;
    let (events, shape, sampling) = off_thread(move || {
        let (chat, bias) = request::parse::<ChatRequest>(&bytes)?;
        let prompter = &model.prompter;
        let sampling = request::settings(prompter, &chat.sampling, chat.wanted_logprobs(), bias)?;
        let n = request::answers(&chat.sampling)?;
        let turns = tools::turns(&chat.messages)?;
        let tooling = tools::tooling(&chat, prompter.call_form(), request::form(&chat.form)?)?;
        let prompt = prompter.chat(&turns, &tooling.described)?;
        // Tools stand in the first message and are this client's own.
        let shared = chat.shared_messages.filter(|_| tooling.described.is_empty());
        let scope =
            request::scope(chat.cache_salt.as_deref(), prompter.shared_tokens(&prompt, &turns, shared));
        let request = Request {
            adapter,
            constraint: request::constraint(prompter, tooling.grammar)?,
            scope,
            prompt,
            max_tokens: request::max_tokens(chat.max_tokens())?,
            sampling,
            stop: request::stops(&chat.sampling)?,
        };
        let events = request::submit(&model.engine, request, n)?;
        let shape = ChatShape {
            head: Head::new("chatcmpl", &name),
            names: chat.wanted_logprobs().map(|_| TokenNames(Arc::clone(prompter.tokenizer()))),
            readers: vec![tooling.reads.map(CallReader::new); n],
            calls: vec![0; n],
        };
        Ok::<_, Refusal>((events, shape, chat.sampling))
    })
    .await??;
    if sampling.streams() {
        return Ok(streamed(events, shape, sampling.wants_usage()));
    }
    whole(events, shape).await
}

struct ChatShape {
    head: Head,
    /// There when log probabilities are wanted.
    names: Option<TokenNames>,
    /// Of each answer, where it may hold calls; and the calls so far.
    readers: Vec<Option<CallReader>>,
    calls: Vec<u32>,
}

impl ChatShape {
    fn chunk(&self, choices: Vec<ChatChunkChoice>, usage: Option<Usage>) -> String {
        to_json(&ChatChunk {
            id: self.head.id.clone(),
            object: ChatChunk::OBJECT.into(),
            created: self.head.created,
            model: self.head.model.clone(),
            choices,
            usage,
        })
    }

    /// A chunk that adds to one answer.
    fn delta(&self, index: usize, delta: Delta, logprobs: Option<ChatLogprobs>) -> String {
        let choice = ChatChunkChoice { index: index as u32, delta, logprobs, finish_reason: None };
        self.chunk(vec![choice], None)
    }

    /// What a part of an answer adds.
    fn part(&mut self, index: usize, part: Part) -> Delta {
        let calls = &mut self.calls[index];
        let call = match part {
            Part::Text(text) => return said(text),
            Part::Call(name) => {
                *calls += 1;
                ToolCallDelta::opening(*calls - 1, new_call_id(), name)
            }
            Part::Arguments(more) => ToolCallDelta::arguments(calls.saturating_sub(1), more),
        };
        Delta { tool_calls: vec![call], ..Delta::default() }
    }

    fn logprobs(&self, scored: Vec<ScoredToken>) -> Option<ChatLogprobs> {
        let names = self.names.as_ref()?;
        let content = scored.into_iter().map(|scored| {
            let (token, bytes) = names.name(scored.token);
            let top_logprobs = scored.logprob.top.iter().map(|(id, logprob)| {
                let (token, bytes) = names.name(*id);
                TopLogprob { token, logprob: *logprob, bytes }
            });
            let top_logprobs = top_logprobs.collect();
            TokenLogprob { token, logprob: scored.logprob.picked, bytes, top_logprobs }
        });
        Some(ChatLogprobs { content: Some(content.collect()) })
    }
}

impl Shape for ChatShape {
    fn opening(&mut self, index: usize) -> Option<String> {
        let delta = Delta { role: Some(Role::Assistant), content: Some(String::new()), ..Delta::default() };
        Some(self.delta(index, delta, None))
    }

    fn piece(&mut self, index: usize, text: String, scored: Vec<ScoredToken>) -> Vec<String> {
        let mut logprobs = self.logprobs(scored);
        let Some(reader) = &mut self.readers[index] else {
            return vec![self.delta(index, said(text), logprobs)];
        };
        let parts = reader.push(&text);
        let mut chunks: Vec<String> = Vec::with_capacity(parts.len());
        for part in parts {
            let delta = self.part(index, part);
            chunks.push(self.delta(index, delta, logprobs.take()));
        }
        if logprobs.is_some() {
            chunks.push(self.delta(index, said(String::new()), logprobs));
        }
        chunks
    }

    fn ending(&mut self, index: usize, finish: FinishReason) -> Vec<String> {
        let parts = self.readers[index].as_mut().map(CallReader::finish).unwrap_or_default();
        let mut chunks: Vec<String> = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let delta = self.part(index, part);
            chunks.push(self.delta(index, delta, None));
        }
        let finish_reason = Some(reason(self.readers[index].as_ref(), finish));
        let index = index as u32;
        let choice = ChatChunkChoice { index, delta: Delta::default(), logprobs: None, finish_reason };
        chunks.push(self.chunk(vec![choice], None));
        chunks
    }

    fn usage(&mut self, usage: Usage) -> String {
        self.chunk(Vec::new(), Some(usage))
    }

    fn whole(mut self, answers: Vec<Answer>, usage: Usage) -> String {
        let choices = answers.into_iter().enumerate().map(|(index, answer)| {
            let logprobs = self.logprobs(answer.scored);
            let reader = self.readers[index].as_mut();
            let (message, finish) = match reader {
                Some(reader) => {
                    let mut parts = reader.push(&answer.text);
                    parts.extend(reader.finish());
                    (reply(parts), reason(Some(reader), answer.finish))
                }
                None => (ChatReply::new(answer.text), answer.finish),
            };
            ChatChoice { index: index as u32, message, logprobs, finish_reason: Some(finish) }
        });
        let choices = choices.collect();
        to_json(&ChatResponse {
            id: self.head.id,
            object: ChatResponse::OBJECT.into(),
            created: self.head.created,
            model: self.head.model,
            choices,
            usage: Some(usage),
        })
    }
}

fn said(text: String) -> Delta {
    Delta { content: Some(text), ..Delta::default() }
}

/// An answer that asks for calls has ended for that reason, unless it was cut.
fn reason(reader: Option<&CallReader>, finish: FinishReason) -> FinishReason {
    match finish {
        FinishReason::Stop if reader.is_some_and(CallReader::called) => FinishReason::ToolCalls,
        other => other,
    }
}

fn new_call_id() -> String {
    format!("call_{:032x}", rand::random::<u128>())
}

/// A whole turn of its parts.
fn reply(parts: Vec<Part>) -> ChatReply {
    let mut reply = ChatReply::new(String::new());
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(more) => text.push_str(&more),
            Part::Call(name) => reply.tool_calls.push(ToolCall::new(new_call_id(), name, String::new())),
            Part::Arguments(more) => {
                if let Some(call) = reply.tool_calls.last_mut() {
                    call.function.arguments.push_str(&more);
                }
            }
        }
    }
    reply.content = Some(text).filter(|text| !text.is_empty() || reply.tool_calls.is_empty());
    reply
}
