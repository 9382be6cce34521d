//! API keys of `/v1`: `keys/api-keys.toml` holds their BLAKE3 hashes, never the keys.
//!
//! A key is 40 random letters and digits (238 bits), so a fast hash is enough: there is nothing to guess. The file is
//! written whole or not at all, and read again when it changes, so a key that `banyan key revoke` took away ends at
//! once, without a restart.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use rand::rngs::OsRng;
use rand::{SeedableRng as _, TryRngCore as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// What every key begins with, so that a leaked one can be told by its look.
pub const PREFIX: &str = "bk_";

/// Random characters after the prefix.
const RANDOM_CHARACTERS: usize = 40;

/// Characters at a key's end that the file keeps, to tell keys apart.
const LAST_CHARACTERS: usize = 4;

/// The longest name of a key, in characters.
const MAX_NAME: usize = 60;

/// The keys of one box.
#[derive(Debug)]
pub struct ApiKeys {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

/// What the file said when it was last read.
#[derive(Debug)]
struct Read {
    stamp: Stamp,
    keys: Vec<Entry>,
}

/// Tells one state of the file from another; a rename gives a new inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// What it is for, such as `bookkeeping`.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The key's last characters.
    pub last_characters: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: ApiKey,
    #[serde(with = "hex")]
    hash: blake3::Hash,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    key: Vec<Entry>,
}

/// Why keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file or its folder cannot be used.
    #[error("cannot {action} {}: {source}; check that the folder exists and belongs to the user that runs banyan", .path.display())]
    Io {
        /// `read`, `write` …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{} cannot be understood ({reason}); mend it or delete it and make new keys", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A name that cannot be used.
    #[error("a key's name must have 1 to {MAX_NAME} characters and no line breaks")]
    BadName,
    /// A name that is in use.
    #[error("there is a key named \"{0}\" already; choose another name, or revoke that one first")]
    NameTaken(String),
    /// A name that is not in use.
    #[error("there is no key named \"{0}\"; list the keys to see their names")]
    NoSuchKey(String),
    /// The system has no randomness.
    #[error("the system gave no random numbers ({0}), so no key was made")]
    NoRandomness(String),
}

impl ApiKeys {
    /// The keys of the box whose data lies in `data_dir`. Nothing is read yet.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("keys").join("api-keys.toml"), read: Mutex::new(None) }
    }

    /// Makes a key and gives it: the only moment at which it can be seen.
    pub fn add(&self, name: &str) -> Result<String, KeyError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(KeyError::BadName);
        }
        let random = random_characters()?;
        let secret = format!("{PREFIX}{random}");
        let last_characters = random[RANDOM_CHARACTERS - LAST_CHARACTERS..].to_owned();
        let entry = Entry {
            key: ApiKey { name: name.to_owned(), created: Timestamp::now(), last_characters },
            hash: blake3::hash(secret.as_bytes()),
        };
        self.change(|keys| {
            if keys.iter().any(|other| other.key.name == name) {
                return Err(KeyError::NameTaken(name.to_owned()));
            }
            keys.push(entry);
            Ok(())
        })?;
        Ok(secret)
    }

    /// The keys, oldest first.
    pub fn list(&self) -> Result<Vec<ApiKey>, KeyError> {
        Ok(self.load()?.into_iter().map(|entry| entry.key).collect())
    }

    /// Takes a key away. Requests that it began are finished, new ones are refused.
    pub fn revoke(&self, name: &str) -> Result<(), KeyError> {
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|entry| entry.key.name != name);
            if keys.len() == before { Err(KeyError::NoSuchKey(name.to_owned())) } else { Ok(()) }
        })
    }

    /// The name of the key that was presented; none when it is not one of ours. Every key is compared, each in
    /// constant time, so the time it takes tells nothing.
    pub fn check(&self, presented: &str) -> Result<Option<String>, KeyError> {
        let presented = blake3::hash(presented.as_bytes());
        let stamp = self.stamp()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.as_ref().map(|read| read.stamp) != stamp {
            *read = match stamp {
                Some(stamp) => Some(Read { stamp, keys: self.load()? }),
                None => None,
            };
        }
        let keys = read.as_ref().map_or(&[][..], |read| &read.keys);
        let mut found = None;
        for entry in keys {
            // `Hash::eq` is constant-time.
            if entry.hash == presented {
                found = Some(&entry.key.name);
            }
        }
        Ok(found.cloned())
    }

    fn stamp(&self) -> Result<Option<Stamp>, KeyError> {
        match fs::metadata(&self.path) {
            Ok(meta) => Ok(Some(Stamp {
                inode: meta.ino(),
                size: meta.size(),
                modified: (meta.mtime(), meta.mtime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.io("read")(source)),
        }
    }

    fn load(&self) -> Result<Vec<Entry>, KeyError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io("read")(source)),
        };
        let document: Document = toml::from_str(&text).map_err(|error| KeyError::Unreadable {
            path: self.path.clone(),
            reason: error.message().to_owned(),
        })?;
        Ok(document.key)
    }

    /// Reads, changes and writes, while no other process does.
    fn change(&self, change: impl FnOnce(&mut Vec<Entry>) -> Result<(), KeyError>) -> Result<(), KeyError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(self.io("make the folder of"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.with_extension("lock"))
            .map_err(self.io("lock"))?;
        lock.lock().map_err(self.io("lock"))?;
        let mut keys = self.load()?;
        change(&mut keys)?;
        let text = toml::to_string(&Document { key: keys })
            .map_err(|error| KeyError::Unreadable { path: self.path.clone(), reason: error.to_string() })?;
        self.write(folder, &text).map_err(self.io("write"))
    }

    fn write(&self, folder: &Path, text: &str) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(
            b"# Hashes of API keys. Made by `banyan key add`; a key itself is shown once and not kept.\n\n",
        )?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> KeyError + use<> {
        let path = self.path.clone();
        move |source| KeyError::Io { action, path, source }
    }
}

