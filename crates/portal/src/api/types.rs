//! What the web app and the portal say to each other. The app's own types are made from these.

use banyan_openai::{FinishReason, Role, Usage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A question with what was said before.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChatRequest {
    /// The conversation, oldest first; the last message is the question.
    pub(crate) messages: Vec<ChatMessage>,
    /// How varied the answer may be, 0 to 2.
    #[serde(default)]
    pub(crate) temperature: Option<f32>,
    /// The most tokens of the answer; the box has its own limit too.
    #[serde(default)]
    pub(crate) max_tokens: Option<u32>,
}

/// One message of a conversation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChatMessage {
    pub(crate) role: Speaker,
    pub(crate) content: String,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaker {
    System,
    User,
    Assistant,
}

impl From<ChatMessage> for banyan_openai::ChatMessage {
    fn from(message: ChatMessage) -> Self {
        let role = match message.role {
            Speaker::System => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
        };
        Self::new(role, message.content)
    }
}

/// One event of an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ChatEvent {
    /// Text to add to the answer.
    Token { text: String },
    /// Something to know while waiting, in the member's language; not a part of the answer.
    Notice { text: String },
    /// The answer is whole.
    Done {
        finish_reason: FinishReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    /// There is no answer, or no whole one.
    Error {
        /// A name that a program can test.
        code: String,
        /// In the member's language, with what to do.
        message: String,
        /// Whether asking the same again may help.
        retry: bool,
    },
}

/// How the box is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) engine: EngineStatus,
    /// The version of Banyan.
    pub(crate) version: String,
    /// Codes of the languages that the box's own pages speak.
    pub(crate) languages: Vec<String>,
}

/// How the engine is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EngineStatus {
    pub(crate) state: EngineState,
    /// The chat model.
    pub(crate) model: Option<String>,
    /// What it is doing or what went wrong.
    pub(crate) reason: Option<String>,
}

/// Whether the engine can answer.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineState {
    /// It answers.
    Ready,
    /// It reads its model.
    Loading,
    /// It cannot answer and will not by itself.
    Failed,
    /// It cannot be reached.
    Down,
}
