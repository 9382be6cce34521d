//! From OpenAI's request fields to the engine's own, refusing what cannot be honoured by its name.

use super::Refusal;
use crate::engine::CacheScope;
use crate::error::SubmitError;
use crate::prompt::PromptError;
use crate::sampler::Settings;
use banyan_openai::{ApiError, Sampling};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// When a request names no temperature. OpenAI's own default is 1, which makes small models ramble; this is what
/// their makers recommend for chat.
const DEFAULT_TEMPERATURE: f32 = 0.7;

/// Stop texts of a request (OpenAI allows 4) and the bytes of each.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 512;

/// Fields that the wire's types leave out: those to refuse by name, and the logit bias.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extras {
    tools: Value,
    functions: Value,
    tool_choice: Value,
    function_call: Value,
    response_format: Value,
    modalities: Value,
    audio: Value,
    web_search_options: Value,
    suffix: Value,
    best_of: Value,
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
            ("tools", is_set(&self.tools)),
            ("functions", is_set(&self.functions)),
            ("tool_choice", is_set(&self.tool_choice)),
            ("function_call", is_set(&self.function_call)),
            ("audio", is_set(&self.audio)),
            ("web_search_options", is_set(&self.web_search_options)),
            ("suffix", is_set(&self.suffix)),
            ("best_of", self.best_of.as_u64().is_some_and(|n| n > 1)),
            ("response_format", is_set(&self.response_format) && self.response_format["type"] != "text"),
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
    sampling: &Sampling,
    logprobs: Option<u32>,
    logit_bias: Vec<(u32, f32)>,
) -> Result<Settings, Refusal> {
    if let Some(n) = sampling.n.filter(|n| *n != 1) {
        return Err(Refusal(ApiError::invalid_param(
            "n",
            format!("this engine gives one answer a request, not {n}; send the request several times"),
        )));
    }
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
    Ok(settings)
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
