//! The engine: language models and embeddings on ONNX Runtime, behind the OpenAI wire on a Unix socket.
//!
//! # What it promises
//! - **Batch-shaped from the first line.** Many sequences share one model: a step computes a chunk of one prompt and
//!   one token of every running answer. The memory of all conversations is planned and taken at start.
//! - **A client that goes away costs nothing more**: at most the step that runs.
//! - **Text comes whole**: never half a character, never a piece of a stop text.
//! - **Errors are words**: a conversation that is too long, a queue that is full, a model that does not load.
//!
//! # What it refuses
//! It opens no network, knows no member and keeps no text. Who may ask, and whose turn it is among members, is decided
//! by the portal before a request comes here. It imports no models; that is `banyan-modelpack`.
//!
//! # Map
//! - [`server`]: HTTP; [`serve`] is the whole engine process.
//! - [`engine`]: the thread that owns the model; [`scheduler`]: who runs next (pure).
//! - [`constraint`]: answers that keep to a form; [`calls`]: calls of tools.
//! - [`sampler`], [`detokenize`], [`prompt`]: from logits to text and from conversations to tokens.
//! - [`forward`]: what a model is to the engine; [`runner`]: the decoder on ONNX Runtime; [`kv`]: its memory.
//! - [`models`]: which models are in memory, within a budget. [`embed`]: the encoder; [`rerank`]: the cross-encoder.
//!   [`providers`], [`runtime`], [`load`]: ONNX Runtime, and packs to running models.
//! - [`bench`](mod@bench), [`score`]: speed and quality of one stream; [`tune`](mod@tune): what steps cost, and what to choose.
//!
//! ```no_run
//! use banyan_inference::{EngineConfig, serve};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = EngineConfig {
//!     packs: vec!["models/smollm2-135m-instruct".into()],
//!     ort_library: "/usr/lib/banyan/libonnxruntime.so".into(),
//!     ..EngineConfig::default()
//! };
//! let listener = tokio::net::UnixListener::bind("run/infer.sock")?;
//! serve(config, listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

pub mod adapters;
pub mod batched;
pub mod bench;
mod calibrate;
pub mod calls;
pub mod capacity;
pub mod config;
pub mod constraint;
mod decoder;
pub mod detokenize;
pub mod embed;
pub mod engine;
pub mod error;
pub mod forward;
pub mod kv;
pub mod load;
pub mod metrics;
pub mod models;
pub mod prefix;
pub mod profile;
pub mod prompt;
pub mod providers;
pub mod rerank;
pub mod runner;
pub mod runtime;
pub mod sampler;
pub mod scheduler;
pub mod score;
pub mod server;
pub mod speculation;
#[cfg(test)]
mod testing;
pub mod tune;

pub use bench::{BenchOptions, BenchReport, Rate, bench};
pub use config::{EngineConfig, Tuned};
pub use detokenize::StopFilter;
pub use engine::{Engine, EngineOptions, Event, EventStream, Finish, Request};
pub use error::{EngineError, SubmitError};
pub use score::{Perplexity, ScoreOptions, Scorer, kl_divergence, perplexity};
pub use server::serve;
