//! `POST /v1/chat/completions`.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::form::Form;
use crate::sampling::{FinishReason, Sampling, StreamOptions, Usage};
use crate::tools::{Tool, ToolCall, ToolCallDelta, ToolChoice};

/// A request to continue a conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OpenAiChatRequest)]
pub struct ChatRequest {
    /// The model's name; empty or absent means the engine's own chat model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<ChatMessage>,
    /// The newer name of `max_tokens`; it wins where both are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Whether to return the log probability of each generated token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many alternatives to return at each position (0 to 20), with `logprobs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// Who may share the computed prompt with this request; absent keeps it out of the cache. vLLM's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_salt: Option<String>,
    /// So many messages at the beginning are the same for everybody and may be shared by all (Banyan's own portal says so; it
    /// removes what other clients say here).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_messages: Option<u32>,
    /// Functions of the client that the model may ask it to call.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether and which; with tools, absent means `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether one answer may ask for several calls; absent means that it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The form that the answer is held to.
    #[serde(flatten)]
    pub form: Form,
    /// How tokens are picked and when to stop.
    #[serde(flatten)]
    pub sampling: Sampling,
}

impl ChatRequest {
    /// A request with the engine's defaults.
    #[must_use]
    pub fn new(messages: Vec<ChatMessage>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// The same request, streamed, with the usage at the end.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.sampling.stream = Some(true);
        self.sampling.stream_options = Some(StreamOptions { include_usage: true });
        self
    }

    /// The most tokens to generate, by either name.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.sampling.max_tokens)
    }

    /// How many alternatives to return at each position, or `None` when log probabilities are not wanted at all.
    #[must_use]
    pub fn wanted_logprobs(&self) -> Option<u32> {
        (self.logprobs == Some(true)).then(|| self.top_logprobs.unwrap_or(0))
    }
}

/// One turn of a conversation, as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OpenAiChatMessage)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said; an assistant's turn may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// A name to tell speakers of the same role apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The calls that an assistant's turn asked for.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call whose result a tool's turn is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

/// Several SDKs write `null` where a list is empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

impl ChatMessage {
    /// A turn of plain text.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        let content = Some(Content::Text(text.into()));
        Self { role, content, name: None, tool_calls: Vec::new(), tool_call_id: None }
    }

    /// The turn's text, parts joined; empty when there is no content.
    pub fn text(&self) -> Result<String, ContentError> {
        self.content.as_ref().map_or_else(|| Ok(String::new()), Content::text)
    }
}

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = OpenAiRole)]
pub enum Role {
    /// Instructions to the model. Newer clients call it `developer`.
    #[serde(alias = "developer")]
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    #[serde(alias = "function")]
    Tool,
}

impl Role {
    /// The role's name on the wire and in chat templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// What is said in a turn: text, or a list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "`content` must be a string or a list of parts like {\"type\":\"text\",\"text\":\"…\"}"
)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts; the box understands those of type `text`.
    Parts(Vec<ContentPart>),
}

impl Content {
    /// The text, parts joined. Refuses parts that are not text rather than answer as if they had been read.
    pub fn text(&self) -> Result<String, ContentError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| match &part.text {
                    Some(text) if part.kind == "text" => Ok(text.as_str()),
                    _ => Err(ContentError::UnsupportedPart(part.kind.chars().take(40).collect())),
                })
                .collect(),
        }
    }
}

/// One part of a turn's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContentPart {
    /// The kind of the part, `text` being the one that is understood.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text of a part of kind `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Content that cannot be read as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A part such as an image or sound.
    #[error(
        "a message has a part of type \"{0}\"; this model reads text only, so send parts of type \"text\""
    )]
    UnsupportedPart(String),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatResponse {
    /// The answer's id, `chatcmpl-…`.
    pub id: String,
    /// Always [`ChatResponse::OBJECT`].
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model that answered.
    pub model: String,
    /// One entry for each answer asked for.
    pub choices: Vec<ChatChoice>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl ChatResponse {
    /// The value of `object`.
    pub const OBJECT: &'static str = "chat.completion";
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChoice {
    /// Which of the answers asked for.
    pub index: u32,
    /// The answer.
    pub message: ChatReply,
    /// Log probabilities, when asked for.
    #[serde(default)]
    pub logprobs: Option<ChatLogprobs>,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
}

/// The model's turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatReply {
    /// Always the assistant.
    pub role: Role,
    /// What it said; nothing when it only asks for calls.
    pub content: Option<String>,
    /// The calls that it asks for.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

impl ChatReply {
    /// The assistant saying `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: Some(text.into()), tool_calls: Vec::new() }
    }
}

/// One event of a streamed answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChunk {
    /// The answer's id, the same in each of its chunks.
    pub id: String,
    /// Always [`ChatChunk::OBJECT`].
    pub object: String,
    /// Seconds since 1970, the same in each chunk.
    pub created: u64,
    /// The model that answers.
    pub model: String,
    /// What is new; empty in the chunk that carries the usage.
    pub choices: Vec<ChatChunkChoice>,
    /// What it cost, in the last chunk, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl ChatChunk {
    /// The value of `object`.
    pub const OBJECT: &'static str = "chat.completion.chunk";
}

