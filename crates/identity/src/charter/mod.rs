//! The community's charter: its name, its stewards' keys, and how many of them speak for it.
//!
//! A charter is signed by at least `threshold` of its stewards. The next one needs that many of the stewards before
//! *and* of the stewards after, as The Update Framework rotates a root of trust: nobody takes a community over without
//! those who spoke for it, and nobody is named a steward without agreeing.
//!
//! ```text
//!             fingerprint, told by hand         m of the old stewards and m' of the new ones
//!  SignedCharter 1 ────────▶ TrustedCharter 1 ─── accept(SignedCharter 2) ──▶ TrustedCharter 2 ──▶ …
//! ```
//! Only these two arrows make a [`TrustedCharter`]. Both look at the exact bytes that were signed before they decode
//! them: the first compares their hash with the fingerprint, the second counts signatures over them.

mod encoding;
mod error;
mod signed;

use std::collections::BTreeSet;

pub use error::CharterError;
pub use signed::{SignedCharter, TrustedCharter};

use crate::hex::bytes_in_hex;
use crate::keys::{Domain, PublicKey};

/// What stewards sign a charter for.
pub const DOMAIN: Domain = Domain::new("charter v1");

/// More stewards than a community of some hundreds can know; also bounds what a stranger can make a box check.
pub const MAX_STEWARDS: usize = 64;
/// Bytes of a community's name: a line on a phone, in any script.
pub const MAX_NAME: usize = 120;
/// Ways to reach the community's boxes from others.
pub const MAX_ENDPOINTS: usize = 16;
/// Bytes of one of them.
pub const MAX_ENDPOINT: usize = 300;

bytes_in_hex!(
    /// What names one version of a charter: the hash of its bytes. That of the first names the community.
    CharterHash, 32, "a charter's fingerprint"
);

impl CharterHash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(blake3::derive_key("banyan: charter v1", bytes))
    }
}

/// What a charter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// What the community is called.
    pub name: String,
    /// The keys of those who may speak for it, in ascending order, each once.
    pub stewards: Vec<PublicKey>,
    /// How many of them have to sign.
    pub threshold: u8,
    /// How other communities' boxes reach this one's, best first.
    pub endpoints: Vec<String>,
    /// 1 for the first, one more for each after it.
    pub version: u32,
    /// The hash of the charter before this one.
    pub previous: Option<CharterHash>,
}

impl Charter {
    /// The first charter of a community.
    pub fn first(
        name: &str,
        stewards: BTreeSet<PublicKey>,
        threshold: u8,
        endpoints: Vec<String>,
    ) -> Result<Self, CharterError> {
        let stewards = stewards.into_iter().collect();
        let charter =
            Self { name: name.to_owned(), stewards, threshold, endpoints, version: 1, previous: None };
        charter.check()?;
        Ok(charter)
    }

    /// Whether it can be one at all.
    pub fn check(&self) -> Result<(), CharterError> {
        let name = self.name.trim();
        if name.is_empty() || name.len() != self.name.len() || self.name.len() > MAX_NAME {
            return Err(CharterError::Name);
        }
        if self.stewards.is_empty() || self.stewards.len() > MAX_STEWARDS {
            return Err(CharterError::Stewards(self.stewards.len()));
        }
        if !self.stewards.is_sorted_by(|one, next| one < next) {
            return Err(CharterError::Order);
        }
        if self.threshold == 0 || usize::from(self.threshold) > self.stewards.len() {
            return Err(CharterError::Threshold { needed: self.threshold, of: self.stewards.len() });
        }
        let too_long =
            self.endpoints.iter().any(|endpoint| endpoint.is_empty() || endpoint.len() > MAX_ENDPOINT);
        if too_long || self.endpoints.len() > MAX_ENDPOINTS {
            return Err(CharterError::Endpoints);
        }
        if self.version == 0 || (self.version == 1) != self.previous.is_none() {
            return Err(CharterError::Version);
        }
        Ok(())
    }
}
