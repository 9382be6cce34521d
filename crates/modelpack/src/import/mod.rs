//! A GGUF file or a Hugging Face folder becomes a pack.
//!
//! The pack is built in a hidden folder of the store, every file is synced, and only then is the folder renamed into
//! its place: a power cut leaves either the whole pack or a hidden folder, which the next import clears away. One
//! import runs at a time in a store (a lock file says so), as it uses the disk and the memory of the whole box.

pub(crate) mod describe;
mod model;

use crate::graph::{self, Bits, BuildError, BuildOptions, GraphReport};
use crate::manifest::{self, FileEntry, FormQuality, Manifest, Quality, WorstTensor};
use crate::pack::{self, Pack, PackError};
use crate::source::SourceError;
use crate::store::{Store, TEMPORARY};
use crate::template::{ChatTemplate, Message, TemplateError};
use crate::tokenizer::TokenizerError;
use model::{Model, Shape};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Positions of a decoder's rotary table unless the options say otherwise: enough for long documents, and 16 MiB of
/// table for a head of 64.
pub const DEFAULT_MAX_POSITIONS: usize = 32_768;
/// The file whose lock the running import holds.
const LOCK: &str = ".import.lock";

/// What may be chosen.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The pack's name; by default it follows from the model's.
    pub name: Option<String>,
    /// Precision for weights that the source keeps as floats.
    pub bits: Bits,
    /// Positions of the rotary table; by default the trained context, at most [`DEFAULT_MAX_POSITIONS`].
    pub max_positions: Option<usize>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The headers are being read and checked.
    Reading,
    /// The source is being hashed, so that the pack can say what it was made of.
    Hashing {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Weights are being converted.
    Building {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Everything is being written to the disk for good.
    Finishing,
}

/// Why an import failed. Nothing of it stays in the store.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Neither a GGUF file nor a folder with a model.
    #[error("{path} is neither a GGUF file nor a Hugging Face folder: {what}")]
    Unknown {
        /// What was to be imported.
        path: String,
        /// Why it is neither.
        what: String,
    },
    /// The weights cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The chat template cannot be used.
    #[error("{path}: {source}")]
    Template {
        /// The source.
        path: String,
        /// Why.
        source: TemplateError,
    },
    /// The graph could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The name is not acceptable, or the model has none that is.
    #[error("`{0}` cannot name a model pack; choose one with --name, of a to z, 0 to 9, `.`, `_` and `-`")]
    Name(String),
    /// There is a pack of this name.
    #[error(
        "there is a model pack `{name}` already; remove it first (`banyan model remove {name}`) or choose another name with --name"
    )]
    Exists {
        /// The name.
        name: String,
    },
    /// More positions than the model was trained for.
    #[error(
        "the model was trained for {trained} positions, {asked} would give nonsense; ask for at most {trained}"
    )]
    Positions {
        /// What was asked for.
        asked: usize,
        /// What the model can do.
        trained: usize,
    },
    /// Not enough disk.
    #[error("importing needs about {} MB on the disk of {path}, and {} MB are free; remove a model or use another disk",
        needed / 1_000_000 + 1, free / 1_000_000)]
    NoSpace {
        /// The store.
        path: String,
        /// Bytes needed at most.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Another import holds the store.
    #[error("another import is running in {0}; wait for it to end")]
    Busy(String),
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// What was read or written.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The manifest could not be written as text.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] toml::ser::Error),
    /// The finished pack did not open.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Imports `source` into `store`.
pub fn import(
    source: &Path,
    store: &Store,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pack, ImportError> {
    progress(Progress::Reading);
    let model = Model::open(source)?;
    try_template(&model)?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => model.default_name().ok_or_else(|| ImportError::Name(source.display().to_string()))?,
    };
    if !manifest::is_valid_name(&name) {
        return Err(ImportError::Name(name));
    }
    let max_positions = positions(&model, options)?;
    std::fs::create_dir_all(store.dir()).map_err(io(store.dir()))?;
    let _lock = lock(store.dir())?;
    let place = store.dir().join(&name);
    if place.exists() {
        return Err(ImportError::Exists { name });
    }
    check_space(store.dir(), model.pack_bytes())?;

    let workshop = Workshop::new(store.dir(), &name)?;
    let hash = model.hash(&mut |done, total| progress(Progress::Hashing { done, total }))?;
    let build = BuildOptions { bits: options.bits, max_positions };
    let mut building = |done, total| progress(Progress::Building { done, total });
    let report = match &model.shape {
        Shape::Decoder(config) => {
            graph::write_decoder(config, model.weights(), &workshop.dir, &build, &mut building)?
        }
        Shape::Encoder(config) => {
            graph::write_encoder(config, model.weights(), &workshop.dir, &build, &mut building)?
        }
        Shape::Reranker(config) => {
            graph::write_reranker(config, model.weights(), &workshop.dir, &build, &mut building)?
        }
    };
    progress(Progress::Finishing);
    let mut files: Vec<FileEntry> = Vec::new();
    for file in &report.files {
        files.push(FileEntry { path: file.name.clone(), bytes: file.bytes, blake3: file.blake3.clone() });
    }
    for (name, bytes) in model.small_files()? {
        files.push(workshop.write(name, &bytes)?);
    }
    let mut manifest = model.manifest(name, hash, report.max_positions);
    manifest.quality = quality(&report);
    manifest.files = files;
    finish(&workshop, &manifest, &place)?;
    Ok(Pack::open(&place)?)
}

/// Syncs every file, checks the pack as it will be opened, and renames it into its place.
fn finish(workshop: &Workshop, manifest: &Manifest, place: &Path) -> Result<(), ImportError> {
    workshop.write(manifest::FILE_NAME, manifest.to_toml()?.as_bytes())?;
    for entry in &manifest.files {
        let path = workshop.dir.join(&entry.path);
        File::open(&path).and_then(|file| file.sync_all()).map_err(io(&path))?;
    }
    sync_folder(&workshop.dir)?;
    Pack::read(&workshop.dir)?;
    std::fs::rename(&workshop.dir, place).map_err(io(place))?;
    sync_folder(place.parent().unwrap_or(place))
}

/// A bomb, or a template that cannot render two words, is better met now than by a member.
fn try_template(model: &Model) -> Result<(), ImportError> {
    let tokenizer = &model.tokenizer;
    let Some(source) = &tokenizer.chat_template else { return Ok(()) };
    let refused = |source| ImportError::Template { path: model.weights().describe(), source };
    let bos = tokenizer.bos.as_ref().map_or("", |(_, text)| text);
    let template = ChatTemplate::parse(source, bos, &tokenizer.eos_text).map_err(refused)?;
    match template.render(&[Message { role: "user", content: "Good morning" }], true) {
        Ok(_) | Err(TemplateError::Refused(_)) => Ok(()),
        Err(e) => Err(refused(e)),
    }
}

fn positions(model: &Model, options: &ImportOptions) -> Result<usize, ImportError> {
    let trained = match &model.shape {
        Shape::Decoder(config) => config.context_length,
        Shape::Encoder(config) | Shape::Reranker(config) => return Ok(config.max_positions),
    };
    match options.max_positions {
        Some(asked) if asked == 0 || asked > trained => Err(ImportError::Positions { asked, trained }),
        Some(asked) => Ok(asked),
        None => Ok(trained.min(DEFAULT_MAX_POSITIONS)),
    }
}

/// Refuses an import that the disk has no room for.
pub(crate) fn check_space(path: &Path, needed: u64) -> Result<(), ImportError> {
    let stat = nix::sys::statvfs::statvfs(path).map_err(|errno| io(path)(errno.into()))?;
    #[allow(clippy::unnecessary_cast, reason = "these widths differ between platforms")]
    let free = (stat.blocks_available() as u64).saturating_mul(stat.fragment_size() as u64);
    if free < needed {
        return Err(ImportError::NoSpace { path: path.display().to_string(), needed, free });
    }
    Ok(())
}

fn quality(report: &GraphReport) -> Quality {
    let mut quality = Quality::default();
    for tensor in &report.tensors {
        let form = quality.forms.entry(tensor.form.clone());
        let form = form.or_insert(FormQuality { tensors: 0, mean_rmse: 0.0, worst_rmse: 0.0 });
        form.tensors += 1;
        form.mean_rmse += (tensor.rmse - form.mean_rmse) / form.tensors as f64;
        form.worst_rmse = form.worst_rmse.max(tensor.rmse);
        if tensor.rmse > quality.worst.as_ref().map_or(0.0, |worst| worst.rmse) {
            quality.worst = Some(WorstTensor {
                tensor: tensor.name.clone(),
                form: tensor.form.clone(),
                source: tensor.source.clone(),
                rmse: tensor.rmse,
            });
        }
    }
    quality
}

/// The lock ends with the process, so that a killed import blocks nobody.
pub(crate) fn lock(dir: &Path) -> Result<File, ImportError> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ImportError::Busy(dir.display().to_string())),
        Err(std::fs::TryLockError::Error(e)) => Err(io(&path)(e)),
    }
}

