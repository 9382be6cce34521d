//! What opens a backup: slots at its beginning, each with the file's own key under another lock.

use std::io::{ErrorKind, Read};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::MIN_PASSPHRASE;
use crate::error::StoreError;
use crate::key::{StoreKey, random};

/// What every backup begins with; the digit is the form's version.
const MAGIC: &[u8; 16] = b"banyan backup 1\n";

/// Opened by the store key.
const STORE_KEY: u8 = 1;
/// Opened by a passphrase.
const PASSPHRASE: u8 = 2;

const SALT: usize = 16;
const NONCE: usize = 24;
const SEALED: usize = 32 + 16;
/// What a slot says before its nonce: kind, salt, memory, passes.
const TERMS: usize = 1 + SALT + 4 + 4;
const SLOT: usize = TERMS + NONCE + SEALED;

/// The cost of a guess: 64 MiB, which every board of ours has to spare, and three passes over it.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// A file may ask for no more than this: it can come from anybody.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 100;

type Secret = Zeroizing<[u8; 32]>;

/// A new header, and the key of the stream behind it.
pub(super) fn lock(key: &StoreKey, passphrase: Option<&str>) -> Result<(Vec<u8>, Secret), StoreError> {
    let file_key = Zeroizing::new(random::<32>()?);
    let mut header = MAGIC.to_vec();
    header.push(if passphrase.is_some() { 2 } else { 1 });
    header.extend(slot(STORE_KEY, &of_store_key(key), [0; SALT], 0, 0, &file_key)?);
    if let Some(passphrase) = passphrase {
        let length = passphrase.chars().count();
        if length < MIN_PASSPHRASE {
            return Err(StoreError::WeakPassphrase(length));
        }
        let salt = random()?;
        let secret = of_passphrase(passphrase, &salt, MEMORY_KIB, PASSES)?;
        header.extend(slot(PASSPHRASE, &secret, salt, MEMORY_KIB, PASSES, &file_key)?);
    }
    let key = stream_key(&file_key, &header);
    Ok((header, key))
}

/// Reads the header and gives the key of the stream behind it.
pub(super) fn unlock(
    path: &Path,
    file: &mut impl Read,
    key: Option<&StoreKey>,
    passphrase: Option<&str>,
) -> Result<Secret, StoreError> {
    let not_a_backup =
        |reason: &str| StoreError::NotABackup { path: path.to_owned(), reason: reason.to_owned() };
    let mut take = |length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes).map(|()| bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => not_a_backup("it is too short"),
            _ => StoreError::io("read", path)(error),
        })
    };
    let mut header = take(MAGIC.len() + 1)?;
    if header[..MAGIC.len()] != MAGIC[..] {
        let of_other_version = header.starts_with(&MAGIC[..14]);
        return Err(not_a_backup(if of_other_version {
            "a newer banyan wrote it"
        } else {
            "it is another kind of file"
        }));
    }
    let slots = usize::from(header[MAGIC.len()]);
    if !(1..=8).contains(&slots) {
        return Err(not_a_backup("its beginning is damaged"));
    }
    header.extend(take(slots * SLOT)?);
    for slot in header[MAGIC.len() + 1..].chunks_exact(SLOT) {
        let Some(secret) = secret_for(slot, key, passphrase)? else { continue };
        if let Some(file_key) = open(slot, &secret) {
            return Ok(stream_key(&file_key, &header));
        }
    }
    let tried = match (key.is_some(), passphrase.is_some()) {
        (true, true) => "neither the passphrase nor this box's store key fits",
        (true, false) => "this box's store key is not the one that made it",
        (false, true) => "the passphrase does not fit",
        (false, false) => "there is neither a passphrase nor a store key",
    };
    Err(StoreError::BackupLocked { path: path.to_owned(), reason: tried.to_owned() })
}

/// What may open this slot, if we have it.
fn secret_for(
    slot: &[u8],
    key: Option<&StoreKey>,
    passphrase: Option<&str>,
) -> Result<Option<Secret>, StoreError> {
    let number = |at: usize| u32::from_be_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]]);
    match (slot[0], key, passphrase) {
        (STORE_KEY, Some(key), _) => Ok(Some(of_store_key(key))),
        (PASSPHRASE, _, Some(passphrase)) => {
            let (memory, passes) = (number(1 + SALT), number(1 + SALT + 4));
            if memory > MAX_MEMORY_KIB || passes > MAX_PASSES {
                return Ok(None);
            }
            of_passphrase(passphrase, &slot[1..=SALT], memory, passes).map(Some)
        }
        _ => Ok(None),
    }
}

