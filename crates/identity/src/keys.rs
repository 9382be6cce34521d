//! Ed25519 keys. A signature is always for a purpose, its [`Domain`]; what was signed for one passes for no other.

use std::fmt;

use ed25519_dalek::{Signer, VerifyingKey};
use zeroize::Zeroizing;

use crate::error::IdentityError;
use crate::hex::bytes_in_hex;
use crate::random::random_bytes;

/// In front of everything that Banyan signs, so that no key of it ever signs for another program by mistake.
const PROGRAM: &[u8] = b"banyan";

/// What a signature is for, with the version of the form that is signed: `ledger entry v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// A purpose. Meant for constants: a name with a zero byte in it does not compile there.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut place = 0;
        while place < bytes.len() {
            assert!(bytes[place] != 0, "a domain's name ends at the first zero byte, so it must hold none");
            place += 1;
        }
        Self(name)
    }

    /// The bytes that are signed: the program, the purpose and the message, with a zero byte between them. Neither of
    /// the first two holds one, so different messages and purposes never make the same bytes.
    fn preimage(self, message: &[u8]) -> Vec<u8> {
        [PROGRAM, &[0], self.0.as_bytes(), &[0], message].concat()
    }
}

/// A secret key. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new one, from the system's randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self::from_bytes(&Zeroizing::new(random_bytes::<32>()?)))
    }

    /// The one that these secret bytes make.
    #[must_use]
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a message for a purpose.
    #[must_use]
    pub fn sign(&self, domain: Domain, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&domain.preimage(message)).to_bytes())
    }

    pub(crate) fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

bytes_in_hex!(
    /// A public key: who signed.
    PublicKey, 32, "a public key"
);
bytes_in_hex!(
    /// A signature.
    Signature, 64, "a signature"
);

impl PublicKey {
    /// Checks a signature strictly: one that some other program would read differently is refused.
    pub fn verify(&self, domain: Domain, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
        self.verifier()?.verify(domain, message, signature)
    }

    /// The same for many signatures of this key.
    pub fn verifier(&self) -> Result<Verifier, IdentityError> {
        let point = VerifyingKey::from_bytes(self.as_bytes()).map_err(|_| IdentityError::NotAKey(*self))?;
        Ok(Verifier { public: *self, point })
    }
}

/// A public key that was made ready once for many checks.
#[derive(Debug, Clone)]
pub struct Verifier {
    public: PublicKey,
    point: VerifyingKey,
}

impl Verifier {
    /// See [`PublicKey::verify`].
    pub fn verify(&self, domain: Domain, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        self.point
            .verify_strict(&domain.preimage(message), &signature)
            .map_err(|_| IdentityError::BadSignature { signer: self.public, domain: domain.0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex::to_hex;

    const LETTER: Domain = Domain::new("letter v1");
    const LETTE: Domain = Domain::new("lette");

    #[test]
    fn a_signature_has_these_bytes_for_ever() {
        let key = SigningKey::from_bytes(&[7; 32]);
        assert_eq!(
            to_hex(&LETTER.preimage(b"hello")),
            "62616e79616e006c6574746572207631".to_owned() + "0068656c6c6f"
        );
        assert_eq!(
            key.public().to_string(),
            "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        );
        assert_eq!(key.sign(LETTER, b"hello").to_string(), GOLDEN_SIGNATURE);
    }

    const GOLDEN_SIGNATURE: &str = "3d0ac11ac4f9e8f50e1100c3e884d6f1772daca4c7caa9ea5c67e3695bbe26a950431e7100a7928e59d4cc59d701cc67cf14516b1567867783a0c12e0a1ee60e";

    #[test]
    fn a_weak_key_signs_nothing() {
        // The neutral element: with it, plain Ed25519 takes one signature for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let key = PublicKey::from_bytes(neutral);
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(key.verify(LETTER, b"anything", &Signature::from_bytes(signature)).is_err());
    }

    #[test]
    fn a_secret_key_is_never_printed() {
        let key = SigningKey::from_bytes(&[0x5a; 32]);
        assert!(!format!("{key:?}").contains("5a5a5a"));
    }

    #[test]
    fn keys_and_signatures_are_texts_in_json() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signature = key.sign(LETTER, b"x");
        let json = serde_json::to_string(&(key.public(), signature)).unwrap();
        assert_eq!(serde_json::from_str::<(PublicKey, Signature)>(&json).unwrap(), (key.public(), signature));
        let error = "12".parse::<PublicKey>().unwrap_err().to_string();
        assert!(error.contains("64 digits"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_signed_verifies_and_nothing_else_does(
            secret in any::<[u8; 32]>(),
            other in any::<[u8; 32]>(),
            message in proptest::collection::vec(any::<u8>(), 0..200),
            bit in 0_usize..512,
        ) {
            prop_assume!(secret != other);
            let key = SigningKey::from_bytes(&secret);
            let signature = key.sign(LETTER, &message);
            prop_assert!(key.public().verify(LETTER, &message, &signature).is_ok());
            prop_assert!(key.public().verify(LETTE, &message, &signature).is_err(), "another purpose");
            prop_assert!(SigningKey::from_bytes(&other).public().verify(LETTER, &message, &signature).is_err());
            let mut longer = message.clone();
            longer.push(0);
            prop_assert!(key.public().verify(LETTER, &longer, &signature).is_err());
            let mut changed = *signature.as_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(key.public().verify(LETTER, &message, &Signature::from_bytes(changed)).is_err());
        }
    }
}
