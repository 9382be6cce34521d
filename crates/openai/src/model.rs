//! `GET /v1/models`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The models an engine serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
}

impl ModelList {
    /// Wraps the models.
    #[must_use]
    pub fn new(data: Vec<Model>) -> Self {
        Self { object: "list".into(), data }
    }
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// The name to ask for it by.
    pub id: String,
    /// Always `model`.
    #[serde(default)]
    pub object: String,
    /// Seconds since 1970: when it came onto the box.
    #[serde(default)]
    pub created: u64,
    /// Who serves it.
    #[serde(default)]
    pub owned_by: String,
    /// The most tokens of prompt and answer together (vLLM's name for it is understood too).
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "max_model_len")]
    pub context_length: Option<u32>,
    /// What it does: `chat`, `embedding` or `rerank` (Banyan's own field).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it is in memory; one that is not is loaded for the first request that names it (Banyan's own field).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// Of an adapter: where it lies (vLLM's field).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Of an adapter: the model it changes (vLLM's field).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

impl Model {
    /// A model of this box.
    pub fn new(id: impl Into<String>, created: u64) -> Self {
        Self {
            id: id.into(),
            object: "model".into(),
            created,
            owned_by: "banyan".into(),
            context_length: None,
            kind: None,
            loaded: None,
            root: None,
            parent: None,
        }
    }
}
