//! `POST /v1/completions`: continue a text, without a chat template.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::form::Form;
use crate::sampling::{FinishReason, Sampling, Usage};

/// A request to continue a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// The model's name; empty or absent means the engine's own chat model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// What to continue.
    pub prompt: Input,
    /// Whether the answer starts with the prompt itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// How many alternatives to return at each position, with the log probabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Who may share the computed prompt with this request; absent keeps it out of the cache. vLLM's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_salt: Option<String>,
    /// The form that the answer is held to.
    #[serde(flatten)]
    pub form: Form,
    /// How tokens are picked and when to stop.
    #[serde(flatten)]
    pub sampling: Sampling,
}

/// One or several texts, as text or as token ids. Prompts and embedding inputs have this shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "must be a string, a list of strings, a list of token ids or a list of such lists"
)]
pub enum Input {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One text as token ids.
    Tokens(Vec<u32>),
    /// Several texts as token ids.
    TokenLists(Vec<Vec<u32>>),
}

impl Input {
    /// How many texts.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(_) | Self::Tokens(_) => 1,
            Self::Texts(texts) => texts.len(),
            Self::TokenLists(lists) => lists.len(),
        }
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A whole continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionResponse {
    /// The answer's id, `cmpl-…`.
    pub id: String,
    /// Always [`CompletionResponse::OBJECT`].
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model that answered.
    pub model: String,
    /// One entry for each continuation asked for.
    pub choices: Vec<CompletionChoice>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl CompletionResponse {
    /// The value of `object`, in whole and in streamed answers.
    pub const OBJECT: &'static str = "text_completion";
}

/// One continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionChoice {
    /// Which of the continuations asked for.
    pub index: u32,
    /// The continuation.
    pub text: String,
    /// Log probabilities, when asked for.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
}

/// One event of a streamed continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionChunk {
    /// The answer's id, the same in each of its chunks.
    pub id: String,
    /// Always [`CompletionResponse::OBJECT`].
    pub object: String,
    /// Seconds since 1970, the same in each chunk.
    pub created: u64,
    /// The model that answers.
    pub model: String,
    /// What is new; empty in the chunk that carries the usage.
    pub choices: Vec<CompletionChunkChoice>,
    /// What it cost, in the last chunk, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What is new in one continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionChunkChoice {
    /// Which of the continuations asked for.
    pub index: u32,
    /// The added text.
    pub text: String,
    /// Log probabilities of the added tokens, when asked for.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// Why the continuation ended; only in its last chunk.
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
}

/// Log probabilities in the older shape: parallel lists, one entry a token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionLogprobs {
    /// Each token's text.
    pub tokens: Vec<String>,
    /// Natural logarithm of each token's probability; none for the first token of an echoed prompt.
    pub token_logprobs: Vec<Option<f32>>,
    /// The likeliest tokens at each position.
    pub top_logprobs: Option<Vec<Option<BTreeMap<String, f32>>>>,
    /// Where each token starts in the text, in characters.
    pub text_offset: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_may_be_text_texts_or_token_ids() {
        let cases = [
            (r#""a""#, Input::Text("a".into()), 1),
            (r#"["a","b"]"#, Input::Texts(vec!["a".into(), "b".into()]), 2),
            ("[1,2]", Input::Tokens(vec![1, 2]), 1),
            ("[[1],[2,3]]", Input::TokenLists(vec![vec![1], vec![2, 3]]), 2),
        ];
        for (prompt, expected, len) in cases {
            let json = format!(r#"{{"prompt":{prompt},"max_tokens":1,"best_of":1}}"#);
            let request: CompletionRequest = serde_json::from_str(&json).unwrap();
            assert_eq!(request.prompt, expected);
            assert_eq!(request.prompt.len(), len);
            assert_eq!(request.sampling.max_tokens, Some(1));
        }
    }

    #[test]
    fn a_prompt_of_a_wrong_shape_is_refused_in_words() {
        let error = serde_json::from_str::<CompletionRequest>(r#"{"prompt":{"a":1}}"#).unwrap_err();
        assert!(error.to_string().contains("must be a string"), "{error}");
    }
}
