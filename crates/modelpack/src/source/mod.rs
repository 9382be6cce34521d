//! Where weights come from: a GGUF file or a Hugging Face folder, behind one view.
//!
//! Both kinds answer with the same canonical tensor names (those of GGUF: `blk.3.attn_q.weight`) and hand out
//! *rows in their stored form*, so that a model of any size streams through a few mebibytes of memory.

mod check;
pub mod dequant;
pub mod gguf;
pub mod hf;

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use thiserror::Error;

/// How the numbers of a tensor are stored. Block layouts follow ggml's `ggml-common.h`.
#[allow(non_camel_case_types, reason = "ggml's own names; readers know them in this spelling")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// bfloat16.
    BF16,
    /// 32 weights: f16 scale, 4-bit values, `w = d (q - 8)`.
    Q4_0,
    /// 32 weights: f16 scale, f16 minimum, 4-bit values, `w = d q + m`.
    Q4_1,
    /// 32 weights: f16 scale, 5-bit values, `w = d (q - 16)`.
    Q5_0,
    /// 32 weights: f16 scale, f16 minimum, 5-bit values, `w = d q + m`.
    Q5_1,
    /// 32 weights: f16 scale, signed bytes, `w = d q`.
    Q8_0,
    /// 256 weights in eight sub-blocks with 6-bit scales and minimums.
    Q4_K,
    /// As [`DType::Q4_K`] with a fifth bit.
    Q5_K,
    /// 256 weights, 6-bit values, sixteen 8-bit sub-scales.
    Q6_K,
}

/// Shape and storage of one tensor; a vector has one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Stored form.
    pub dtype: DType,
    /// Output features (1 for a vector).
    pub rows: usize,
    /// Input features: the contiguous dimension.
    pub cols: usize,
}

/// Why a source could not be read. Every message names the file or tensor and what to do.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes contradict the format.
    #[error(
        "{path} is damaged or not what it claims to be: {what}. Fetch the file again and compare its checksum"
    )]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, with the name of the field or tensor.
        what: String,
    },
    /// A well-formed file that Banyan cannot serve.
    #[error("{path}: {what}")]
    Unsupported {
        /// The file.
        path: String,
        /// What is not supported and what would be.
        what: String,
    },
    /// A tensor that the family needs is not there.
    #[error("{path} has no tensor `{tensor}`, which a {family} model needs; the file is incomplete")]
    MissingTensor {
        /// The file or folder.
        path: String,
        /// Canonical name.
        tensor: String,
        /// Model family.
        family: String,
    },
}

/// Rows of weights by canonical name.
pub trait WeightSource {
    /// What is stored under `name`; `None` when the model has no such tensor.
    fn info(&self, name: &str) -> Option<TensorInfo>;
    /// Replaces `out` with the stored bytes of rows `first .. first + count` of `name`.
    fn read_rows(&self, name: &str, first: usize, count: usize, out: &mut Vec<u8>)
    -> Result<(), SourceError>;
    /// The file or folder, for messages.
    fn describe(&self) -> String;
}

/// A tensor with its checked place in a file: both kinds of source read through it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) info: TensorInfo,
    pub(crate) row_bytes: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Stored {
    pub(crate) fn read_rows(
        &self,
        file: &File,
        path: &Path,
        name: &str,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        if rows.start > rows.end || rows.end > self.info.rows {
            let what = format!("rows {rows:?} of `{name}` were asked for, and it has {}", self.info.rows);
            return Err(SourceError::Malformed { path: path.display().to_string(), what });
        }
        out.resize(rows.len() * self.row_bytes, 0);
        file.read_exact_at(out, self.start + (rows.start * self.row_bytes) as u64).map_err(|source| {
            SourceError::Io { path: format!("{} (tensor `{name}`)", path.display()), source }
        })
    }
}

/// Model families whose graphs Banyan can build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 2/3.x, SmolLM, TinyLlama.
    Llama,
    /// Mistral: Llama with an optional sliding window.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on q, k and v.
    Qwen2,
    /// Qwen3: RMS norm on every query and key head.
    Qwen3,
}

/// What the decoder graph needs to know of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// Family.
    pub family: Family,
    /// Transformer blocks.
    pub layers: usize,
    /// Model width.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// RMS norm epsilon.
    pub norm_eps: f32,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Divisors of the rotary frequencies (`head_dim / 2` of them), as Llama 3.1's scaling gives; `None` is all ones.
    pub rope_factors: Option<Vec<f32>>,
    /// GGUF's llama family stores q and k permuted for interleaved rotation.
    pub rope_interleaved: bool,
    /// Tokens a position may look back, when limited.
    pub sliding_window: Option<usize>,
    /// Context length the model was trained for.
    pub context_length: usize,
}

/// How token vectors become one sentence vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Mean over the tokens of the mask.
    Mean,
    /// The first token.
    Cls,
}

/// What the encoder (BERT) graph needs to know of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Transformer blocks.
    pub layers: usize,
    /// Model width.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Rows of the token embedding.
    pub vocab: usize,
    /// Rows of the position embedding.
    pub max_positions: usize,
    /// Layer norm epsilon.
    pub norm_eps: f32,
    /// Pooling.
    pub pooling: Pooling,
    /// Rows of the token type embedding.
    pub token_types: usize,
}
