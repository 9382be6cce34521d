//! `POST /v1/embeddings`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::completion::Input;

/// A request to turn texts into vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingRequest {
    /// The model's name; empty or absent means the engine's own embedding model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The texts.
    pub input: Input,
    /// How to write the vectors. OpenAI's own SDKs ask for base64 unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<EncodingFormat>,
    /// Shorten the vectors to this many numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// A name the client gives its own user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// As a JSON list of numbers.
    #[default]
    Float,
    /// As little-endian 32-bit floats in base64.
    Base64,
}

/// The vectors, in the order of the texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingResponse {
    /// Always `list`.
    pub object: String,
    /// One entry a text.
    pub data: Vec<Embedding>,
    /// The model that made them.
    pub model: String,
    /// What it cost.
    pub usage: EmbeddingUsage,
}

impl EmbeddingResponse {
    /// The vectors of `model`, written as `format` says.
    pub fn new(
        model: impl Into<String>,
        vectors: Vec<Vec<f32>>,
        format: EncodingFormat,
        prompt_tokens: u32,
    ) -> Self {
        let data = (0_u32..)
            .zip(vectors)
            .map(|(index, vector)| Embedding {
                object: "embedding".into(),
                index,
                embedding: EmbeddingVector::encode(vector, format),
            })
            .collect();
        let usage = EmbeddingUsage { prompt_tokens, total_tokens: prompt_tokens };
        Self { object: "list".into(), data, model: model.into(), usage }
    }
}

/// The vector of one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Embedding {
    /// Always `embedding`.
    pub object: String,
    /// Which text.
    pub index: u32,
    /// The vector.
    pub embedding: EmbeddingVector,
}

/// A vector in either form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "`embedding` must be a list of numbers or a base64 string")]
pub enum EmbeddingVector {
    /// A list of numbers.
    Floats(Vec<f32>),
    /// Little-endian 32-bit floats in base64.
    Base64(String),
}

impl EmbeddingVector {
    /// Writes a vector in the form asked for.
    #[must_use]
    pub fn encode(vector: Vec<f32>, format: EncodingFormat) -> Self {
        match format {
            EncodingFormat::Float => Self::Floats(vector),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }

    /// The numbers, from either form.
    pub fn into_floats(self) -> Result<Vec<f32>, VectorError> {
        match self {
            Self::Floats(vector) => Ok(vector),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(VectorError::Base64)?;
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(VectorError::Length(bytes.len()));
                }
                Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
            }
        }
    }
}

/// An embedding that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// Not base64.
    #[error(
        "the embedding is not valid base64 ({0}); the engine speaks another dialect, ask for encoding_format \"float\""
    )]
    Base64(base64::DecodeError),
    /// Not a whole number of 32-bit floats.
    #[error(
        "the embedding has {0} bytes, which is not a whole number of 32-bit floats; ask for encoding_format \"float\""
    )]
    Length(usize),
}

/// What embedding cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingUsage {
    /// Tokens of all texts.
    pub prompt_tokens: u32,
    /// The same: nothing is generated.
    pub total_tokens: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_survives_either_form() {
        let vector = vec![0.25, -1.5, f32::MIN_POSITIVE];
        for format in [EncodingFormat::Float, EncodingFormat::Base64] {
            let response = EmbeddingResponse::new("m", vec![vector.clone()], format, 3);
            let wire = serde_json::to_string(&response).unwrap();
            let read: EmbeddingResponse = serde_json::from_str(&wire).unwrap();
            assert_eq!(read, response);
            assert_eq!(read.data.into_iter().next().unwrap().embedding.into_floats().unwrap(), vector);
        }
    }

    #[test]
    fn base64_is_written_as_openai_writes_it() {
        let vector = EmbeddingVector::encode(vec![1.0, -2.0], EncodingFormat::Base64);
        assert_eq!(serde_json::to_string(&vector).unwrap(), "\"AACAPwAAAMA=\"");
    }

    #[test]
    fn a_cut_or_garbled_vector_is_refused() {
        assert_eq!(EmbeddingVector::Base64("AACAPwA=".into()).into_floats(), Err(VectorError::Length(5)));
        assert!(matches!(EmbeddingVector::Base64("!".into()).into_floats(), Err(VectorError::Base64(_))));
    }
}