fn random_characters() -> Result<String, KeyError> {
    let mut seed = <StdRng as rand::SeedableRng>::Seed::default();
    OsRng.try_fill_bytes(&mut seed).map_err(|error| KeyError::NoRandomness(error.to_string()))?;
    Ok(StdRng::from_seed(seed).sample_iter(Alphanumeric).take(RANDOM_CHARACTERS).map(char::from).collect())
}

/// A hash as the hexadecimal text that `b3sum` prints.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hash.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        blake3::Hash::from_hex(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, ApiKeys) {
        let dir = tempfile::tempdir().unwrap();
        let keys = ApiKeys::new(dir.path());
        (dir, keys)
    }

    #[test]
    fn a_key_works_from_its_making_until_it_is_revoked() {
        let (dir, keys) = keys();
        assert_eq!(keys.check("bk_guess").unwrap(), None);
        let secret = keys.add("bookkeeping").unwrap();
        assert!(secret.starts_with(PREFIX) && secret.len() == 43, "{secret}");
        assert_eq!(keys.check(&secret).unwrap().as_deref(), Some("bookkeeping"));
        assert_eq!(keys.check(&secret[..42]).unwrap(), None);

        let other_process = ApiKeys::new(dir.path());
        other_process.add("till").unwrap();
        other_process.revoke("bookkeeping").unwrap();
        assert_eq!(keys.check(&secret).unwrap(), None);
        assert_eq!(keys.list().unwrap().len(), 1);
    }

    #[test]
    fn the_file_holds_no_key_and_is_its_owners_alone() {
        let (dir, keys) = keys();
        let secret = keys.add("till").unwrap();
        let path = dir.path().join("keys/api-keys.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret[3..39]), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let listed = keys.list().unwrap();
        assert!(secret.ends_with(&listed[0].last_characters) && listed[0].last_characters.len() == 4);
    }

    #[test]
    fn mistakes_are_refused_in_words() {
        let (dir, keys) = keys();
        keys.add("till").unwrap();
        assert!(matches!(keys.add(" till "), Err(KeyError::NameTaken(name)) if name == "till"));
        assert!(matches!(keys.revoke("other"), Err(KeyError::NoSuchKey(_))));
        for name in ["", "  ", "a\nb", &"x".repeat(MAX_NAME + 1)] {
            assert!(matches!(keys.add(name), Err(KeyError::BadName)), "{name:?}");
        }
        fs::write(dir.path().join("keys/api-keys.toml"), "[[key]]\nname = \"x\"\n").unwrap();
        let error = keys.check("bk_x").unwrap_err();
        assert!(error.to_string().contains("mend it or delete it"), "{error}");
    }
}
