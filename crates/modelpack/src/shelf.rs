//! A folder of named folders, as packs and adapters are kept in.

use crate::manifest::is_valid_name;
use std::path::Path;

/// Where a folder stands while its files are deleted; no valid name begins so.
const REMOVED: &str = ".removing-";

/// The names of all folders in `dir` in their order; none where `dir` is not there yet. What has no valid name is not one of
/// them: it is being written or deleted.
pub(crate) fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let folders = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        (is_valid_name(&name) && entry.file_type().ok()?.is_dir()).then_some(name)
    });
    let mut names: Vec<String> = folders.collect();
    names.sort();
    Ok(names)
}

/// Removes folder `name`: it is gone from the list at once, then its files are deleted.
pub(crate) fn remove(dir: &Path, name: &str) -> std::io::Result<()> {
    let going = dir.join(format!("{REMOVED}{name}"));
    if going.exists() {
        std::fs::remove_dir_all(&going)?;
    }
    std::fs::rename(dir.join(name), &going)?;
    std::fs::remove_dir_all(&going)
}
