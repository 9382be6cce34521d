//! The files of a folder, in the order of their names. Links are not followed: a stick could lead anywhere with them.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::library::LibraryError;

/// Folders within folders; deeper ones are mostly a loop.
const MAX_DEPTH: usize = 32;

/// Files of one import. More are better given as an archive, or in several folders.
const MAX_FILES: usize = 100_000;

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its path within the folder; the name alone where a single file was given.
    pub(super) name: String,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
}

impl Found {
    /// Whether it is still as it was found.
    pub(super) fn is_unchanged(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|now| {
            let now = found(PathBuf::new(), String::new(), &now);
            (now.size, now.modified) == (self.size, self.modified)
        })
    }
}

/// The file, or the files of the folder. Hidden ones are left out; what cannot be read is logged and left out.
pub(super) fn files(root: &Path) -> Result<Vec<Found>, LibraryError> {
    let metadata = fs::metadata(root).map_err(LibraryError::file("read", root))?;
    if metadata.is_file() {
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![found(root.to_owned(), name, &metadata)]);
    }
    // That the folder itself cannot be read is no matter of one file.
    fs::read_dir(root).map_err(LibraryError::file("read", root))?;
    let mut files = Vec::new();
    walk(root, "", 0, &mut files)?;
    files.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn walk(folder: &Path, above: &str, depth: usize, files: &mut Vec<Found>) -> Result<(), LibraryError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "a folder within an import cannot be read and is left out");
            return Ok(());
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of the entry itself, not of what a link leads to.
        let Ok(metadata) = entry.metadata() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let within = format!("{above}{name}");
        if metadata.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &format!("{within}/"), depth + 1, files)?;
        } else if metadata.is_file() {
            files.push(found(entry.path(), within, &metadata));
            if files.len() > MAX_FILES {
                let message = format!("it holds more than {MAX_FILES} files; give its folders one by one");
                return Err(LibraryError::Invalid { field: "path", message });
            }
        }
    }
    Ok(())
}

fn found(path: PathBuf, name: String, metadata: &Metadata) -> Found {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default();
    Found { path, name, size: metadata.len(), modified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_order_without_hidden_ones_and_links() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/c")).unwrap();
        for name in ["z.txt", "b/a.txt", "b/c/x.txt", ".hidden", "b/.git"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let names: Vec<String> = files(dir.path()).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["b/a.txt", "b/c/x.txt", "z.txt"]);
        assert_eq!(files(&dir.path().join("z.txt")).unwrap()[0].name, "z.txt");
        let error = files(&dir.path().join("nowhere")).unwrap_err().to_string();
        assert!(error.contains("nowhere") && error.contains("is it there"), "{error}");
    }
}
