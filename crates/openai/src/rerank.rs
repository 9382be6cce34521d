//! `POST /v1/rerank`: which of these documents answers this question, in the form that Jina and Cohere gave it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request to order documents by how well they fit a question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RerankRequest {
    /// The model's name; empty or absent means the engine's own re-ranker.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The question.
    pub query: String,
    /// The documents.
    pub documents: Vec<RerankDocument>,
    /// How many of the best to give back; absent gives all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_n: Option<u32>,
    /// Whether the results hold the documents too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_documents: Option<bool>,
}

/// A document: a text, or an object with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a document must be a text or an object with a `text`")]
pub enum RerankDocument {
    /// The text.
    Text(String),
    /// The text in an object.
    Object {
        /// The text.
        text: String,
    },
}

impl RerankDocument {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
}

/// The documents, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RerankResponse {
    /// The model that read them.
    pub model: String,
    /// One entry a document.
    pub results: Vec<RerankResult>,
    /// What it cost.
    pub usage: RerankUsage,
}

/// One document's score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RerankResult {
    /// Its place in the request.
    pub index: u32,
    /// From 0 (has nothing to do with the question) to 1 (answers it).
    pub relevance_score: f32,
    /// The document, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<RerankText>,
}

/// A document as results give it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RerankText {
    /// The text.
    pub text: String,
}

/// What re-ranking cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RerankUsage {
    /// Tokens read: the question once with each document.
    pub total_tokens: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_as_texts_or_as_objects() {
        let wire = r#"{"query": "q", "documents": ["a", {"text": "b", "title": "t"}], "top_n": 1}"#;
        let request: RerankRequest = serde_json::from_str(wire).unwrap();
        assert_eq!(request.documents.iter().map(RerankDocument::text).collect::<Vec<_>>(), ["a", "b"]);
        let wrong = serde_json::from_str::<RerankRequest>(r#"{"query": "q", "documents": [5]}"#);
        assert!(wrong.unwrap_err().to_string().contains("must be a text"));
    }
}