/// What is new in one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChunkChoice {
    /// Which of the answers asked for.
    pub index: u32,
    /// What is added.
    pub delta: Delta,
    /// Log probabilities of the added tokens, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<ChatLogprobs>,
    /// Why the answer ended; only in its last chunk.
    #[serde(default)]
    pub finish_reason: Option<FinishReason>,
}

/// Text added to an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delta {
    /// Only in an answer's first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The added text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What is added to calls.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallDelta>,
}

/// Log probabilities of an answer's tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprobs {
    /// One entry a token.
    pub content: Option<Vec<TokenLogprob>>,
}

/// A token that was picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes: a token may be a part of a character.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens at this position.
    #[serde(default)]
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that could have been picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> ChatRequest {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_request_of_a_newer_client_is_understood_and_its_unknown_fields_are_passed_over() {
        let request = parse(
            r#"{"model":"m","messages":[{"role":"developer","content":"Be brief."},
                {"role":"user","content":[{"type":"text","text":"Hi "},{"type":"text","text":"there"}]},
                {"role":"assistant","content":null,"refusal":null}],
                "max_tokens":9,"max_completion_tokens":5,"stop":["\n"],"stream":true,"stream_options":{"include_usage":true},
                "parallel_tool_calls":false,"reasoning_effort":"none","temperature":0,"seed":-1,"top_p":null}"#,
        );
        assert_eq!(request.messages[0].role, Role::System);
        assert_eq!(request.messages[1].text().unwrap(), "Hi there");
        assert_eq!(request.messages[2].text().unwrap(), "");
        assert_eq!(request.max_tokens(), Some(5));
        assert_eq!(request.sampling.stop_texts(), ["\n"]);
        assert_eq!(request.sampling.temperature, Some(0.0));
        assert_eq!(request.sampling.top_p, None);
        assert!(request.sampling.streams() && request.sampling.wants_usage());
    }

    #[test]
    fn an_image_is_refused_by_name_instead_of_being_passed_over() {
        let request = parse(
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:…"}},{"type":"text","text":"?"}]}]}"#,
        );
        assert_eq!(request.messages[0].text(), Err(ContentError::UnsupportedPart("image_url".into())));
    }

    #[test]
    fn content_of_a_wrong_shape_is_refused_in_words() {
        let error =
            serde_json::from_str::<ChatRequest>(r#"{"messages":[{"role":"user","content":7}]}"#).unwrap_err();
        assert!(error.to_string().contains("`content` must be a string"), "{error}");
    }

    #[test]
    fn a_chunk_looks_as_openai_writes_it() {
        let chunk = ChatChunk {
            id: "chatcmpl-1".into(),
            object: ChatChunk::OBJECT.into(),
            created: 1,
            model: "m".into(),
            choices: vec![ChatChunkChoice {
                index: 0,
                delta: Delta { content: Some("Hi".into()), ..Delta::default() },
                logprobs: None,
                finish_reason: None,
            }],
            usage: None,
        };
        let wire = r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;
        assert_eq!(serde_json::to_string(&chunk).unwrap(), wire);
        assert_eq!(serde_json::from_str::<ChatChunk>(wire).unwrap(), chunk);
    }

    #[test]
    fn a_finish_reason_of_another_engine_does_not_break_the_stream() {
        let read: FinishReason = serde_json::from_str("\"eos_token\"").unwrap();
        assert_eq!(read, FinishReason::Other);
    }
}
