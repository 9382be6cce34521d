//! From OpenAI's request fields to the engine's own, refusing what cannot be honoured by its name.

use super::Refusal;
use crate::constraint::{Constraint, Grammar};
use crate::engine::{CacheScope, Engine, EventStream, Request};
use crate::error::SubmitError;
use crate::prompt::{PromptError, Prompter};
use crate::sampler::Settings;
use banyan_openai::{ApiError, Form, ResponseFormat, Sampling};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// When a request names no temperature. OpenAI's own default is 1, which makes small models ramble; this is what
/// their makers recommend for chat.
const DEFAULT_TEMPERATURE: f32 = 0.7;

/// Answers of one request. Each takes a place of its own in the engine.
const MAX_ANSWERS: usize = 8;

/// Stop texts of a request (OpenAI allows 4) and the bytes of each.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 512;

/// Fields that the wire's types leave out: those to refuse by name, and the logit bias.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extras {
    functions: Value,
    function_call: Value,
    modalities: Value,
    audio: Value,
    web_search_options: Value,
    suffix: Value,
    best_of: Value,
    n: Value,
    logit_bias: Option<BTreeMap<String, f32>>,
}

/// A request's body: its typed fields, and the bias of single tokens.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Vec<(u32, f32)>), Refusal> {
    let bad = |e: serde_json::Error| {
        Refusal(ApiError::invalid_request(format!("the request is not understood: {e}")))
    };
    let request = serde_json::from_slice(body).map_err(bad)?;
    let extras: Extras = serde_json::from_slice(body).map_err(bad)?;
    extras.refuse_unsupported()?;
    Ok((request, extras.bias()?))
}

impl Extras {
    fn refuse_unsupported(&self) -> Result<(), Refusal> {
        let is_set = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(list) => !list.is_empty(),
            Value::String(text) => !text.is_empty() && text != "none" && text != "auto",
            _ => true,
        };
        let unsupported = [
            ("functions", is_set(&self.functions)),
            ("function_call", is_set(&self.function_call)),
            ("audio", is_set(&self.audio)),
            ("web_search_options", is_set(&self.web_search_options)),
            ("suffix", is_set(&self.suffix)),
            ("best_of", self.best_of.as_u64().is_some_and(|best| best > self.n.as_u64().unwrap_or(1))),
            ("modalities", is_set(&self.modalities) && self.modalities != serde_json::json!(["text"])),
        ];
        match unsupported.iter().find(|(_, set)| *set) {
            Some((name, _)) => Err(Refusal(ApiError::invalid_param(
                name,
                format!("this engine does not support `{name}`; leave it out"),
            ))),
            None => Ok(()),
        }
    }

    /// Whether a model has these tokens is for [`settings`] to say.
    fn bias(&self) -> Result<Vec<(u32, f32)>, Refusal> {
        let entries = self.logit_bias.iter().flatten();
        entries
            .map(|(token, bias)| match token.parse() {
                Ok(token) => Ok((token, *bias)),
                Err(_) => Err(Refusal(ApiError::invalid_param(
                    "logit_bias",
                    format!("`logit_bias` maps token ids to numbers, and \"{token}\" is no token id"),
                ))),
            })
            .collect()
    }
}

/// How tokens are picked, checked.
pub(super) fn settings(
    prompter: &Prompter,
    sampling: &Sampling,
    logprobs: Option<u32>,
    logit_bias: Vec<(u32, f32)>,
) -> Result<Settings, Refusal> {
    let settings = Settings {
        temperature: sampling.temperature.unwrap_or(DEFAULT_TEMPERATURE),
        top_k: sampling.top_k.unwrap_or(0) as usize,
        top_p: sampling.top_p.unwrap_or(1.0),
        min_p: sampling.min_p.unwrap_or(0.0),
        repetition_penalty: sampling.repetition_penalty.unwrap_or(1.0),
        presence_penalty: sampling.presence_penalty.unwrap_or(0.0),
        frequency_penalty: sampling.frequency_penalty.unwrap_or(0.0),
        logit_bias,
        seed: sampling.seed.map_or_else(rand::random, i64::cast_unsigned),
        logprobs: logprobs.map(|n| n as usize),
    };
    settings.check().map_err(|e| Refusal(ApiError::invalid_param(e.name, e.to_string())))?;
    let biased: Vec<u32> = settings.logit_bias.iter().map(|(token, _)| *token).collect();
    prompter.tokens(&biased).map_err(|e| Refusal(ApiError::invalid_param("logit_bias", e.to_string())))?;
    Ok(settings)
}

/// How many answers to give, checked.
pub(super) fn answers(sampling: &Sampling) -> Result<usize, Refusal> {
    match sampling.n.unwrap_or(1) as usize {
        n @ 1..=MAX_ANSWERS => Ok(n),
        n => Err(Refusal(ApiError::invalid_param(
            "n",
            format!("a request may ask for 1 to {MAX_ANSWERS} answers, not {n}"),
        ))),
    }
}

