//! Where the store key comes from.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::key::{LENGTH, StoreKey};
use crate::{disk, hex};

/// The credential that the box's unit asks systemd for.
const CREDENTIAL: &str = "banyan-store-key";

/// Where the store key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// systemd hands it over, unsealed by the machine's TPM: `$CREDENTIALS_DIRECTORY/name`.
    Credential {
        /// The credential's name.
        name: String,
    },
    /// A file with 64 hexadecimal digits, its owner's alone. It protects what leaves the box without it (a backup, a
    /// sold disk with the key folder elsewhere), not a box that is stolen whole.
    File(PathBuf),
}

impl KeySource {
    /// The source of a box with this data folder: systemd's credential when there is one, else `keys/store.key`.
    #[must_use]
    pub fn of_box(data: &Path) -> Self {
        match credential(CREDENTIAL) {
            Some(path) if path.exists() => Self::Credential { name: CREDENTIAL.to_owned() },
            _ => Self::File(data.join("keys/store.key")),
        }
    }

    /// The key.
    pub fn load(&self) -> Result<StoreKey, StoreError> {
        let path = self.path();
        match read(&path, matches!(self, Self::File(_)))? {
            Some(key) => Ok(key),
            None => Err(StoreError::KeyMissing { path }),
        }
    }

    /// The key, made now if there is none and nothing that it would have to open.
    pub fn load_or_create(&self, database_exists: bool) -> Result<StoreKey, StoreError> {
        let Self::File(path) = self else { return self.load() };
        if database_exists || path.exists() {
            return self.load();
        }
        let folder = folder_of(path)?;
        let key = StoreKey::generate()?;
        // Two processes may come here at once: both get the key of the first.
        if disk::prepare(folder, text(&key).as_bytes())?.publish(path)? { Ok(key) } else { self.load() }
    }

    /// Puts a key that was recovered in place of the one that is there, if any.
    pub fn replace(&self, key: &StoreKey) -> Result<(), StoreError> {
        match self {
            Self::Credential { name } => Err(StoreError::KeyNotOurs { name: name.clone() }),
            Self::File(path) => disk::prepare(folder_of(path)?, text(key).as_bytes())?.replace(path),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Credential { name } => credential(name).unwrap_or_else(|| name.into()),
            Self::File(path) => path.clone(),
        }
    }
}

/// A key as a file holds it.
pub(crate) fn text(key: &StoreKey) -> Zeroizing<String> {
    let mut text = hex::encode(key.as_bytes());
    text.push('\n');
    text
}

fn credential(name: &str) -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(name))
}

fn folder_of(path: &Path) -> Result<&Path, StoreError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    disk::make_folder(folder, 0o700)?;
    Ok(folder)
}

fn read(path: &Path, owner_only: bool) -> Result<Option<StoreKey>, StoreError> {
    match fs::metadata(path) {
        Ok(meta) => {
            let mode = meta.permissions().mode() & 0o777;
            if owner_only && mode & 0o077 != 0 {
                return Err(StoreError::KeyExposed { path: path.to_owned(), mode });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(StoreError::io("read", path))?);
    if let Ok(bytes) = <[u8; LENGTH]>::try_from(&bytes[..]) {
        return Ok(Some(StoreKey::from_bytes(bytes)));
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let key = hex::decode(text.trim()).map(StoreKey::from_bytes);
    key.map(Some).ok_or_else(|| StoreError::NotAKey { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn source() -> (tempfile::TempDir, KeySource, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/store.key");
        (dir, KeySource::File(path.clone()), path)
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let (_dir, source, path) = source();
        let made = source.load_or_create(false).unwrap();
        assert_eq!(source.load_or_create(true).unwrap().as_bytes(), made.as_bytes());
        assert_eq!(source.load_or_create(false).unwrap().as_bytes(), made.as_bytes());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn no_key_is_made_beside_an_existing_database() {
        let (_dir, source, path) = source();
        let error = source.load_or_create(true).unwrap_err();
        assert!(matches!(&error, StoreError::KeyMissing { path: named } if *named == path), "{error}");
        assert!(error.to_string().contains("banyan recover"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn two_who_start_at_once_get_the_same_key() {
        let (_dir, source, _) = source();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| source.load_or_create(false).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key.as_bytes() == keys[0].as_bytes()));
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_no_key_is_refused_in_words() {
        let (_dir, source, path) = source();
        source.load_or_create(false).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = source.load().unwrap_err();
        assert!(matches!(error, StoreError::KeyExposed { mode: 0o644, .. }), "{error}");
        assert!(error.to_string().contains("chmod 600") && error.to_string().contains("644"), "{error}");

        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for wrong in ["", "hello", "zz", &"0".repeat(63), &"é".repeat(32)] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(source.load(), Err(StoreError::NotAKey { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn a_recovered_key_takes_the_place_of_the_old_one_and_a_credential_says_how_it_is_changed() {
        let (_dir, source, _) = source();
        let key = StoreKey::from_bytes([9; LENGTH]);
        source.replace(&key).unwrap();
        assert_eq!(source.load().unwrap().as_bytes(), key.as_bytes());
        let error = KeySource::Credential { name: CREDENTIAL.into() }.replace(&key).unwrap_err();
        assert!(error.to_string().contains("systemd-creds encrypt"), "{error}");
    }

    #[test]
    fn a_key_may_be_bytes_or_digits() {
        let (_dir, source, path) = source();
        source.load_or_create(false).unwrap();
        for content in [
            vec![0x61; LENGTH],
            "61".repeat(LENGTH).into_bytes(),
            format!("{}\n", "61".repeat(LENGTH)).into(),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(source.load().unwrap().as_bytes(), &[0x61; LENGTH]);
        }
    }
}
