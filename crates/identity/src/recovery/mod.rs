//! The store's key on paper: n shares of which any k rebuild it, and fewer say nothing about it (Shamir).
//!
//! A share is thirty English words (see [`Share::to_words`]). Three of them are there to find mistakes: one wrong word
//! is named, with the right one; so are two neighbours that changed places; more mistakes are noticed.

mod check_words;
mod error;
mod split;
mod words;

pub use error::RecoveryError;
pub use split::{MAX_SHARES, combine, split};
pub use words::WORDS;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// One share of the key. Wiped from memory when dropped; never printed but as words.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Share {
    /// Which of the shares it is, from 1.
    pub index: u8,
    /// How many shares rebuild the key.
    pub needed: u8,
    /// Which splitting it is from: shares of two splittings do not mix, even of the same key.
    pub set: u16,
    data: [u8; 32],
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({} of set {:04x}, {} needed)", self.index, self.set, self.needed)
    }
}
