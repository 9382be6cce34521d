//! The store key: 32 random bytes from which every other key of the box is derived.

use std::fmt;

use rand::TryRngCore as _;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use crate::error::StoreError;

/// Bytes of a store key.
pub(crate) const LENGTH: usize = 32;

/// Bytes that SQLCipher calls a salt: the only ones of the database that are not encrypted.
pub(crate) const SALT: usize = 16;

/// The key that everything of a community is encrypted under. Wiped from memory when it is dropped.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; LENGTH]>);

impl StoreKey {
    /// A new key.
    pub fn generate() -> Result<Self, StoreError> {
        random().map(Self::from_bytes)
    }

    /// A key that was kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key itself, to be split into shares or sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Another key for another use. `context` is a constant that names the use, such as `banyan box key v1`; two uses
    /// never share one, and nothing about this key or another follows from it.
    #[must_use]
    pub fn derive(&self, context: &str) -> [u8; LENGTH] {
        blake3::derive_key(context, self.as_bytes())
    }

    /// What the database's file begins with. SQLCipher lets the salt be chosen, and a random key needs none; so it
    /// serves to tell a wrong key from a damaged file. 128 bits of a one-way function of 256 random ones: it helps
    /// nobody to find the key.
    pub(crate) fn salt(&self) -> [u8; SALT] {
        let mut salt = [0; SALT];
        salt.copy_from_slice(&self.derive("banyan database salt v1")[..SALT]);
        salt
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

/// Bytes that nobody can foresee.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| StoreError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = StoreKey::from_bytes([0xab; LENGTH]);
        assert_eq!(format!("{key:?}"), "StoreKey(…)");
    }

    /// Derived keys open what was written years ago: these bytes never change.
    #[test]
    fn derived_keys_stay_what_they_are() {
        let key = StoreKey::from_bytes([7; LENGTH]);
        let expected = blake3::Hasher::new_derive_key("banyan test v1").update(&[7; LENGTH]).finalize();
        assert_eq!(key.derive("banyan test v1"), *expected.as_bytes());
        assert_ne!(key.derive("banyan test v1"), key.derive("banyan test v2"));
    }
}