/// The hidden folder in which a pack is built; it goes away with whatever is in it unless it was renamed.
pub(crate) struct Workshop {
    pub(crate) dir: PathBuf,
}

impl Workshop {
    /// Clears away what killed imports left (the lock says that none is running), and makes a new folder.
    pub(crate) fn new(store: &Path, name: &str) -> Result<Self, ImportError> {
        for entry in std::fs::read_dir(store).map_err(io(store))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                std::fs::remove_dir_all(entry.path()).map_err(io(&entry.path()))?;
            }
        }
        let dir = store.join(format!("{TEMPORARY}{name}"));
        std::fs::create_dir(&dir).map_err(io(&dir))?;
        Ok(Self { dir })
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<FileEntry, ImportError> {
        let path = self.dir.join(name);
        let written =
            File::create(&path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(io(&path))?;
        let blake3 = blake3::hash(bytes).to_hex().to_string();
        Ok(FileEntry { path: name.into(), bytes: bytes.len() as u64, blake3 })
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if self.dir.exists()
            && let Err(e) = std::fs::remove_dir_all(&self.dir)
        {
            tracing::warn!("the unfinished import in {} could not be removed: {e}", self.dir.display());
        }
    }
}

pub(crate) fn sync_folder(dir: &Path) -> Result<(), ImportError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(io(dir))
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ImportError + use<> {
    let path = path.display().to_string();
    |source| ImportError::Io { path, source }
}

/// BLAKE3 of the source's files: of one file its own, of several that of the lines `hash  name`.
pub(crate) fn hash_files(
    paths: &[PathBuf],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<String, ImportError> {
    let mut total = 0;
    for path in paths {
        total += path.metadata().map_err(io(path))?.len();
    }
    let mut lines = Vec::new();
    let mut before = 0;
    for path in paths {
        let mut last = 0;
        let hash = pack::hash_file(path, &mut |done| {
            last = done;
            progress(before + done, total);
        });
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push((hash.map_err(io(path))?, name));
        before += last;
    }
    match lines.as_slice() {
        [(hash, _)] => Ok(hash.clone()),
        several => {
            let text: String = several.iter().map(|(hash, name)| format!("{hash}  {name}\n")).collect();
            Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
        }
    }
}
