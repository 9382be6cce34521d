//! Bytes that only a key, or a passphrase, opens: XChaCha20-Poly1305 with a random nonce of 24 bytes.
//!
//! Each sealing names a *context*, what the bytes are; what was sealed as one thing does not open as another.
//!
//! ```text
//! with a key:         1 · nonce (24) · sealed bytes and their tag (16)
//! with a passphrase:  2 · salt (16) · nonce (24) · sealed bytes and their tag (16)
//! ```
//! The first byte also fixes the cost of the passphrase, so that a stranger's file cannot ask for a box's whole memory.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::error::IdentityError;
use crate::passphrase::{self, FOR_KEYS};
use crate::random::random_bytes;

const BY_KEY: u8 = 1;
const BY_PASSPHRASE: u8 = 2;
const NONCE: usize = 24;
const SALT: usize = 16;

/// Seals with a key.
pub fn seal(key: &[u8; 32], context: &str, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
    encrypt(&[BY_KEY], key, context, plain)
}

/// Opens what [`seal`] made.
pub fn open(key: &[u8; 32], context: &str, sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let Some((&BY_KEY, rest)) = sealed.split_first() else { return Err(not_sealed(context)) };
    decrypt(key, context, rest)
}

/// Seals with a passphrase. Takes a second, and 64 MiB of memory while it does.
pub fn seal_with_passphrase(passphrase: &str, context: &str, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let salt = random_bytes::<SALT>()?;
    let key = passphrase::key(passphrase, &salt, FOR_KEYS)?;
    encrypt(&[&[BY_PASSPHRASE], salt.as_slice()].concat(), &key, context, plain)
}

/// Opens what [`seal_with_passphrase`] made.
pub fn open_with_passphrase(
    passphrase: &str,
    context: &str,
    sealed: &[u8],
) -> Result<Vec<u8>, IdentityError> {
    let Some((&BY_PASSPHRASE, rest)) = sealed.split_first() else { return Err(not_sealed(context)) };
    let (salt, rest) = rest.split_first_chunk::<SALT>().ok_or_else(|| not_sealed(context))?;
    decrypt(&*passphrase::key(passphrase, salt, FOR_KEYS)?, context, rest)
}

/// The key that a passphrase makes with a salt, for files of another form than these. Takes a second and 64 MiB.
pub fn key_from_passphrase(passphrase: &str, salt: &[u8; 16]) -> Result<[u8; 32], IdentityError> {
    passphrase::key(passphrase, salt, FOR_KEYS).map(|key| *key)
}

fn encrypt(header: &[u8], key: &[u8; 32], context: &str, plain: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let nonce = random_bytes::<NONCE>()?;
    let payload = Payload { msg: plain, aad: context.as_bytes() };
    let sealed = XChaCha20Poly1305::new(&(*key).into())
        .encrypt(&XNonce::from(nonce), payload)
        // Only more than 256 GiB at once fail.
        .map_err(|_| IdentityError::NotSealed { what: context.into() })?;
    Ok([header, &nonce, &sealed].concat())
}

fn decrypt(key: &[u8; 32], context: &str, sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(|| not_sealed(context))?;
    let payload = Payload { msg: sealed, aad: context.as_bytes() };
    XChaCha20Poly1305::new(&(*key).into())
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| IdentityError::DoesNotOpen { what: context.into() })
}

fn not_sealed(context: &str) -> IdentityError {
    IdentityError::NotSealed { what: context.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex::{from_hex, to_hex};

    #[test]
    fn what_an_earlier_version_sealed_still_opens() {
        let sealed: [u8; 46] = from_hex(SEALED_IN_2026).unwrap();
        assert_eq!(open(&[9; 32], "letter", &sealed).unwrap(), b"hello");
    }

    const SEALED_IN_2026: &str =
        "01c8549100ce17bee961b3647297abdd3296c064203318ad91e5d7f5b2a48028bc0df35b7f09e7a685cb551c2331";

    #[test]
    fn a_passphrase_opens_what_it_sealed_and_another_one_does_not() {
        let sealed = seal_with_passphrase("correct horse", "steward key", b"secret").unwrap();
        assert_eq!(open_with_passphrase("correct horse", "steward key", &sealed).unwrap(), b"secret");
        for (passphrase, context) in
            [("correct horsf", "steward key"), ("correct horse", "letter"), ("", "steward key")]
        {
            let error = open_with_passphrase(passphrase, context, &sealed).unwrap_err();
            assert!(matches!(error, IdentityError::DoesNotOpen { .. }), "{error}");
        }
        assert!(matches!(open(&[0; 32], "steward key", &sealed), Err(IdentityError::NotSealed { .. })));
    }

    #[test]
    fn a_passphrase_makes_this_key_for_ever() {
        let key = key_from_passphrase("correct horse", &[3; 16]).unwrap();
        assert_eq!(to_hex(&key), KEY_OF_PASSPHRASE);
    }

    const KEY_OF_PASSPHRASE: &str = "c78a0653834a28970cef3be1c13c77279a7a9d8ef13d6a55ad7f42e14eb03ddb";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn only_the_key_opens_and_any_changed_or_missing_byte_is_noticed(
            key in any::<[u8; 32]>(),
            other in any::<[u8; 32]>(),
            plain in proptest::collection::vec(any::<u8>(), 0..100),
            place in any::<proptest::sample::Index>(),
            flip in 1_u8..,
        ) {
            prop_assume!(key != other);
            let sealed = seal(&key, "letter", &plain).unwrap();
            prop_assert_eq!(open(&key, "letter", &sealed).unwrap(), plain);
            prop_assert!(open(&other, "letter", &sealed).is_err());
            prop_assert!(open(&key, "lettes", &sealed).is_err());
            let place = place.index(sealed.len());
            prop_assert!(open(&key, "letter", &sealed[..place]).is_err());
            let mut changed = sealed;
            changed[place] ^= flip;
            prop_assert!(open(&key, "letter", &changed).is_err());
        }
    }
}
