//! Why a key, a secret or a signature did not do.

use std::path::PathBuf;

use crate::charter::CharterError;
use crate::keys::PublicKey;
use crate::recovery::RecoveryError;

/// Why a key, a secret or a signature did not do.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The system's source of randomness failed.
    #[error("the system gives no random numbers ({0}), so no secret can be made; restart the box")]
    Random(String),
    /// A text is not the bytes that were wanted.
    #[error("\"{text}\" is not {what}; that is written with {digits} digits and letters from a to f")]
    NotHex {
        /// The beginning of the text.
        text: String,
        /// What was wanted.
        what: &'static str,
        /// How many digits that has.
        digits: usize,
    },
    /// Thirty-two bytes that are no key.
    #[error("{0} is not an Ed25519 key; was it copied whole?")]
    NotAKey(PublicKey),
    /// The signature is not of this key over these bytes for this purpose.
    #[error("the {domain} is not signed by {signer}: it was changed, or somebody else signed it")]
    BadSignature {
        /// Whose signature was wanted.
        signer: PublicKey,
        /// What was signed.
        domain: &'static str,
    },
    /// Another key or passphrase, or changed bytes.
    #[error(
        "the {what} does not open: the key or passphrase is another one, or the bytes were changed since"
    )]
    DoesNotOpen {
        /// What was sealed.
        what: String,
    },
    /// Not something that this crate sealed.
    #[error(
        "the {what} was not sealed by this version of Banyan; was the file cut off, or is the box older than it?"
    )]
    NotSealed {
        /// What it should have been.
        what: String,
    },
    /// A passphrase could not be made into a key.
    #[error("the passphrase could not be worked out ({0}); is the box out of memory?")]
    Passphrase(String),
    /// A file could not be read or written.
    #[error("{} could not be {action}: {reason}; is the disk writable, and is the file yours?", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        action: &'static str,
        /// Why.
        reason: std::io::Error,
    },
    /// The charter.
    #[error(transparent)]
    Charter(#[from] CharterError),
    /// The recovery shares.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}
