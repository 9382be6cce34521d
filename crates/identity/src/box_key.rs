//! The box's own key, which signs the ledger. Its file opens only with a key that is derived from the store's.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::keys::SigningKey;
use crate::seal;

const CONTEXT: &str = "box key v1";

/// From which the first box key is made, so that it must never change.
const FIRST_KEY: &str = "banyan: the box's first signing key, made from its sealing key v1";

/// The box's own key in its file.
#[derive(Debug, Clone, Copy)]
pub struct BoxKey;

impl BoxKey {
    /// Opens the key's file, or makes it (readable by the box alone, whole or not at all).
    ///
    /// The first key is made from the sealing key and not from chance: a community that has lost the box, and rebuilds
    /// the store from a backup and its shares, goes on with the same ledger.
    pub fn load_or_create(path: &Path, sealing_key: &[u8; 32]) -> Result<SigningKey, IdentityError> {
        match fs::read(path) {
            Ok(sealed) => {
                let secret = Zeroizing::new(seal::open(sealing_key, CONTEXT, &sealed)?);
                let secret = secret.as_slice().try_into();
                let secret = secret.map_err(|_| IdentityError::NotSealed { what: CONTEXT.into() })?;
                Ok(SigningKey::from_bytes(secret))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = Zeroizing::new(blake3::derive_key(FIRST_KEY, sealing_key));
                let sealed = seal::seal(sealing_key, CONTEXT, secret.as_slice())?;
                write_whole(path, &sealed).map_err(|reason| file(path, "written", reason))?;
                Ok(SigningKey::from_bytes(&secret))
            }
            Err(reason) => Err(file(path, "read", reason)),
        }
    }
}

fn file(path: &Path, action: &'static str, reason: std::io::Error) -> IdentityError {
    IdentityError::File { path: path.to_owned(), action, reason }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_box_has_the_same_key_after_every_start_and_nobody_else_reads_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/box.key");
        let key = BoxKey::load_or_create(&path, &[8; 32]).unwrap();
        assert_eq!(BoxKey::load_or_create(&path, &[8; 32]).unwrap().public(), key.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read(&path).unwrap().windows(32).any(|part| part == key.secret().as_slice()));
    }

    #[test]
    fn a_box_rebuilt_from_its_store_key_signs_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let lost = BoxKey::load_or_create(&dir.path().join("old.key"), &[8; 32]).unwrap();
        let rebuilt = BoxKey::load_or_create(&dir.path().join("new.key"), &[8; 32]).unwrap();
        let stranger = BoxKey::load_or_create(&dir.path().join("other.key"), &[9; 32]).unwrap();
        assert_eq!(lost.public(), rebuilt.public());
        assert_ne!(lost.public(), stranger.public());
    }

    #[test]
    fn a_file_of_another_box_or_a_torn_one_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("box.key");
        BoxKey::load_or_create(&path, &[8; 32]).unwrap();
        let whole = fs::read(&path).unwrap();
        let error = BoxKey::load_or_create(&path, &[9; 32]).unwrap_err();
        assert!(matches!(error, IdentityError::DoesNotOpen { .. }), "{error}");
        for length in [0, 1, 30, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(BoxKey::load_or_create(&path, &[8; 32]).is_err(), "{length}");
            assert_eq!(fs::read(&path).unwrap().len(), length);
        }
    }
}
