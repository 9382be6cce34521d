//! A Hugging Face folder: `config.json`, `tokenizer.json`, and safetensors in one file or in shards with an index.
//!
//! Llama, Mistral, Qwen2 and Qwen3 decoders, BERT encoders in the layout of sentence-transformers,
//! and BERT cross-encoders that give one score.

mod config;
pub(crate) mod names;
pub mod safetensors;

use super::{DType, DecoderConfig, EncoderConfig, Pooling, SourceError, Stored, TensorInfo, WeightSource};
use config::Config;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes of a JSON file beside the weights; `tokenizer.json` of the largest vocabularies has 33 MiB.
pub const MAX_JSON_BYTES: u64 = 64 << 20;
/// Shards; the largest published models have fewer than 200.
pub const MAX_SHARDS: usize = 512;
/// Columns and rows of a tensor, as for GGUF.
const MAX_COLS: u64 = super::gguf::MAX_COLS;
const MAX_ROWS: u64 = super::gguf::MAX_ROWS;

/// An opened folder.
#[derive(Debug)]
pub struct HfFolder {
    dir: PathBuf,
    config: Config,
    shards: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, (usize, Stored)>,
}

/// What kind of model the folder holds.
#[derive(Debug, Clone, PartialEq)]
pub enum HfModel {
    /// A text generator.
    Decoder(DecoderConfig),
    /// An embedding model.
    Encoder(EncoderConfig),
    /// A cross-encoder: reads question and document together and gives one score.
    Reranker(EncoderConfig),
}

/// What a tensor's name says of it.
enum Canonical {
    Known(String),
    /// Part of a head that Banyan does not build.
    Unused,
    Unknown,
}

impl From<Option<String>> for Canonical {
    fn from(name: Option<String>) -> Self {
        name.map_or(Canonical::Unknown, Canonical::Known)
    }
}

impl HfFolder {
    /// Opens the folder, and checks every header; afterwards each tensor is known to lie inside its file.
    pub fn open(dir: &Path) -> Result<Self, SourceError> {
        let config = serde_json::from_slice(&read(&dir.join("config.json"))?)
            .map_err(|e| malformed(&dir.join("config.json"), e.to_string()))?;
        let mut folder = Self { dir: dir.into(), config, shards: Vec::new(), tensors: BTreeMap::new() };
        let family = folder.config.family().map_err(|what| folder.unsupported("config.json", what))?;
        let names: fn(&str) -> Canonical = match family {
            Some(_) => |name| names::decoder(name).into(),
            None if folder.config.is_reranker() => |name| names::reranker(name).into(),
            None => |name| match names::encoder(name) {
                None if names::is_unused_head(name) => Canonical::Unused,
                other => other.into(),
            },
        };
        for path in shards(dir)? {
            folder.add_shard(path, names)?;
        }
        if folder.config.tie_word_embeddings {
            folder.tensors.remove("output.weight");
        }
        Ok(folder)
    }

    /// The model's shape, checked against the tensors that are there.
    pub fn model(&self) -> Result<HfModel, SourceError> {
        let unsupported = |what| self.unsupported("config.json", what);
        match self.config.family().map_err(unsupported)? {
            Some(family) => {
                let config = self.config.decoder(family).map_err(unsupported)?;
                super::check::decoder(&config, self, self.names())?;
                if !self.config.tie_word_embeddings && self.info("output.weight").is_none() {
                    return Err(SourceError::MissingTensor {
                        path: self.describe(),
                        tensor: "lm_head.weight".into(),
                        family: self.config.model_type.clone(),
                    });
                }
                Ok(HfModel::Decoder(config))
            }
            None if self.config.is_reranker() => {
                let config = self.encoder(Pooling::Cls)?;
                super::check::reranker(&config, self, self.names())?;
                Ok(HfModel::Reranker(config))
            }
            None => {
                let config = self.encoder(self.pooling()?)?;
                super::check::encoder(&config, self, self.names())?;
                Ok(HfModel::Encoder(config))
            }
        }
    }

    fn encoder(&self, pooling: Pooling) -> Result<EncoderConfig, SourceError> {
        let types = self.info("token_types.weight").map_or(0, |info| info.rows);
        self.config.encoder(pooling, types).map_err(|what| self.unsupported("config.json", what))
    }

