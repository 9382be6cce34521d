//! Why a charter is not accepted.

use super::{MAX_ENDPOINT, MAX_ENDPOINTS, MAX_NAME, MAX_STEWARDS};

/// Why a charter is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// The name.
    #[error("a community's name has 1 to {MAX_NAME} bytes, with no space before or after it")]
    Name,
    /// The number of stewards.
    #[error("a charter names 1 to {MAX_STEWARDS} stewards, this one {0}")]
    Stewards(usize),
    /// Two forms of one charter would both be valid.
    #[error("the stewards' keys must stand in ascending order, each once; make the charter anew")]
    Order,
    /// Signatures that can never come together, or none.
    #[error("{needed} of {of} stewards cannot sign; the threshold is from 1 to the number of stewards")]
    Threshold {
        /// As the charter says.
        needed: u8,
        /// The number of its stewards.
        of: usize,
    },
    /// The endpoints.
    #[error("a charter has at most {MAX_ENDPOINTS} endpoints of 1 to {MAX_ENDPOINT} bytes")]
    Endpoints,
    /// The version says first and the content not, or the other way round.
    #[error("the first version is 1 and has no charter before it; each one after it names the one before")]
    Version,
    /// Bytes that are no charter.
    #[error(
        "these bytes are not a charter that this version of Banyan reads: {0}; update the box, or ask for the file again"
    )]
    Unreadable(String),
    /// Another community's, or another version.
    #[error(
        "the charter has the fingerprint {found}, and {wanted} was expected; compare it with the community by voice"
    )]
    OtherFingerprint {
        /// What was told.
        wanted: super::CharterHash,
        /// What the bytes have.
        found: super::CharterHash,
    },
    /// Too few of those who speak for the community.
    #[error("{valid} of the {who} signed the charter, and {needed} must; collect the missing signatures")]
    TooFewSignatures {
        /// Stewards before or after.
        who: &'static str,
        /// Who did.
        valid: usize,
        /// How many must.
        needed: u8,
    },
    /// Not the one that follows.
    #[error(
        "version {found} of the charter does not follow version {trusted} that this box trusts; give it every version between them, in order"
    )]
    DoesNotFollow {
        /// The one that is trusted.
        trusted: u32,
        /// The one that came.
        found: u32,
    },
    /// A signature of somebody who is no steward, or a wrong one.
    #[error("{0} did not sign this charter, or is no steward of it")]
    NotASignature(crate::keys::PublicKey),
}
