//! Why an engine does not start or a request is refused.

use crate::forward::ForwardError;
use std::path::PathBuf;

/// What can go wrong between a configuration and a running model.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The runtime library is missing or unfit.
    #[error(
        "ONNX Runtime could not be loaded from {}: {reason}. Give the path of libonnxruntime.so (1.24 or newer) with \
         --ort-lib or BANYAN_ORT_LIB",
        path.display()
    )]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A pack cannot be opened.
    #[error("the model pack {} cannot be used: {reason}", path.display())]
    Pack {
        /// The pack's folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The runtime refused the graph.
    #[error("the model {model} does not load with the provider {provider}: {reason}")]
    Session {
        /// The pack's name.
        model: String,
        /// The execution provider.
        provider: String,
        /// What the runtime said.
        reason: String,
    },
    /// The graph is not what the pack's format promises.
    #[error(
        "the model {model} does not keep the graph contract: {reason}; import it again with this version"
    )]
    Contract {
        /// The pack's name.
        model: String,
        /// What is missing or different.
        reason: String,
    },
    /// Not even one sequence fits.
    #[error(
        "{budget} MiB for the KV cache hold {tokens} tokens, and a conversation needs at least {least}; give the \
         engine more memory or take a smaller model"
    )]
    Memory {
        /// The budget in MiB.
        budget: u64,
        /// Tokens that fit into it.
        tokens: u64,
        /// The least that makes sense.
        least: u64,
    },
    /// The tokenizer file is unreadable or the tokenizer failed on a text.
    #[error("the tokenizer failed: {0}")]
    Tokenizer(String),
    /// A run failed.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// A thread could not be started.
    #[error("the system gave no thread for {what}: {source}")]
    Thread {
        /// What it was for.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The socket failed.
    #[error("the engine's socket failed: {source}")]
    Socket {
        /// The system's reason.
        source: std::io::Error,
    },
    /// The engine thread ended by itself.
    #[error("the engine broke: {0}")]
    Broken(String),
    /// Something of the kind asked for is not there (no decoder among the packs, …).
    #[error("{0}")]
    Missing(String),
}

/// Why a request was not taken in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// The prompt with room for an answer is longer than a row.
    #[error(
        "this conversation has {prompt} tokens, and the model can take at most {most} with room for an answer; \
         shorten the question or start a new conversation"
    )]
    ContextLength {
        /// Tokens of the prompt.
        prompt: usize,
        /// The longest prompt that is taken.
        most: usize,
    },
    /// There is nothing to answer.
    #[error("the prompt is empty; there is nothing to continue")]
    EmptyPrompt,
    /// Too many wait.
    #[error("{waiting} requests are waiting already; try again in a moment")]
    QueueFull {
        /// How many wait.
        waiting: usize,
        /// A guess when it makes sense to try again.
        retry_after_s: u32,
    },
    /// The engine has stopped.
    #[error("the engine has stopped; it is started again by itself, try again in a moment")]
    Stopped,
}
