//! The only place where randomness comes from.

use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::error::IdentityError;

/// So many bytes from the system's own source.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| IdentityError::Random(error.to_string()))?;
    Ok(bytes)
}
