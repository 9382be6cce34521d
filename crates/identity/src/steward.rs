//! A steward's key, sealed by the steward's own passphrase: it may lie on the box or on a stick, and signs only while
//! its steward types the passphrase.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::hex::to_hex;
use crate::keys::{PublicKey, SigningKey};
use crate::seal;

const CONTEXT: &str = "steward key v1";

/// A steward's key under a passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// Whose signatures it makes.
    pub public: PublicKey,
    sealed: String,
}

impl SealedKey {
    /// Seals a key.
    pub fn seal(key: &SigningKey, passphrase: &str) -> Result<Self, IdentityError> {
        let sealed = seal::seal_with_passphrase(passphrase, CONTEXT, key.secret().as_slice())?;
        Ok(Self { public: key.public(), sealed: to_hex(&sealed) })
    }

    /// Opens it. The key that comes out is the one that `public` says, or none.
    pub fn open(&self, passphrase: &str) -> Result<SigningKey, IdentityError> {
        let not_sealed = || IdentityError::NotSealed { what: CONTEXT.into() };
        let sealed: [u8; SEALED] = crate::hex::from_hex(&self.sealed).ok_or_else(not_sealed)?;
        let secret = Zeroizing::new(seal::open_with_passphrase(passphrase, CONTEXT, &sealed)?);
        let key = SigningKey::from_bytes(secret.as_slice().try_into().map_err(|_| not_sealed())?);
        if key.public() == self.public {
            Ok(key)
        } else {
            Err(IdentityError::DoesNotOpen { what: CONTEXT.into() })
        }
    }
}

/// Version, salt, nonce, 32 secret bytes and the tag.
const SEALED: usize = 1 + 16 + 24 + 32 + 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steward_signs_only_with_the_passphrase_and_only_as_who_the_file_says() {
        let key = SigningKey::from_bytes(&[4; 32]);
        let sealed = SealedKey::seal(&key, "tall trees catch much wind").unwrap();
        let kept: SealedKey = serde_json::from_str(&serde_json::to_string(&sealed).unwrap()).unwrap();
        assert_eq!(kept.open("tall trees catch much wind").unwrap().public(), key.public());
        assert!(kept.open("tall trees").is_err());
        let renamed = SealedKey { public: SigningKey::from_bytes(&[5; 32]).public(), ..kept };
        assert!(renamed.open("tall trees catch much wind").is_err());
    }
}
