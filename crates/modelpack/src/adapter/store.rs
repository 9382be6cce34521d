//! The adapters folder: one adapter in each sub-folder that does not begin with a dot.

use super::{Adapter, AdapterError};
use crate::manifest::is_valid_name;
use crate::shelf;
use std::path::{Path, PathBuf};

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
        let names = match shelf::names(&self.dir) {
            Ok(names) => names,
            Err(source) => {
                return vec![Err(AdapterError::Io { path: self.dir.display().to_string(), source })];
            }
        };
        names.iter().map(|name| Adapter::open(&self.dir.join(name))).collect()
    }

    /// Opens the adapter `name`.
    pub fn open(&self, name: &str) -> Result<Adapter, AdapterError> {
        Adapter::open(&self.existing(name)?)
    }

    /// Removes the adapter `name`: it is gone from the list at once, then its files are deleted.
    pub fn remove(&self, name: &str) -> Result<(), AdapterError> {
        let dir = self.existing(name)?;
        shelf::remove(&self.dir, name)
            .map_err(|source| AdapterError::Io { path: dir.display().to_string(), source })
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
