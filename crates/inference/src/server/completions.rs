//! `POST /v1/completions`: continue a text as it stands.

use super::adapters::Answering;
use super::answer::{Answer, Head, Shape, TokenNames, streamed, to_json, whole};
use super::{App, Refusal, body, model_name, off_thread, request};
use crate::engine::{Request, ScoredToken};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use banyan_openai::{
    ApiError, CompletionChoice, CompletionChunk, CompletionChunkChoice, CompletionLogprobs,
    CompletionRequest, CompletionResponse, FinishReason, Input, Usage,
};
use std::sync::Arc;

/// Tokens to generate when a request does not say: OpenAI's own default for this address.
const DEFAULT_MAX_TOKENS: u32 = 16;

pub(super) async fn completions(
    State(app): State<Arc<App>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let bytes = body(bytes)?;
    let Answering { model, adapter, name } = app.answering(&model_name(&bytes)?).await?;
    let (events, shape, sampling) = off_thread(move || {
        let (completion, bias) = request::parse::<CompletionRequest>(&bytes)?;
        let echo = completion.echo == Some(true);
        if echo && completion.logprobs.is_some() {
            return Err(Refusal(ApiError::invalid_param(
                "logprobs",
                "`logprobs` of an echoed prompt are not supported; leave out `echo` or `logprobs`",
            )));
        }
        let names = TokenNames(Arc::clone(model.prompter.tokenizer()));
        let (prompt, text) = match one_prompt(completion.prompt)? {
            Input::Tokens(tokens) => {
                let text =
                    if echo { names.0.decode(&tokens, true).unwrap_or_default() } else { String::new() };
                (model.prompter.tokens(&tokens)?, text)
            }
            Input::Text(text) => (model.prompter.text(&text)?, text),
            Input::Texts(_) | Input::TokenLists(_) => (Vec::new(), String::new()),
        };
        let max_tokens = completion.sampling.max_tokens.or(Some(DEFAULT_MAX_TOKENS));
        let prompter = &model.prompter;
        let n = request::answers(&completion.sampling)?;
        let request = Request {
            adapter,
            constraint: request::constraint(prompter, request::form(&completion.form)?)?,
            scope: request::scope(completion.cache_salt.as_deref(), 0),
            prompt,
            max_tokens: request::max_tokens(max_tokens)?,
            sampling: request::settings(prompter, &completion.sampling, completion.logprobs, bias)?,
            stop: request::stops(&completion.sampling)?,
        };
        let events = request::submit(&model.engine, request, n)?;
        let shape = CompletionShape {
            head: Head::new("cmpl", &name),
            echo: echo.then_some(text),
            names: completion.logprobs.map(|_| names),
            offsets: vec![0; n],
        };
        Ok((events, shape, completion.sampling))
    })
    .await??;
    if sampling.streams() {
        return Ok(streamed(events, shape, sampling.wants_usage()));
    }
    whole(events, shape).await
}

/// The one prompt of a request; a list of one is one.
fn one_prompt(input: Input) -> Result<Input, Refusal> {
    let refused =
        |n: usize| Refusal(ApiError::invalid_param("prompt", format!("send one prompt a request, not {n}")));
    match input {
        Input::Texts(mut texts) => match (texts.pop(), texts.len()) {
            (Some(text), 0) => Ok(Input::Text(text)),
            (one, rest) => Err(refused(rest + usize::from(one.is_some()))),
        },
        Input::TokenLists(mut lists) => match (lists.pop(), lists.len()) {
            (Some(tokens), 0) => Ok(Input::Tokens(tokens)),
            (one, rest) => Err(refused(rest + usize::from(one.is_some()))),
        },
        one => Ok(one),
    }
}

struct CompletionShape {
    head: Head,
    /// The prompt's text, to stand before the answer.
    echo: Option<String>,
    /// There when log probabilities are wanted.
    names: Option<TokenNames>,
    /// Characters of each answer so far.
    offsets: Vec<u32>,
}

impl CompletionShape {
    fn chunk(&self, choices: Vec<CompletionChunkChoice>, usage: Option<Usage>) -> String {
        to_json(&CompletionChunk {
            id: self.head.id.clone(),
            object: CompletionResponse::OBJECT.into(),
            created: self.head.created,
            model: self.head.model.clone(),
            choices,
            usage,
        })
    }

    fn logprobs(&mut self, index: usize, scored: Vec<ScoredToken>) -> Option<CompletionLogprobs> {
        let names = self.names.as_ref()?;
        let mut out = CompletionLogprobs { top_logprobs: Some(Vec::new()), ..CompletionLogprobs::default() };
        for scored in scored {
            let (text, _) = names.name(scored.token);
            let top = scored.logprob.top.iter().map(|(id, logprob)| (names.name(*id).0, *logprob));
            out.top_logprobs.get_or_insert_default().push(Some(top.collect()));
            out.text_offset.push(self.offsets[index]);
            out.token_logprobs.push(Some(scored.logprob.picked));
            self.offsets[index] += text.chars().count() as u32;
            out.tokens.push(text);
        }
        Some(out)
    }
}

impl CompletionShape {
    fn text(&self, index: usize, text: String, logprobs: Option<CompletionLogprobs>) -> String {
        let choice = CompletionChunkChoice { index: index as u32, text, logprobs, finish_reason: None };
        self.chunk(vec![choice], None)
    }
}

impl Shape for CompletionShape {
    fn opening(&mut self, index: usize) -> Option<String> {
        let text = self.echo.clone()?;
        Some(self.text(index, text, None))
    }

    fn piece(&mut self, index: usize, text: String, scored: Vec<ScoredToken>) -> Vec<String> {
        let logprobs = self.logprobs(index, scored);
        vec![self.text(index, text, logprobs)]
    }

    fn ending(&mut self, index: usize, finish: FinishReason) -> Vec<String> {
        let (index, finish_reason) = (index as u32, Some(finish));
        let choice = CompletionChunkChoice { index, text: String::new(), logprobs: None, finish_reason };
        vec![self.chunk(vec![choice], None)]
    }

    fn usage(&mut self, usage: Usage) -> String {
        self.chunk(Vec::new(), Some(usage))
    }

    fn whole(mut self, answers: Vec<Answer>, usage: Usage) -> String {
        let echo = self.echo.take().unwrap_or_default();
        let choices = answers.into_iter().enumerate().map(|(index, answer)| CompletionChoice {
            index: index as u32,
            logprobs: self.logprobs(index, answer.scored),
            text: format!("{echo}{}", answer.text),
            finish_reason: Some(answer.finish),
        });
        let choices = choices.collect();
        to_json(&CompletionResponse {
            id: self.head.id,
            object: CompletionResponse::OBJECT.into(),
            created: self.head.created,
            model: self.head.model,
            choices,
            usage: Some(usage),
        })
    }
}
