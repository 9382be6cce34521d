//! An imported model, ready to be served.

use crate::graph::{GRAPH_FILE, Variant};
use crate::manifest::{self, FileEntry, Kind, Manifest, ManifestError};
use crate::template::{ChatTemplate, TemplateError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// The chat template.
pub const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// Bytes that are hashed at a time.
const HASH_BLOCK: usize = 1 << 20;

/// Why a pack cannot be used.
#[derive(Debug, Error)]
pub enum PackError {
    /// There is no such pack.
    #[error("there is no model pack `{name}` in {store}; `banyan model list` shows those that are there")]
    NotFound {
        /// The pack.
        name: String,
        /// The models folder.
        store: String,
    },
    /// A name that cannot be a pack's.
    #[error(
        "`{0}` cannot name a model pack: use a to z, 0 to 9, `.`, `_` and `-`, beginning with a letter or digit"
    )]
    Name(String),
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The manifest is not acceptable.
    #[error("the manifest {path} is not usable: {source}")]
    Manifest {
        /// The manifest.
        path: String,
        /// Why.
        source: ManifestError,
    },
    /// The folder was renamed, or the manifest belongs to another pack.
    #[error("the folder {path} holds a pack named `{name}`; rename the folder to that")]
    WrongName {
        /// The folder.
        path: String,
        /// What the manifest says.
        name: String,
    },
    /// A file is not what the manifest says.
    #[error("{path} {what}; the pack is damaged, import the model again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The chat template is not acceptable.
    #[error("the pack {name} cannot chat: {source}")]
    Template {
        /// The pack.
        name: String,
        /// Why.
        source: TemplateError,
    },
}

/// An opened pack: its manifest is sane and every file is there in its size. [`Pack::verify`] reads them all.
#[derive(Debug, Clone)]
pub struct Pack {
    dir: PathBuf,
    manifest: Manifest,
}

impl Pack {
    /// Opens the pack in `dir`; the folder's name must be the pack's.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let pack = Self::read(dir)?;
        if dir.file_name().and_then(|name| name.to_str()) != Some(&pack.manifest.name) {
            return Err(PackError::WrongName { path: dir.display().to_string(), name: pack.manifest.name });
        }
        Ok(pack)
    }

    /// As [`Pack::open`] in a folder of any name.
    pub(crate) fn read(dir: &Path) -> Result<Self, PackError> {
        let path = dir.join(manifest::FILE_NAME);
        let io = |source| PackError::Io { path: path.display().to_string(), source };
        let mut text = String::new();
        File::open(&path).map_err(io)?.take(manifest::MAX_BYTES).read_to_string(&mut text).map_err(io)?;
        let manifest = Manifest::parse(&text)
            .map_err(|source| PackError::Manifest { path: path.display().to_string(), source })?;
        let pack = Self { dir: dir.into(), manifest };
        pack.manifest.files.iter().try_for_each(|entry| pack.check_size(entry))?;
        Ok(pack)
    }

    /// Hashes every file. `progress` is told the bytes done and their total.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), PackError> {
        let total = self.manifest.files.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.bytes));
        let mut before: u64 = 0;
        for entry in &self.manifest.files {
            self.check_size(entry)?;
            let path = self.dir.join(&entry.path);
            let hash = hash_file(&path, &mut |done| progress(before + done, total))
                .map_err(|source| PackError::Io { path: path.display().to_string(), source })?;
            if !hash.eq_ignore_ascii_case(&entry.blake3) {
                return Err(damaged(&path, "does not have the contents that the manifest says".into()));
            }
            before += entry.bytes;
        }
        progress(total, total);
        Ok(())
    }

    /// The pack's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The pack's description.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The graph.
    pub fn graph_path(&self) -> PathBuf {
        self.dir.join(GRAPH_FILE)
    }

    /// One of a decoder's graphs; `None` where the pack is older than it.
    pub fn variant_path(&self, variant: Variant) -> Option<PathBuf> {
        self.manifest.file(variant.file()).map(|entry| self.dir.join(&entry.path))
    }

    /// The tokenizer.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.dir.join(TOKENIZER)
    }

    /// The parsed chat template, when the model has one.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, PackError> {
        if self.manifest.kind != Kind::Decoder || self.manifest.file(CHAT_TEMPLATE).is_none() {
            return Ok(None);
        }
        let path = self.dir.join(CHAT_TEMPLATE);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| PackError::Io { path: path.display().to_string(), source })?;
        let tokens = &self.manifest.tokenizer;
        ChatTemplate::parse(&text, &tokens.bos_text, &tokens.eos_text)
            .map(Some)
            .map_err(|source| PackError::Template { name: self.manifest.name.clone(), source })
    }

    /// A regular file (a link could lead anywhere) of the right size.
    fn check_size(&self, entry: &FileEntry) -> Result<(), PackError> {
        let path = self.dir.join(&entry.path);
        let found = path.symlink_metadata();
        match found {
            Ok(found) if !found.is_file() => Err(damaged(&path, "is not a regular file".into())),
            Ok(found) if found.len() != entry.bytes => Err(damaged(
                &path,
                format!("has {} bytes where the manifest says {}", found.len(), entry.bytes),
            )),
            Ok(_) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(damaged(&path, "is missing".into())),
            Err(source) => Err(PackError::Io { path: path.display().to_string(), source }),
        }
    }
}

fn damaged(path: &Path, what: String) -> PackError {
    PackError::Damaged { path: path.display().to_string(), what }
}

/// BLAKE3 of a file, in hexadecimal; `progress` is told the bytes done.
pub(crate) fn hash_file(path: &Path, progress: &mut dyn FnMut(u64)) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; HASH_BLOCK];
    let mut done = 0;
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&block[..n]);
        done += n as u64;
        progress(done);
    }
}
