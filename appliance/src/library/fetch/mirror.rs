//! The folder into which something is mirrored, with what the server said of each file, so that it is not asked twice for
//! what has not changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::links::Place;

/// Hidden, so it is not taken in.
const NOTES: &str = ".fetched.json";

/// Characters of one part of a path; file systems take 255.
const MAX_PART: usize = 120;

/// What is known of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// What the server calls this version.
    pub(super) tag: Option<String>,
    /// Where the links of a page lead.
    pub(super) links: Vec<String>,
    /// The file's name within the folder.
    pub(super) name: String,
}

pub(super) struct Mirror {
    folder: PathBuf,
    notes: BTreeMap<String, Note>,
}

impl Mirror {
    /// The folder of an address: named by its host, and by a hash of where on it.
    pub(super) fn open(mirrors: &Path, place: &Place) -> Result<Self> {
        let whole = place.folder().to_string();
        let host: String =
            place.host().chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
        let folder = mirrors.join(format!("{host}-{}", &blake3::hash(whole.as_bytes()).to_hex()[..12]));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let notes = fs::read(folder.join(NOTES)).ok();
        // What cannot be read is fetched anew.
        let notes = notes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Self { folder, notes })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is known of a file that is still there.
    pub(super) fn note(&self, path: &str) -> Option<&Note> {
        self.notes.get(path).filter(|note| self.folder.join(&note.name).is_file())
    }

    /// Keeps a file under the path that it has on the server; whether it is another one than before. One that is the same
    /// is not written, so it keeps its time and is not read again.
    pub(super) fn keep(&mut self, path: &str, ending: &str, bytes: &[u8], note: Note) -> Result<bool> {
        let name = name_of(path, ending);
        let file = self.folder.join(&name);
        self.notes.insert(path.to_owned(), Note { name, ..note });
        if fs::read(&file).is_ok_and(|before| before == bytes) {
            return Ok(false);
        }
        let failed = || format!("cannot write {}", file.display());
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).with_context(failed)?;
        }
        fs::write(&file, bytes).with_context(failed)?;
        Ok(true)
    }

    /// Writes down what is known.
    pub(super) fn finish(&self) -> Result<()> {
        let file = self.folder.join(NOTES);
        fs::write(&file, serde_json::to_vec(&self.notes)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// A name within the folder: the path as it is, no part hidden, leading elsewhere or too long.
fn name_of(path: &str, ending: &str) -> String {
    let part = |part: &str| -> String {
        let plain: String =
            part.chars().map(|one| if one.is_control() || one == '\\' { '-' } else { one }).collect();
        let cut: String = plain.trim_start_matches('.').chars().take(MAX_PART).collect();
        match cut.is_empty() {
            true => "-".into(),
            false if cut.len() < plain.len() => {
                format!("{cut}-{}", &blake3::hash(part.as_bytes()).to_hex()[..8])
            }
            false => cut,
        }
    };
    let (above, last) = path.rsplit_once('/').map_or((None, path), |(above, last)| (Some(above), last));
    let last = if last.is_empty() { "index".to_owned() } else { part(last) };
    // Without an ending nobody knows what it is; and a page `a` must not stand in the way of a folder `a/`.
    let last = if last.rsplit_once('.').is_some_and(|(_, ending)| (1..=5).contains(&ending.len())) {
        last
    } else {
        format!("{last}{ending}")
    };
    let above = above.map(|above| above.split('/').map(part).collect::<Vec<_>>().join("/"));
    above.map_or(last.clone(), |above| format!("{above}/{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_out_of_no_folder_and_pages_stand_beside_folders() {
        assert_eq!(name_of("", ".html"), "index.html");
        assert_eq!(name_of("a/b.pdf", ""), "a/b.pdf");
        assert_eq!(name_of("a", ".html"), "a.html");
        assert_eq!(name_of("a/", ".html"), "a/index.html");
        let odd = name_of("../.ssh/x.txt", "");
        assert!(odd.starts_with("-/ssh-") && odd.ends_with("/x.txt"), "{odd}");
        assert!(name_of(&"x".repeat(400), ".html").len() < 150);
    }

    #[test]
    fn a_file_that_is_the_same_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::parse("https", "hall.example", "/docs/").unwrap();
        let mut mirror = Mirror::open(dir.path(), &place).unwrap();
        let note = Note { tag: Some("\"1\"".into()), ..Note::default() };
        assert!(mirror.keep("a", ".html", b"words", note.clone()).unwrap());
        assert!(!mirror.keep("a", ".html", b"words", note).unwrap());
        mirror.finish().unwrap();
        let again = Mirror::open(dir.path(), &place).unwrap();
        assert_eq!(again.note("a").unwrap().tag.as_deref(), Some("\"1\""));
        fs::remove_file(again.folder().join("a.html")).unwrap();
        assert!(again.note("a").is_none());
    }
}
