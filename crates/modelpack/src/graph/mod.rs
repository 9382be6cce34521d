//! The ONNX graphs and their weights.
//!
//! Graphs are built from ONNX Runtime's contrib operators (`com.microsoft`): GroupQueryAttention with a length per
//! row and past and present in one buffer, MatMulNBits for every linear map, fused skip + RMS norm. Q, k and v are
//! one linear map, gate and up another: a decode step is bound by memory and by the count of nodes.
//!
//! # Invariants
//! - Weights pass through in blocks of rows ([`ROW_CHUNK_BYTES`]); no tensor is held whole, whatever its size.
//! - What a quantized source stores is kept exactly wherever ONNX Runtime can express it: see
//!   `linear.rs` for the forms and why they are what they are.
//! - All graphs of a decoder ([`Variant`]) point into the same `weights.bin`.

mod builder;
pub mod contract;
mod decoder;
mod encoder;
mod inspect;
mod linear;
mod onnx;
mod quantize;
mod rope;
mod weights;

pub use decoder::write_decoder;
pub use encoder::{write_encoder, write_reranker};
pub use inspect::{WeightElement, WeightPlace, rotates_neighbours, weight_places};

use crate::source::SourceError;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The graph: of an encoder the only one, of a decoder that of [`Variant::PLAIN`].
pub const GRAPH_FILE: &str = "model.onnx";
/// The external data of all graphs.
pub const WEIGHTS_FILE: &str = "weights.bin";
/// Floats of a block of rows held at once while a tensor streams through (4 MiB of them). With the packed copy, the
/// stored bytes and the scales an import holds under four times this.
pub const ROW_CHUNK_BYTES: usize = 4 << 20;

/// A decoder's graph. All of them read the same weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// With adapter inputs, which cost a few per cent even when nothing is fed.
    pub adapters: bool,
    /// Keys and values are kept in 8 bits with a scale for each channel: a quarter of the memory, and less to read for
    /// every token.
    pub kv8: bool,
}

impl Variant {
    /// No adapters, keys and values as computed.
    pub const PLAIN: Variant = Variant { adapters: false, kv8: false };
    /// Adapters, keys and values as computed.
    pub const LORA: Variant = Variant { adapters: true, kv8: false };
    /// All there are.
    pub const ALL: [Variant; 4] = [
        Self::PLAIN,
        Self::LORA,
        Variant { adapters: false, kv8: true },
        Variant { adapters: true, kv8: true },
    ];

    /// The file in the pack.
    pub const fn file(self) -> &'static str {
        match (self.adapters, self.kv8) {
            (false, false) => GRAPH_FILE,
            (true, false) => "model-lora.onnx",
            (false, true) => "model-kv8.onnx",
            (true, true) => "model-lora-kv8.onnx",
        }
    }
}

/// How many bits the weights of a *float* source get. A quantized source keeps its own precision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bits {
    /// Four where the measured error stays under `FOUR_BIT_LIMIT` in `quantize.rs`, eight elsewhere.
    #[default]
    Auto,
    /// Four bits with a scale and a minimum for every 32 weights.
    Four,
    /// Eight bits with a scale for every 32 weights.
    Eight,
}

/// What to build.
#[derive(Debug, Clone, Copy)]
pub struct BuildOptions {
    /// Bits for float sources.
    pub bits: Bits,
    /// Rows of the rotary table: no sequence can be longer. Capped by the model's own context length.
    pub max_positions: usize,
}

/// A file of the pack, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Name inside the pack.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// BLAKE3, in hex.
    pub blake3: String,
}

/// How well the pack keeps a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorQuality {
    /// Canonical name.
    pub name: String,
    /// The pack's form, such as `int4+sum`.
    pub form: String,
    /// The source's form, such as `Q4_1`.
    pub source: String,
    /// Root mean square of the error, relative to the root mean square of the source's values.
    pub rmse: f64,
}

/// What was built.
#[derive(Debug, Clone)]
pub struct GraphReport {
    /// Files written into the pack.
    pub files: Vec<WrittenFile>,
    /// Each quantized tensor's quality.
    pub tensors: Vec<TensorQuality>,
    /// Rows of the rotary table (decoder) or of the position embedding (encoder).
    pub max_positions: usize,
}

/// Why a graph could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The source could not be read or lacks something.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Writing failed.
    #[error("cannot write {path}: {source}. Check the free space and the permissions of the models folder")]
    Io {
        /// What was written.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The model's shape cannot be built.
    #[error("{model}: {what}")]
    Unsupported {
        /// The source.
        model: String,
        /// What is not supported.
        what: String,
    },
}

impl BuildError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
