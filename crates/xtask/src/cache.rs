//! The folder outside the tree where fetched things stay, and the stamps that let a second run do nothing.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::shell::{capture, root, say};

/// `$XDG_CACHE_HOME/banyan`, else `~/.cache/banyan`.
pub(crate) fn dir() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    };
    let dir = base.join("banyan");
    fs::create_dir_all(&dir).with_context(|| format!("could not create {}", dir.display()))?;
    Ok(dir)
}

pub(crate) fn clean() -> Result<()> {
    let dir = dir()?;
    say(&format!(
        "Deleting {} (models, ONNX Runtime, tools; the next run fetches them again)",
        dir.display()
    ));
    fs::remove_dir_all(&dir).with_context(|| format!("could not delete {}", dir.display()))
}

pub(crate) fn sha256_of_file(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).with_context(|| format!("could not read {}", path.display()))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

/// One hash over the names and contents of the files that git knows or would know under `paths` (so build output and
/// ignored files do not count).
pub(crate) fn sha256_of_sources(paths: &[&str]) -> Result<String> {
    let mut command = std::process::Command::new("git");
    command.current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]);
    let listing = capture(command.args(paths))?;
    let mut names: Vec<&str> = listing.split('\0').filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let mut hasher = Sha256::new();
    for name in names {
        // A tracked file that was deleted counts as absent.
        if let Ok(content) = fs::read(root().join(name)) {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update((content.len() as u64).to_le_bytes());
            hasher.update(content);
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// A stamp is a small file that says from which input its neighbour was made.
pub(crate) fn is_stamped(stamp: &Path, value: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|content| content.trim() == value)
}

pub(crate) fn write_stamp(stamp: &Path, value: &str) -> Result<()> {
    fs::write(stamp, format!("{value}\n")).with_context(|| format!("could not write {}", stamp.display()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_only_for_the_input_it_was_written_for() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = dir.path().join("stamp");
        assert!(!is_stamped(&stamp, "a"));
        write_stamp(&stamp, "a").unwrap();
        assert!(is_stamped(&stamp, "a"));
        assert!(!is_stamped(&stamp, "b"));
    }

    #[test]
    fn the_hash_of_a_file_is_what_sha256sum_prints() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(
            sha256_of_file(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