    /// Canonical names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The files that hold the weights.
    pub fn weight_files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|(path, _)| path.as_path())
    }

    /// A JSON file of the folder; `None` when it is not there.
    pub fn json(&self, name: &str) -> Result<Option<Value>, SourceError> {
        match self.bytes(name)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|e| malformed(&self.dir.join(name), e.to_string())),
            None => Ok(None),
        }
    }

    /// The bytes of a small file of the folder; `None` when it is not there.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        match read(&self.dir.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(SourceError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// `eos_token_id` of `config.json`: a number or a list.
    pub fn config_eos(&self) -> Option<&Value> {
        self.config.eos_token_id.as_ref()
    }

    /// A [`SourceError::Unsupported`] about a file of this folder.
    pub fn unsupported(&self, name: &str, what: impl Into<String>) -> SourceError {
        SourceError::Unsupported { path: self.dir.join(name).display().to_string(), what: what.into() }
    }

    fn add_shard(&mut self, path: PathBuf, names: fn(&str) -> Canonical) -> Result<(), SourceError> {
        let io = |source| SourceError::Io { path: path.display().to_string(), source };
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let header =
            safetensors::read_header(BufReader::new(&file), length).map_err(|what| malformed(&path, what))?;
        for (name, raw) in header {
            let table = name.ends_with("position_ids") || name.ends_with("inv_freq");
            let canonical = match names(&name) {
                Canonical::Known(canonical) => canonical,
                Canonical::Unused => continue,
                Canonical::Unknown if table => continue,
                // An unknown tensor keeps its name, so that the check can refuse it by that name.
                Canonical::Unknown => name.clone(),
            };
            let stored = place(&name, &raw).map_err(|what| malformed(&path, what))?;
            if self.tensors.insert(canonical, (self.shards.len(), stored)).is_some() {
                return Err(malformed(&path, format!("the tensor `{}` occurs twice", name.escape_debug())));
            }
        }
        self.shards.push((path, file));
        Ok(())
    }

    /// sentence-transformers' description; a folder without one is pooled by the mean, as sentence-transformers does.
    fn pooling(&self) -> Result<Pooling, SourceError> {
        let modules = self.json("modules.json")?;
        for module in modules.iter().flat_map(|m| m.as_array()).flatten() {
            let kind = module.get("type").and_then(Value::as_str).unwrap_or_default();
            let kind = kind.rsplit('.').next().unwrap_or_default();
            if !matches!(kind, "Transformer" | "Pooling" | "Normalize") {
                return Err(
                    self.unsupported("modules.json", format!("it has a `{}` module", kind.escape_debug()))
                );
            }
        }
        let Some(Value::Object(fields)) = self.json("1_Pooling/config.json")? else {
            return Ok(Pooling::Mean);
        };
        let mut modes =
            fields.iter().filter(|(key, on)| key.starts_with("pooling_mode_") && on.as_bool() == Some(true));
        match (modes.next().map(|(key, _)| key.as_str()), modes.next()) {
            (Some("pooling_mode_mean_tokens"), None) => Ok(Pooling::Mean),
            (Some("pooling_mode_cls_token"), None) => Ok(Pooling::Cls),
            (mode, _) => Err(self.unsupported(
                "1_Pooling/config.json",
                format!("its pooling ({}) is neither the mean nor the first token", mode.unwrap_or("none")),
            )),
        }
    }
}

impl WeightSource for HfFolder {
    fn info(&self, name: &str) -> Option<TensorInfo> {
        self.tensors.get(name).map(|(_, stored)| stored.info.clone())
    }

    fn read_rows(
        &self,
        name: &str,
        first: usize,
        count: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SourceError> {
        let Some((shard, stored)) = self.tensors.get(name) else {
            return Err(malformed(&self.dir, format!("it has no tensor `{name}`")));
        };
        let (path, file) = &self.shards[*shard];
        stored.read_rows(file, path, name, first..first.saturating_add(count), out)
    }

    fn describe(&self) -> String {
        self.dir.display().to_string()
    }
}

/// One `model.safetensors`, or the shards that the index names, each a plain file name in the folder.
fn shards(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let index = dir.join("model.safetensors.index.json");
    let single = dir.join("model.safetensors");
    if single.exists() {
        return Ok(vec![single]);
    }
    if !index.exists() {
        let what = "it has no model.safetensors; Banyan reads weights in safetensors (save the model with \
                    `safe_serialization=True`) or in one GGUF file";
        return Err(SourceError::Unsupported { path: dir.display().to_string(), what: what.into() });
    }
    let parsed: Value =
        serde_json::from_slice(&read(&index)?).map_err(|e| malformed(&index, e.to_string()))?;
    let map = parsed.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| malformed(&index, "it has no `weight_map`"))?;
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        let plain = file.as_str().filter(|f| f.ends_with(".safetensors") && !f.contains(['/', '\\', '\0']));
        let what = || format!("the tensor `{}` is not in a plain .safetensors file", tensor.escape_debug());
        files.insert(plain.ok_or_else(|| malformed(&index, what()))?);
        if files.len() > MAX_SHARDS {
            return Err(malformed(&index, format!("it names more than {MAX_SHARDS} files")));
        }
    }
    Ok(files.into_iter().map(|file| dir.join(file)).collect())
}

pub(crate) fn place(name: &str, raw: &safetensors::RawTensor) -> Result<Stored, String> {
    let name = name.escape_debug();
    let dtype = match raw.dtype.as_str() {
        "F32" => DType::F32,
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        other => {
            return Err(format!("the tensor `{name}` is stored as {other}; Banyan reads F32, F16 and BF16"));
        }
    };
    let (cols, rows) = match raw.shape[..] {
        [cols] => (cols, 1),
        [rows, cols] => (cols, rows),
        _ => {
            return Err(format!(
                "the tensor `{name}` has {} dimensions instead of one or two",
                raw.shape.len()
            ));
        }
    };
    if !(1..=MAX_COLS).contains(&cols) || !(1..=MAX_ROWS).contains(&rows) {
        return Err(format!("the tensor `{name}` has the absurd shape {:?}", raw.shape));
    }
    let (cols, rows) = (cols as usize, rows as usize);
    let [start, end] = raw.data_offsets;
    Ok(Stored { info: TensorInfo { dtype, rows, cols }, row_bytes: cols * dtype.block_bytes(), start, end })
}

/// Reads a small file, up to [`MAX_JSON_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let io = |source| SourceError::Io { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(MAX_JSON_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        return Err(malformed(path, format!("it is larger than {} MiB", MAX_JSON_BYTES >> 20)));
    }
    Ok(bytes)
}

pub(crate) fn malformed(path: &Path, what: impl Into<String>) -> SourceError {
    SourceError::Malformed { path: path.display().to_string(), what: what.into() }
}
