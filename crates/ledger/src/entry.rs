//! One entry, and the bytes that its hash and signature are over.

use banyan_identity::{Domain, PublicKey, Signature, SigningKey};

/// What the box signs an entry for.
pub const ENTRY: Domain = Domain::new("ledger entry v1");

/// Parts the hashes of entries from every other use of BLAKE3.
const HASH: &str = "banyan: ledger entry v1";
/// Likewise, for what the first entry follows.
const BEGINNING: &str = "banyan: the beginning of a ledger v1";

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When: seconds since 1970-01-01 00:00 UTC by the box's clock.
    pub time: i64,
    /// What kind of thing happened.
    pub kind: String,
    /// What happened: JSON, kept byte for byte as it was signed.
    pub payload: Vec<u8>,
    /// The hash of the entry before; of the first, [`Entry::beginning`].
    pub previous: [u8; 32],
    /// Its own hash.
    pub hash: [u8; 32],
    /// The box's signature over the hash.
    pub signature: Signature,
}

impl Entry {
    /// What the first entry of this box follows in place of an entry, so that a ledger is one key's from the beginning.
    #[must_use]
    pub fn beginning(key: &PublicKey) -> [u8; 32] {
        blake3::derive_key(BEGINNING, key.as_bytes())
    }

    /// Makes and signs an entry.
    pub(crate) fn sign(
        key: &SigningKey,
        seq: u64,
        time: i64,
        kind: &str,
        payload: &[u8],
        previous: [u8; 32],
    ) -> Self {
        let hash = hash(seq, time, kind, payload, &previous);
        let signature = key.sign(ENTRY, &hash);
        Self { seq, time, kind: kind.to_owned(), payload: payload.to_owned(), previous, hash, signature }
    }

    /// The hash that these contents have, whatever `hash` says.
    #[must_use]
    pub fn computed_hash(&self) -> [u8; 32] {
        hash(self.seq, self.time, &self.kind, &self.payload, &self.previous)
    }
}

/// Over a fixed layout: `previous (32) · seq (8) · time (8) · length of kind (8) · kind · length of payload (8) · payload`,
/// numbers little-endian. The lengths make it impossible to move bytes from one part to the next.
fn hash(seq: u64, time: i64, kind: &str, payload: &[u8], previous: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(HASH);
    hasher.update(previous).update(&seq.to_le_bytes()).update(&time.to_le_bytes());
    for part in [kind.as_bytes(), payload] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use banyan_identity::to_hex;

    use super::*;

    #[test]
    fn an_entry_has_these_bytes_for_ever() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let beginning = Entry::beginning(&key.public());
        let entry = Entry::sign(&key, 1, 1_790_000_000, "founding", br#"{"kit":"circle"}"#, beginning);
        let bytes = [to_hex(&beginning), to_hex(&entry.hash), entry.signature.to_string()];
        assert_eq!(bytes, [GOLDEN_BEGINNING, GOLDEN_HASH, GOLDEN_SIGNATURE]);
    }

    const GOLDEN_BEGINNING: &str = "6b39a229352c2819a8e144dffdf8f52dc2b7d9251ebd9eeb5890a76334a9c0b2";
    const GOLDEN_HASH: &str = "fe5a968861e4409df6157763dbe9d75ab8c3812d4dddf911827e1fea16d57de9";
    const GOLDEN_SIGNATURE: &str = "04d01733d18e6d8b3202eaafc41177b745854e26c36228eff6f8eacb377e3da621c2413c47f5ce768daceed0dfc555f3657cfe8ce6f178565ddfe2c6fd888107";

    #[test]
    fn no_byte_can_move_from_one_part_to_the_next() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let sign = |kind: &str, payload: &[u8]| Entry::sign(&key, 1, 0, kind, payload, [0; 32]).hash;
        assert_ne!(sign("ab", b"c"), sign("a", b"bc"));
        assert_ne!(sign("a", b""), sign("", b"a"));
    }
}
