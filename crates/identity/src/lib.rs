//! Who is who, and what only they can open.
//!
//! * [`SigningKey`], [`PublicKey`], [`Signature`]: Ed25519, each signature under a [`Domain`], so that one made for a
//!   ledger entry never passes for a charter.
//! * [`charter`]: the community's identity document, signed by m of n stewards and rotated like a root of trust.
//! * [`seal`]: bytes that only a key or a passphrase opens; [`SealedKey`]: a steward's key under a passphrase;
//!   [`BoxKey`]: the box's own key, in a file that only the box opens.
//! * [`password`]: what a member signs in with, kept as a hash.
//! * [`recovery`]: the store's key as shares on paper, any k of n of which rebuild it.
//!
//! It keeps nothing but the box key's file, opens no socket and knows no members. Signed bytes are kept as they were
//! signed, and verified before they are decoded.
//!
//! ```
//! use banyan_identity::{Domain, SigningKey};
//!
//! const GREETING: Domain = Domain::new("greeting v1");
//! # fn main() -> Result<(), banyan_identity::IdentityError> {
//! let key = SigningKey::generate()?;
//! let signature = key.sign(GREETING, b"hello");
//! key.public().verify(GREETING, b"hello", &signature)?;
//! # Ok(())
//! # }
//! ```

mod box_key;
pub mod charter;
mod error;
mod hex;
mod keys;
mod passphrase;
pub mod password;
mod random;
pub mod recovery;
pub mod seal;
mod steward;

pub use box_key::BoxKey;
pub use charter::{Charter, CharterHash, SignedCharter, TrustedCharter};
pub use error::IdentityError;
pub use hex::{from_hex, to_hex};
pub use keys::{Domain, PublicKey, Signature, SigningKey, Verifier};
pub use random::random_bytes;
pub use steward::SealedKey;
