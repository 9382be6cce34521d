//! `POST /v1/chat/completions`.

use super::answer::{Head, Shape, TokenNames, streamed, to_json, whole};
use super::{App, Refusal, body, model_name, off_thread, request};
use crate::adapters::AdapterLease;
use crate::engine::{Request, ScoredToken};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{
    ApiError, ChatChoice, ChatChunk, ChatChunkChoice, ChatLogprobs, ChatReply, ChatRequest, ChatResponse,
    Delta, FinishReason, Role, TokenLogprob, TopLogprob, Usage,
};
use std::sync::Arc;

pub(super) async fn chat(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let model = app.chat(&model_name(&bytes)?).await?;
    let (events, shape, sampling) = off_thread(move || {
        let (chat, bias) = request::parse::<ChatRequest>(&bytes)?;
        let sampling = request::settings(&chat.sampling, chat.wanted_logprobs(), bias)?;
        let turns = chat
            .messages
            .iter()
            .map(|m| Ok((m.role.as_str(), m.text()?)))
            .collect::<Result<Vec<_>, banyan_openai::ContentError>>()
            .map_err(|e| ApiError::invalid_param("messages", e.to_string()))?;
        let turns: Vec<(&str, &str)> = turns.iter().map(|(role, text)| (*role, text.as_str())).collect();
        let prompt = model.prompter.chat(&turns)?;
        let events = model.engine.submit(Request {
            adapter: AdapterLease::default(),
            constraint: None,
            scope: request::scope(
                chat.cache_salt.as_deref(),
                model.prompter.shared_tokens(&prompt, &turns, chat.shared_messages),
            ),
            prompt,
            max_tokens: request::max_tokens(chat.max_tokens())?,
            sampling,
            stop: request::stops(&chat.sampling)?,
        })?;
        let shape = ChatShape {
            head: Head::new("chatcmpl", &model.name),
            names: chat.wanted_logprobs().map(|_| TokenNames(Arc::clone(model.prompter.tokenizer()))),
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
    fn opening(&mut self) -> Option<String> {
        let delta = Delta { role: Some(Role::Assistant), content: Some(String::new()), ..Delta::default() };
        Some(self.chunk(vec![ChatChunkChoice { index: 0, delta, logprobs: None, finish_reason: None }], None))
    }

    fn piece(&mut self, text: String, scored: Vec<ScoredToken>) -> String {
        let delta = Delta { content: Some(text), ..Delta::default() };
        let logprobs = self.logprobs(scored);
        self.chunk(vec![ChatChunkChoice { index: 0, delta, logprobs, finish_reason: None }], None)
    }

    fn ending(&mut self, finish: FinishReason) -> String {
        let delta = Delta::default();
        self.chunk(
            vec![ChatChunkChoice { index: 0, delta, logprobs: None, finish_reason: Some(finish) }],
            None,
        )
    }

    fn usage(&mut self, usage: Usage) -> String {
        self.chunk(Vec::new(), Some(usage))
    }

    fn whole(self, text: String, scored: Vec<ScoredToken>, finish: FinishReason, usage: Usage) -> String {
        let logprobs = self.logprobs(scored);
        to_json(&ChatResponse {
            id: self.head.id,
            object: ChatResponse::OBJECT.into(),
            created: self.head.created,
            model: self.head.model,
            choices: vec![ChatChoice {
                index: 0,
                message: ChatReply::new(text),
                logprobs,
                finish_reason: Some(finish),
            }],
            usage: Some(usage),
        })
    }
}
