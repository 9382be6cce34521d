//! From what a person remembers to a key: argon2id.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::error::IdentityError;

/// What guessing one passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

/// For keys that protect everything and are opened a few times a year: the memory that RFC 9106 names for machines
/// with little of it. A small board takes a second or two.
pub(crate) const FOR_KEYS: Cost = Cost { memory_kib: 64 * 1024, passes: 3 };

/// For signing in, which several members do at once: OWASP's first choice. A small board takes a quarter of a second.
pub(crate) const FOR_SIGNING_IN: Cost = Cost { memory_kib: 19 * 1024, passes: 2 };

pub(crate) fn argon2id(cost: Cost) -> Result<Argon2<'static>, IdentityError> {
    // One lane: the crate computes lanes one after the other, and an attacker would compute them at once.
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

pub(crate) fn key(
    passphrase: &str,
    salt: &[u8; 16],
    cost: Cost,
) -> Result<Zeroizing<[u8; 32]>, IdentityError> {
    let mut key = Zeroizing::new([0; 32]);
    argon2id(cost)?.hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice()).map_err(failed)?;
    Ok(key)
}

pub(crate) fn failed(error: impl std::fmt::Display) -> IdentityError {
    IdentityError::Passphrase(error.to_string())
}
