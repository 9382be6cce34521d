//! The models folder: one pack in each sub-folder that does not begin with a dot.

use crate::manifest::is_valid_name;
use crate::pack::{Pack, PackError};
use crate::shelf;
use std::path::{Path, PathBuf};

/// Folders of imports under way begin with this; they are not packs.
pub(crate) const TEMPORARY: &str = ".importing-";
/// The models folder.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every pack in the order of their names; one that cannot be opened says why and does not hide the others.
    pub fn list(&self) -> Vec<Result<Pack, PackError>> {
        let names = match shelf::names(&self.dir) {
            Ok(names) => names,
            Err(source) => return vec![Err(PackError::Io { path: self.dir.display().to_string(), source })],
        };
        names.iter().map(|name| Pack::open(&self.dir.join(name))).collect()
    }

    /// Opens the pack `name`.
    pub fn open(&self, name: &str) -> Result<Pack, PackError> {
        Pack::open(&self.existing(name)?)
    }

    /// Removes the pack `name`: it is gone from the list at once, then its files are deleted.
    pub fn remove(&self, name: &str) -> Result<(), PackError> {
        let dir = self.existing(name)?;
        shelf::remove(&self.dir, name)
            .map_err(|source| PackError::Io { path: dir.display().to_string(), source })
    }

    fn existing(&self, name: &str) -> Result<PathBuf, PackError> {
        if !is_valid_name(name) {
            return Err(PackError::Name(name.into()));
        }
        let dir = self.dir.join(name);
        if !dir.is_dir() {
            return Err(PackError::NotFound { name: name.into(), store: self.dir.display().to_string() });
        }
        Ok(dir)
    }
}
