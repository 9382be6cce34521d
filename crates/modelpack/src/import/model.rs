//! What an import reads of its source, the same for both kinds.

use super::describe::{self, About};
use super::{ImportError, hash_files};
use crate::manifest::{Architecture, FORMAT, Kind, Manifest, Provenance, Quality, TokenizerInfo};
use crate::pack::{CHAT_TEMPLATE, TOKENIZER};
use crate::source::gguf::{self, Gguf};
use crate::source::hf::{HfFolder, HfModel};
use crate::source::{DecoderConfig, EncoderConfig, Family, WeightSource};
use crate::tokenizer::{self, TokenizerParts};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files of a folder that say what the model is; they are hashed with the weights.
const DESCRIPTIONS: [&str; 3] = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/// A model's shape.
pub(super) enum Shape {
    Decoder(DecoderConfig),
    Encoder(EncoderConfig),
    Reranker(EncoderConfig),
}

enum Weights {
    Gguf(Gguf),
    Folder(Box<HfFolder>),
}

/// An opened source with everything about it read and checked.
pub(super) struct Model {
    path: PathBuf,
    weights: Weights,
    about: About,
    context_length: usize,
    pub(super) shape: Shape,
    pub(super) tokenizer: TokenizerParts,
}

impl Model {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        // An absolute path, so that `.` has a name.
        let path = path.canonicalize().map_err(super::io(path))?;
        if path.is_dir() { Self::open_folder(path) } else { Self::open_gguf(path) }
    }

    fn open_gguf(path: PathBuf) -> Result<Self, ImportError> {
        let mut magic = [0; 4];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut magic));
        if read.is_err() || &magic != b"GGUF" {
            let what =
                "it does not begin with `GGUF`; for safetensors give the folder that holds them".into();
            return Err(ImportError::Unknown { path: path.display().to_string(), what });
        }
        let file = Gguf::open(&path)?;
        let config = gguf::decoder_config(&file)?;
        Ok(Self {
            about: describe::gguf(&file, &path),
            tokenizer: tokenizer::from_gguf(&file)?,
            context_length: config.context_length,
            shape: Shape::Decoder(config),
            weights: Weights::Gguf(file),
            path,
        })
    }

    fn open_folder(path: PathBuf) -> Result<Self, ImportError> {
        if !path.join("config.json").is_file() {
            let what = "the folder has no config.json".into();
            return Err(ImportError::Unknown { path: path.display().to_string(), what });
        }
        let folder = HfFolder::open(&path)?;
        let (shape, context_length) = match folder.model()? {
            HfModel::Decoder(config) => (Shape::Decoder(config.clone()), config.context_length),
            HfModel::Encoder(config) => {
                let limits = folder.json("sentence_bert_config.json")?;
                let limit =
                    limits.and_then(|json| json["max_seq_length"].as_u64()).unwrap_or(u64::MAX).max(1);
                let length = usize::try_from(limit).unwrap_or(usize::MAX).min(config.max_positions);
                (Shape::Encoder(config), length)
            }
            HfModel::Reranker(config) => {
                let length = config.max_positions;
                (Shape::Reranker(config), length)
            }
        };
        Ok(Self {
            about: describe::folder(&folder, &path)?,
            tokenizer: tokenizer::from_folder(&folder)?,
            context_length,
            shape,
            weights: Weights::Folder(Box::new(folder)),
            path,
        })
    }

    pub(super) fn weights(&self) -> &dyn WeightSource {
        match &self.weights {
            Weights::Gguf(file) => file,
            Weights::Folder(folder) => folder.as_ref(),
        }
    }

    /// A pack name out of the model's name, when that gives one.
    pub(super) fn default_name(&self) -> Option<String> {
        self.about.names.iter().map(|name| describe::slug(name)).find(|name| !name.is_empty())
    }

    /// What the pack takes on the disk at most: ten bits a weight (8-bit values, with a float scale or correction for
    /// each 16), and what stands beside the weights.
    pub(super) fn pack_bytes(&self) -> u64 {
        let names: Vec<&str> = match &self.weights {
            Weights::Gguf(file) => file.names().collect(),
            Weights::Folder(folder) => folder.names().collect(),
        };
        let sizes = names.iter().filter_map(|name| self.weights().info(name));
        let weights: u64 = sizes.map(|info| info.rows as u64 * info.cols as u64).fold(0, u64::saturating_add);
        (weights.saturating_mul(5) / 4).saturating_add(64 << 20)
    }

    pub(super) fn hash(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String, ImportError> {
        let paths: Vec<PathBuf> = match &self.weights {
            Weights::Gguf(_) => vec![self.path.clone()],
            Weights::Folder(folder) => {
                let small =
                    DESCRIPTIONS.iter().map(|name| self.path.join(name)).filter(|path| path.is_file());
                folder.weight_files().map(Path::to_path_buf).chain(small).collect()
            }
        };
        hash_files(&paths, progress)
    }

    /// The files beside graph and weights, by name.
    pub(super) fn small_files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, ImportError> {
        let mut files = vec![(TOKENIZER, self.tokenizer.json.clone().into_bytes())];
        if let (Shape::Decoder(_), Some(template)) = (&self.shape, &self.tokenizer.chat_template) {
            files.push((CHAT_TEMPLATE, template.clone().into_bytes()));
        }
        files.extend(self.about.texts.iter().cloned());
        Ok(files)
    }

    /// A folder is often called `model`: the one above says more. Nothing else of the path is anybody's business.
    fn source_name(&self) -> String {
        let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match (&self.weights, self.path.parent()) {
            (Weights::Folder(_), Some(above)) => format!("{}/{}", last(above), last(&self.path)),
            _ => last(&self.path),
        }
    }

    /// The manifest, still without quality and files.
    pub(super) fn manifest(&self, name: String, source_blake3: String, max_positions: usize) -> Manifest {
        let (kind, family, architecture, pooling) = match &self.shape {
            Shape::Decoder(config) => {
                (Kind::Decoder, family_name(config.family), decoder_sizes(config), None)
            }
            Shape::Encoder(config) => (Kind::Encoder, "bert", encoder_sizes(config), Some(config.pooling)),
            Shape::Reranker(config) => (Kind::Reranker, "bert", encoder_sizes(config), None),
        };
        let (bos, bos_text) =
            self.tokenizer.bos.clone().map_or((None, String::new()), |(id, text)| (Some(id), text));
        Manifest {
            format: FORMAT,
            name,
            kind,
            family: family.into(),
            context_length: self.context_length,
            max_positions,
            pooling,
            licence: self.about.licence.clone(),
            architecture,
            tokenizer: TokenizerInfo {
                bos,
                bos_text,
                eos: self.tokenizer.eos.clone(),
                eos_text: self.tokenizer.eos_text.clone(),
                add_bos: self.tokenizer.add_bos,
            },
            provenance: Provenance {
                source: self.source_name(),
                source_blake3,
                imported_by: concat!("banyan ", env!("CARGO_PKG_VERSION")).into(),
                imported_at: jiff::Timestamp::now(),
            },
            quality: Quality::default(),
            files: Vec::new(),
        }
    }
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Llama => "llama",
        Family::Mistral => "mistral",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    }
}

fn decoder_sizes(config: &DecoderConfig) -> Architecture {
    Architecture {
        layers: config.layers,
        hidden: config.hidden,
        heads: config.heads,
        kv_heads: config.kv_heads,
        head_dim: config.head_dim,
        intermediate: config.intermediate,
        vocab: config.vocab,
        rope_theta: Some(config.rope_theta),
        sliding_window: config.sliding_window,
    }
}

fn encoder_sizes(config: &EncoderConfig) -> Architecture {
    Architecture {
        layers: config.layers,
        hidden: config.hidden,
        heads: config.heads,
        kv_heads: config.heads,
        head_dim: config.hidden / config.heads,
        intermediate: config.intermediate,
        vocab: config.vocab,
        rope_theta: None,
        sliding_window: None,
    }
}
