//! The adapters folder: one adapter in each sub-folder that does not begin with a dot.

use super::{Adapter, AdapterError};
use crate::manifest::is_valid_name;
use std::path::{Path, PathBuf};

/// Folders of adapters on their way out begin with this.
const REMOVED: &str = ".removing-";

/// The adapters folder.
#[derive(Debug, Clone)]
pub struct AdapterStore {
    dir: PathBuf,
}

impl AdapterStore {
    /// The store in `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every adapter in the order of their names; one that cannot be opened says why and does not hide the others.
    pub fn list(&self) -> Vec<Result<Adapter, AdapterError>> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(source) => {
                return vec![Err(AdapterError::Io { path: self.dir.display().to_string(), source })];
            }
        };
        let folders = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            (is_valid_name(&name) && entry.file_type().ok()?.is_dir()).then_some(name)
        });
        let mut names: Vec<String> = folders.collect();
        names.sort();
        names.iter().map(|name| Adapter::open(&self.dir.join(name))).collect()
    }

    /// Opens the adapter `name`.
    pub fn open(&self, name: &str) -> Result<Adapter, AdapterError> {
        Adapter::open(&self.existing(name)?)
    }

    /// Removes the adapter `name`: it is gone from the list at once, then its files are deleted.
    pub fn remove(&self, name: &str) -> Result<(), AdapterError> {
        let dir = self.existing(name)?;
        let io = |source| AdapterError::Io { path: dir.display().to_string(), source };
        let going = self.dir.join(format!("{REMOVED}{name}"));
        if going.exists() {
            std::fs::remove_dir_all(&going).map_err(io)?;
        }
        std::fs::rename(&dir, &going).map_err(io)?;
        std::fs::remove_dir_all(&going).map_err(io)
    }

    fn existing(&self, name: &str) -> Result<PathBuf, AdapterError> {
        if !is_valid_name(name) {
            return Err(AdapterError::Name(name.into()));
        }
        let dir = self.dir.join(name);
        if !dir.is_dir() {
            return Err(AdapterError::NotFound { name: name.into(), store: self.dir.display().to_string() });
        }
        Ok(dir)
    }
}
