//! `manifest.toml`: what a pack is, in words and numbers that a steward can read.

use crate::graph::{GRAPH_FILE, WEIGHTS_FILE};
use crate::pack::TOKENIZER;
use crate::source::Pooling;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;
/// The file's name in a pack.
pub const FILE_NAME: &str = "manifest.toml";
/// Bytes of a manifest; a real one has about 3 KiB.
pub const MAX_BYTES: u64 = 1 << 20;

const HEADER: &str = "\
# A Banyan model pack. This file says what the model is, where it came from, how true the pack is to it,
# and what every file must hash to. `banyan model verify NAME` checks the files against it.
# Changing it by hand makes the pack unreliable: import the model again instead.

";

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Generates text.
    Decoder,
    /// Turns text into vectors.
    Encoder,
    /// Says how well a document fits a question.
    Reranker,
}

/// A pack's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// The pack's name, which is also its folder's.
    pub name: String,
    /// What the model does.
    pub kind: Kind,
    /// `llama`, `mistral`, `qwen2`, `qwen3` or `bert`.
    pub family: String,
    /// Tokens that the model was trained to look back on.
    pub context_length: usize,
    /// Rows of the rotary (or position) table: no sequence can be longer.
    pub max_positions: usize,
    /// How token vectors become one vector (encoders).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// The licence as the source names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Sizes.
    pub architecture: Architecture,
    /// Tokens with a meaning of their own.
    pub tokenizer: TokenizerInfo,
    /// Where the pack came from.
    pub provenance: Provenance,
    /// How true the stored weights are to the source's.
    pub quality: Quality,
    /// Every other file of the pack.
    pub files: Vec<FileEntry>,
}

/// Sizes of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Transformer blocks.
    pub layers: usize,
    /// Model width (the length of an encoder's vector).
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
    /// Base of the rotary embedding (decoders).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// Tokens a position may look back, when limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sliding_window: Option<usize>,
}

/// Tokens with a meaning of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerInfo {
    /// The token that begins a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bos: Option<u32>,
    /// Its text, as chat templates spell it.
    #[serde(default)]
    pub bos_text: String,
    /// Every id that ends a turn.
    pub eos: Vec<u32>,
    /// The text of the first of them, as chat templates spell it.
    #[serde(default)]
    pub eos_text: String,
    /// Whether bare text gets the begin token. `tokenizer.json` does it when asked for special tokens.
    pub add_bos: bool,
}

/// Where a pack came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The name of the imported file, or of the folder and the one it lies in.
    pub source: String,
    /// BLAKE3 of the file; of a folder, BLAKE3 over the lines `hash  name` of its weight and description files.
    pub source_blake3: String,
    /// The program that imported it.
    pub imported_by: String,
    /// When, in UTC.
    pub imported_at: jiff::Timestamp,
}

/// How true the stored weights are: root-mean-square errors relative to the source's root mean square.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The tensor that lost most; absent when every weight is kept exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<WorstTensor>,
    /// By the form in which the pack stores tensors.
    #[serde(default)]
    pub forms: BTreeMap<String, FormQuality>,
}

/// The tensor that lost most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstTensor {
    /// Canonical name.
    pub tensor: String,
    /// Its form in the pack.
    pub form: String,
    /// Its form in the source.
    pub source: String,
    /// Relative error.
    pub rmse: f64,
}

/// The tensors of one form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormQuality {
    /// How many tensors.
    pub tensors: usize,
    /// Mean relative error.
    pub mean_rmse: f64,
    /// Largest relative error.
    pub worst_rmse: f64,
}

/// One file of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// A plain file name in the pack's folder.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// BLAKE3, in hexadecimal.
    pub blake3: String,
}

/// Why a manifest was refused.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not TOML of this shape.
    #[error("it cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Written by a newer version.
    #[error(
        "it has format {0}, and this version of Banyan reads format {FORMAT}; update Banyan or import the model again"
    )]
    Format(u32),
    /// A value that cannot be.
    #[error("its `{field}` is not acceptable: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        what: String,
    },
}

impl Manifest {
    /// Parses and checks a manifest: afterwards every path is a plain file name and every size is sane.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    /// The entry of a file.
    pub fn file(&self, name: &str) -> Option<&FileEntry> {
        self.files.iter().find(|entry| entry.path == name)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.format != FORMAT {
            return Err(ManifestError::Format(self.format));
        }
        let field = |field, what: String| Err(ManifestError::Field { field, what });
        if !is_valid_name(&self.name) {
            return field("name", format!("`{}` is not a pack name", self.name.escape_debug()));
        }
        let sizes = &self.architecture;
        let all = [sizes.layers, sizes.hidden, sizes.heads, sizes.kv_heads, sizes.head_dim, sizes.vocab];
        if all.iter().chain([&self.context_length, &self.max_positions]).any(|&n| n == 0 || n > 1 << 28) {
            return field("architecture", "a size is zero or absurd".into());
        }
        for entry in &self.files {
            if !is_plain_file_name(&entry.path) || entry.path == FILE_NAME {
                return field("files", format!("`{}` is not a plain file name", entry.path.escape_debug()));
            }
            if entry.blake3.len() != 64 || !entry.blake3.bytes().all(|b| b.is_ascii_hexdigit()) {
                return field(
                    "files",
                    format!("the BLAKE3 of `{}` is not 64 hexadecimal digits", entry.path),
                );
            }
            if self.files.iter().filter(|other| other.path == entry.path).count() > 1 {
                return field("files", format!("`{}` occurs twice", entry.path));
            }
        }
        for needed in [GRAPH_FILE, WEIGHTS_FILE, TOKENIZER] {
            if self.file(needed).is_none() {
                return field("files", format!("`{needed}` is not listed"));
            }
        }
        Ok(())
    }
}

/// Whether `name` may name a pack: it becomes a folder, a word of the command line and of the API.
pub fn is_valid_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    first && name.len() <= 64 && name.bytes().all(rest)
}

/// No separator, no leading dot: such a name cannot lead out of the folder, nor hide in it.
fn is_plain_file_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(plain)
}