/// Submits a request `n` times, each with a seed of its own. All or none: when one is refused, the others are dropped.
pub(super) fn submit(engine: &Engine, request: Request, n: usize) -> Result<Vec<EventStream>, SubmitError> {
    let mut streams = Vec::with_capacity(n);
    for i in 1..n as u64 {
        let mut another = request.clone();
        another.sampling.seed = another.sampling.seed.wrapping_add(i);
        streams.push(engine.submit(another)?);
    }
    streams.insert(0, engine.submit(request)?);
    Ok(streams)
}

/// The form that a request asks for, and the field that says so.
pub(super) fn form(form: &Form) -> Result<Option<(&'static str, Grammar)>, Refusal> {
    let schema = |value: &Value| match value {
        Value::String(text) => serde_json::from_str(text).map(Grammar::JsonSchema).map_err(|e| {
            Refusal(ApiError::invalid_param("guided_json", format!("`guided_json` is no JSON: {e}")))
        }),
        schema => Ok(Grammar::JsonSchema(schema.clone())),
    };
    let format = match &form.response_format {
        None | Some(ResponseFormat::Text) => None,
        Some(ResponseFormat::JsonObject) => Some(Grammar::JsonObject),
        Some(ResponseFormat::JsonSchema { json_schema }) => Some(match &json_schema.schema {
            Some(schema) => Grammar::JsonSchema(schema.clone()),
            None => Grammar::JsonObject,
        }),
    };
    let asked = [
        ("response_format", format),
        ("guided_json", form.guided_json.as_ref().map(schema).transpose()?),
        ("guided_regex", form.guided_regex.clone().map(Grammar::Regex)),
        ("guided_choice", form.guided_choice.clone().map(Grammar::Choice)),
        ("guided_grammar", form.guided_grammar.clone().map(Grammar::Lark)),
    ];
    let mut asked = asked.into_iter().filter_map(|(name, grammar)| Some((name, grammar?)));
    match (asked.next(), asked.next()) {
        (Some((first, _)), Some((second, _))) => Err(Refusal(ApiError::invalid_param(
            second,
            format!("an answer has one form, so `{first}` and `{second}` do not go together"),
        ))),
        (first, _) => Ok(first),
    }
}

/// Compiles a form; `field` is where the request has it.
pub(super) fn constraint(
    prompter: &Prompter,
    grammar: Option<(&str, Grammar)>,
) -> Result<Option<Constraint>, Refusal> {
    let Some((field, grammar)) = grammar else { return Ok(None) };
    match prompter.grammars().compile(&grammar) {
        Ok(constraint) => Ok(Some(constraint)),
        Err(e) => Err(Refusal(ApiError::invalid_param(field, e.to_string()))),
    }
}

/// With whom a prompt may be shared. The salt is a name that only the portal knows; its hash is enough to tell scopes apart.
pub(super) fn scope(salt: Option<&str>, shared: usize) -> CacheScope {
    let private = salt.map(|salt| {
        let hash = blake3::hash(salt.as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
    });
    CacheScope { shared, private }
}

/// The stop texts, checked.
pub(super) fn stops(sampling: &Sampling) -> Result<Vec<String>, Refusal> {
    let stops = sampling.stop_texts();
    if stops.len() > MAX_STOPS || stops.iter().any(|stop| stop.len() > MAX_STOP_BYTES) {
        return Err(Refusal(ApiError::invalid_param(
            "stop",
            format!("`stop` takes up to {MAX_STOPS} texts of up to {MAX_STOP_BYTES} bytes each"),
        )));
    }
    Ok(stops.into_iter().map(str::to_owned).collect())
}

/// The most tokens to generate, checked.
pub(super) fn max_tokens(wanted: Option<u32>) -> Result<Option<usize>, Refusal> {
    match wanted {
        Some(0) => Err(Refusal(ApiError::invalid_param("max_tokens", "`max_tokens` must be at least 1"))),
        other => Ok(other.map(|n| n as usize)),
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        let words = error.to_string();
        Refusal(match error {
            SubmitError::ContextLength { .. } => ApiError::context_length_exceeded(words),
            SubmitError::EmptyPrompt => ApiError::invalid_param("prompt", words),
            SubmitError::QueueFull { retry_after_s, .. } => ApiError::queue_full(words, retry_after_s),
            SubmitError::Stopped => ApiError::engine_unavailable(words),
        })
    }
}

impl From<PromptError> for Refusal {
    fn from(error: PromptError) -> Self {
        let words = error.to_string();
        Refusal(match error {
            PromptError::NoTemplate => ApiError::invalid_param("model", words),
            PromptError::NoMessages | PromptError::Template(_) => ApiError::invalid_param("messages", words),
            PromptError::NoSuchToken { .. } => ApiError::invalid_param("prompt", words),
            PromptError::Tokenizer(_) => ApiError::internal(words),
        })
    }
}
