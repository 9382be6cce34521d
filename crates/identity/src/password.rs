//! What a member signs in with, a PIN or a passphrase, kept as a hash from which it cannot be read.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};

use crate::error::IdentityError;
use crate::passphrase::{FOR_SIGNING_IN, argon2id, failed};
use crate::random::random_bytes;

/// The hash of a secret, as text (PHC form: it names its own salt and cost, so the cost can be raised later).
pub fn hash(secret: &str) -> Result<String, IdentityError> {
    let salt = random_bytes::<16>()?;
    let hash = argon2id(FOR_SIGNING_IN)?.hash_password_with_salt(secret.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether this is the secret. A hash that cannot be read is nobody's.
#[must_use]
pub fn verify(secret: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    argon2id(FOR_SIGNING_IN).is_ok_and(|argon2| argon2.verify_password(secret.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_signs_in() {
        let kept = hash("four words are best").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify("four words are best", &kept));
        for wrong in ["", "four words are bes", "Four words are best", "four words are best "] {
            assert!(!verify(wrong, &kept), "{wrong}");
        }
    }

    #[test]
    fn the_same_secret_of_two_members_has_two_hashes() {
        assert_ne!(hash("4711").unwrap(), hash("4711").unwrap());
    }

    #[test]
    fn a_broken_hash_lets_nobody_in() {
        for broken in ["", "4711", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=1,t=0,p=0$AAAA$AAAA"]
        {
            assert!(!verify("4711", broken), "{broken}");
            assert!(!verify("", broken), "{broken}");
        }
    }
}
