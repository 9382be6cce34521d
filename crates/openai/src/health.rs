//! `GET /health` of an engine: Banyan's own words, not OpenAI's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an engine says about itself. HTTP 200 when ready, 503 otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether it can answer.
    pub status: HealthStatus,
    /// What it is doing or what went wrong, in words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The chat model.
    #[serde(default)]
    pub model: Option<String>,
    /// The embedding model.
    #[serde(default)]
    pub embedding_model: Option<String>,
    /// The most tokens of prompt and answer together; 0 while unknown.
    #[serde(default)]
    pub context_length: u32,
    /// How many answers can be made at the same time.
    #[serde(default)]
    pub slots: u32,
    /// How many are being made.
    #[serde(default)]
    pub running: u32,
    /// How many requests wait for a slot.
    #[serde(default)]
    pub waiting: u32,
    /// The execution providers, in the order of preference.
    #[serde(default)]
    pub providers: Vec<ProviderHealth>,
    /// The engine's version.
    #[serde(default)]
    pub version: String,
    /// Every model that it knows, and how it is.
    #[serde(default)]
    pub models: Vec<ModelHealth>,
    /// MiB that models may take together; 0 while unknown.
    #[serde(default)]
    pub memory_budget_mib: u64,
    /// MiB that those in memory take, as estimated.
    #[serde(default)]
    pub memory_used_mib: u64,
}

impl Health {
    /// An engine of this version that is still loading.
    pub fn loading(version: impl Into<String>) -> Self {
        Self {
            status: HealthStatus::Loading,
            reason: None,
            model: None,
            embedding_model: None,
            context_length: 0,
            slots: 0,
            running: 0,
            waiting: 0,
            providers: Vec::new(),
            version: version.into(),
            models: Vec::new(),
            memory_budget_mib: 0,
            memory_used_mib: 0,
        }
    }
}

/// How one model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelHealth {
    /// Its name.
    pub name: String,
    /// What it does: `chat`, `embedding` or `rerank`.
    pub kind: String,
    /// `unloaded`, `loading`, `ready`, `leaving` (it finishes its requests) or `failed`.
    pub state: String,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// MiB that it takes when it is loaded, as estimated.
    pub memory_mib: u64,
    /// Whether it stays loaded.
    pub stays: bool,
}

/// Whether an engine can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It reads its model.
    Loading,
    /// It answers.
    Ready,
    /// It cannot answer and will not by itself; the reason says what to do.
    Failed,
}

/// One execution provider (a way to compute: CPU, CUDA …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderHealth {
    /// Its name, such as `CPU` or `CUDA`.
    pub name: String,
    /// Whether a real inference was tried on it.
    pub tried: bool,
    /// Whether that gave the right result.
    pub works: bool,
    /// What happened, in words.
    #[serde(default)]
    pub detail: String,
}
