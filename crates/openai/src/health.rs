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
        }
    }
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
