//! A charter with its signatures, and how it comes to be trusted.

use std::collections::BTreeMap;

use minicbor::{Decoder, Encoder};

use super::encoding::{MAX_BYTES, thirty_two, unreadable};
use super::{Charter, CharterError, CharterHash, DOMAIN, MAX_STEWARDS};
use crate::keys::{PublicKey, Signature, SigningKey};

/// The exact bytes of a charter and who signed them. Says nothing yet: see [`TrustedCharter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCharter {
    bytes: Vec<u8>,
    signatures: BTreeMap<PublicKey, Signature>,
}

/// A charter that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCharter {
    charter: Charter,
    hash: CharterHash,
}

/// Stewards before and after at most, so a stranger cannot make a box check thousands of signatures.
const MAX_SIGNATURES: usize = 2 * MAX_STEWARDS;

impl SignedCharter {
    /// A charter that nobody has signed yet.
    pub fn new(charter: &Charter) -> Result<Self, CharterError> {
        Ok(Self { bytes: charter.encode()?, signatures: BTreeMap::new() })
    }

    /// Its fingerprint: what people compare by voice.
    #[must_use]
    pub fn fingerprint(&self) -> CharterHash {
        CharterHash::of(&self.bytes)
    }

    /// Who is said to have signed.
    pub fn signers(&self) -> impl Iterator<Item = &PublicKey> {
        self.signatures.keys()
    }

    /// Signs it.
    pub fn sign(&mut self, key: &SigningKey) {
        self.signatures.insert(key.public(), key.sign(DOMAIN, &self.bytes));
    }

    /// Adds a signature that was made elsewhere; a wrong one is refused, so that it cannot push out a right one.
    pub fn add(&mut self, signer: PublicKey, signature: Signature) -> Result<(), CharterError> {
        let valid = signer.verify(DOMAIN, &self.bytes, &signature).is_ok();
        if !valid || self.signatures.len() >= MAX_SIGNATURES {
            return Err(CharterError::NotASignature(signer));
        }
        self.signatures.insert(signer, signature);
        Ok(())
    }

    /// For a file or a neighbour: `[charter's bytes, [[key, signature], …]]` in CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder).expect("writing into memory cannot fail");
        encoder.into_writer()
    }

    fn write(
        &self,
        to: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        to.array(2)?.bytes(&self.bytes)?.array(self.signatures.len() as u64)?;
        for (signer, signature) in &self.signatures {
            to.array(2)?.bytes(signer.as_bytes())?.bytes(signature.as_bytes())?;
        }
        Ok(())
    }

    /// Reads what [`SignedCharter::encode`] wrote. The charter inside stays bytes until it is verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, CharterError> {
        Self::read(bytes).map_err(unreadable)
    }

    fn read(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let wrong = minicbor::decode::Error::message;
        let mut from = Decoder::new(bytes);
        if from.array()? != Some(2) {
            return Err(wrong("it is no signed charter"));
        }
        let charter = from.bytes()?;
        let count = from.array()?.filter(|count| *count <= MAX_SIGNATURES as u64);
        if charter.len() > MAX_BYTES || count.is_none() {
            return Err(wrong("it is too large"));
        }
        let mut signatures = BTreeMap::new();
        for _ in 0..count.unwrap_or_default() {
            if from.array()? != Some(2) {
                return Err(wrong("a signature is not whole"));
            }
            let signer = PublicKey::from_bytes(thirty_two(&mut from)?);
            let signature = from.bytes()?.try_into().map_err(|_| wrong("a signature has not 64 bytes"))?;
            signatures.insert(signer, Signature::from_bytes(signature));
        }
        Ok(Self { bytes: charter.to_owned(), signatures })
    }

    /// Trusts the first charter of a community whose fingerprint was told by a person, or is this box's own.
    pub fn trust_first(&self, fingerprint: &CharterHash) -> Result<TrustedCharter, CharterError> {
        let found = self.fingerprint();
        if found != *fingerprint {
            return Err(CharterError::OtherFingerprint { wanted: *fingerprint, found });
        }
        let charter = Charter::decode(&self.bytes)?;
        if charter.version != 1 {
            return Err(CharterError::DoesNotFollow { trusted: 0, found: charter.version });
        }
        self.require("stewards", &charter.stewards, charter.threshold)?;
        Ok(TrustedCharter { charter, hash: found })
    }

    /// Whether so many of them signed these very bytes. Others' signatures count for nothing and do no harm.
    fn require(&self, who: &'static str, stewards: &[PublicKey], needed: u8) -> Result<(), CharterError> {
        let signed = |steward: &&PublicKey| {
            let signature = self.signatures.get(steward);
            signature.is_some_and(|signature| steward.verify(DOMAIN, &self.bytes, signature).is_ok())
        };
        let valid = stewards.iter().filter(signed).count();
        if valid < usize::from(needed) {
            return Err(CharterError::TooFewSignatures { who, valid, needed });
        }
        Ok(())
    }
}

impl TrustedCharter {
    /// What it says.
    #[must_use]
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// Its fingerprint.
    #[must_use]
    pub fn hash(&self) -> CharterHash {
        self.hash
    }

    /// The next version to be signed: the same, to be changed by the caller.
    #[must_use]
    pub fn successor(&self) -> Charter {
        let version = self.charter.version.saturating_add(1);
        Charter { version, previous: Some(self.hash), ..self.charter.clone() }
    }

    /// Trusts the next version, when enough of the stewards before and of the stewards after signed it.
    pub fn accept(&self, next: &SignedCharter) -> Result<TrustedCharter, CharterError> {
        next.require("stewards before", &self.charter.stewards, self.charter.threshold)?;
        let charter = Charter::decode(&next.bytes)?;
        let follows = self.charter.version.checked_add(1) == Some(charter.version);
        if !follows || charter.previous != Some(self.hash) {
            return Err(CharterError::DoesNotFollow {
                trusted: self.charter.version,
                found: charter.version,
            });
        }
        next.require("stewards after", &charter.stewards, charter.threshold)?;
        Ok(TrustedCharter { charter, hash: next.fingerprint() })
    }
}
