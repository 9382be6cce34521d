//! What the web app and the portal say to each other. The app's own types are made from these.

use banyan_openai::{FinishReason, Role, Usage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Passages, Rests};

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
    /// Seconds within which its turn has to come; a question that would wait longer is refused at once.
    #[serde(default)]
    pub(crate) deadline_s: Option<f64>,
    /// Whether it goes before others, where the box lets members say so.
    #[serde(default)]
    pub(crate) urgent: Option<bool>,
    /// Whether the answer may rest on the library.
    #[serde(default = "yes")]
    pub(crate) library: bool,
}

const fn yes() -> bool {
    true
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
    /// The box has the question. The answer can be had again under this name.
    Started {
        /// For `/api/chat/{answer}`.
        answer: String,
    },
    /// How it stands in the queue; at once, and whenever that changes.
    Queued {
        /// 1 is the next; 0 says that its turn has come, and an engine reads it.
        place: u32,
        /// Seconds until its turn; absent while that cannot be told.
        expected_s: Option<u32>,
    },
    /// What the library has on the question; before the first word, and not at all where there is nothing to look for.
    Passages(Passages),
    /// Text to add to the answer.
    Token { text: String },
    /// What the answer rests on; behind its last word, where the model had passages. By comparing words: a help to see what
    /// to check, not a proof.
    Cites(Rests),
    /// A rule of the community fired: the answer so far is withdrawn, and this stands in its place.
    Replaced { text: String },
    /// A rule of the community says that this answer is to be read with care; not a part of the answer.
    Warning { text: String },
    /// Something to know while waiting, in the member's language; not a part of the answer.
    Notice { text: String },
    /// The answer is whole.
    Done {
        finish_reason: FinishReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// The member stopped it, or nobody listened any more.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[schema(required = false)]
        stopped: bool,
        /// The ledger entry that says by what it was made, for `/api/audit/{entry}`.
        #[serde(skip_serializing_if = "Option::is_none")]
        audit: Option<u64>,
    },
    /// There is no answer, or no whole one.
    Error {
        /// A name that a program can test.
        code: String,
        /// In the member's language, with what to do.
        message: String,
        /// Whether asking the same again may help.
        retry: bool,
        /// Seconds after which it may.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
    },
}

/// How the box is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) engine: EngineStatus,
    /// All engines, the box's own first.
    pub(crate) engines: Vec<EnginePlaces>,
    pub(crate) queue: QueueStatus,
    /// The version of Banyan.
    pub(crate) version: String,
    /// Codes of the languages that the box's own pages speak.
    pub(crate) languages: Vec<String>,
}

/// How many wait for their turn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct QueueStatus {
    /// Questions that wait.
    pub(crate) waiting: usize,
    /// Answers that are being written.
    pub(crate) running: usize,
    /// Answers that can be written at the same time; 0 while no engine is ready.
    pub(crate) places: usize,
    /// Seconds until the turn of a question that came now; absent while that cannot be told.
    pub(crate) expected_s: Option<u32>,
    /// Whether members may say that a question is urgent.
    pub(crate) urgent_allowed: bool,
}

/// How one of the engines is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct EnginePlaces {
    /// What stewards call it.
    pub(crate) name: String,
    pub(crate) state: EngineState,
    /// Answers that it can write at the same time.
    pub(crate) slots: usize,
    /// Answers that it writes for this box.
    pub(crate) in_flight: usize,
    /// Why it is not ready.
    pub(crate) reason: Option<String>,
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