fn of_store_key(key: &StoreKey) -> Secret {
    Zeroizing::new(key.derive("banyan backup v1"))
}

fn of_passphrase(passphrase: &str, salt: &[u8], memory: u32, passes: u32) -> Result<Secret, StoreError> {
    let failed = |error: argon2::Error| {
        StoreError::io("derive the key of", Path::new("the backup"))(std::io::Error::other(error.to_string()))
    };
    let params = Params::new(memory, passes, 1, Some(32)).map_err(failed)?;
    let mut secret = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase.as_bytes(), salt, &mut secret[..]).map_err(failed)?;
    Ok(secret)
}

fn slot(
    kind: u8,
    secret: &Secret,
    salt: [u8; SALT],
    memory: u32,
    passes: u32,
    file_key: &Secret,
) -> Result<Vec<u8>, StoreError> {
    let mut slot = vec![kind];
    slot.extend(salt);
    slot.extend(memory.to_be_bytes());
    slot.extend(passes.to_be_bytes());
    let nonce = random::<NONCE>()?;
    let payload = Payload { msg: &file_key[..], aad: &slot };
    let cipher = XChaCha20Poly1305::new(&Key::from(**secret));
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| {
        StoreError::io("encrypt", Path::new("the backup"))(std::io::Error::other("the key cannot be sealed"))
    })?;
    slot.extend(nonce);
    slot.extend(sealed);
    Ok(slot)
}

fn open(slot: &[u8], secret: &Secret) -> Option<Secret> {
    let (terms, rest) = slot.split_at(TERMS);
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>()?;
    let cipher = XChaCha20Poly1305::new(&Key::from(**secret));
    let payload = Payload { msg: sealed, aad: terms };
    let file_key = Zeroizing::new(cipher.decrypt(&XNonce::from(*nonce), payload).ok()?);
    file_key[..].try_into().ok().map(Zeroizing::new)
}

/// The header goes into the key: whoever changes it finds nothing that opens.
fn stream_key(file_key: &Secret, header: &[u8]) -> Secret {
    let mut hasher = blake3::Hasher::new_derive_key("banyan backup stream v1");
    hasher.update(&file_key[..]).update(blake3::hash(header).as_bytes());
    Zeroizing::new(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: &str = "five words make it long";

    fn opened(header: &[u8], key: Option<u8>, passphrase: Option<&str>) -> Result<Secret, StoreError> {
        let key = key.map(|byte| StoreKey::from_bytes([byte; 32]));
        unlock(Path::new("b"), &mut &header[..], key.as_ref(), passphrase)
    }

    #[test]
    fn store_key_and_passphrase_each_open_it_and_nothing_else_does() {
        let (header, key) = lock(&StoreKey::from_bytes([1; 32]), Some(PASS)).unwrap();
        assert_eq!(header.len(), MAGIC.len() + 1 + 2 * SLOT);
        assert_eq!(*opened(&header, Some(1), None).unwrap(), *key);
        assert_eq!(*opened(&header, None, Some(PASS)).unwrap(), *key);
        assert_eq!(*opened(&header, Some(2), Some(PASS)).unwrap(), *key);
        for (other, passphrase) in [(Some(2), None), (None, Some("six words make it longer")), (None, None)] {
            let error = opened(&header, other, passphrase).unwrap_err();
            assert!(matches!(error, StoreError::BackupLocked { .. }), "{error}");
        }
    }

    #[test]
    fn a_header_that_was_changed_is_refused() {
        let (header, _) = lock(&StoreKey::from_bytes([1; 32]), None).unwrap();
        for at in 0..header.len() {
            let mut changed = header.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, Some(1), None).is_err(), "byte {at}");
        }
        assert!(matches!(opened(&header[..40], Some(1), None), Err(StoreError::NotABackup { .. })));
        let other = opened(b"banyan backup 2\n\x01", Some(1), None).unwrap_err();
        assert!(other.to_string().contains("newer banyan"), "{other}");
    }

    #[test]
    fn a_passphrase_that_is_guessed_soon_is_refused() {
        let error = lock(&StoreKey::from_bytes([1; 32]), Some("banyan")).unwrap_err();
        assert!(matches!(error, StoreError::WeakPassphrase(6)), "{error}");
        assert!(error.to_string().contains("12"), "{error}");
    }
}
