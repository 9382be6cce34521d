//! Encrypted files, each named by what is in it.
//!
//! A blob's name is BLAKE3 of its content under a key of the store: the same content has the same name here, and the
//! name tells nobody who lacks the key what it is, nor that another box has the same. Its file begins with
//! [`FORM`] and a random nonce; the rest is XChaCha20-Poly1305, bound to the name.
//!
//! Put a blob before the row that names it, and remove it after: then no row ever names what is not there.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::key::{StoreKey, random};
use crate::{disk, hex};

/// What a blob's file begins with; the digit is the form's version.
const FORM: &[u8; 4] = b"BLB1";

/// Bytes of a nonce. Random ones of this length never meet.
const NONCE: usize = 24;

/// The name of a blob: it follows from what is in it and from the store's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// A name that was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The name, to be kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

impl FromStr for BlobId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        hex::decode(text).map(Self).ok_or_else(|| StoreError::NotABlobId(text.to_owned()))
    }
}

/// The blobs of a store. Its methods wait for the disk: call them where waiting is allowed.
pub struct Blobs {
    folder: PathBuf,
    names: Zeroizing<[u8; 32]>,
    cipher: XChaCha20Poly1305,
}

impl Blobs {
    pub(crate) fn open(folder: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        disk::make_folder(folder, 0o700)?;
        disk::sweep(folder);
        Ok(Self::at(folder, key))
    }

    /// The same where nothing may be written; the folder need not be there.
    pub(crate) fn at(folder: &Path, key: &StoreKey) -> Self {
        let names = Zeroizing::new(key.derive("banyan blob names v1"));
        let contents = Zeroizing::new(key.derive("banyan blob contents v1"));
        let cipher = XChaCha20Poly1305::new(&Key::from(*contents));
        Self { folder: folder.to_owned(), names, cipher }
    }

    /// The name that this content has here, whether it is kept or not.
    #[must_use]
    pub fn name_of(&self, content: &[u8]) -> BlobId {
        BlobId(*blake3::keyed_hash(&self.names, content).as_bytes())
    }

    /// Keeps `content`; it is on the disk when this returns. What is there already is not written again, unless it was
    /// damaged.
    pub fn put(&self, content: &[u8]) -> Result<BlobId, StoreError> {
        let id = self.name_of(content);
        let path = self.path(&id);
        match self.get(&id) {
            Ok(Some(_)) => return Ok(id),
            Ok(None) => {}
            Err(StoreError::Damaged { .. }) => {
                tracing::warn!(path = %path.display(), "a damaged blob is written anew");
            }
            Err(error) => return Err(error),
        }
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: content, aad: &id.0 };
        // Only a content of hundreds of gigabytes cannot be encrypted.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| {
            StoreError::io("encrypt", &path)(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"))
        })?;
        if let Some(folder) = path.parent() {
            disk::make_folder(folder, 0o700)?;
        }
        let mut file = FORM.to_vec();
        file.extend(nonce);
        file.extend(sealed);
        disk::prepare(&self.folder, &file)?.replace(&path)?;
        Ok(id)
    }

    /// What was kept under this name.
    pub fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(id);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        match self.unseal(id, &bytes) {
            Ok(content) => Ok(Some(content)),
            Err(reason) => Err(StoreError::Damaged { path, reason: reason.to_owned() }),
        }
    }

    /// Forgets a blob; whether there was one.
    pub fn remove(&self, id: &BlobId) -> Result<bool, StoreError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Ok(()) => disk::sync_folder_of(&path).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("remove", &path)(error)),
        }
    }

    /// The names of all.
    pub fn list(&self) -> Result<Vec<BlobId>, StoreError> {
        let mut all = Vec::new();
        for folder in names(&self.folder)? {
            if folder.len() == 2 {
                let ids = names(&self.folder.join(&folder))?;
                all.extend(ids.iter().filter_map(|name| format!("{folder}{name}").parse::<BlobId>().ok()));
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The file of a blob.
    pub(crate) fn path(&self, id: &BlobId) -> PathBuf {
        self.folder.join(Self::place(id))
    }

    /// The same within the folder: in 256 folders, which some file systems need to stay fast.
    pub(crate) fn place(id: &BlobId) -> PathBuf {
        let name = id.to_string();
        let (folder, file) = name.split_at(2);
        Path::new(folder).join(file)
    }

    fn unseal(&self, id: &BlobId, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        let rest = bytes.strip_prefix(FORM).ok_or("it does not begin as a blob does")?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or("it is too short")?;
        let payload = Payload { msg: sealed, aad: &id.0 };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| "it was changed or is another store's")
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Names in a folder; none when it went away meanwhile.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let failed = StoreError::io("read the folder", folder);
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()
            .map_err(failed),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs(key: u8) -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path(), &StoreKey::from_bytes([key; 32])).unwrap();
        (dir, blobs)
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_removed() {
        let (_dir, blobs) = blobs(1);
        for content in [&b""[..], b"a letter", &[7; 100_000]] {
            let id = blobs.put(content).unwrap();
            assert_eq!(blobs.name_of(content), id);
            assert_eq!(blobs.get(&id).unwrap().as_deref(), Some(content));
            assert_eq!(blobs.put(content).unwrap(), id);
            assert_eq!(blobs.list().unwrap(), [id]);
            assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
            assert!(blobs.remove(&id).unwrap() && !blobs.remove(&id).unwrap());
            assert_eq!(blobs.get(&id).unwrap(), None);
        }
        assert!(matches!("zz".parse::<BlobId>(), Err(StoreError::NotABlobId(_))));
    }

    #[test]
    fn neither_name_nor_file_says_what_is_in_it() {
        let (_one, mine) = blobs(1);
        let (_two, theirs) = blobs(2);
        let content = b"minutes of the assembly";
        let id = mine.put(content).unwrap();
        assert_ne!(id, theirs.put(content).unwrap(), "another store gives another name");
        assert_ne!(id.as_bytes(), blake3::hash(content).as_bytes());
        let file = fs::read(mine.path(&id)).unwrap();
        assert!(!file.windows(7).any(|window| window == b"minutes"));
    }

    #[test]
    fn a_changed_swapped_or_cut_file_is_never_taken_for_the_content() {
        let (_dir, blobs) = blobs(1);
        let (first, second) = (blobs.put(b"first").unwrap(), blobs.put(b"second").unwrap());
        let whole = fs::read(blobs.path(&first)).unwrap();
        let is_refused = |bytes: &[u8]| {
            fs::write(blobs.path(&first), bytes).unwrap();
            matches!(blobs.get(&first), Err(StoreError::Damaged { .. }))
        };
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(is_refused(&changed), "byte {at}");
            assert!(is_refused(&whole[..at]), "cut to {at} bytes");
        }
        assert!(is_refused(&fs::read(blobs.path(&second)).unwrap()));
        assert_eq!(blobs.put(b"first").unwrap(), first, "putting it again mends it");
        assert_eq!(blobs.get(&first).unwrap().unwrap(), b"first");
    }
}
