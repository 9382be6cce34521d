//! LoRA adapters: small changes to a model's linear maps, kept beside the model and chosen for each request.
//!
//! An *adapter pack* is a folder `adapters/<name>/` with `adapter.toml` (what it is, which model it is for, what its file
//! hashes to) and `adapter.safetensors`. It belongs to one model pack, named by the hash of that pack's weights: on any
//! other weights it would change answers into nonsense.
//!
//! # The tensors
//! For each layer `i` and each [`Projection`] that the adapter changes:
//!
//! | name | shape | |
//! |---|---|---|
//! | `blk.{i}.{projection}.lora_a` | `[rank, in]` | F32 |
//! | `blk.{i}.{projection}.lora_b` | `[out, rank]` | F32, already times alpha / rank; rows in the order of the pack's own weights |
//!
//! So whoever computes with them needs neither alpha nor the order of rows. Projections are kept apart and only fused
//! into the graph's maps in memory ([`Adapter::weights`]): q, k and v of rank 8 become one map of rank 24 whose second
//! factor is mostly zeros, three times the numbers.
//!
//! # What it promises
//! As for model packs: a folder is written whole or not at all, and what comes from outside is refused by name before memory
//! is asked for it. Tensors stream in blocks of rows.

mod import;
mod manifest;
mod peft;
mod projection;
mod store;
mod weights;

pub use import::{AdapterOptions, import};
pub use manifest::{AdapterManifest, Base, FILE_NAME, TENSORS_FILE};
pub use projection::Projection;
pub use store::AdapterStore;
pub use weights::AdapterWeights;

use crate::graph::WEIGHTS_FILE;
use crate::import::ImportError;
use crate::manifest::{Kind, Manifest};
use crate::pack::{PackError, hash_file};
use crate::source::SourceError;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Ranks of one projection: published adapters have 4 to 256.
pub const MAX_RANK: usize = 512;

/// Why an adapter cannot be used.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// There is no such adapter.
    #[error("there is no adapter `{name}` in {store}; `banyan adapter list` shows those that are there")]
    NotFound {
        /// The adapter.
        name: String,
        /// The adapters folder.
        store: String,
    },
    /// A name that cannot be an adapter's.
    #[error(
        "`{0}` cannot name an adapter: use a to z, 0 to 9, `.`, `_` and `-`, beginning with a letter or digit"
    )]
    Name(String),
    /// There is an adapter of this name.
    #[error(
        "there is an adapter `{0}` already; remove it first (`banyan adapter remove {0}`) or choose another name with --name"
    )]
    Exists(String),
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// `adapter.toml` is not acceptable.
    #[error("{path} is not usable: {what}")]
    Manifest {
        /// The file.
        path: String,
        /// Why.
        what: String,
    },
    /// A file is not what `adapter.toml` says.
    #[error("{path} {what}; the adapter is damaged, import it again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// Made for other weights.
    #[error("the adapter {adapter} does not fit the model {model}: {what}")]
    OtherBase {
        /// The adapter.
        adapter: String,
        /// The model it was to be used with.
        model: String,
        /// What differs, and what to do.
        what: String,
    },
    /// The source is not an adapter that Banyan can use.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Writing failed, or another import is running.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The base model's pack cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// An opened adapter pack: its description is sane and its file is there in its size.
#[derive(Debug, Clone)]
pub struct Adapter {
    dir: PathBuf,
    manifest: AdapterManifest,
}

impl Adapter {
    /// Opens the adapter in `dir`; the folder's name must be the adapter's.
    pub fn open(dir: &Path) -> Result<Self, AdapterError> {
        let adapter = Self::read(dir)?;
        if dir.file_name().and_then(|name| name.to_str()) != Some(&adapter.manifest.name) {
            let what = format!("the folder holds the adapter `{}`; rename it to that", adapter.manifest.name);
            return Err(AdapterError::Manifest { path: dir.display().to_string(), what });
        }
        Ok(adapter)
    }

    /// As [`Adapter::open`] in a folder of any name.
    fn read(dir: &Path) -> Result<Self, AdapterError> {
        let path = dir.join(FILE_NAME);
        let io = |source| AdapterError::Io { path: path.display().to_string(), source };
        let mut text = String::new();
        File::open(&path).map_err(io)?.take(manifest::MAX_BYTES).read_to_string(&mut text).map_err(io)?;
        let manifest = AdapterManifest::parse(&text)
            .map_err(|what| AdapterError::Manifest { path: path.display().to_string(), what })?;
        let adapter = Self { dir: dir.into(), manifest };
        adapter.check_size()?;
        Ok(adapter)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the adapter is.
    pub fn manifest(&self) -> &AdapterManifest {
        &self.manifest
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// Reads the file and compares it with its hash.
    pub fn verify(&self) -> Result<(), AdapterError> {
        self.check_size()?;
        let path = self.tensors_path();
        let hash = hash_file(&path, &mut |_| ())
            .map_err(|source| AdapterError::Io { path: path.display().to_string(), source })?;
        match self.manifest.files.iter().all(|entry| hash.eq_ignore_ascii_case(&entry.blake3)) {
            true => Ok(()),
            false => Err(damaged(&path, "does not have the contents that were imported")),
        }
    }

    /// Refuses a model that the adapter was not made for.
    pub fn check_base(&self, model: &Manifest) -> Result<(), AdapterError> {
        let refuse = |what: String| {
            Err(AdapterError::OtherBase {
                adapter: self.manifest.name.clone(),
                model: model.name.clone(),
                what,
            })
        };
        let base = &self.manifest.base;
        match weights_of(model) {
            _ if model.kind != Kind::Decoder => refuse("that model does not answer questions".into()),
            Some(weights) if weights.eq_ignore_ascii_case(&base.weights_blake3) => Ok(()),
            _ if model.name == base.model => refuse(
                "the model was imported anew with other weights since; import the adapter again".into(),
            ),
            _ => refuse(format!("it was made for {}; let that model serve, or import it again", base.model)),
        }
    }

    /// The tensors, checked against the model's sizes.
    pub fn weights(&self, model: &Manifest) -> Result<AdapterWeights, AdapterError> {
        self.check_base(model)?;
        AdapterWeights::open(&self.tensors_path(), &model.architecture)
    }

    fn tensors_path(&self) -> PathBuf {
        self.dir.join(TENSORS_FILE)
    }

    /// A regular file (a link could lead anywhere) of the right size.
    fn check_size(&self) -> Result<(), AdapterError> {
        let path = self.tensors_path();
        match path.symlink_metadata() {
            Ok(found) if !found.is_file() => Err(damaged(&path, "is not a regular file")),
            Ok(found) if self.bytes() != found.len() => {
                Err(damaged(&path, format!("has {} bytes instead of {}", found.len(), self.bytes())))
            }
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(damaged(&path, "is missing")),
            Err(source) => Err(AdapterError::Io { path: path.display().to_string(), source }),
        }
    }
}

/// The hash of a model's weights.
fn weights_of(model: &Manifest) -> Option<&str> {
    model.file(WEIGHTS_FILE).map(|entry| entry.blake3.as_str())
}

fn damaged(path: &Path, what: impl Into<String>) -> AdapterError {
    AdapterError::Damaged { path: path.display().to_string(), what: what.into() }
}
