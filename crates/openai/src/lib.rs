//! The OpenAI wire: what a client, the portal and the engine say to each other.
//!
//! * [`chat`], [`completion`], [`embedding`], [`rerank`], [`model`]: serde types of the requests and the answers. Unknown
//!   fields are tolerated, so a newer SDK does not fail on a box that never heard of its latest option.
//! * [`form`], [`tools`]: what an answer is held to, and the functions it may ask to be called.
//! * [`error`]: OpenAI's error body, with one constructor for each refusal that the box knows.
//! * [`health`]: what the engine says about itself at `/health` (Banyan's own, not OpenAI's).
//! * [`sse`]: server-sent events: an encoder, and a parser that takes bytes cut anywhere.
//! * [`client`]: HTTP/1.1 over a Unix socket, or over TCP to engines on other machines. Dropping a stream closes its
//!   connection, and with that the engine cancels the generation.
//!
//! Deliberately absent: TLS and retries. The box's own engine is behind a Unix socket, others are in the community's
//! own network or at the end of a tunnel; whether a question may be asked twice is for the caller to know.
//!
//! ```
//! use banyan_openai::{ChatMessage, ChatRequest, Role};
//!
//! let request = ChatRequest::new(vec![ChatMessage::new(Role::User, "What is a banyan?")]);
//! let sent = serde_json::to_string(&request).expect("plain data");
//! assert_eq!(sent, r#"{"messages":[{"role":"user","content":"What is a banyan?"}]}"#);
//! ```

pub mod chat;
pub mod client;
pub mod completion;
pub mod embedding;
pub mod error;
pub mod form;
pub mod health;
pub mod model;
pub mod rerank;
pub mod sampling;
pub mod sse;
pub mod tools;

pub use chat::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatLogprobs, ChatMessage, ChatReply, ChatRequest, ChatResponse,
    Content, ContentError, ContentPart, Delta, Role, TokenLogprob, TopLogprob,
};
pub use client::{
    AddressError, BearerKey, ChatStream, Client, ClientError, EngineAddress, EngineBody, HttpAddress,
    Introduction, Maker,
};
pub use completion::{
    CompletionChoice, CompletionChunk, CompletionChunkChoice, CompletionLogprobs, CompletionRequest,
    CompletionResponse, Input,
};
pub use embedding::{
    Embedding, EmbeddingRequest, EmbeddingResponse, EmbeddingUsage, EmbeddingVector, EncodingFormat,
    VectorError,
};
pub use error::{ApiError, ErrorBody, ErrorDetail};
pub use form::{Form, JsonSchemaFormat, ResponseFormat};
pub use health::{Health, HealthStatus, ModelHealth, ProviderHealth};
pub use model::{Model, ModelList};
pub use rerank::{RerankDocument, RerankRequest, RerankResponse, RerankResult, RerankText, RerankUsage};
pub use sampling::{FinishReason, PromptTokensDetails, Sampling, Stop, StreamOptions, Usage};
pub use tools::{
    FunctionCall, FunctionDefinition, FunctionDelta, FunctionName, Tool, ToolCall, ToolCallDelta, ToolChoice,
    ToolMode,
};
